"""What the README of the platform SageMaker tells a user to type and to paste works."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipymlops.config import SETTINGS
from ipymlops.platforms.sagemaker.policies import Names, policy
from tests.servers.sagemaker_api import SageMakerApi, sagemaker_api

README = Path(__file__).parents[2] / "ipymlops" / "platforms" / "sagemaker" / "README.md"


@pytest.fixture
def text() -> str:
    return README.read_text(encoding="utf-8")


@pytest.fixture
def api(monkeypatch) -> Iterator[SageMakerApi]:
    with sagemaker_api() as running:
        for name, value in running.env.items():
            monkeypatch.setenv(name, value)
        yield running


def blocks(text: str, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def lines(text: str, program: str) -> list[list[str]]:
    rows = [shlex.split(line, comments=True) for block in blocks(text, "sh") for line in block.splitlines()]
    return [words for words in rows if words[:1] == [program]]


def test_its_lines_run_in_order_on_a_fresh_account(text, digits, api):
    rows = lines(text, "ipymlops")
    assert len(rows) >= 8
    for words in rows:
        done = subprocess.run(words, cwd=digits, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}\n{done.stderr}"
    assert "aws s3 rb s3://ipymlops-" in done.stdout


def test_the_policies_are_those_that_the_code_knows(text):
    folder = README.parent / "policies"
    assert blocks(text, "json") == [(folder / f"{name}.json").read_text() for name in ("caller", "execution")]


def test_iam_takes_the_policies_and_the_lines_that_make_a_role(text, api):
    names = Names("aws", api.account, api.bucket, api.role)
    iam = api.client("iam")
    iam.create_policy(PolicyName="caller", PolicyDocument=json.dumps(policy("caller", names)))
    for _, service, operation, *options in lines(text, "aws"):
        given = {_parameter(flag): value for flag, value in zip(options[::2], options[1::2], strict=True)}
        if given.get("PolicyDocument") == "file://execution.json":
            given["PolicyDocument"] = json.dumps(policy("execution", names))
        getattr(api.client(service), operation.replace("-", "_"))(**given)
    assert iam.get_role_policy(RoleName="ipymlops-jobs", PolicyName="ipymlops")["PolicyDocument"]["Statement"]


def _parameter(flag: str) -> str:
    """`--role-name` as the API spells it."""
    return "".join(part.title() for part in flag.removeprefix("--").split("-"))


def test_every_setting_is_there(text):
    for one in SETTINGS:
        assert one.platform != "sagemaker" or f"`{one.key}`" in text
