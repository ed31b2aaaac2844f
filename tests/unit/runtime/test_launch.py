"""The order of acts: what is checked before anything starts, what an attempt leaves, and that there is only one."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ipymlops.runtime.problem import EXIT_BAD_CONFIG, EXIT_HELD, EXIT_PLATFORM_ERROR
from ipymlops.runtime.state import State, boot_id
from tests.unit.runtime.launched import eventually, lives, tar_of

TOUCH = "import os, pathlib; pathlib.Path(os.environ['IPYMLOPS_OUTPUT_DIR'], 'ran').write_text('x')"
WAIT = "import time\nprint('ready', flush=True)\ntime.sleep(600)\n"


def content_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def has_run(job) -> bool:
    return (job.folder / "output" / "ran").exists()


def test_a_script_that_ends_well_is_recorded_so(job):
    before = time.time()
    code, out, err = job.run(job.config({"train.py": "print('hello')"}))
    assert (code, out, err, job.log) == (0, b"", b"", b"hello\n")
    result = job.result
    assert before <= result["started_at"] <= result["ended_at"] <= time.time()
    assert result["attempt"] == job.state.attempt().attempt
    del result["started_at"], result["ended_at"], result["attempt"]
    assert result == {"exit_code": 0, "signal": None, "end_reason": None, "error": None, "metrics": {}, "notes": []}


def test_an_attempt_says_who_and_where(job):
    process = job.start(job.config({"train.py": WAIT}))
    job.said(b"ready\n")
    attempt = eventually(lambda: job.state.attempt().pgid and job.state.attempt())
    assert attempt.pid == process.pid
    assert os.getsid(attempt.pgid) == os.getpgid(attempt.pgid) == attempt.pgid != os.getsid(process.pid)
    assert (attempt.host, attempt.boot_id) == (socket.gethostname(), boot_id())
    assert attempt.boot_id


def test_a_wrong_checksum_starts_nothing(job):
    config = job.config({"train.py": TOUCH})
    config["archive"]["sha256"] = "0" * 64
    code, _, _ = job.run(config)
    assert code == EXIT_PLATFORM_ERROR == job.result["exit_code"]
    assert job.result["end_reason"] == "platform_error"
    assert "nothing was started" in job.result["error"]["what"]
    assert "0" * 64 in job.result["error"]["why"]
    assert job.result["error"]["fix"]
    assert not has_run(job)
    assert not (job.folder / "code").exists()


def test_a_missing_archive_starts_nothing(job):
    config = job.config({"train.py": TOUCH})
    (job.folder / "code.tar").unlink()
    assert job.run(config)[0] == EXIT_PLATFORM_ERROR
    assert "cannot be read" in job.result["error"]["what"]


def test_the_code_folder_is_made_anew(job):
    (job.folder / "code" / "old").mkdir(parents=True)
    job.script("import os; print(os.listdir())")
    assert job.log == b"['train.py']\n"


def test_a_code_folder_with_the_users_tree_in_it_is_never_emptied(job, repo):
    config = job.config({"train.py": TOUCH}, code_dir=str(repo.parent), live_root=str(repo))
    assert job.run(config)[0] == EXIT_PLATFORM_ERROR
    assert (repo / "train.py").exists()
    assert "it would be emptied" in job.result["error"]["why"]


def test_without_an_archive_the_folder_is_used_as_it_is(job, tmp_path):
    (tmp_path / "image" / "app").mkdir(parents=True)
    (tmp_path / "image" / "app" / "train.py").write_text("print('in place')")
    config = job.config({"x": ""}, archive=None, workdir_root=str(tmp_path / "image"), workdir="app")
    assert job.run(config)[0] == 0
    assert job.log == b"in place\n"


def test_a_missing_working_folder_is_named(job):
    assert job.run(job.config({"train.py": TOUCH}, workdir="empty"))[0] == EXIT_PLATFORM_ERROR
    assert job.result["error"]["what"] == "the working folder does not exist: empty"


def test_the_variables_are_those_promised(job):
    script = "import json, os; print(json.dumps({k: v for k, v in os.environ.items() if k.startswith('IPYMLOPS')}))"
    job.run(
        job.config({"train.py": script}, deadline=time.time() + 600.9, node_rank=2, nodes=4, main_address="10.0.0.1")
    )
    seen = {
        name.removeprefix("IPYMLOPS_"): value for name, value in json.loads(job.log).items() if name != "IPYMLOPS_HOME"
    }
    deadline = int(seen.pop("DEADLINE"))
    assert time.time() + 500 < deadline < time.time() + 601
    assert seen == {
        "JOB_ID": "j0123456789abcde",
        "JOB_NAME": "train-1",
        "PLATFORM": "local",
        "COMMIT": "c0ffee",
        "DATA_DIR": f"{job.folder}/data",
        "OUTPUT_DIR": f"{job.folder}/output",
        "TENSORBOARD_DIR": f"{job.folder}/tensorboard",
        "CHECKPOINT_DIR": f"{job.folder}/checkpoint",
        "METRICS_FILE": f"{job.folder}/state/metrics.jsonl",
        "NODE_RANK": "2",
        "NODES": "4",
        "MAIN_ADDRESS": "10.0.0.1",
    }


def test_the_deadline_is_the_cap_from_the_start(job):
    job.script("import os; print(os.environ['IPYMLOPS_DEADLINE'], repr(os.environ['IPYMLOPS_COMMIT']))", commit=None)
    deadline, commit = job.log.split()
    assert (int(deadline), commit) == (int(job.result["started_at"] + 600), b"''")


def test_the_promised_folders_exist_and_hold_nothing_of_ours(job):
    script = "import os\nfor n in 'DATA', 'OUTPUT', 'TENSORBOARD', 'CHECKPOINT':\n  print(os.listdir(os.environ[f'IPYMLOPS_{n}_DIR']))"
    job.script(script)
    assert job.log == b"[]\n" * 4


def test_the_users_variables_win_over_the_inherited_and_ours_over_both(job):
    script = "import os; print(*(os.environ.get(n) for n in ('A', 'B', 'IPYMLOPS_NODES', 'PYTHONUNBUFFERED')))"
    config = job.config({"train.py": script}, env={"B": "é=$B", "IPYMLOPS_NODES": "9", "PYTHONUNBUFFERED": ""})
    job.run(config, env={"A": "inherited", "B": "inherited"})
    assert job.log.decode() == "inherited é=$B 1 \n"


def test_output_is_not_held_back_by_python(job):
    job.start(job.config({"train.py": "import time\nprint('now')\ntime.sleep(600)"}))
    assert job.said(b"now\n") == b"now\n"


def test_standard_input_is_empty(job):
    job.run(job.config({"train.py": "import sys; print(repr(sys.stdin.read()))"}), stdin=b"not for the script")
    assert job.log == b"''\n"


def test_secrets_reach_the_script_and_nothing_else(job):
    script = "import os; print(os.environ['TOKEN'] == 's3cr3t' * 2, os.environ['TOKEN'], repr(os.environ['PEM']))"
    secrets = {"TOKEN": "s3cr3t" * 2, "PEM": "-----BEGIN\nabcdefgh\n-----END\n", "OTHER": "not asked for"}
    config = job.config({"train.py": script}, secret_names=["TOKEN", "PEM"])
    assert job.run(config, stdin=json.dumps(secrets).encode() + b"\n")[0] == 0
    assert job.log == b"True *** '***'\n"
    for path in job.folder.rglob("*"):
        assert path.is_dir() or path.name == "stdin" or b"s3cr3t" * 2 not in path.read_bytes(), path


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b"", "no value came for the secret TOKEN"),
        (b"{}\n", "no value came for the secret TOKEN"),
        (b"[1]\n", "no value came for the secret TOKEN"),
        (b'{"TOKEN": 5}\n', "no value came for the secret TOKEN"),
        (b"hunter2\n", "the secrets cannot be read"),
        (b'{"TOKEN": "hunter2\\u0000"}\n', "no process can be given the secret TOKEN"),
        (b'{"TOKEN": "hunter2\\ud800"}\n', "no process can be given the secret TOKEN"),
    ],
)
def test_a_secret_without_a_usable_value_starts_nothing_and_is_not_quoted(job, line, what):
    assert job.run(job.config({"train.py": TOUCH}, secret_names=["TOKEN"]), stdin=line)[0] == EXIT_PLATFORM_ERROR
    assert job.result["error"]["what"] == what
    assert "hunter2" not in json.dumps(job.result)
    assert not has_run(job)


def test_a_second_launcher_touches_nothing_while_the_first_lives(job):
    config = job.config({"train.py": WAIT})
    job.start(config)
    job.said(b"ready\n")
    before = {
        path: path.stat().st_mtime_ns for path in job.folder.rglob("*") if path.name not in ("config.json", "stdin")
    }
    assert job.run(config)[0] == EXIT_HELD
    after = {
        path: path.stat().st_mtime_ns for path in job.folder.rglob("*") if path.name not in ("config.json", "stdin")
    }
    assert after == before
    assert job.state.is_held()
    assert job.state.result() is None


def test_many_launchers_at_once_run_the_script_once(job):
    script = "import os\nopen(os.environ['IPYMLOPS_OUTPUT_DIR'] + '/count', 'a').write('x')"
    config = job.config({"train.py": script})
    processes = [job.start(config) for _ in range(6)]
    codes = {process.wait(60) for process in processes}
    assert codes <= {0, EXIT_HELD}
    assert (job.folder / "output" / "count").read_text() == "x"


def test_looking_at_the_lock_keeps_no_launcher_from_it(job):
    job.state.ask_to_stop()
    (job.folder / "state" / "alive.lock").touch()
    look = (
        f"from ipymlops.runtime.state import State\ns = State({job.state.folder!r})\nprint(s.is_held(), flush=True)\n"
    )
    words = [sys.executable, "-c", look + "while True: s.is_held()"]
    watching = [subprocess.Popen(words, stdout=subprocess.PIPE) for _ in range(3)]
    try:
        assert [one.stdout.readline() for one in watching] == [b"False\n"] * 3
        assert [job.run(job.config({"train.py": ""}, attempt_policy="again"))[0] for _ in range(4)] == [143] * 4
    finally:
        for one in watching:
            one.kill()
            one.communicate()


def test_the_lock_is_not_inherited_by_what_the_script_leaves(job):
    script = "import subprocess, sys\np = subprocess.Popen(['sleep', '600'], start_new_session=True, close_fds=False)\nprint(p.pid, flush=True)"
    job.script(script)
    left = int(job.log)
    try:
        assert lives(left)
        assert not job.state.is_held()
    finally:
        os.kill(left, signal.SIGKILL)


def test_a_job_that_ended_is_not_run_again(job):
    config = job.config({"train.py": "print('ran'); raise SystemExit(5)"})
    assert [job.run(config)[0], job.run(config)[0]] == [5, 5]
    assert job.log == b"ran\n"


def test_a_job_that_was_killed_is_not_run_again(job):
    config = job.config({"train.py": WAIT})
    process = job.start(config)
    job.said(b"ready\n")
    process.kill()
    process.wait()
    code, _, err = job.run(config)
    assert (code, job.state.result()) == (EXIT_PLATFORM_ERROR, None)
    assert b"not repeated" in err


def test_another_attempt_forgets_the_result_and_the_log_of_the_one_before(job):
    script = "import os, sys\nopen(os.environ['IPYMLOPS_METRICS_FILE'], 'a').write('{\"' + sys.argv[1] + '\": 1}\\n')\nprint(sys.argv[1])"
    first = job.script(script, "one", attempt_policy="again")
    second = job.script(script, "two", attempt_policy="again")
    assert first["attempt"] != second["attempt"]
    assert second["metrics"] == {"two": 1.0}
    assert job.log == b"two\n"


def test_another_attempt_has_no_result_until_its_own(job):
    job.script("", attempt_policy="again")
    job.start(job.config({"train.py": WAIT}, attempt_policy="again"))
    job.said(b"ready\n")
    assert job.state.result() is None


@pytest.mark.parametrize("words", [[], ["/nowhere/config.json"]])
def test_no_configuration_is_one_line(zip_path, words):
    done = subprocess.run([sys.executable, zip_path, *words], capture_output=True)
    assert done.returncode == EXIT_BAD_CONFIG
    assert done.stderr.startswith(b"launcher: no configuration")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    "text",
    [None, "{", "[]", '{"place": "sagemaker"}', '{"place": "nowhere"}', '{"state_dir": "/proc/nowhere"}'],
    ids=["none", "cut-off", "list", "empty", "elsewhere", "unwritable"],
)
def test_a_service_that_wants_to_know_is_told_why_nothing_began(zip_path, tmp_path, text):
    config, failure = tmp_path / "config.json", tmp_path / "output" / "failure"
    if text is not None:
        config.write_text(text)
    done = subprocess.run([sys.executable, zip_path, config, failure], capture_output=True)
    assert done.returncode == EXIT_BAD_CONFIG
    assert failure.read_bytes() == done.stderr
    assert done.stderr.startswith(b"launcher: no configuration")
    assert done.stderr.count(b"\n") == 1


def test_one_that_cannot_be_told_is_no_other_end(zip_path, tmp_path):
    (tmp_path / "output").write_text("a file where a folder must be")
    words = [tmp_path / "config.json", tmp_path / "output" / "failure"]
    done = subprocess.run([sys.executable, zip_path, *words], capture_output=True)
    assert done.returncode == EXIT_BAD_CONFIG
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    "change", [{"argv": None}, {"archive": {}}, {"script": None}, {"max_runtime_s": "x"}, {"env": {"A=B": "c"}}]
)
def test_a_configuration_that_cannot_be_meant_leaves_a_result(job, change):
    config = job.config({"train.py": TOUCH}, **change)
    if change == {"archive": {}}:
        config["archive"] = {"path": "x"}
    assert job.run(config)[0] == EXIT_PLATFORM_ERROR
    assert job.result["end_reason"] == "platform_error"
    assert job.result["error"]["what"]
    assert not has_run(job)


def test_a_failure_of_the_launcher_itself_leaves_a_result(job):
    (job.folder / "output").mkdir(parents=True)
    (job.folder / "data").write_text("a file where a folder must be")
    assert job.run(job.config({"train.py": TOUCH}))[0] == EXIT_PLATFORM_ERROR
    assert "the launcher failed: FileExistsError" in job.result["error"]["what"]
    assert "Traceback" in job.result["error"]["traceback"]


def test_a_failure_of_the_launcher_once_the_script_runs_ends_the_script(job):
    config = job.config({"train.py": WAIT}, metric_patterns=[["a", "b"]], job_id="j-unwatched")
    (job.folder / "state").mkdir()
    (job.folder / "state" / "metrics.jsonl").symlink_to("/no/such/folder/file")
    assert job.run(config)[0] == EXIT_PLATFORM_ERROR
    environs = [path / "environ" for path in Path("/proc").iterdir() if path.name.isdigit()]
    assert [path for path in environs if b"IPYMLOPS_JOB_ID=j-unwatched" in content_of(path)] == []


def test_without_a_log_file_the_raw_log_goes_to_standard_output(job):
    code, out, err = job.run(
        job.config({"train.py": "import sys; print('é'); print('err', file=sys.stderr)"}, log_path=None)
    )
    assert (code, out, err) == (0, "é\nerr\n".encode(), b"")


def test_a_reader_of_standard_output_that_leaves_does_not_end_the_script(job):
    script = "import os\nfor _ in range(2000): print('x' * 1000)\nprint('end')\n" + TOUCH
    process = job.start(job.config({"train.py": script}, log_path=None))
    process.stdout.close()
    assert process.wait(60) == 0
    assert has_run(job)
    assert "bytes of the log were lost" in job.result["notes"][0]


def test_the_package_can_be_run_as_a_module(job):
    config = job.config({"train.py": "print('ran')"})
    job.folder.joinpath("config.json").write_text(json.dumps(config))
    subprocess.run([sys.executable, "-m", "ipymlops.runtime", job.folder / "config.json"], check=True)
    assert job.log == b"ran\n"


def test_data_is_linked_below_its_folder_and_at_its_path(job, tmp_path):
    (tmp_path / "digits").mkdir()
    (tmp_path / "digits" / "a.csv").write_text("1,2")
    script = "import os; print(open('data/train/a.csv').read(), open(os.environ['IPYMLOPS_DATA_DIR'] + '/plain/a.csv').read())"
    files = {"w/train.py": script, "w/data/train/.gitkeep": ""}
    data = {"data/train": str(tmp_path / "digits"), "plain": str(tmp_path / "digits")}
    assert job.run(job.config(files, workdir="w", data=data))[0] == 0, job.log
    assert job.log == b"1,2 1,2\n"
    assert not (job.folder / "code" / "w" / "plain").exists()
    assert [path.name for path in (tmp_path / "digits").iterdir()] == ["a.csv"]


def test_data_linked_by_an_attempt_before_is_linked_again(job, tmp_path):
    for content in ("one", "two"):
        (tmp_path / content).write_text(content)
        job.script("print(open('d/x').read())", data={"d/x": str(tmp_path / content)}, attempt_policy="again")
    assert job.log == b"two\n"


@pytest.mark.parametrize("name", ["../x", "/x", "a//b", "", "a/../b", "."])
def test_data_cannot_be_named_out_of_its_folder(job, tmp_path, name):
    assert job.script(TOUCH, data={name: str(tmp_path)})["end_reason"] == "platform_error"
    assert "is no name for data" in job.result["error"]["what"]
    assert not has_run(job)


def test_data_that_is_not_there_starts_nothing(job):
    assert job.script(TOUCH, data={"digits": "/no/such/path"})["error"]["why"] == "there is no /no/such/path"
    assert not has_run(job)


def test_data_is_never_written_through_a_link_of_the_snapshot(job, tmp_path):
    import io
    import tarfile

    outside = tmp_path / "outside"
    outside.mkdir()
    buffer = io.BytesIO(tar_of({"train.py": TOUCH}))
    with tarfile.open(fileobj=buffer, mode="a") as archive:
        link = tarfile.TarInfo("data")
        link.type, link.linkname = tarfile.SYMTYPE, str(outside)
        archive.addfile(link)
    job.run(job.config(buffer.getvalue(), data={"data/train": str(tmp_path)}))
    assert "is a link that leads elsewhere" in job.result["error"]["why"]
    assert list(outside.iterdir()) == []


def test_files_of_an_image_do_not_give_way_to_data(job, tmp_path):
    (tmp_path / "image" / "data" / "train").mkdir(parents=True)
    (tmp_path / "image" / "data" / "train" / "mine").write_text("")
    job.run(
        job.config({"x": ""}, archive=None, workdir_root=str(tmp_path / "image"), data={"data/train": str(tmp_path)})
    )
    assert "there are files at" in job.result["error"]["why"]
    assert (tmp_path / "image" / "data" / "train" / "mine").exists()


def test_a_state_folder_nobody_wrote_in_says_nothing(tmp_path):
    state = State(str(tmp_path / "none"))
    assert (state.is_held(), state.attempt(), state.result(), state.stop_was_asked()) == (False, None, None, False)
