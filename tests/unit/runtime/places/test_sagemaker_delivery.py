"""What leaves a machine of SageMaker's: nothing is waited for that is not written, and nothing is lost in silence."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from ipymlops.runtime.manifest import Listed, files_below, of_node, rows
from ipymlops.runtime.mirror import recent, save
from ipymlops.runtime.places.sagemaker_delivery import Delivery
from ipymlops.runtime.signals import Signals
from ipymlops.runtime.state import boot_clock
from tests.unit.runtime.launched import eventually
from tests.unit.runtime.places.container import PREFIX, WRITES

PATHS = ["checkpoints/file", "output/file", "tensorboard/file"]
SOON = {"mirror_stall_s": 0.3}


def looks(container):
    return len([call for call in container.api.calls if call.by == "role" and call.right == "s3:ListBucket"])


def looked_again(container):
    """Until the launcher has looked into the mirror twice from now on: it waits."""
    before = looks(container)
    eventually(lambda: looks(container) >= before + 2, "two more looks")


def test_the_manifest_says_what_was_written(container):
    code, _, _ = container.finished(WRITES)
    told, result = container.json("manifest.json"), container.result
    assert (code, told["attempt"], told["ended_at"]) == (0, result["attempt"], result["ended_at"])
    assert container.json("attempt.json")["attempt"] == result["attempt"]
    assert [one["path"] for one in told["files"]] == PATHS
    for one in told["files"]:
        path = container.mirrored / one["path"]
        assert one["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert (one["bytes"], one["modified_at"]) == (path.stat().st_size, path.stat().st_mtime)


def test_the_launcher_waits_until_everything_is_in_the_mirror(container):
    process = container.start(container.config({"train.py": WRITES}))
    looked_again(container)
    container.mirrors("result.json")
    looked_again(container)
    assert process.poll() is None
    container.mirrors()
    assert process.wait(60) == 0
    assert container.result["notes"] == []
    assert not container.kept("late").exists()


def test_everything_is_written_before_it_waits(container):
    process = container.start(container.config({"train.py": WRITES + "1 / 0"}))
    looked_again(container)
    process.kill()
    process.wait()
    assert container.result["exit_code"] == 1
    for name in ("result.json", "manifest.json"):
        assert container.kept(f"ipymlops/node-0/{name}").read_text() == Path(container.state.path(name)).read_text()
    assert all(one["sha256"] for one in container.json("manifest.json")["files"])
    assert container.failure.startswith("ZeroDivisionError")


def test_what_has_not_arrived_is_packed(container):
    script = WRITES + "open(os.environ['IPYMLOPS_OUTPUT_DIR'] + '/late', 'w').write('x' * 10)\n"
    code, _, _ = container.finished(script, "late", **SOON)
    saved = container.kept("late/output/late")
    assert (code, saved.read_text()) == (0, "x" * 10)
    assert saved.samefile(container.mirrored / "output" / "late")
    assert [path for path in container.kept("late").rglob("*") if path.is_file()] == [saved]
    note = "not known to be in the mirror, so in output.tar.gz too: 'output/late'"
    assert container.result["notes"] == [note]
    assert json.loads(container.kept("ipymlops/node-0/result.json").read_text())["notes"] == [note]


def test_a_file_that_was_written_again_at_its_size_is_waited_for(container):
    """The object in S3 is as large, and older than the file."""
    script = WRITES + "path = os.environ['IPYMLOPS_OUTPUT_DIR'] + '/file'\nos.utime(path, (2e9, 2e9))\n"
    container.finished(script, **SOON)
    assert container.kept("late/output/file").exists()
    assert not container.kept("late/checkpoints/file").exists()


def test_a_file_that_was_there_before_the_attempt_is_in_the_mirror_already(container):
    path = container.mirrored / "output" / "restored"
    path.parent.mkdir()
    path.write_text("x")
    os.utime(path, (2e9, 2e9))
    code, _, _ = container.finished(WRITES)
    assert (code, container.result["notes"]) == (0, [])
    assert "output/restored" in [one["path"] for one in container.json("manifest.json")["files"]]


def test_a_mirror_that_cannot_be_looked_into_is_told(container):
    container.api.faults.denied_to_role = {"s3:ListBucket"}
    code, _, _ = container.finished(WRITES)
    assert code == 0
    denied, packed = container.result["notes"]
    assert denied.startswith("nobody could look whether the outputs arrived: AccessDenied: ")
    assert packed.endswith("so in output.tar.gz too: 'checkpoints/file', 'output/file', 'tensorboard/file'")
    assert {str(path.relative_to(container.kept("late"))) for path in container.kept("late").rglob("file")} == set(
        PATHS
    )


def test_where_nobody_can_look_what_is_old_is_not_packed():
    old, new = (Listed(name, 1, 0.0, changed_at) for name, changed_at in (("old", 1.0), ("new", time.time())))
    assert recent([old, new]) == [new]


@pytest.mark.parametrize(
    ("script", "begins"),
    [
        ("def f():\n    raise ValueError('é\\udcff' + 'x' * 9999)\nf()", "ValueError: é"),
        ("import os\nos.kill(os.getpid(), 9)", "the script was ended by SIGKILL (9)\nexit code 137\n"),
        ("import sys\nprint('no --lrr')\nsys.exit(3)", "the script ended with exit code 3\nexit code 3\nthe last line of its log is: no --lrr\n"),
    ],
)  # fmt: skip
def test_the_failure_file_begins_with_the_cause(container, script, begins):
    container.finished(script)
    assert container.failure.startswith(begins)
    assert len(container.failure) <= 1024
    assert "\nexit code " in container.failure


def test_a_success_leaves_no_failure_file(container):
    container.finished("print()")
    assert not (container.ml / "output" / "failure").exists()


def test_a_command_that_is_not_there_is_in_the_failure_file(container):
    code, _, _ = container.finished("", script=None, argv=["no-such-command"])
    assert code == 127
    assert container.failure.startswith("the command was not found: 'no-such-command'\nexit code 127\n")


def test_a_stop_leaves_time_to_pack(container):
    """SageMaker's SIGTERM ends the script; what the mirror does not get by then is packed."""
    script = "import signal, sys, time\n" + WRITES
    script += "signal.signal(15, lambda *_: sys.exit(0))\nprint('ready', flush=True)\ntime.sleep(600)\n"
    process = container.start(container.config({"train.py": script}, **SOON))
    assert process.stdout.readline() == b"ready\n"
    process.terminate()
    process.communicate(timeout=60)
    assert container.kept("late/output/file").exists()
    error = container.result["error"]
    assert error["what"] == "SageMaker told the job to stop (SIGTERM)"
    assert "its user or its time limit" in error["why"]


