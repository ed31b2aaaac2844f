"""What a snapshot says of itself."""

from __future__ import annotations

import subprocess

from ipymlops.source import manifest, snapshot
from ipymlops.source.paths import printable


def test_above_fifty_megabytes_the_ten_biggest_are_named_with_the_line_that_leaves_them_out(repo, names):
    for number in range(12):
        (repo / f"big {number:02}.bin").write_bytes(bytes(4_500_000 + number))
    taken = snapshot(repo)
    (warning,) = taken.warnings
    assert "the code is 54.0 MB, more than 50.0 MB" in warning
    assert "big 11.bin (4.5 MB)" in warning
    assert "big 01.bin" not in warning
    command = warning.partition("to leave these out: ")[2]
    subprocess.run(command, shell=True, check=True, cwd=repo)
    left = snapshot(repo)
    assert names(left) == {".gitignore", ".ipymlopsignore", "train.py", "big 00.bin", "big 01.bin"}
    assert left.warnings == ()


def test_a_big_ignored_folder_is_not_walked(repo, monkeypatch, names):
    (repo / ".gitignore").write_text("data/\n")
    monkeypatch.setattr(manifest, "MOST_COUNTED", 50)
    with_many = repo / "data"
    for folder in range(6):
        (with_many / str(folder)).mkdir(parents=True)
        for number in range(10):
            (with_many / str(folder) / str(number)).touch()
    with (with_many / "huge").open("wb") as huge:
        huge.truncate(3 * 2**30)
    taken = snapshot(repo)
    (row,) = taken.left_out
    assert (row.path, row.rule) == ("data/", ".gitignore: data/ (this size or more)")
    assert row.bytes == 3 * 2**30
    assert names(taken) == {".gitignore", "train.py"}


def test_an_ignored_folder_that_may_not_be_read_has_no_size(repo, tmp_path):
    assert manifest.folder_size(tmp_path / "nowhere", 10) == (0, True)


def test_counting_a_folder_ends_in_time(tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(10):
        (folder / str(number)).write_text("1")
    assert manifest.folder_size(folder, 100) == (10, True)
    assert manifest.folder_size(folder, 4) == (4, False)


def test_empty_folders_are_told(repo):
    (repo / "outputs/deep").mkdir(parents=True)
    assert [(row.path, row.rule) for row in snapshot(repo).left_out] == [
        ("outputs/deep/", "an empty folder: git keeps none")
    ]


def test_very_many_rows_are_cut_and_counted(repo):
    for number in range(manifest.MOST_ROWS + 5):
        (repo / f"{number:03}.ignored").write_text("12" if number < 100 else "1")
    taken = snapshot(repo)
    assert len(taken.left_out) == manifest.MOST_ROWS
    assert taken.warnings == ("5 more paths were left out, 5 B together",)


def test_a_hostile_name_cannot_draw_on_the_terminal():
    assert printable(b"a\x1b[31m\nb\xff") == "a\\x1b[31m\\nb\\udcff"
    assert len(printable("x" * 1000)) < 130
