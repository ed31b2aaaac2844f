"""What bad input gets: one message with cause and remedy, nothing launched, nothing half-written, and a fix that works."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

import pytest

from ipymlops.cli import main
from ipymlops.job import Job, JobState
from ipymlops.spec import JobId
from ipymlops.store.base import JobQuery
from ipymlops.store.sqlite import SqliteStore

LONG = "x" * 131_072


@dataclass
class Bad:
    """A line, words that its message must have, and what must be there before it.

    Attributes:
        fix: What the fix must be, "" for any.
        is_runnable: Whether the fix works here when pasted (a GPU that this machine lacks cannot be had by typing).
    """

    words: list[str]
    says: list[str]
    fix: str = ""
    is_runnable: bool = True
    exit_code: int = 2
    before: Callable[[Path], object] | None = None
    env: dict[str, str] = field(default_factory=dict)


def train(*words: str) -> list[str]:
    return ["train", *words]


def write(name: str, text: str = "") -> Callable[[Path], object]:
    def run(folder: Path) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return run


def job(number: int, name: str, home: Path) -> None:
    """A record of a job that has ended, as another day left it."""
    store = SqliteStore(home)
    now = datetime.now(timezone.utc)
    store.add(Job(JobId(f"j{number:015x}"), name, "local", now, state=JobState.SUCCEEDED))
    store.close()


def two_jobs(folder: Path) -> None:
    home = Path(os.environ["IPYMLOPS_HOME"])
    job(1, "resnet-small", home)
    job(2, "resnet-large", home)


def broken_settings(folder: Path) -> None:
    home = Path(os.environ["IPYMLOPS_HOME"])
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text("platform = \n")


def home_is_a_file(folder: Path) -> None:
    Path(os.environ["IPYMLOPS_HOME"]).write_text("")


AWS_KEY = "AKIA" + "Q3EGRIPQX7NZXYAB"

BAD = {
    "unknown verb": Bad(["trian", "train.py"], ["'trian'", "did you mean train?"], "ipymlops train train.py"),
    "verb of another version": Bad(["images"], ["'images'", "there are train, jobs"], "ipymlops help"),
    "unknown flag": Bad(train("--nam", "a", "train.py"), ["--nam", "--name"], "ipymlops train --name a train.py"),
    "unknown flag with a value": Bad(
        train("--lable=a=b", "train.py"), ["--lable"], "ipymlops train --label=a=b train.py"
    ),
    "abbreviated flag": Bad(train("--agai", "train.py"), ["--agai"], "ipymlops train --again train.py"),
    "unknown flag of another verb": Bad(["jobs", "--jsn"], ["--jsn", "--json"], "ipymlops jobs --json"),
    "a flag nothing is near to": Bad(train("--xyzzy", "train.py"), ["--xyzzy", "after the script"]),
    "value for a switch": Bad(
        train("--again=yes", "train.py"), ["--again", "'yes'"], "ipymlops train --again train.py"
    ),
    "no value": Bad(train("--name"), ["--name NAME"]),
    "an option as value": Bad(train("--name", "--again", "train.py"), ["--name", "--again", "--name=--again"]),
    "an option twice": Bad(
        train("--nodes", "1", "--nodes", "2", "train.py"), ["twice", "'1' and '2'"], "ipymlops train --nodes 2 train.py"
    ),
    "too many words": Bad(["show", "1", "2"], ["'2'", "[JOB]"], "ipymlops show 1", before=two_jobs),
    "no module": Bad(train("-m"), ["-m"]),
    "a module with a space": Bad(train("-m", "a b"), ["-m"]),
    "an empty script": Bad(train(""), ["empty"]),
    "no command": Bad(train("--"), ["no command"]),
    "no nodes": Bad(train("--nodes", "0", "train.py"), ["--nodes", "'0'"]),
    "nodes in words": Bad(train("--nodes", "two", "train.py"), ["--nodes", "'two'"]),
    "a duration without unit": Bad(train("--max-runtime", "4", "train.py"), ["--max-runtime", "'4'", "unit"]),
    "no duration": Bad(train("--max-runtime", "0s", "train.py"), ["--max-runtime", "1 second"]),
    "a negative cost": Bad(train("--max-cost", "-1", "train.py"), ["--max-cost", "'-1'"]),
    "a cost in words": Bad(train("--max-cost", "much", "train.py"), ["--max-cost", "'much'"]),
    "a label without value": Bad(train("--label", "vision", "train.py"), ["--label", "'vision'", "="]),
    "no name of a variable": Bad(train("--env", "1A=b", "train.py"), ["--env", "'1A'"], "ipymlops train train.py"),
    "a variable that is not set": Bad(
        train("--env", "NOPE", "train.py"), ["NOPE", "not set"], "ipymlops train --env NOPE=VALUE train.py"
    ),
    "a variable of ours": Bad(train("--env", "IPYMLOPS_JOB_ID=1", "train.py"), ["IPYMLOPS_JOB_ID", "launcher"]),
    "a variable twice": Bad(train("--env", "A=1", "--env", "A=2", "train.py"), ["A is given twice"]),
    "a secret by its name": Bad(
        train("--env", "HF_TOKEN=abc", "train.py"),
        ["HF_TOKEN", "secret"],
        "ipymlops train --secret HF_TOKEN train.py",
        env={"HF_TOKEN": "abc"},
    ),
    "a secret by its value": Bad(
        train(f"--env=X={AWS_KEY}", "train.py"), ["X", "secret"], "ipymlops train --secret X train.py", env={"X": "a"}
    ),
    "a secret that is nowhere": Bad(train("--secret", "NOPE", "train.py"), ["NOPE", "not set"], is_runnable=False),
    "a metric without expression": Bad(train("--metric", "loss", "train.py"), ["--metric", "'loss'"]),
    "a metric that is no expression": Bad(train("--metric", "loss=(", "train.py"), ["loss", "unterminated"]),
    "a metric without a group": Bad(train("--metric", "loss=x", "train.py"), ["loss", "0 groups"]),
    "a metric twice": Bad(train("--metric", "a=(x)", "--metric", "a=(y)", "train.py"), ["a is given twice", "(x)"]),
    "an unknown GPU": Bad(train("--gpu", "a1000", "train.py"), ["'a1000'", "a100"], is_runnable=False),
    "a GPU that nobody has": Bad(train("--gpu", "mi300x", "train.py"), ["mi300x"], "ipymlops gpus", exit_code=2),
    "a GPU that is rented where nobody is signed in": Bad(
        train("--gpu", "h200", "train.py"), ["not signed in to AWS"], is_runnable=False, exit_code=4
    ),
    "a number as name": Bad(train("--name", "12", "train.py"), ["--name", "'12'", "number"]),
    "a name of two lines": Bad(train("--name", "a\nb", "train.py"), ["--name", r"'a\nb'"]),
    "a very long name": Bad(train("--name", "x" * 500, "train.py"), ["500", "120"]),
    "a misspelt platform": Bad(
        train("--on", "lokal", "train.py"), ["'lokal'", "'local'"], "ipymlops train --on local train.py"
    ),
    "a platform of another version": Bad(
        train("--on", "vertex", "train.py"), ["'vertex'", "docker, local, sagemaker"], is_runnable=False
    ),
    "spot here": Bad(
        train("--spot", "train.py"),
        ["--spot", "sagemaker has it"],
        "ipymlops train --on sagemaker --spot train.py",
        is_runnable=False,
    ),
    "a machine here": Bad(
        train("--machine", "m5", "train.py"),
        ["--machine", "local"],
        "ipymlops train --on sagemaker --machine m5 train.py",
        is_runnable=False,
    ),
    "bake here": Bad(train("--bake", "train.py"), ["--bake", "local"], "ipymlops train train.py"),
    "keep warm here": Bad(
        train("--keep-warm", "20m", "train.py"),
        ["--keep-warm"],
        "ipymlops train --on sagemaker --keep-warm 20m train.py",
        is_runnable=False,
    ),
    "an image here": Bad(
        train("--image", "i", "train.py"),
        ["--image", "docker, sagemaker have it"],
        "ipymlops train --on docker --image i train.py",
        is_runnable=False,
    ),
    "no code and no image": Bad(train("--no-code", "train.py"), ["--no-code", "image"], is_runnable=False),
    "a setting that is none": Bad(train("--set", "nope=1", "train.py"), ["'nope'"], is_runnable=False),
    "data that is not there": Bad(train("--data", "d=./nope", "train.py"), ["--data d", "nope"], is_runnable=False),
    "data of a cloud": Bad(train("--data", "d=s3://b/k", "train.py"), ["s3://"], is_runnable=False),
    "a misspelt script": Bad(train("trin.py", "--lr", "1"), ["trin.py", "train.py"], "ipymlops train train.py --lr 1"),
    "a script that is nowhere": Bad(train("nowhere/at/all"), ["nowhere/at/all"], "ls *.py"),
    "a folder": Bad(train("data"), ["data", "folder"], before=write("data/x.csv")),
    "a package": Bad(
        train("pkg", "-x"), ["pkg", "module"], "ipymlops train -m pkg -x", before=write("pkg/__main__.py")
    ),
    "a shell script": Bad(train("go.sh"), ["go.sh"], "ipymlops train -- bash go.sh", before=write("go.sh")),
    "a script outside": Bad(train("../other.py"), ["outside", "other.py"], "cp ", before=write("../other.py")),
    "an ignored script": Bad(
        train("a.ignored"), ["a.ignored", "left out"], "git add --force", before=write("a.ignored")
    ),
    "a pipe": Bad(train("pipe.py"), ["pipe.py"], before=lambda folder: os.mkfifo(folder / "pipe.py")),
    "a link to itself": Bad(train("l.py"), ["l.py"], before=lambda folder: (folder / "l.py").symlink_to("l.py")),
    "a NUL byte": Bad(train("train.py", "a\0b"), ["argument 1"], is_runnable=False),
    "half a character": Bad(train("train.py", "\ud800"), ["argument 1"], is_runnable=False),
    "a long argument": Bad(train("train.py", LONG), ["131,072", "131,071"], is_runnable=False),
    "no default script": Bad(
        train(), ["which script?", "train.py"], before=lambda folder: (folder / "train.py").rename(folder / "a.py")
    ),
    "several default scripts": Bad(
        train("."), ["several", "x/train.py"], "ipymlops train train.py", before=write("x/train.py")
    ),
    "a likely secret in the code": Bad(train("train.py"), [".env", "secret"], "printf", before=write(".env", "A=1\n")),
    "an unknown job": Bad(["show", "99"], ["'99'", "resnet-large"], "ipymlops jobs", before=two_jobs),
    "no job named": Bad(["stop"], ["which job"], "ipymlops stop last", before=two_jobs),
    "an ambiguous job": Bad(["show", "resnet"], ["resnet-small", "resnet-large"], before=two_jobs),
    "a grep that is none": Bad(["logs", "1", "--grep", "("], ["--grep", "'('"], before=two_jobs),
    "a node that is none": Bad(["logs", "1", "--node", "5"], ["--node 5", "1 node"], before=two_jobs),
    "a negative tail": Bad(["logs", "1", "--tail", "-1"], ["--tail", "'-1'"], before=two_jobs),
    "a moment that is none": Bad(["logs", "1", "--since", "soon"], ["--since", "'soon'"], before=two_jobs),
    "following two": Bad(["logs", "1", "2", "-f"], ["one job"], "ipymlops logs 1 --follow", before=two_jobs),
    "force without a folder": Bad(["artifacts", "1", "--force"], ["--force", "--to"], before=two_jobs),
    "a file as folder": Bad(["artifacts", "1", "--to", "train.py"], ["train.py", "file"], before=two_jobs),
    "a pattern without a match": Bad(["artifacts", "1", "*.x", "--to", "o"], ["'*.x'"], before=two_jobs),
    "a checkout without a folder": Bad(["checkout", "1"], ["a folder"], is_runnable=False, before=two_jobs),
    "a job without code": Bad(["checkout", "1", "o"], ["no code"], "ipymlops show 1", before=two_jobs),
    "a misspelt state": Bad(["jobs", "state:faild"], ["'faild'", "failed"], "ipymlops jobs state:failed"),
    "a misspelt platform of jobs": Bad(["jobs", "platform:dokcer"], ["'dokcer'"], "ipymlops jobs platform:docker"),
    "a misspelt moment of jobs": Bad(["jobs", "since:soon"], ["'soon'"], "ipymlops jobs since:2d"),
    "a check of no platform": Bad(["doctor", "lokal"], ["'lokal'", "mean local"], "ipymlops doctor local"),
    "an undo of nothing": Bad(["setup", "local", "--undo"], ["nothing to take back"], "ipymlops config"),
    "settings that are no TOML": Bad(["config"], ["config.toml", "line 1"], before=broken_settings),
    "a home that is a file": Bad(["jobs"], ["ipymlops"], before=home_is_a_file, exit_code=3, is_runnable=False),
}


@pytest.fixture
def folder(repo, monkeypatch) -> Path:
    """The user's folder, which is the current one; this interpreter is the activated one."""
    monkeypatch.chdir(repo)
    monkeypatch.setenv("VIRTUAL_ENV", sys.prefix)
    return repo


