"""The launcher's own requests to AWS, beside those of AWS's library."""

from __future__ import annotations

import calendar
import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as TheirKeys

from ipymlops.runtime import aws
from ipymlops.runtime.aws import AwsProblem, Credentials, Request, endpoint, pages, signed
from ipymlops.runtime.aws_keys import credentials
from tests.unit.runtime.launched import pythons

MOMENT = datetime(2026, 12, 1, 8, 30, 5, tzinfo=timezone.utc)
REQUESTS = [
    ("s3", "GET", "https://s3.eu-central-1.amazonaws.com/bucket?list-type=2&prefix=a%2Fb%20c%2B%C3%A9&encoding-type=url", {}, b""),
    ("s3", "GET", "http://127.0.0.1:5000/my.bucket?continuation-token=a%2Fb%3D%3D&list-type=2&empty=", {}, b""),
    ("s3", "GET", "https://s3.us-east-1.amazonaws.com/", {}, b""),
    ("secretsmanager", "POST", "https://secretsmanager.us-east-1.amazonaws.com/",
     {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "secretsmanager.GetSecretValue"}, b'{"SecretId": "a"}'),
]  # fmt: skip


@pytest.mark.parametrize("token", ["", "a/token+of=signs"])
@pytest.mark.parametrize(("service", "method", "url", "headers", "body"), REQUESTS)
def test_signatures_are_those_of_awss_library(monkeypatch, service, method, url, headers, body, token):
    ours = signed(
        Request(method, url, headers, body),
        service,
        "us-east-1",
        Credentials("AKID", "se/cr+et", token),
        MOMENT.utctimetuple(),
    )
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: MOMENT.replace(tzinfo=None))
    theirs = AWSRequest(method, url, dict(ours.headers), body)
    for name in ("Authorization", "X-Amz-Date", "X-Amz-Security-Token"):
        del theirs.headers[name]
    kind = botocore.auth.S3SigV4Auth if service == "s3" else botocore.auth.SigV4Auth
    kind(TheirKeys("AKID", "se/cr+et", token or None), service, "us-east-1").add_auth(theirs)
    assert ours.headers["Authorization"] == theirs.headers["Authorization"]
    assert ours.headers["X-Amz-Date"] == theirs.headers["X-Amz-Date"] == "20261201T083005Z"


@pytest.mark.parametrize(
    ("region", "env", "address"),
    [
        ("us-east-1", {}, "https://secretsmanager.us-east-1.amazonaws.com"),
        ("us-gov-west-1", {}, "https://secretsmanager.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", {}, "https://secretsmanager.cn-north-1.amazonaws.com.cn"),
        ("us-east-1", {"AWS_ENDPOINT_URL": "http://a/"}, "http://a"),
        ("us-east-1", {"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://b"}, "http://b"),
        ("us-east-1", {"AWS_ENDPOINT_URL_S3": "http://s"}, "https://secretsmanager.us-east-1.amazonaws.com"),
    ],
)
def test_services_are_where_they_are(region, env, address):
    assert endpoint("secretsmanager", region, env) == address


class Answers:
    """A real server that gives these answers, (status, headers, body) each, and the last one from then on."""

    def __init__(self, *answers):
        self.answers, self.asked, self.url = list(answers), [], ""

    @contextmanager
    def serving(self) -> Iterator[Answers]:
        given = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                given.asked.append((self.command, self.path, dict(self.headers)))
                status, headers, body = given.answers.pop(0) if len(given.answers) > 1 else given.answers[0]
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_PUT = do_GET  # noqa: N815 - the names that the server looks for

            def log_message(self, *words):
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            self.url = f"http://127.0.0.1:{server.server_port}"
            thread = threading.Thread(target=server.serve_forever, args=[0.02])
            thread.start()
            try:
                yield self
            finally:
                server.shutdown()
                thread.join()


