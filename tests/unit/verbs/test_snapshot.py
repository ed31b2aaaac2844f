"""What the repository's settings say of the code that is sent."""

import subprocess

import pytest

from ipymlops.errors import SourceProblem, UsageProblem
from ipymlops.source import files
from ipymlops.verbs.snapshot import snapshot_of

PEM = "-----BEGIN PRIVATE KEY-----\n" + "A" * 64 + "\n"


@pytest.fixture
def sent(again):
    """The paths that are sent from a folder: `sent(folder)`."""

    def paths(folder):
        taken = snapshot_of(again(folder))
        return {file.name for file in files(taken.tree, taken.git_dir)}

    return paths


@pytest.fixture
def project(repo):
    """A folder of a repository of several projects, with ignored files in it and at the root."""
    project = repo / "apps" / "vision [1]"
    (project / "deep").mkdir(parents=True)
    for folder in (repo, project):
        (folder / "small.ignored").write_text("1")
        (folder / "key.txt").write_text(PEM)
    return project


def write(folder, text):
    (folder / "pyproject.toml").write_text(f"[tool.ipymlops]\n{text}\n")


def test_paths_are_meant_from_the_folder_of_the_file(repo, project, sent):
    write(repo, 'allow_secrets = ["key.txt", "apps/vision [1]/key.txt"]\ninclude = ["*.ignored"]')
    assert "small.ignored" in sent(repo)
    assert "apps/vision [1]/small.ignored" not in sent(repo)


def test_the_nearest_file_alone_speaks_wherever_the_line_is_typed_below_it(repo, project, sent):
    write(repo, 'allow_secrets = ["key.txt"]\ninclude = ["small.ignored"]')
    write(project, 'allow_secrets = ["key.txt", "/key.txt"]\ninclude = ["*.ignored"]')
    for folder in (project, project / "deep"):
        assert "apps/vision [1]/small.ignored" in sent(folder)
        assert "small.ignored" not in sent(folder)
    with pytest.raises(SourceProblem, match=r"apps/vision \[1\]/key\.txt"):
        sent(repo)


def test_a_slash_first_means_the_root(repo, project, sent):
    write(project, 'allow_secrets = ["key.txt", "/key.txt"]\ninclude = ["/small.ignored"]')
    assert "small.ignored" in sent(project)
    assert "apps/vision [1]/small.ignored" not in sent(project)


def test_the_setting_that_a_refusal_names_lets_the_secret_through(repo, project, sent):
    (repo / "key.txt").unlink()
    with pytest.raises(SourceProblem) as caught:
        sent(project)
    write(project, caught.value.fix.partition("[tool.ipymlops] ")[2])
    assert "apps/vision [1]/key.txt" in sent(project)


@pytest.mark.parametrize("text", ["allow_secrets = [1]", "include = 3"])
def test_a_setting_that_is_no_list_of_paths_is_refused_with_the_line_that_has_it(repo, sent, text):
    write(repo, text)
    with pytest.raises(UsageProblem) as caught:
        sent(repo)
    assert "must be a list of texts" in caught.value.why
    found = subprocess.run(caught.value.fix, shell=True, capture_output=True, text=True)
    assert found.stdout == f"2:{text}\n"


def test_a_pyproject_that_is_not_about_us_may_be_anything(repo, sent):
    (repo / "pyproject.toml").write_bytes(b"[not toml \xff")
    assert "pyproject.toml" in sent(repo)
