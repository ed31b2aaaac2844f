import pytest

from ipymlops.control.artifacts import fetch, listed
from ipymlops.errors import PlatformProblem, UsageProblem
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