KEYS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret"}
GIVEN = json.dumps({"AccessKeyId": "ROLE", "SecretAccessKey": "of role", "Token": "token"}).encode()
VALUE = (200, {}, b'{"SecretString": "value"}')


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(aws, "PAUSES_S", (0.0, 0.0, 0.0, 0.0))


def secret_of(answers):
    return aws.secret_value("a", "us-east-1", {**KEYS, "AWS_ENDPOINT_URL": answers.url})


@pytest.mark.parametrize(
    "bad",
    [
        (500, {}, b""),
        (503, {}, b"<html>"),
        (429, {}, b""),
        (400, {}, b'{"__type": "ThrottlingException", "message": "Rate exceeded"}'),
        (400, {}, b'{"__type": "com.amazon#RequestLimitExceeded"}'),
        (200, {"Content-Length": "999"}, b'{"Secret'),
    ],
)
def test_what_may_pass_is_asked_again(bad):
    with Answers(bad, bad, bad, VALUE).serving() as answers:
        assert secret_of(answers) == "value"
        assert len(answers.asked) == 4


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        ((400, {}, b'{"__type": "com.amazon#AccessDeniedException", "Message": "no"}'), "AccessDeniedException"),
        ((403, {}, b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"), "AccessDenied"),
        ((404, {}, b""), "404"),
        ((400, {}, b"[]"), "400"),
        ((200, {}, b"<html>"), ""),
        ((200, {}, b"[]"), ""),
        ((200, {}, b"{}"), ""),
    ],
)
def test_what_will_not_pass_is_told_at_once(bad, code):
    with Answers(bad).serving() as answers:
        with pytest.raises(AwsProblem) as told:
            secret_of(answers)
        assert (told.value.code, len(answers.asked)) == (code, 1)


def test_it_gives_up():
    with Answers((500, {}, b"")).serving() as answers:
        with pytest.raises(AwsProblem, match="500"):
            secret_of(answers)
        assert len(answers.asked) == 4


@pytest.mark.parametrize("status", [301, 302, 307])
def test_nobody_else_gets_a_signed_request(status):
    with Answers(VALUE).serving() as other, Answers((status, {"Location": other.url}, b"")).serving() as answers:
        with pytest.raises(AwsProblem):
            secret_of(answers)
        assert other.asked == []


def test_a_role_of_the_container_comes_before_keys_among_the_variables(tmp_path):
    (tmp_path / "token").write_text("from a file\n")
    with Answers((200, {}, GIVEN)).serving() as answers:
        env = {**KEYS, "AWS_CONTAINER_CREDENTIALS_FULL_URI": answers.url + "/role"}
        assert credentials(env) == Credentials("ROLE", "of role", "token")
        credentials({**env, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "a token"})
        credentials({**env, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(tmp_path / "token")})
        assert [headers.get("Authorization") for _, _, headers in answers.asked] == [None, "a token", "from a file"]
    assert credentials(KEYS) == Credentials("AKID", "secret", "")
    assert credentials({**KEYS, "AWS_SESSION_TOKEN": "t"}).token == "t"


def test_keys_of_a_role_are_asked_for_past_any_proxy(monkeypatch):
    with Answers((500, {}, b"")).serving() as proxy, Answers((200, {}, GIVEN)).serving() as answers:
        monkeypatch.setenv("http_proxy", proxy.url)
        env = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": answers.url.replace("127.0.0.1", "localhost")}
        assert credentials(env).key_id == "ROLE"
        assert proxy.asked == []


@pytest.mark.parametrize("bad", [(200, {}, b""), (200, {}, b"[]"), (200, {}, b"{}"), (404, {}, b"")])
def test_a_role_that_has_no_keys_is_told(bad):
    with Answers(bad).serving() as answers, pytest.raises(AwsProblem, match="no credentials of its role"):
        credentials({"AWS_CONTAINER_CREDENTIALS_FULL_URI": answers.url})


