"""What is left out, by which rule, and what is brought in."""

from __future__ import annotations

import pytest

from ipymlops.source import snapshot
from ipymlops.source.paths import ignore_line


def rules(taken):
    return {row.path: row.rule for row in taken.left_out}


@pytest.fixture
def busy(repo, git):
    """Tracked, untracked and ignored files in several folders."""
    for path in ("data/a.csv", "data/deep/b.csv", "src/m.py", "src/m.ignored", "docs/x.md", "docs/y.md"):
        (repo / path).parent.mkdir(parents=True, exist_ok=True)
        (repo / path).write_text("12345")
    (repo / ".gitignore").write_text("*.ignored\n/data/\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "busy")
    return repo


def test_each_path_left_out_has_its_rule_and_size_biggest_first(busy):
    (busy / "src/m.ignored").write_text("1")
    taken = snapshot(busy)
    assert rules(taken) == {"data/": ".gitignore: /data/", "src/m.ignored": ".gitignore: *.ignored"}
    assert [(row.path, row.bytes) for row in taken.left_out] == [("data/", 10), ("src/m.ignored", 1)]


def test_ipymlopsignore_leaves_out_tracked_files_too(busy, names):
    (busy / ".ipymlopsignore").write_text("# comment\n\ndocs/*\n!docs/y.md\n/src/\n")
    (busy / "docs/new.md").write_text("1")
    taken = snapshot(busy)
    assert names(taken) == {".gitignore", ".ipymlopsignore", "train.py", "docs/y.md"}
    assert rules(taken) == {
        "data/": ".gitignore: /data/",
        "docs/x.md": ".ipymlopsignore: docs/*",
        "docs/new.md": ".ipymlopsignore: docs/*",
        "src/": ".ipymlopsignore: /src/",
    }
    assert taken.changed == (".ipymlopsignore",)


def test_ipymlopsignore_may_have_dos_line_ends(busy, names):
    (busy / ".ipymlopsignore").write_bytes(b"docs/\r\nsrc/\r\n")
    assert names(snapshot(busy)) == {".gitignore", ".ipymlopsignore", "train.py"}


def test_ipymlopsignore_speaks_for_the_whole_repository_wherever_one_stands(busy, names):
    (busy / ".ipymlopsignore").write_text("/docs/\n")
    assert "docs/x.md" not in names(snapshot(busy / "src"))


def test_include_brings_ignored_files_in(busy, names):
    taken = snapshot(busy, include=["data/*.csv"])
    assert names(taken) >= {"data/a.csv"}
    assert "data/deep/b.csv" not in names(taken)
    assert {"data/a.csv", "data/deep/b.csv"} <= names(snapshot(busy, include=["/data/"]))
    assert {"data/a.csv", "data/deep/b.csv"} <= names(snapshot(busy, include=["data/**"]))


def test_ipymlopsignore_has_the_last_word_over_include(busy, names):
    (busy / ".ipymlopsignore").write_text("deep/\n")
    held = names(snapshot(busy, include=["data"]))
    assert "data/a.csv" in held
    assert "data/deep/b.csv" not in held


def test_an_include_that_names_nothing_is_told(busy):
    taken = snapshot(busy, include=["dtaa/*.csv", "src/m.py"])
    assert taken.warnings == ("include = ['dtaa/*.csv'] names no file",)


def test_what_saving_and_running_leave_behind_is_left_out(repo, names):
    (repo / ".ipynb_checkpoints").mkdir()
    (repo / ".ipynb_checkpoints/n-checkpoint.ipynb").write_text("{}")
    (repo / "pkg/__pycache__").mkdir(parents=True)
    (repo / "pkg/__pycache__/m.pyc").write_text("1")
    (repo / "pkg/m.py").write_text("1")
    taken = snapshot(repo)
    assert names(taken) == {".gitignore", "train.py", "pkg/m.py"}
    assert rules(taken) == {
        ".ipynb_checkpoints/": "built in: .ipynb_checkpoints/",
        "pkg/__pycache__/": "built in: __pycache__/",
    }


def test_the_users_global_ignore_file_counts(repo, git, home, names):
    config = home.parent / ".config/git"
    config.mkdir(parents=True)
    (config / "ignore").write_text("*.swp\n")
    (repo / "a.swp").write_text("1")
    assert rules(snapshot(repo)) == {"a.swp": f"{config}/ignore: *.swp"}
    (home.parent / "mine").write_text("*.mine\n")
    git(repo, "config", "--global", "core.excludesFile", "~/mine")
    (repo / "b.mine").write_text("1")
    assert names(snapshot(repo)) == {".gitignore", "train.py", "a.swp"}


def test_info_exclude_counts_but_not_for_tracked_files(repo, names):
    (repo / ".git/info").mkdir(exist_ok=True)
    (repo / ".git/info/exclude").write_text("train.py\nprivate.py\n")
    (repo / "private.py").write_text("1")
    (repo / ".ipymlopsignore").write_text("nothing\n")
    assert names(snapshot(repo)) == {".gitignore", ".ipymlopsignore", "train.py"}


@pytest.mark.parametrize(
    "name", ["a b", "#x", "!x", "x[1]", "x*y", "x?y", "back\\slash", "end ", "ünï", "new\nline", "-x"]
)
def test_the_line_that_is_offered_leaves_exactly_that_file_out(repo, names, name):
    (repo / name).write_text("1")
    (repo / "other").write_text("1")
    (repo / ".ipymlopsignore").write_text(ignore_line(name.encode()) + "\n")
    assert names(snapshot(repo)) == {".gitignore", ".ipymlopsignore", "train.py", "other"}


def test_an_unreadable_ignore_file_is_told(repo, without_privileges):
    from tests.unit.source.test_capture import TRY

    (repo / ".ipymlopsignore").write_text("x\n")
    (repo / ".ipymlopsignore").chmod(0)
    assert ".ipymlopsignore cannot be read" in without_privileges(TRY, repo)
