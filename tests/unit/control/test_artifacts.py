import hashlib
import threading

import pytest

from ipymlops.control.artifacts import fetch, listed
from ipymlops.errors import NotSignedIn, PlatformProblem, UsageProblem
from ipymlops.job import Artifact
from ipymlops.testing.fake_platform import FakePlatform


@pytest.fixture
def job(accepted, world):
    world.put(accepted.id, "model.pkl", b"weights")
    world.put(accepted.id, "plots/deep/loss.png", b"png")
    world.put(accepted.id, "plots/[a] *.txt", b"odd")
    return accepted


def paths(files) -> list[str]:
    return [one.path for one in files]


def test_everything_is_listed_by_path_while_the_job_runs(context, job):
    assert paths(listed(context, job)) == ["model.pkl", "plots/[a] *.txt", "plots/deep/loss.png"]


def test_a_star_crosses_folders_and_a_path_is_itself(context, job):
    assert paths(listed(context, job, "plots/*png")) == ["plots/deep/loss.png"]
    assert paths(listed(context, job, "*.pkl")) == ["model.pkl"]
    assert paths(listed(context, job, "plots/[a] *.txt")) == ["plots/[a] *.txt"]


def test_files_come_to_their_path_below_the_folder(context, job, tmp_path):
    to = tmp_path / "new" / "results"
    assert paths(fetch(context, job, None, to)) == ["model.pkl", "plots/[a] *.txt", "plots/deep/loss.png"]
    assert (to / "plots/deep/loss.png").read_bytes() == b"png"
    assert sorted(path.name for path in to.rglob("*") if path.is_file()) == ["[a] *.txt", "loss.png", "model.pkl"]
    assert sorted(path.name for path in to.iterdir()) == ["model.pkl", "plots"]


def test_a_file_that_differs_is_refused_before_anything_is_written(context, job, tmp_path):
    (tmp_path / "plots" / "deep").mkdir(parents=True)
    (tmp_path / "plots/deep/loss.png").write_bytes(b"PNG")
    with pytest.raises(UsageProblem) as caught:
        fetch(context, job, "*", tmp_path)
    assert caught.value.what == f"plots/deep/loss.png would be overwritten in {tmp_path}"
    assert caught.value.fix == f"ipymlops artifacts 1 '*' --to {tmp_path} --force"
    assert not (tmp_path / "model.pkl").exists()
    assert (tmp_path / "plots/deep/loss.png").read_bytes() == b"PNG"


def test_force_overwrites_what_differs_and_leaves_what_is_equal(context, job, tmp_path):
    (tmp_path / "plots" / "deep").mkdir(parents=True)
    (tmp_path / "plots/deep/loss.png").write_bytes(b"other")
    equal = tmp_path / "model.pkl"
    equal.write_bytes(b"weights")
    before = equal.stat()
    fetch(context, job, None, tmp_path, force=True)
    assert (tmp_path / "plots/deep/loss.png").read_bytes() == b"png"
    assert equal.stat().st_ino == before.st_ino


def test_fetching_twice_is_harmless(context, job, tmp_path):
    fetch(context, job, None, tmp_path)
    before = (tmp_path / "model.pkl").stat().st_ino
    fetch(context, job, None, tmp_path)
    assert (tmp_path / "model.pkl").stat().st_ino == before


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "a//b", "./x", "", "a\0b"])
def test_a_path_that_leads_out_is_refused_and_nothing_is_written(context, job, tmp_path, monkeypatch, path):
    monkeypatch.setattr(FakePlatform, "artifacts", lambda *_: [Artifact("fine", 3), Artifact(path, 3)])
    to = tmp_path / "results"
    with pytest.raises(PlatformProblem, match="leads out of its folder"):
        fetch(context, job, None, to)
    assert not to.exists()


def test_a_link_in_the_way_is_replaced_not_followed(context, job, tmp_path):
    outside = tmp_path / "outside"
    outside.write_bytes(b"mine")
    to = tmp_path / "results"
    to.mkdir()
    (to / "model.pkl").symlink_to(outside)
    fetch(context, job, "model.pkl", to, force=True)
    assert outside.read_bytes() == b"mine"
    assert (to / "model.pkl").read_bytes() == b"weights"