ADDRESSES = """
import json, subprocess, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
sys.path.insert(0, sys.argv[1])
from ipymlops.runtime.aws_keys import credentials
for words in ("link set lo up", "address add 169.254.170.2/32 dev lo", "address add 169.254.169.254/32 dev lo"):
    subprocess.run(["ip", *words.split()], check=True)
asked = []
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        asked.append([self.server.server_address[0], self.command, self.path, self.headers.get("X-aws-ec2-metadata-token")])
        keys = json.dumps({"AccessKeyId": "OF " + self.server.server_address[0], "SecretAccessKey": "s"})
        body = {"/latest/api/token": "session", "/latest/meta-data/iam/security-credentials/": "Role"}.get(self.path, keys).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_PUT = do_GET
    def log_message(self, *words):
        pass
for address in ("169.254.170.2", "169.254.169.254"):
    threading.Thread(target=ThreadingHTTPServer((address, 80), Handler).serve_forever, daemon=True).start()
found = [credentials(env).key_id for env in ({"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/id"}, {})]
print(json.dumps([found, asked]))
"""


def test_roles_are_asked_for_at_aws_own_addresses(request):
    """In a network of its own, where these addresses lead to a server of the test."""
    words = ["unshare", "-n", sys.executable, "-c", ADDRESSES, str(request.config.rootpath)]
    done = subprocess.run(words, capture_output=True, check=True, timeout=60)
    found, asked = json.loads(done.stdout)
    assert found == ["OF 169.254.170.2", "OF 169.254.169.254"]
    machine, path = "169.254.169.254", "/latest/meta-data/iam/security-credentials/"
    assert asked == [
        ["169.254.170.2", "GET", "/v2/id", None],
        [machine, "PUT", "/latest/api/token", None],
        [machine, "GET", path, "session"],
        [machine, "GET", path + "Role", "session"],
    ]


def test_objects_are_listed_page_by_page_with_their_names():
    first = "<a xmlns='x'><Contents><Key>p/a+b%2B%C3%A9%0A</Key><LastModified>2026-12-01T08:30:05.000Z</LastModified><Size>3</Size></Contents><NextContinuationToken>n=/</NextContinuationToken></a>"
    last = "<a><Contents><Key>p/c</Key><LastModified>2026-12-01T08:30:05Z</LastModified><Size>0</Size></Contents></a>"
    answered = [(200, {"Date": "Tue, 01 Dec 2026 08:31:00 GMT"}, text.encode()) for text in (first, last)]
    with Answers(*answered).serving() as answers:
        found = list(pages("bucket", "p/", "us-east-1", {**KEYS, "AWS_ENDPOINT_URL": answers.url}))
        assert "continuation-token=n%3D%2F" in answers.asked[1][1]
    at = float(calendar.timegm(MOMENT.utctimetuple()))
    assert [page.objects for page in found] == [{"a b+é\n": (3, at)}, {"c": (0, at)}]
    assert found[0].at in (at + 55, found[0].at)  # the server's own date is there too
    with Answers((200, {}, b"<html")).serving() as answers, pytest.raises(AwsProblem, match="is not S3"):
        list(pages("bucket", "p/", "us-east-1", {**KEYS, "AWS_ENDPOINT_URL": answers.url}))


LISTS = "import json, os, sys; sys.path.insert(0, sys.argv[1]); from ipymlops.runtime.aws import pages; print(json.dumps([page.objects for page in pages('b', '', 'us-east-1', dict(os.environ))]))"


@pytest.mark.parametrize("python", pythons().values())
def test_it_is_asked_the_same_way_by_this_python(python, zip_path):
    text = "<a><Contents><Key>c</Key><LastModified>2026-12-01T08:30:05Z</LastModified><Size>7</Size></Contents></a>"
    with Answers((200, {}, text.encode())).serving() as answers:
        env = {**KEYS, "AWS_ENDPOINT_URL": answers.url}
        done = subprocess.run([python, "-I", "-c", LISTS, str(zip_path)], capture_output=True, env=env)
    assert json.loads(done.stdout)[0]["c"][0] == 7, done.stderr
