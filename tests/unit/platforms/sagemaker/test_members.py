"""Single files of an archive in S3: no further read than needed, nothing read twice, nothing hostile believed."""

import gzip
import io
import os
import random
import tarfile

import pytest

from ipymlops.errors import PlatformProblem
from ipymlops.platforms.sagemaker import kept, members
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.members import Archive
from ipymlops.platforms.sagemaker.transfers import source_of


@pytest.fixture(scope="module")
def s3(aws_server, tmp_path_factory):
    """One client for all: what is tested here keeps nothing in it."""
    return Aws(tmp_path_factory.mktemp("home"), aws_server.settings, aws_server.env).client("s3")


@pytest.fixture
def put(api, s3, tmp_path):
    """Put an archive's bytes and open it."""

    def put(content, key="model.tar.gz"):
        api.client("s3").put_object(Bucket=api.bucket, Key=key, Body=content)
        api.calls.clear()
        return Archive(source_of(s3, api.bucket, key), tmp_path / "cache")

    return put


def noise(size, seed=1):
    return random.Random(seed).randbytes(size)


def packed(*files, mode="w:gz"):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:
        for name, content in files:
            one = tarfile.TarInfo(name)
            one.size = len(content)
            tar.addfile(one, io.BytesIO(content))
    return buffer.getvalue()


def content_of(archive, path):
    buffer = io.BytesIO()
    return buffer.getvalue() if archive.copy(path, buffer) else None


def got_bytes(api):
    return sum(call.got_bytes for call in api.calls if call.action == "GetObject")


def test_no_more_is_read_than_up_to_the_file_and_a_little(api, put):
    archive = put(packed(("config.json", b"{}"), ("weights", noise(6 << 20)), ("last", b"end")))
    assert content_of(archive, "config.json") == b"{}"
    assert got_bytes(api) <= kept.FIRST_BYTES


def test_a_second_file_costs_only_what_was_not_read_yet(api, put):
    content = packed(("a", noise(1 << 20, 1)), ("b", noise(1 << 20, 2)), ("c", noise(4 << 20, 3)))
    archive = put(content)
    assert content_of(archive, "b") == noise(1 << 20, 2)
    first = got_bytes(api)
    assert content_of(archive, "a") == noise(1 << 20, 1)
    assert got_bytes(api) == first
    assert [one.path for one in archive.members()] == ["a", "b", "c"]
    assert got_bytes(api) == len(content)
    again = put(content)
    assert content_of(again, "c") == noise(4 << 20, 3)
    assert [one.bytes for one in again.members()] == [1 << 20, 1 << 20, 4 << 20]
    assert got_bytes(api) == 0


def test_a_file_that_is_known_not_to_be_there_is_not_looked_for(api, put):
    archive = put(packed(("a", b"1")))
    archive.members()
    api.calls.clear()
    assert content_of(archive, "b") is None
    assert not api.calls


def test_another_content_under_the_same_key_is_read_anew(put):
    assert content_of(put(packed(("a", b"1"))), "a") == b"1"
    assert content_of(put(packed(("a", b"2"))), "a") == b"2"


def test_a_connection_that_breaks_off_is_taken_up(api, put):
    archive = put(packed(("a", noise(3 << 20))))
    api.faults.cut_s3_get_after, api.faults.cut_s3_gets = 100_000, 3
    assert content_of(archive, "a") == noise(3 << 20)


def test_beyond_its_bound_nothing_is_kept(api, put, monkeypatch, tmp_path):
    monkeypatch.setattr(kept, "KEPT_BYTES", 1 << 20)
    content = packed(("a", noise(3 << 20)))
    archive = put(content)
    for _ in range(2):
        assert content_of(archive, "a") == noise(3 << 20)
    assert max(file.stat().st_size for file in (tmp_path / "cache").iterdir()) <= 1 << 20
    assert len(content) < got_bytes(api) < 2 * len(content)


def test_the_oldest_of_what_is_kept_makes_room(put, monkeypatch, tmp_path):
    monkeypatch.setattr(kept, "ALL_BYTES", 1 << 20)
    for number in range(3):
        content_of(put(packed(("a", noise(700_000, number)))), "a")
        for file in (tmp_path / "cache").iterdir():
            os.utime(file, (file.stat().st_mtime - 10, file.stat().st_mtime - 10))
    kept.make_room(tmp_path / "cache")
    assert sum(file.stat().st_size for file in (tmp_path / "cache").iterdir()) <= 1 << 20


def test_a_damaged_beginning_that_was_kept_is_not_kept_for_ever(api, put, tmp_path):
    content = packed(("a", noise(700_000)))
    content_of(put(content), "a")
    [begin] = (tmp_path / "cache").glob("*.begin")
    begin.write_bytes(b"\0" * begin.stat().st_size)
    archive = put(content)
    with pytest.raises(PlatformProblem, match=r"no whole tar\.gz"):
        content_of(archive, "a")
    assert content_of(archive, "a") == noise(700_000)


@pytest.mark.parametrize(
    "content",
    [b"no archive", gzip.compress(b"x" * 5000), packed(("a", noise(50_000)))[:30_000]],
    ids=["text", "no tar", "cut off"],
)
def test_what_is_no_whole_archive_is_told(put, content):
    with pytest.raises(PlatformProblem, match=r"no whole tar\.gz"):
        put(content).members()


def test_an_empty_object_holds_nothing(api, put):
    archive = put(b"")
    assert (archive.members(), content_of(archive, "a")) == ([], None)
    assert len(api.calls) == 1  # to find out how large it is


def test_links_and_devices_are_no_files(put):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE):
            one = tarfile.TarInfo(f"odd{kind!r}")
            one.type, one.linkname = kind, "/etc/passwd"
            tar.addfile(one)
        tar.addfile(tarfile.TarInfo("./fine"))
    archive = put(buffer.getvalue())
    assert [one.path for one in archive.members()] == ["fine"]
    assert content_of(archive, "odd" + repr(tarfile.SYMTYPE)) is None


def test_an_archive_made_to_fill_a_disk_is_refused(put, monkeypatch):
    monkeypatch.setattr(members, "MOST_BYTES", 1 << 20)
    archive = put(packed(("zeros", bytes(64 << 20))))
    with pytest.raises(PlatformProblem, match="honest") as refused:
        content_of(archive, "zeros")
    assert refused.value.fix.startswith("aws s3 cp s3://")
    monkeypatch.setattr(members, "MOST_MEMBERS", 10)
    with pytest.raises(PlatformProblem, match="honest"):
        put(packed(*((str(number), b"") for number in range(20)))).members()


def test_a_small_file_is_read_and_a_large_one_is_not(put, monkeypatch):
    monkeypatch.setattr(members, "SMALL_BYTES", 10)
    archive = put(packed(("small", b"x" * 10), ("large", b"x" * 11)))
    assert archive.read("small") == b"x" * 10
    assert archive.read("large") is None