def left_behind(home: Path, folder: Path, git) -> dict[str, object]:
    """All that a submit leaves: records, job folders, packed code, couriers, refs."""
    jobs = []
    if (home / "jobs.db").exists():
        store = SqliteStore(home)
        jobs = [(one.number, one.state) for one in store.find(JobQuery())]
        store.close()
    places = [home / name for name in ("local", "code", "couriers")]
    files = [path for place in places if place.is_dir() for path in place.rglob("*")]
    return {"jobs": jobs, "files": files, "refs": git(folder, "for-each-ref", "refs/ipymlops/jobs")}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_message_with_a_fix_that_works(name, folder, home, git, capfd, monkeypatch):
    bad = BAD[name]
    if bad.before:
        bad.before(folder)
    before = left_behind(home, folder, git)

    assert main(bad.words) == bad.exit_code

    out, err = capfd.readouterr()
    assert out == ""
    _, *rest = err.strip().splitlines()
    assert [line[:7] for line in rest] in (["  why: ", "  fix: "], ["  fix: "])
    assert "Traceback" not in err
    for word in bad.says:
        assert word in err
    assert left_behind(home, folder, git) == before

    fix = rest[-1].removeprefix("  fix: ")
    assert fix.startswith(bad.fix)
    for key, value in bad.env.items():
        monkeypatch.setenv(key, value)
    if bad.is_runnable:
        assert_works(fix, bad, folder)


def assert_works(fix: str, bad: Bad, folder: Path) -> None:
    """Paste the fix; a `train` only as far as its plan."""
    words = shlex.split(fix, comments=True)
    if words[0] == "ipymlops":
        assert main(planned(words[1:])) == 0
        return
    done = subprocess.run(["bash", "-c", fix], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    if fix.startswith("cp "):
        assert main(planned(["train", "other.py"])) == 0
    elif bad.words[0] == "train" and not fix.startswith("ls "):
        assert main(planned(bad.words)) == 0


def planned(words: list[str]) -> list[str]:
    return ["train", "--plan", *words[1:]] if words[0] == "train" and "--help" not in words else words


def test_there_are_sixty_whose_fix_is_run():
    assert sum(bad.is_runnable for bad in BAD.values()) >= 60


def test_an_error_is_one_json_document(folder, capfd):
    import json

    assert main(["show", "--json", "nope"]) == 2
    document = json.loads(capfd.readouterr().out)
    assert document["error"].keys() == {"what", "why", "fix"}
