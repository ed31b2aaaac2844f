"""An archive gives exactly its files, and no name in it leads elsewhere."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from ipymlops.runtime.config import Archive
from ipymlops.runtime.problem import LaunchProblem
from ipymlops.runtime.unpack import unpack


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "code"


@pytest.fixture
def packed(tmp_path):
    """An archive with these members: (name, type, content or link)."""

    def pack(*members):
        path = tmp_path / "code.tar"
        with tarfile.open(path, "w", encoding="utf-8", errors="surrogateescape") as archive:
            for name, kind, content in members:
                member = tarfile.TarInfo(name)
                member.type, member.mode = kind, 0o644
                if kind == tarfile.REGTYPE:
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content))
                else:
                    member.linkname = content
                    archive.addfile(member)
        return archive_of(path)

    return pack


def archive_of(path):
    return Archive(str(path), hashlib.sha256(path.read_bytes()).hexdigest())


def test_names_with_any_bytes_come_out_as_they_went_in(packed, folder):
    names = [b"caf\xc3\xa9", b"latin-\xe9", b"new\nline", b" ", b"-rf", b"a" * 255, b"deep/" * 50 + b"x"]
    unpack(
        packed(*((name.decode("utf-8", "surrogateescape"), tarfile.REGTYPE, name) for name in names)), str(folder), []
    )
    for name in names:
        assert (folder / os.fsdecode(name)).read_bytes() == name


def test_what_git_archives_comes_out_the_same(repo, git, tmp_path, folder):
    (repo / "run.sh").write_text("#!/bin/sh\n")
    (repo / "run.sh").chmod(0o755)
    (repo / "link").symlink_to("train.py")
    (repo / "outside").symlink_to("/etc/hostname")
    (repo / ("n" * 150)).mkdir()
    (repo / ("n" * 150) / ("m" * 150)).write_text("long")
    (repo / "\udcff").touch()
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "second")
    git(repo, "archive", "-o", str(tmp_path / "git.tar"), "HEAD")
    unpack(archive_of(tmp_path / "git.tar"), str(folder), [])
    assert (
        subprocess.run(["diff", "-r", "--no-dereference", "-x", ".git", repo, folder], capture_output=True).stdout
        == b""
    )
    assert os.access(folder / "run.sh", os.X_OK)
    assert not os.access(folder / "train.py", os.X_OK)
    assert (folder / "outside").readlink() == Path("/etc/hostname")


REG, SYM, HARD, DIR = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE


@pytest.mark.parametrize(
    "members",
    [
        [("../out", REG, b"x")],
        [("a/../../out", REG, b"x")],
        [("/{tmp}/out", REG, b"x")],
        [("a", SYM, "{tmp}"), ("a/out", REG, b"x")],
        [("a", SYM, ".."), ("a/out", REG, b"x")],
        [("d", DIR, ""), ("d", SYM, "{tmp}"), ("d/out", REG, b"x")],
        [("a", SYM, "{tmp}/out"), ("a", REG, b"x")],
        [("a", SYM, "{tmp}"), ("a", DIR, ""), ("a/out", REG, b"x")],
        [("out", HARD, "{tmp}/secret")],
        [("out", tarfile.CHRTYPE, "")],
        [("out", tarfile.BLKTYPE, "")],
        [("out", tarfile.FIFOTYPE, "")],
        [("same", REG, b"1"), ("same", REG, b"2")],
        [("file", REG, b"1"), ("file/out", REG, b"2")],
        [("..", REG, b"x")],
    ],
    ids=lambda members: " ".join(name for name, _, _ in members),
)
def test_what_would_lead_elsewhere_is_refused(packed, folder, tmp_path, members):
    (tmp_path / "secret").write_text("s")
    before = sorted(tmp_path.iterdir())
    filled = [
        (name.format(tmp=tmp_path), kind, link.format(tmp=tmp_path) if isinstance(link, str) else link)
        for name, kind, link in members
    ]
    with pytest.raises(LaunchProblem) as problem:
        unpack(packed(*filled), str(folder), [])
    assert "the code's archive is refused because of" in problem.value.what
    assert problem.value.why
    assert sorted(path for path in tmp_path.iterdir() if path.name not in ("code", "code.tar")) == before


@pytest.mark.parametrize("cut", [0, 300, 700, 1000])
def test_an_archive_that_is_cut_is_refused_or_empty(packed, folder, cut):
    archive = packed(("a", REG, b"x" * 1000))
    os.truncate(archive.path, cut)
    with pytest.raises(LaunchProblem, match="cannot be unpacked"):
        unpack(archive_of(Path(archive.path)), str(folder), [])


def test_a_compressed_archive_is_refused(tmp_path, folder):
    with tarfile.open(tmp_path / "code.tar", "w:gz"):
        pass
    with pytest.raises(LaunchProblem, match="cannot be unpacked"):
        unpack(archive_of(tmp_path / "code.tar"), str(folder), [])


def test_set_user_bits_and_odd_modes_are_not_taken_over(tmp_path, folder):
    with tarfile.open(tmp_path / "code.tar", "w") as archive:
        for name, mode in (("suid", 0o6777), ("none", 0), ("exec", 0o100)):
            member = tarfile.TarInfo(name)
            member.mode = mode
            archive.addfile(member)
    unpack(archive_of(tmp_path / "code.tar"), str(folder), [])
    umask = os.umask(0)
    os.umask(umask)
    modes = [(folder / name).stat().st_mode & 0o7777 for name in ("suid", "none", "exec")]
    assert modes == [0o755 & ~umask, 0o644 & ~umask, 0o755 & ~umask]