def test_a_file_that_vanishes_midway_leaves_nothing_half_written(context, job, tmp_path, monkeypatch):
    def broken(self, ref, path, to):
        to.write_bytes(b"wei")
        raise PlatformProblem("the line was cut")

    monkeypatch.setattr(FakePlatform, "fetch", broken)
    with pytest.raises(PlatformProblem):
        fetch(context, job, "model.pkl", tmp_path / "results")
    assert list((tmp_path / "results").iterdir()) == []


def test_a_folder_that_is_a_file_is_told(context, job, tmp_path):
    (tmp_path / "plots").write_text("a file")
    with pytest.raises(UsageProblem, match="could not be written"):
        fetch(context, job, "plots/*", tmp_path)


def test_a_pattern_that_matches_nothing_is_told(context, job, tmp_path):
    with pytest.raises(UsageProblem) as caught:
        fetch(context, job, "*.onnx", tmp_path)
    assert (caught.value.what, caught.value.fix) == (
        "no file of job 1 (train-1) matches '*.onnx'",
        "ipymlops artifacts 1",
    )


def test_a_job_that_never_started_has_no_files(context, recorded, tmp_path):
    assert listed(context, recorded) == ()
    assert fetch(context, recorded, None, tmp_path) == ()


def given(monkeypatch, *files, contents=None):
    """The platform has these files."""
    monkeypatch.setattr(FakePlatform, "artifacts", lambda *_: list(files))
    written = contents or {}

    def write(self, ref, path, to):
        if path not in written:
            raise PlatformProblem(f"no file {path}")
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_bytes(written[path])

    monkeypatch.setattr(FakePlatform, "fetch", write)


@pytest.mark.parametrize(
    "digest",
    [
        f"sha256:{hashlib.sha256(b'weights').hexdigest()}",
        f"md5:{hashlib.md5(b'weights').hexdigest()}",
        f"md5/4:{hashlib.md5(hashlib.md5(b'weig').digest() + hashlib.md5(b'hts').digest()).hexdigest()}",
    ],
)
def test_what_is_there_and_equal_by_its_digest_is_not_fetched_to_find_out(context, job, tmp_path, monkeypatch, digest):
    given(monkeypatch, Artifact("model", 7, digest=digest))
    (tmp_path / "model").write_bytes(b"weights")
    assert paths(fetch(context, job, None, tmp_path)) == ["model"]
    (tmp_path / "model").write_bytes(b"WEIGHTS")
    with pytest.raises(UsageProblem, match="overwritten"):
        fetch(context, job, None, tmp_path)


def test_what_has_not_arrived_is_named_and_the_rest_comes(context, job, tmp_path, monkeypatch, screen):
    given(monkeypatch, Artifact("here", 1), Artifact("lost", 9, has_arrived=False), contents={"here": b"x"})
    assert paths(fetch(context, job, None, tmp_path)) == ["here"]
    assert "lost cannot be fetched" in screen.notes[-1]


def test_an_archive_that_is_fetched_brings_its_members(context, job, tmp_path, monkeypatch):
    """They cannot lie below a file of the same name."""
    names = ("m.tar.gz", "m.tar.gz/w.bin", "m.tar.gz2")
    given(monkeypatch, *(Artifact(name, 1) for name in names), contents=dict.fromkeys(names, b"x"))
    assert paths(fetch(context, job, None, tmp_path)) == ["m.tar.gz", "m.tar.gz2"]
    assert paths(fetch(context, job, "*/w.bin", tmp_path / "one")) == ["m.tar.gz/w.bin"]


def test_a_file_that_no_list_has_comes_by_its_whole_path(context, job, tmp_path, monkeypatch):
    given(monkeypatch, Artifact("model.tar.gz", 1), contents={"model.tar.gz/config.json": b"{}"})
    assert paths(fetch(context, job, "model.tar.gz/config.json", tmp_path)) == ["model.tar.gz/config.json"]
    assert (tmp_path / "model.tar.gz" / "config.json").read_bytes() == b"{}"
    with pytest.raises(UsageProblem, match="no file of"):
        fetch(context, job, "model.tar.gz/no", tmp_path)


@pytest.fixture
def packed(monkeypatch):
    """A platform with one file that no list has; which files were asked for, and where to."""
    asked = []
    given(monkeypatch, Artifact("model.tar.gz", 1))

    def write(self, ref, path, to, progress):
        asked.append((path, to))
        if path != "model.tar.gz/weights":
            raise PlatformProblem(f"no file {path}")
        to.write_bytes(b"weights")
        progress(7)

    monkeypatch.setattr(FakePlatform, "fetch_telling", write)
    monkeypatch.setattr(FakePlatform, "fetch", lambda self, ref, path, to: write(self, ref, path, to, lambda _: None))
    return asked


