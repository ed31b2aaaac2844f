"""Secrets of a job on SageMaker: fetched by the launcher with the role of the machine, and nowhere else."""

from __future__ import annotations

import json

import pytest

VALUE = "hunter2-hunter2"
SHOWS = "import os\nprint('token', os.environ['TOKEN'], len(os.environ['TOKEN']))\n"


def asked(secret, key=None):
    return {"secret_names": ["TOKEN"], "secrets_from": {"TOKEN": {"id": secret, "key": key}}}


def refused(container, secret, key=None, **changes):
    """The error of a job whose secret cannot be had; its script never ran."""
    code, out, err = container.finished(SHOWS, **asked(secret, key), **changes)
    assert (code, out, err) == (70, b"", b"")
    assert container.result["end_reason"] == "platform_error"
    error = container.result["error"]
    assert container.failure.startswith(error["what"] + "\nexit code 70\n" + error["why"])
    assert error["what"] == "the secret TOKEN cannot be read"
    return error


def test_a_secret_reaches_the_script_and_no_file(container):
    container.secret("mine", VALUE)
    code, out, err = container.finished(SHOWS, **asked("mine"))
    assert (code, out, err) == (0, b"token *** 15\n", b"")
    written = [path for path in container.folder.rglob("*") if path.is_file()]
    assert [path for path in written if VALUE.encode() in path.read_bytes()] == []


def test_a_secret_by_its_arn_is_read_in_its_own_region(container):
    arn = container.api.client("secretsmanager", "eu-central-1").create_secret(Name="far", SecretString=VALUE)["ARN"]
    assert container.finished(SHOWS, **asked(arn))[1] == b"token *** 15\n"
    assert [call.resource for call in container.api.calls if call.action == "GetSecretValue"] == [arn]


@pytest.mark.parametrize(("value", "length"), [(VALUE, 15), ("", 0), (12345, 5), (True, 4), ({"a": [1]}, 10)])
def test_one_value_of_a_json_secret(container, value, length):
    container.secret("mine", json.dumps({"other": "x", "token": value}))
    assert container.finished(SHOWS, **asked("mine", "token"))[1].split()[-1] == b"%d" % length


@pytest.mark.parametrize(
    "text", ["hunter2-hunter2", '{"other": "hunter2-hunter2"}', '["hunter2-hunter2"]', '{"token": null}']
)
def test_a_key_that_is_not_there_is_named(container, text):
    container.secret("mine", text)
    error = refused(container, "mine", "token")
    assert error["why"] == "mine is no JSON object with the key 'token'"
    assert VALUE not in json.dumps(container.result)


def test_a_right_that_is_missing_is_named(container):
    container.secret("mine", VALUE)
    container.api.faults.denied_to_role = {"secretsmanager:*"}
    error = refused(container, "mine")
    assert error["fix"] == "give the execution role secretsmanager:GetSecretValue on mine"
    assert "AccessDeniedException: " in error["why"]


def test_a_secret_that_is_not_there_is_named(container):
    error = refused(container, "never")
    assert "ResourceNotFoundException" in error["why"]
    assert error["fix"] == "aws secretsmanager describe-secret --secret-id never"


def test_no_answer_is_the_network(container):
    container.secret("mine", VALUE)
    nowhere = {"AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://127.0.0.1:9"}
    error = refused(container, "mine", environment=nowhere)
    assert error["why"].startswith("no answer from 127.0.0.1:9: ")
    assert "VPC" in error["fix"]


def test_a_role_without_keys_is_told(container):
    nobody = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/role"}
    error = refused(container, "mine", environment=nobody)
    assert error["why"].startswith("the container has no credentials of its role: ")
    assert [note for note in container.result["notes"] if note.startswith("nobody could look whether")] != []


def test_a_binary_secret_is_no_variable(container):
    container.api.client("secretsmanager").create_secret(Name="mine", SecretBinary=b"\0\1")
    assert refused(container, "mine")["why"] == "the secret is binary, and a variable is text"


def test_a_value_that_no_variable_can_have_is_not_quoted(container):
    container.secret("mine", VALUE + "\0")
    code, _, _ = container.finished(SHOWS, **asked("mine"))
    assert (code, container.result["error"]["what"]) == (70, "no process can be given the secret TOKEN")
    assert VALUE not in json.dumps(container.result) + container.failure


def test_throttling_passes(container):
    container.secret("mine", VALUE)
    container.api.faults.throttle_next = {"GetSecretValue": 2}
    assert container.finished(SHOWS, **asked("mine"))[1] == b"token *** 15\n"


@pytest.mark.parametrize("skew_s", [-3600, 3600])
def test_a_clock_that_is_wrong_is_no_reason_to_fail(container, skew_s):
    container.secret("mine", VALUE)
    container.api.faults.clock_skew_s = skew_s
    assert container.finished(SHOWS, mirror_wait_s=0, **asked("mine"))[1] == b"token *** 15\n"