class Told(Signals):
    """SIGTERM came so many seconds ago."""

    def __init__(self, ago_s):
        self.ago_s = ago_s

    def first_at(self, _number):
        return boot_clock() - self.ago_s


@pytest.mark.parametrize(("told_s", "left_s"), [(100.5, 9999.0), (0.0, -100.5)])
def test_waiting_ends_before_sagemaker_kills(container, monkeypatch, told_s, left_s):
    """100 s after SIGTERM, or after the deadline; then what is missing is packed at once."""
    config = container.config({"train.py": ""}, node_rank=0, nodes=1)
    for name in PATHS:
        (container.mirrored / name).parent.mkdir(parents=True)
        (container.mirrored / name).write_text("x")
    for name, value in container.env.items():
        monkeypatch.setenv(name, value)
    result = {"attempt": "a", "exit_code": 0, "started_at": 1.0, "ended_at": 2.0, "notes": []}
    Path(container.state.folder).mkdir(parents=True)
    began = boot_clock()
    Delivery(config, container.state, result, Told(told_s), boot_clock() + left_s).run()
    assert boot_clock() - began < 60  # of 300
    assert container.kept("late/output/file").exists()
    assert {one["sha256"] for one in container.json("manifest.json")["files"]} == {None}


def test_a_restored_state_is_of_an_earlier_attempt(container):
    """A mirror is brought back whole: its result, its wishes to stop and its lock are those of a machine that is gone."""
    says = "import os, sys\nstate = os.path.dirname(os.environ['IPYMLOPS_METRICS_FILE'])\nprint(sorted(name for name in os.listdir(state) if '.part' not in name))\n"
    says += "open(os.environ['IPYMLOPS_METRICS_FILE'], 'a').write('{\"step\": 2, \"loss\": 1}\\n')\nsys.exit(len(sys.argv) - 1)\n"
    container.finished(says, argv=["fails"])
    first = container.result
    for name in ("stop", "told"):
        Path(container.state.path(name)).touch()
    code, out, _ = container.finished(says)
    assert (code, first["exit_code"], first["number"], container.result["number"]) == (0, 1, 1, 2)
    assert out.decode().split("'")[1::2] == ["alive.lock", "attempt.json", "clock.json", "metrics.jsonl", "reserve"]
    assert Path(container.state.path("metrics.jsonl")).read_text().count("\n") == 2
    assert container.result["attempt"] != first["attempt"]
    assert container.json("attempt.json")["number"] == 2
    assert container.result["end_reason"] is None


@pytest.mark.parametrize("text", ["", "[]", '{"attempt": "a"}', '{"number": "x"}', '{"number": null}'])
def test_an_attempt_that_nobody_can_read_counts_as_one(container, text):
    Path(container.state.folder).mkdir(parents=True)
    Path(container.state.path("attempt.json")).write_text(text)
    container.finished("")
    assert container.result["number"] == (2 if text.startswith("{") else 1)


def test_lines_of_the_log_are_counted_as_cloudwatch_has_them(container):
    code, out, _ = container.finished("print('a\\n\\n\\nb\\r\\n\\n c', end='')")
    assert (code, out, container.result["log_lines"]) == (0, b"a\n\n\nb\r\n\n c", 3)


