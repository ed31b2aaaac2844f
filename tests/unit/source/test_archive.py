"""The archive: the same bytes for the same tree, whole or not there."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipymlops.errors import SourceProblem
from ipymlops.source import files, is_packed, pack, prune_archives, snapshot, tar


@pytest.fixture
def packs(tmp_path):
    return tmp_path / "packs"


def test_the_archive_holds_exactly_the_files(repo, packs):
    (repo / "run.sh").write_text("#!/bin/sh\n")
    (repo / "run.sh").chmod(0o700)
    (repo / "deep" / "er").mkdir(parents=True)
    (repo / "deep/er/empty").write_text("")
    (repo / "link").symlink_to("deep/er")
    taken = snapshot(repo)
    archive = pack(taken, packs)
    assert archive.path == packs / f"{taken.tree}.tar"
    assert archive.sha256 == hashlib.sha256(archive.path.read_bytes()).hexdigest()
    assert archive.bytes == archive.path.stat().st_size
    assert (archive.tree, archive.commit, archive.root) == (taken.tree, taken.commit, taken.root)
    with tarfile.open(archive.path) as opened:
        rows = [(one.name, one.mode, one.uid, one.gid, one.mtime, one.uname, one.type) for one in opened]
    plain = (0, 0, 0, "", b"0")
    assert rows == [
        (".gitignore", 0o644, *plain),
        ("deep/er/empty", 0o644, *plain),
        ("link", 0o777, 0, 0, 0, "", b"2"),
        ("run.sh", 0o755, *plain),
        ("train.py", 0o644, *plain),
    ]


def test_the_same_tree_gives_the_same_bytes_everywhere(repo, git, tmp_path):
    first = pack(snapshot(repo), tmp_path / "one")
    git(tmp_path, "clone", "-q", str(repo), "clone")
    second = pack(snapshot(tmp_path / "clone"), tmp_path / "two")
    assert first.path.read_bytes() == second.path.read_bytes()
    assert first.sha256 == second.sha256


def test_attributes_that_alter_git_archive_do_not_count(repo, packs):
    (repo / ".gitattributes").write_text("train.py export-subst\nsecret.py export-ignore\n")
    (repo / "train.py").write_text("# $Format:%H$\n")
    (repo / "secret.py").write_text("1")
    with tarfile.open(pack(snapshot(repo), packs).path) as opened:
        assert opened.extractfile("train.py").read() == b"# $Format:%H$\n"
        assert "secret.py" in opened.getnames()


def test_code_is_packed_once_it_has_been_packed(taken, packs):
    assert not is_packed(taken, packs)
    pack(taken, packs)
    assert is_packed(taken, packs)


def test_packed_code_that_nobody_used_for_long_is_removed_and_what_is_in_use_is_not(taken, packs):
    archive = pack(taken, packs)
    half = packs / f".{archive.path.name}-killed"
    half.write_bytes(b"x")
    for place in packs.iterdir():
        os.utime(place, (0, 0))
    pack(taken, packs)
    assert prune_archives(packs, 30) == [half.name]
    assert is_packed(taken, packs)
    for place in packs.iterdir():
        os.utime(place, (0, 0))
    assert len(prune_archives(packs, 30)) == 2
    assert not is_packed(taken, packs)
    assert prune_archives(packs / "nowhere", 30) == []


def test_an_archive_that_is_there_is_not_written_again(taken, packs):
    first = pack(taken, packs)
    before = first.path.stat()
    assert pack(taken, packs) == first
    assert first.path.stat().st_ino == before.st_ino
    assert sorted(path.name for path in packs.iterdir()) == [f"{taken.tree}.tar", f"{taken.tree}.tar.json"]


@pytest.mark.parametrize("spoil", ["cut", "no note", "bad note"])
def test_an_archive_that_is_not_whole_is_written_again(taken, packs, spoil):
    first = pack(taken, packs)
    note = first.path.with_name(first.path.name + ".json")
    whole = first.path.read_bytes()
    if spoil == "cut":
        first.path.write_bytes(whole[:100])
    elif spoil == "no note":
        note.unlink()
    else:
        note.write_text("{")
    assert pack(taken, packs) == first
    assert first.path.read_bytes() == whole


def test_packing_at_once_from_several_places_is_harmless(taken, packs):
    with ThreadPoolExecutor(4) as pool:
        archives = list(pool.map(lambda _: pack(taken, packs), range(4)))
    assert len(set(archives)) == 1
    assert len(list(packs.iterdir())) == 2


def test_a_full_disk_leaves_nothing_half_written(repo, packs, without_privileges):
    import resource

    (repo / "big.bin").write_bytes(os.urandom(300_000))
    snapshot(repo, job_id="j1")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))

    code = """
