"""Git LFS files, with and without their objects, with and without its program."""

from __future__ import annotations

import hashlib
import os
import tarfile

import pytest

from ipymlops.source import checkout, lfs, pack, snapshot

BIG = os.urandom(5000)


@pytest.fixture
def big(repo, git):
    """`model.bin`, stored the way git-lfs does it: a pointer in git, the object in .git/lfs, the file in the tree."""
    pointer = lfs.Pointer(hashlib.sha256(BIG).hexdigest(), len(BIG))
    (repo / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    (repo / "model.bin").write_bytes(pointer.text())
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "a model")
    place = repo / ".git/lfs/objects" / pointer.oid[:2] / pointer.oid[2:4] / pointer.oid
    place.parent.mkdir(parents=True)
    place.write_bytes(BIG)
    (repo / "model.bin").write_bytes(BIG)
    # what git-lfs configures; its program is never needed
    for key, value in {"clean": "/nowhere/git-lfs", "process": "/nowhere/git-lfs", "required": "true"}.items():
        git(repo, "config", f"filter.lfs.{key}", value)
    return place


def packed(taken, folder, name):
    with tarfile.open(pack(taken, folder).path) as archive:
        return archive.extractfile(name).read()


def test_a_file_with_its_object_is_a_pointer_in_the_tree_and_whole_in_the_archive(repo, big, git, tmp_path, untouched):
    with untouched(repo):
        taken = snapshot(repo)
    assert taken.tree == git(repo, "rev-parse", "HEAD^{tree}").strip()
    assert (taken.changed, taken.warnings) == ((), ())
    assert taken.bytes > len(BIG)
    assert packed(taken, tmp_path, "model.bin") == BIG
    checkout(taken, tmp_path / "copy")
    assert (tmp_path / "copy/model.bin").read_bytes() == BIG


def test_an_edited_file_travels_whole(repo, big, tmp_path, untouched):
    (repo / "model.bin").write_bytes(BIG[::-1])
    (repo / "other.bin").write_bytes(b"new")
    with untouched(repo):
        taken = snapshot(repo)
    assert taken.changed == ("model.bin", "other.bin")
    assert packed(taken, tmp_path, "model.bin") == BIG[::-1]
    assert packed(taken, tmp_path, "other.bin") == b"new"


def test_a_pointer_without_its_object_is_sent_as_it_is_and_told(repo, big, tmp_path):
    pointer = lfs.pointer_of(repo / "model.bin")
    (repo / "model.bin").write_bytes(pointer.text())
    big.unlink()
    taken = snapshot(repo)
    assert any("only pointers" in warning and "git lfs pull" in warning for warning in taken.warnings)
    assert packed(taken, tmp_path, "model.bin") == pointer.text()


def test_an_archive_is_packed_again_once_the_object_has_been_fetched(repo, big, tmp_path):
    (repo / "model.bin").write_bytes(lfs.pointer_of(repo / "model.bin").text())
    big.rename(tmp_path / "aside")
    taken = snapshot(repo)
    without = pack(taken, tmp_path)
    (tmp_path / "aside").rename(big)
    assert pack(taken, tmp_path).sha256 != without.sha256
    assert packed(taken, tmp_path, "model.bin") == BIG


def test_the_lfs_program_agrees(tmp_path, git, repo):
    """Real git-lfs, where it is installed, made the repository."""
    import shutil

    if shutil.which("git-lfs") is None:
        return
    git(repo, "lfs", "install", "--local")
    git(repo, "lfs", "track", "*.bin")
    (repo / "model.bin").write_bytes(BIG)
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "a model")
    taken = snapshot(repo)
    assert taken.tree == git(repo, "rev-parse", "HEAD^{tree}").strip()
    assert packed(taken, tmp_path, "model.bin") == BIG


def test_a_submodules_object_is_found_where_it_lies(repo, big, git, tmp_path):
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "-q", "-b", "main")
    repo.rename(outer / "inner")
    taken = snapshot(outer)
    assert packed(taken, tmp_path / "packs", "inner/model.bin") == BIG


def test_only_a_pointer_reads_as_one():
    assert lfs.parse(lfs.Pointer("a" * 64, 5).text()) == lfs.Pointer("a" * 64, 5)
    assert lfs.parse(b"version https://git-lfs.github.com/spec/v1\noid sha256:short\nsize 1\n") is None
    assert lfs.parse(lfs.Pointer("a" * 64, 5).text() + b"x" * 2000) is None
