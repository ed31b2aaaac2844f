"""One version, and locked requirements that are those of pyproject.toml."""

import re
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import ipymlops

try:
    import tomllib
except ModuleNotFoundError:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_version_is_one(project):
    assert project["project"]["dynamic"] == ["version"]
    assert version("ipymlops") == ipymlops.__version__
    newest = re.search(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[1]
    assert re.search(r"\d+\.\d+\.\d+", newest)[0] == ipymlops.__version__


def test_every_requirement_is_locked_to_a_version_it_allows(project):
    asked = [
        *project["project"]["dependencies"],
        *project["dependency-groups"]["dev"],
        *project["build-system"]["requires"],
    ]
    for extra in project["project"]["optional-dependencies"].values():
        asked += extra
    locked: dict[str, list[str]] = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        name, _, rest = line.partition("==")
        locked.setdefault(name, []).append(rest.partition(";")[0].strip())
    for requirement in map(Requirement, asked):
        if requirement.name == "ipymlops":
            continue
        found = locked.get(requirement.name.lower().replace("_", "-"))
        assert found, f"{requirement} is not in constraints.txt: run scripts/lock.sh"
        assert all(requirement.specifier.contains(one) for one in found), f"{requirement}: run scripts/lock.sh"


def test_the_lock_holds_no_address():
    assert "://" not in (ROOT / "constraints.txt").read_text()


def test_all_is_every_extra_but_the_vendors_catalogue(project):
    extras = project["project"]["optional-dependencies"]
    (everything,) = extras["all"]
    assert Requirement(everything).extras == set(extras) - {"all", "sagemaker-images"}
