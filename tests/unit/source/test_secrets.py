"""A likely secret stops the submit with its path; harmless look-alikes do not."""

from __future__ import annotations

import json
import subprocess

import pytest

from ipymlops.errors import SourceProblem
from ipymlops.source import snapshot
from ipymlops.source.secrets import kind_by_content, kind_by_name

# put together here, so that this file holds none
KEY = "AKIA" + "QWERTYUIOPASDF23"
PEM = "-----BEGIN RSA " + "PRIVATE KEY-----\n" + "MIIEowIBAAKCAQEA" * 4 + "\n"


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        (".env", "PASSWORD=x\n", "environment variables"),
        ("conf/.env.production", "PASSWORD=x\n", "environment variables"),
        (".netrc", "machine x\n", "passwords"),
        ("key.txt", PEM, "a private key"),
        ("aws.ini", f"aws_access_key_id = {KEY}\n", "an AWS access key"),
        (
            "sa.json",
            '{"type": "service_account", "project_id": "p", "private_key": "x"}',
            "a Google service account key",
        ),
        ("azure.txt", "AccountKey=" + "a" * 86 + "==", "an Azure storage key"),
        ("gh.txt", "ghp_" + "a1" * 18, "a GitHub token"),
        ("hf.txt", "hf_" + "a1" * 17, "a Hugging Face token"),
    ],
)
def test_a_likely_secret_stops_it_and_the_fix_works(repo, names, name, text, kind, git):
    (repo / name).parent.mkdir(exist_ok=True)
    (repo / name).write_text(text)
    with pytest.raises(SourceProblem) as caught:
        snapshot(repo, job_id="j1")
    assert name in caught.value.what
    assert kind in caught.value.what
    assert git(repo, "for-each-ref", "refs/ipymlops/jobs") == ""
    subprocess.run(caught.value.fix, shell=True, check=True, cwd="/")
    assert name not in names(snapshot(repo))


def test_a_secret_is_found_again_though_nothing_changed(repo):
    (repo / "key.txt").write_text(PEM)
    for _ in range(3):
        with pytest.raises(SourceProblem, match=r"key\.txt"):
            snapshot(repo)
    snapshot(repo, allow_secrets=["key.txt"])
    (repo / "new.py").write_text("1")
    snapshot(repo, allow_secrets=["key.txt"])
    with pytest.raises(SourceProblem, match=r"key\.txt"):
        snapshot(repo)
    (repo / "key.txt").write_text("harmless now")
    snapshot(repo)


def test_a_committed_secret_counts_too(repo, git):
    (repo / "key.txt").write_text(PEM)
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "oops")
    with pytest.raises(SourceProblem, match=r"key\.txt"):
        snapshot(repo)


def test_an_allowed_one_travels_and_the_others_do_not(repo, names):
    (repo / "key.txt").write_text(PEM)
    (repo / "other.txt").write_text(KEY)
    with pytest.raises(SourceProblem, match=r"other\.txt"):
        snapshot(repo, allow_secrets=["key.txt"])
    assert "key.txt" in names(snapshot(repo, allow_secrets=["/other.txt", "key.txt"]))


def test_several_are_counted(repo):
    for number in range(3):
        (repo / f"k{number}").write_text(PEM)
    with pytest.raises(SourceProblem, match=r"k0 looks like a private key \(and 2 more: k1, k2\)"):
        snapshot(repo)


def test_an_ignored_secret_stays_at_home(repo, names):
    (repo / ".gitignore").write_text(".env\n")
    (repo / ".env").write_text("PASSWORD=x\n")
    assert ".env" not in names(snapshot(repo))


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN PUBLIC KEY-----\n" + "A" * 64,
        'MARK = b"-----BEGIN RSA PRIVATE KEY-----"\nother = 1\n',
        "AKIA" + "IOSFODNN7EXAMPLE",
        "AKIAshort",
        '{"type": "service_account"}',
        "ghp_short",
    ],
)
def test_what_only_mentions_a_secret_is_none(text):
    assert kind_by_content(text.encode()) is None


def test_binary_files_are_not_searched():
    assert kind_by_content(b"\0" + KEY.encode()) is None


@pytest.mark.parametrize("name", [b".env.example", b".env/bin/python", b"env", b"my.env.py", b"x/.env.template"])
def test_names_that_only_resemble_one_are_none(name):
    assert kind_by_name(name) is None


def test_a_key_inside_a_notebooks_output_does_not_count(repo):
    cell = {"cell_type": "code", "source": "1", "outputs": [KEY]}
    (repo / "n.ipynb").write_text(json.dumps({"cells": [cell]}))
    snapshot(repo)
    (repo / "n.ipynb").write_text(json.dumps({"cells": [cell | {"source": KEY}]}))
    with pytest.raises(SourceProblem, match=r"n\.ipynb"):
        snapshot(repo)