import sys
from pathlib import Path
from ipymlops.errors import SourceProblem
from ipymlops.source import pack
from ipymlops.spec import Snapshot
taken = Snapshot(sys.argv[2], None, None, False, sys.argv[1], sys.argv[1] + "/.git", "", 0, 0)
try:
    pack(taken, Path(sys.argv[3]))
except SourceProblem as error:
    print(error)
"""
    said = without_privileges(code, repo, snapshot(repo).tree, packs, preexec=limit)
    assert "could not be packed" in said
    assert "File too large" in said
    assert "df -h" in said
    assert list(packs.iterdir()) == []


def test_a_snapshot_whose_objects_are_gone_is_told(taken, packs):
    subprocess.run(["rm", "-rf", f"{taken.git_dir}/objects"], check=True)
    Path(taken.git_dir, "objects").mkdir()
    with pytest.raises(SourceProblem):
        pack(taken, packs)
    assert not packs.exists() or list(packs.iterdir()) == []


def test_memory_stays_flat_for_a_big_file(repo, packs, without_privileges):
    with (repo / "big.bin").open("wb") as big:
        big.truncate(100_000_000)
    taken = snapshot(repo)
    code = """
import re, sys
from pathlib import Path
from ipymlops.source import pack
from ipymlops.spec import Snapshot
taken = Snapshot(sys.argv[2], None, None, False, sys.argv[1], sys.argv[1] + "/.git", "", 0, 0)
size = pack(taken, Path(sys.argv[3])).bytes
print(size, re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])  # ru_maxrss counts the parent's
"""
    size, peak_kib = map(int, without_privileges(code, repo, taken.tree, packs).split())
    assert size > 100_000_000
    assert peak_kib < 80_000


NAMES = st.lists(
    st.binary(min_size=1, max_size=60)
    .map(lambda name: name.replace(b"/", b"_").replace(b"\0", b"0"))
    .filter(
        lambda name: name not in {b".", b".."} and not name.lower().startswith(b".git") and name != b".ipymlopsignore"
    )
    .filter(lambda name: not name.lower().startswith((b".env", b".netrc", b".ipynb_checkpoints", b"git~"))),
    min_size=1,
    max_size=4,
    unique=True,
)


@settings(max_examples=15, deadline=None)
@given(names=NAMES)
def test_every_name_makes_the_round_trip(names):
    with tempfile.TemporaryDirectory() as place:
        root = os.fsencode(place) + b"/r"
        for number, name in enumerate(names):
            Path(os.fsdecode(root + b"/d%d" % number)).mkdir(parents=True)
            Path(os.fsdecode(root + b"/d%d/" % number + name)).write_bytes(name)
        taken = snapshot(Path(os.fsdecode(root)), objects=Path(place) / "objects")
        assert {file.path for file in files(taken.tree, taken.git_dir)} == {
            b"d%d/" % number + name for number, name in enumerate(names)
        }
        archive = pack(taken, Path(place) / "packs")
        with tarfile.open(archive.path) as opened:
            opened.extractall(place + "/out", filter="data") if hasattr(tarfile, "data_filter") else opened.extractall(
                place + "/out"
            )
        for number, name in enumerate(names):
            assert Path(os.fsdecode(os.fsencode(place) + b"/out/d%d/" % number + name)).read_bytes() == name


@pytest.mark.parametrize(
    "name", ["new\nline", "tab\there", 'quo"te', " ", "\udcff\udcfe", "ü" * 120, "-rf", "d/" * 60 + "x"]
)
def test_awkward_names_survive_python_and_tar(repo, packs, name, tmp_path):
    path = repo / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    (repo / "to-it").symlink_to(name)
    taken = snapshot(repo)
    assert name in taken.changed
    archive = pack(taken, packs)
    with tarfile.open(archive.path) as opened:
        assert opened.extractfile(name).read() == b"x"
        assert opened.getmember("to-it").linkname == name
    out = tmp_path / "out"
    out.mkdir()
    subprocess.run(["tar", "-xf", archive.path, "-C", out], check=True)
    assert (out / name).read_text() == "x"


def test_files_beyond_eight_gibibytes_have_a_header_that_is_understood():
    import io

    block = tar.header(b"huge", mode=0o644, size=9 * 2**30)
    assert tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape").size == 9 * 2**30
    with tarfile.open(fileobj=io.BytesIO(tar.header(b"e", mode=0o644, size=0) + tar.END)) as opened:
        assert opened.getnames() == ["e"]
