"""Notebooks travel without what running them leaves behind."""

from __future__ import annotations

import json
from dataclasses import replace

import nbformat
import pytest

from ipymlops.source import snapshot
from ipymlops.source.notebooks import stripped


def notebook(**cell):
    code = {
        "cell_type": "code",
        "id": "c1",
        "metadata": {},
        "source": ["a = 1\n", "a"],
        "outputs": [],
        "execution_count": None,
    }
    text = {
        "cell_type": "markdown",
        "id": "m1",
        "metadata": {},
        "source": ["# Títle"],
        "attachments": {"i.png": {"image/png": "x"}},
    }
    return {
        "cells": [code | cell, text],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


RAN = {
    "outputs": [{"output_type": "stream", "name": "stdout", "text": ["1"]}],
    "execution_count": 7,
    "metadata": {"execution": {"iopub.execute_input": "2024-01-01"}, "scrolled": True, "tags": ["parameters"]},
}


def saved(content):
    return nbformat.writes(nbformat.from_dict(content)).encode() + b"\n"


@pytest.fixture
def book(repo, git):
    """A committed notebook without outputs."""
    (repo / "n.ipynb").write_bytes(saved(notebook(metadata={"tags": ["parameters"]})))
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "notebook")
    return repo / "n.ipynb"


def test_a_notebook_that_is_autosaved_between_two_submits_is_the_same_code(repo, book):
    first = snapshot(repo)
    ran = notebook(**RAN)
    ran["metadata"]["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {"a": 1}}}
    book.write_bytes(saved(ran))
    second = snapshot(repo)
    ran["cells"][0]["execution_count"] = 8
    book.write_text(json.dumps(ran))
    third = snapshot(repo)
    assert first.tree == second.tree == third.tree
    assert second.changed == ()
    assert not second.dirty


def test_an_edit_of_a_notebook_is_new_code(repo, book):
    first = snapshot(repo)
    book.write_bytes(saved(notebook(source=["a = 2\n"], **RAN)))
    second = snapshot(repo)
    assert second.tree != first.tree
    assert second.changed == ("n.ipynb",)


def test_outputs_that_were_committed_do_not_travel(repo, git, book, content):
    book.write_bytes(saved(notebook(**RAN)))
    git(repo, "commit", "-qam", "with outputs")
    taken = snapshot(repo)
    assert json.loads(content(taken, "n.ipynb"))["cells"][0]["outputs"] == []
    assert taken.changed == ()
    assert taken.bytes == sum(len(content(taken, name)) for name in (".gitignore", "train.py")) + len(
        content(taken, "n.ipynb").encode()
    )
    again = snapshot(repo)
    assert again == replace(taken, snapshot_commit=again.snapshot_commit)  # a commit has a time


def test_a_stripped_notebook_is_read_only_once(repo, git, book, program):
    book.write_bytes(saved(notebook(**RAN)))
    git(repo, "commit", "-qam", "with outputs")
    tree = snapshot(repo).tree
    raw = git(repo, "rev-parse", "HEAD:n.ipynb").strip()
    state = json.loads(git(repo, "cat-file", "blob", "refs/ipymlops/seen:state.json"))
    assert state["notebooks"] == {raw: git(repo, "rev-parse", f"{tree}:n.ipynb").strip()}
    git(repo, "update-ref", "-d", "refs/ipymlops/seen")
    assert snapshot(repo).tree == tree


def test_a_spoilt_record_of_what_was_seen_is_made_anew(repo, git, book):
    tree = snapshot(repo).tree
    git(repo, "update-ref", "refs/ipymlops/seen", "HEAD")
    assert snapshot(repo).tree == tree
    assert "state.json" in git(repo, "ls-tree", "refs/ipymlops/seen")


def test_the_form_is_nbformats_own():
    content = notebook()
    assert stripped(saved(content)) == saved(content)
    assert stripped(json.dumps(content).encode()) == saved(content)
    assert stripped(stripped(saved(notebook(**RAN)))) == stripped(saved(notebook(**RAN)))


def test_what_is_written_is_a_valid_notebook_that_keeps_the_rest():
    read = nbformat.reads(stripped(saved(notebook(**RAN))).decode(), as_version=4)
    nbformat.validate(read)
    assert read.cells[0].metadata == {"tags": ["parameters"]}
    assert read.cells[1].attachments == {"i.png": {"image/png": "x"}}
    assert read.metadata.kernelspec.name == "python3"


def test_a_text_and_its_lines_are_the_same_source():
    assert stripped(json.dumps(notebook(source="a = 1\na")).encode()) == stripped(saved(notebook()))


def test_an_old_notebook_is_stripped_too():
    old = {
        "worksheets": [{"cells": [{"cell_type": "code", "input": ["1"], "outputs": [1], "prompt_number": 3}]}],
        "nbformat": 3,
    }
    read = json.loads(stripped(json.dumps(old).encode()))
    assert read["worksheets"][0]["cells"] == [{"cell_type": "code", "input": ["1"], "outputs": []}]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<<<<<<< HEAD\n{}",
        b"[]",
        b"7",
        b'{"cells": 3}',
        b'{"cells": [3]}',
        b'{"cells": [{"metadata": 3}]}',
        b'{"cells": [], "metadata": 3}',
        b"\xff\xfe",
        b'{"cells": [], "x": "\\ud800"}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_notebook_stays_as_it_is(content):
    assert stripped(content) == content