def test_metrics_are_kept_where_they_are_few(container):
    writes = "import os, sys\nopen(os.environ['IPYMLOPS_METRICS_FILE'], 'w').write(('{\"a\": 1}' + ' ' * 1000 + '\\n') * int(sys.argv[1]))"
    container.finished(writes, argv=["10"])
    assert container.kept("ipymlops/node-0/metrics.jsonl").stat().st_size == 10090
    container.kept("ipymlops/node-0/metrics.jsonl").unlink()
    container.finished(writes, argv=["11000"])
    assert not container.kept("ipymlops/node-0/metrics.jsonl").exists()


def test_names_may_be_any_bytes_and_links_are_not_followed(container, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("x")
    script = f"""
import os
os.chdir(os.environ["IPYMLOPS_OUTPUT_DIR"])
for name in (b"\\xff", b"a\\nb", b"\\xc3\\xa9 +"):
    open(name, "w").close()
os.symlink({str(tmp_path / "outside")!r}, "folder")
os.symlink({str(tmp_path / "outside" / "secret")!r}, "link")
deep = "/".join(["d" * 200] * 6)
os.makedirs(deep)
open(deep + "/x", "w").close()
"""
    code, _, _ = container.finished(script)
    deep = "output/" + "/".join(["d" * 200] * 6) + "/x"
    found = [one["path"] for one in container.json("manifest.json")["files"]]
    assert (code, found) == (0, ["output/a\nb", deep, "output/é +", "output/\udcff"])
    # These have no name in S3: they are packed, and nothing is waited for.
    assert [(container.kept("late") / path).exists() for path in found] == [False, True, False, True]
    (note,) = container.result["notes"]
    assert "'output/\\udcff'" in note


FILES = [
    Listed(path, 1, 5.0, changed_at)
    for path, changed_at in [
        ("checkpoints/new", 20.0),
        ("checkpoints/restored", 5.0),
        ("output/new", 20.0),
        ("output/node-1/new", 20.0),
        ("output/node-1/restored", 5.0),
        ("output/node-10/restored", 5.0),
        ("output/restored", 5.0),
    ]
]


@pytest.mark.parametrize(
    ("rank", "expected"),
    [
        (0, ["checkpoints/new", "output/new", "output/restored"]),
        (1, ["checkpoints/new", "output/new", "output/node-1/new", "output/node-1/restored"]),
        (10, ["checkpoints/new", "output/new", "output/node-10/restored"]),
    ],
)
def test_a_node_lists_what_it_wrote(rank, expected):
    """A restart brings every node the files of all; and no other node is on this machine."""
    assert [one.path for one in of_node(FILES, "output", rank, since=10.0)] == expected


def test_hashing_ends_where_there_is_no_time(tmp_path):
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "a").write_text("x")
    files = files_below(str(tmp_path), ["output"])
    assert [one["sha256"] for one in rows(str(tmp_path), files, lambda: True)] == [None]
    assert [one["sha256"] for one in rows(str(tmp_path), files)] == [None]
    (tmp_path / "output" / "a").unlink()
    assert [one["sha256"] for one in rows(str(tmp_path), files, lambda: False)] == [None]


@pytest.fixture
def small_disk(tmp_path):
    """Another file system with 66 MiB, two more than are left free."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=66m", "small", disk], check=True)
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_where_no_link_leads_files_are_copied_as_far_as_there_is_room(tmp_path, small_disk):
    (tmp_path / "a").write_bytes(b"x" * 1000)
    (tmp_path / "b").write_bytes(b"x" * (3 << 20))
    small, large, gone = (Listed(name, size, 0.0, 0.0) for name, size in (("a", 1000), ("b", 3 << 20), ("gone", 1)))
    assert save([large, small, gone], str(tmp_path), str(small_disk / "late"), lambda: False) == [gone, large]
    assert [path.name for path in (small_disk / "late").iterdir()] == ["a"]
    assert save([small], str(tmp_path), str(small_disk / "again"), lambda: True) == [small]


def test_what_cannot_be_written_changes_no_outcome(container):
    """Neither the manifest nor the copies nor the failure file can be: folders are where they should go."""
    blocked = f"import os\nos.makedirs({str(container.kept('ipymlops/node-0/result.json'))!r})\n"
    blocked += f"os.makedirs({container.state.path('manifest.json')!r})\nos.makedirs({str(container.ml)!r} + '/output/failure')\n"
    code, _, err = container.finished(blocked + "raise SystemExit(9)")
    assert (code, err) == (9, b"")
    assert container.result["exit_code"] == 9
    begun = [note.split(":")[0] for note in container.result["notes"]]
    assert begun[:2] == ["the failure file was not written", "the manifest was not written"]


def test_what_else_is_in_the_mirror_is_nothing_to_wait_for(container):
    container.s3.put_object(Bucket=container.api.bucket, Key=PREFIX + "output/else", Body=b"x")
    code, _, _ = container.finished(WRITES)
    assert (code, container.result["notes"]) == (0, [])
