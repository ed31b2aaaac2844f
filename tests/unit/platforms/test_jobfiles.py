"""Artifacts and metrics on disk."""

import json
import os

import pytest

from ipymlops.errors import PlatformProblem
from ipymlops.platforms.jobfiles import artifacts, fetch, last_metrics


def test_a_link_below_the_output_is_followed_and_one_that_leads_out_is_not(folder, tmp_path):
    (tmp_path / "private").write_text("secret")
    (folder.root / "job.json").write_text("{}")
    (folder.output / "step-3").write_text("model")
    (folder.output / "latest").symlink_to("step-3")
    for name, to in {"out": tmp_path / "private", "up": "../job.json", "loop": "loop", "nowhere": "none"}.items():
        (folder.output / name).symlink_to(to)
    os.mkfifo(folder.output / "pipe")
    (folder.output / "folder").symlink_to(tmp_path)
    assert {one.path: one.bytes for one in artifacts(folder)} == {"latest": 5, "step-3": 5}
    fetch(folder, "latest", tmp_path / "to" / "latest")
    assert (tmp_path / "to" / "latest").read_text() == "model"
    for path in ("out", "up", "loop", "nowhere", "pipe", "folder/private", "../job.json"):
        with pytest.raises(PlatformProblem):
            fetch(folder, path, tmp_path / "not")
    assert not (tmp_path / "not").exists()


def test_the_outputs_own_file_comes_before_the_other_folders(folder, tmp_path):
    (folder.tensorboard / "events").write_text("ours")
    (folder.output / "tensorboard").mkdir()
    (folder.output / "tensorboard" / "events").write_text("the output's")
    assert [one.path for one in artifacts(folder)] == ["tensorboard/events"]
    fetch(folder, "tensorboard/events", tmp_path / "events")
    assert (tmp_path / "events").read_text() == "the output's"


def test_names_of_any_bytes_can_be_fetched(folder, tmp_path):
    names = [b"a\nb", b"\xff\xfe", "é💥".encode(), b"-rf *", b"n" * 255]
    for name in names:
        (folder.output / os.fsdecode(name)).write_bytes(name)
    listed = [one.path for one in artifacts(folder)]
    assert {os.fsencode(path) for path in listed} == set(names)
    for number, path in enumerate(listed):
        fetch(folder, path, tmp_path / str(number))
        assert (tmp_path / str(number)).read_bytes() == os.fsencode(path)


def test_the_last_values_of_a_running_job_come_from_the_end_of_its_records(folder):
    lines = ['{"old": 1}\n'] + [json.dumps({"step": step, "loss": step}) + "\n" for step in range(5000)]
    metrics = folder.node(0).root / "state" / "metrics.jsonl"
    metrics.write_text("".join(lines) + 'no json\n{"loss": "nan", "name": "x", "flag": true}\n{"loss": 1')
    values = last_metrics(folder)
    assert list(values) == ["loss"]
    assert values["loss"] != values["loss"]


def test_a_file_that_the_script_removes_meanwhile_is_left_out(folder, tmp_path):
    for name in ("a", "b", "c"):
        (folder.output / name).write_text(name)
    found = artifacts(folder)
    first = next(found)
    (folder.output / "b").unlink()
    assert [one.path for one in (first, *found)] == ["a", "c"]