def test_a_file_that_no_list_has_comes_once_and_onto_the_disk_that_it_is_meant_for(context, job, tmp_path, packed):
    to = tmp_path / "results"
    (one,) = fetch(context, job, "model.tar.gz/weights", to)
    assert (one.path, one.bytes) == ("model.tar.gz/weights", 7)
    assert (to / one.path).read_bytes() == b"weights"
    ((_, copy),) = packed
    assert tmp_path in copy.parents
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    before = (to / one.path).stat().st_ino
    assert fetch(context, job, one.path, to) == (one,)
    assert (to / one.path).stat().st_ino == before  # equal, so left alone


def test_a_file_that_no_list_has_overwrites_no_other_unasked(context, job, tmp_path, packed):
    there = tmp_path / "model.tar.gz" / "weights"
    there.parent.mkdir()
    there.write_bytes(b"of mine")
    with pytest.raises(UsageProblem, match="would be overwritten"):
        fetch(context, job, "model.tar.gz/weights", tmp_path)
    assert there.read_bytes() == b"of mine"
    fetch(context, job, "model.tar.gz/weights", tmp_path, force=True)
    assert there.read_bytes() == b"weights"
    assert [path.name for path in there.parent.iterdir()] == ["weights"]


@pytest.mark.parametrize("path", ["model.tar.gz/no", "../weights", "/weights", "model.tar.gz//weights"])
def test_what_no_list_has_and_is_not_there_leaves_nothing(context, job, tmp_path, packed, path):
    with pytest.raises(UsageProblem, match="no file of"):
        fetch(context, job, path, tmp_path / "new")
    assert list(tmp_path.glob(".ipymlops*")) == []
    assert not (tmp_path / "new").exists()


def test_whoever_is_signed_out_is_not_told_that_there_is_no_such_file(context, job, tmp_path, packed, monkeypatch):
    def refused(*_):
        raise NotSignedIn("the credentials have expired")

    monkeypatch.setattr(FakePlatform, "fetch_telling", refused)
    with pytest.raises(NotSignedIn):
        fetch(context, job, "model.tar.gz/weights", tmp_path)


def test_a_try_that_broke_off_is_gone_on_from(context, job, tmp_path, monkeypatch):
    tries = []

    def resuming(self, ref, path, to, progress):
        part = to.with_name(".half")
        if not part.exists():
            tries.append("broken")
            part.write_bytes(b"wei")
            raise PlatformProblem("the line was cut")
        to.write_bytes(part.read_bytes() + b"ghts")
        part.unlink()

    monkeypatch.setattr(FakePlatform, "fetch_telling", resuming)
    with pytest.raises(PlatformProblem):
        fetch(context, job, "model.pkl", tmp_path / "to")
    assert not (tmp_path / "to" / "model.pkl").exists()
    fetch(context, job, "model.pkl", tmp_path / "to")
    assert (tmp_path / "to" / "model.pkl").read_bytes() == b"weights"
    assert [one.name for one in (tmp_path / "to").iterdir()] == ["model.pkl"]
    assert tries == ["broken"]


def test_how_far_it_is_is_shown_and_the_last_time_all_of_it(context, job, tmp_path, monkeypatch, screen):
    seen = []
    monkeypatch.setattr(screen, "progress", lambda *told: seen.append(told), raising=False)

    def telling(self, ref, path, to, progress):
        progress(3)
        to.write_bytes(b"weights")
        progress(4)

    monkeypatch.setattr(FakePlatform, "fetch_telling", telling)
    fetch(context, job, "model.pkl", tmp_path / "to")
    assert seen[-1] == (7, 7, "model.pkl")


def test_one_that_fails_ends_the_others_midway(context, job, tmp_path, monkeypatch):
    given(monkeypatch, Artifact("bad", 1), Artifact("endless", 1))
    monkeypatch.setattr(FakePlatform, "is_here", False)
    began = threading.Event()

    def transfer(self, ref, path, to, progress):
        if path == "bad":
            assert began.wait(60)
            raise PlatformProblem("the line was cut")
        while True:
            began.set()
            progress(0)

    monkeypatch.setattr(FakePlatform, "fetch_telling", transfer)
    with pytest.raises(PlatformProblem, match="cut"):
        fetch(context, job, None, tmp_path / "to")
