"""Settings: who wins, where from, and what bad files and keys get."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ipymlops.config import SETTINGS, Config, home_of, load, write_user
from ipymlops.errors import UsageProblem


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository (as far as settings look) without a pyproject.toml."""
    root = tmp_path / "project"
    (root / ".git").mkdir(parents=True)
    (root / "src" / "deep").mkdir(parents=True)
    return root


def write_project(root: Path, text: str) -> Path:
    path = root / "pyproject.toml"
    path.write_text(text)
    return path


def write_settings(home: Path, text: str) -> Path:
    home.mkdir(parents=True, exist_ok=True)
    path = home / "config.toml"
    path.write_text(text)
    return path


def test_line_beats_variable_beats_project_beats_user_beats_default(project: Path, home: Path) -> None:
    key, env = "platform", {"IPYMLOPS_PLATFORM": "from-variable"}
    seen = [load(project, {}, home).setting(key)]
    user = write_settings(home, 'platform = "from-user"\n')
    seen.append(load(project, {}, home).setting(key))
    path = write_project(project, '[tool.ipymlops]\nplatform = "from-project"\n')
    seen.append(load(project, {}, home).setting(key))
    seen.append(load(project, env, home).setting(key))
    seen.append(load(project, env, home).setting(key, "from-line"))
    assert [(one.value, one.source, one.where) for one in seen] == [
        (None, "default", ""),
        ("from-user", "user", str(user)),
        ("from-project", "project", str(path)),
        ("from-variable", "environment", "IPYMLOPS_PLATFORM"),
        ("from-line", "line", ""),
    ]


@pytest.mark.parametrize("one", [one for one in SETTINGS if one.variable], ids=lambda one: one.key)
def test_every_setting_has_its_variable(one, project: Path, home: Path) -> None:
    value = "1" if one.kind in ("number", "flag") else "x"
    config = load(project, {one.variable: value}, home)
    assert (config.get(one.key), config.ignored) == (value, ())
    if one.platform:
        assert config.platform(one.platform) == {one.name: value}


def test_the_promised_settings_are_known() -> None:
    promised = [
        "platform",
        "script",
        "include",
        "sagemaker.region",
        "sagemaker.role",
        "sagemaker.bucket",
        "sagemaker.image",
        "sagemaker.volume_gib",
        "sagemaker.subnets",
        "sagemaker.security_groups",
        "sagemaker.kms_key",
        "vertex.project",
        "vertex.region",
        "vertex.bucket",
        "vertex.image",
        "vertex.service_account",
        "vertex.network",
        "vertex.endpoint",
        "vertex.logging_endpoint",
        "vertex.storage_endpoint",
        "vertex.resourcemanager_endpoint",
        "vertex.anonymous",
        "ray.address",
        "ray.output",
        "docker.image",
    ]
    assert set(promised) <= {one.key for one in SETTINGS}


def test_an_empty_variable_is_as_good_as_none(project: Path, home: Path) -> None:
    assert load(project, {"IPYMLOPS_PLATFORM": ""}, home).get("platform") is None


def test_the_nearest_table_up_to_the_root_of_the_repository_counts(project: Path, home: Path) -> None:
    write_project(project, '[tool.ipymlops]\nscript = "root.py"\n')
    deep = project / "src" / "deep"
    assert load(deep, {}, home).get("script") == "root.py"
    write_project(project / "src", "[project]\nname = 'other'\n")
    assert load(deep, {}, home).get("script") == "root.py"
    path = write_project(deep, '[tool.ipymlops]\nscript = "deep.py"\n')
    assert load(deep, {}, home).project_file == path


def test_a_file_above_the_repository_is_somebody_elses(project: Path, home: Path) -> None:
    write_project(project.parent, '[tool.ipymlops]\nscript = "x.py"\n')
    assert load(project, {}, home).get("script") is None


def test_outside_a_repository_only_the_folder_itself_counts(tmp_path: Path, home: Path) -> None:
    folder = tmp_path / "plain" / "below"
    folder.mkdir(parents=True)
    write_project(folder.parent, '[tool.ipymlops]\nscript = "x.py"\n')
    assert load(folder, {}, home).get("script") is None
    write_project(folder, '[tool.ipymlops]\nscript = "y.py"\n')
    assert load(folder, {}, home).get("script") == "y.py"


def test_a_platform_gets_its_table_and_the_line_wins(project: Path, home: Path) -> None:
    write_project(project, '[tool.ipymlops.sagemaker]\nregion = "a"\nvolume_gib = 50\nsubnets = ["s1", "s2"]\n')
    write_settings(home, '[sagemaker]\nregion = "user"\nrole = "r"\n')
    config = load(project, {"IPYMLOPS_SAGEMAKER_BUCKET": "b"}, home)
    expected = {"region": "line", "volume_gib": "50", "subnets": "s1,s2", "role": "r", "bucket": "b"}
    assert config.platform("sagemaker", [("region", "line")]) == expected
    assert config.items("sagemaker.subnets") == ("s1", "s2")
    assert config.platform("vertex") == {}


def test_an_unknown_key_on_the_line_is_refused_with_the_nearest(project: Path, home: Path) -> None:
    with pytest.raises(UsageProblem) as caught:
        load(project, {}, home).platform("sagemaker", [("regoin", "eu")])
    assert "did you mean 'region'?" in caught.value.why
    assert caught.value.fix == "--set region=eu"


def test_a_value_of_the_wrong_kind_on_the_line_is_refused(project: Path, home: Path) -> None:
    with pytest.raises(UsageProblem) as caught:
        load(project, {}, home).platform("sagemaker", [("volume_gib", "big")])
    assert (caught.value.why, caught.value.fix) == ("it must be a whole number", "--set volume_gib=100")


def test_a_platform_without_settings_says_so(project: Path, home: Path) -> None:
    with pytest.raises(UsageProblem, match="local has no setting 'x'"):
        load(project, {}, home).platform("local", [("x", "1")])


def test_a_plug_ins_settings_are_passed_on(project: Path, home: Path) -> None:
    write_project(project, '[tool.ipymlops.lab]\nqueue = "long"\n')
    config = load(project, {}, home)
    assert config.platform("lab", [("nodes", "a")]) == {"queue": "long", "nodes": "a"}
    assert config.ignored == ()
    assert ("lab.queue", "long") in [(row.key, row.value) for row in config.rows()]


@pytest.mark.parametrize(
    ("text", "key", "why"),
    [
        ('platfrom = "x"', "platfrom", "did you mean 'platform'?"),
        ("platform = ['x']", "platform", "must be a text"),
        ("platform = true", "platform", "must be a text"),
        ("include = 3", "include", "must be a list of texts"),
        ("include = [1]", "include", "must be a list of texts"),
        ("sagemaker = 'x'", "sagemaker", "no such setting"),
        ('[tool.ipymlops.sagemaker]\nrgion = "x"', "sagemaker.rgion", "did you mean 'sagemaker.region'?"),
        ('[tool.ipymlops.sagemaker]\nvolume_gib = "big"', "sagemaker.volume_gib", "must be a whole number"),
        ("[tool.ipymlops.sagemaker.region]\nx = 1", "sagemaker.region", "must be a text"),
        ("[tool.ipymlops.vertex]\nanonymous = 'perhaps'", "vertex.anonymous", "must be true or false"),
    ],
)
def test_what_means_nothing_is_a_row_and_never_a_crash(text, key, why, project: Path, home: Path) -> None:
    path = write_project(project, f"[tool.ipymlops]\n{text}\n")
    config = load(project, {}, home)
    (row,) = config.ignored
    assert (row.key, row.source, row.where) == (key, "ignored", str(path))
    assert why in row.help
    assert config.rows()[-1] == row


def test_a_misspelt_variable_of_a_platform_is_a_row(project: Path, home: Path) -> None:
    (row,) = load(project, {"IPYMLOPS_RAY_ADRESS": "x", "IPYMLOPS_HOME": "/x"}, home).ignored
    assert (row.key, row.where) == ("ray.adress", "IPYMLOPS_RAY_ADRESS")


def test_what_the_code_is_only_the_repository_says(project: Path, home: Path) -> None:
    write_settings(home, 'include = ["data"]\n')
    config = load(project, {"IPYMLOPS_INCLUDE": "data"}, home)
    assert config.items("include") == ()
    assert "only the repository" in config.ignored[0].help
    write_project(project, '[tool.ipymlops]\ninclude = ["a,b", "c"]\n')
    assert load(project, {}, home).items("include") == ("a,b", "c")


def test_an_unknown_key_in_our_own_code_is_an_error(home: Path) -> None:
    with pytest.raises(KeyError):
        Config(home).get("platfrom")


@pytest.mark.parametrize("where", ["project", "user"])
def test_malformed_toml_names_file_and_line(where: str, project: Path, home: Path) -> None:
    text = "[tool.ipymlops]\nscript = 'a'\nplatform = oops\n"
    path = write_project(project, text) if where == "project" else write_settings(home, text)
    with pytest.raises(UsageProblem) as caught:
        load(project, {}, home)
    assert str(path) in caught.value.what
    assert "line 3" in caught.value.why
    shown = subprocess.run(caught.value.fix, shell=True, capture_output=True, text=True, check=True)
    assert shown.stdout == "platform = oops\n"


def test_a_file_that_is_no_text_is_malformed_too(project: Path, home: Path) -> None:
    (project / "pyproject.toml").write_bytes(b"[tool.ipymlops]\xff\xfe")
    with pytest.raises(UsageProblem, match=r"no valid TOML"):
        load(project, {}, home)


def test_a_pyproject_of_any_shape_is_survived(project: Path, home: Path) -> None:
    for text in ("tool = 3\n", "[tool]\nipymlops = 3\n", "[[tool.ipymlops]]\nx = 1\n", ""):
        write_project(project, text)
        assert load(project, {}, home).project_file is None


def test_writing_keeps_comments_order_and_other_keys(home: Path) -> None:
    path = write_settings(home, '# mine\nplatform = "ray"  # why\n\n[sagemaker]\nregion = "a"\nodd = 1\n')
    assert write_user(home, {"sagemaker.region": "b", "sagemaker.volume_gib": "9", "vertex.anonymous": "1"}) == path
    text = path.read_text()
    assert text.startswith('# mine\nplatform = "ray"  # why\n\n[sagemaker]\nregion = "b"\nodd = 1\nvolume_gib = 9\n')
    assert "anonymous = true" in text
    assert load(home, {}, home).get("vertex.anonymous") == "1"


def test_writing_nothing_takes_a_key_out(home: Path) -> None:
    write_user(home, {"platform": "ray", "sagemaker.subnets": "a,b"})
    assert load(home, {}, home).items("sagemaker.subnets") == ("a", "b")
    write_user(home, {"platform": None, "sagemaker.subnets": None, "script": None})
    assert (load(home, {}, home).get("platform"), load(home, {}, home).items("sagemaker.subnets")) == (None, ())


def test_the_users_file_is_for_the_user_alone(home: Path) -> None:
    path = write_user(home, {"platform": "ray"})
    assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(home.stat().st_mode)) == (0o600, 0o700)
    assert [one.name for one in home.iterdir()] == ["config.toml"]


@pytest.mark.parametrize("values", [{"platfrom": "x"}, {"include": "x"}, {"sagemaker.volume_gib": "big"}])
def test_writing_what_is_no_setting_changes_nothing(values: dict[str, str | None], home: Path) -> None:
    with pytest.raises(UsageProblem):
        write_user(home, {"platform": "ray"} | values)
    assert not (home / "config.toml").exists()


def test_writing_into_a_malformed_file_changes_nothing(home: Path) -> None:
    path = write_settings(home, "a = \n")
    with pytest.raises(UsageProblem, match=r"no valid TOML"):
        write_user(home, {"platform": "ray"})
    assert path.read_text() == "a = \n"


def test_home_is_what_the_variable_says() -> None:
    assert home_of({"IPYMLOPS_HOME": "/a/../b", "HOME": "/h"}) == Path("/b")
    assert home_of({"IPYMLOPS_HOME": "~/x", "HOME": "/h"}) == Path("/h/x")
    assert home_of({"IPYMLOPS_HOME": "here", "HOME": "/h"}) == Path.cwd() / "here"


def test_home_is_else_the_users_data_folder(tmp_path: Path) -> None:
    assert home_of({"HOME": "/h"}, tmp_path) == Path("/h/.local/share/ipymlops")
    assert home_of({"HOME": "/h", "XDG_DATA_HOME": "/d"}, tmp_path) == Path("/d/ipymlops")
    assert home_of({"HOME": "/h", "XDG_DATA_HOME": "relative"}, tmp_path) == Path("/h/.local/share/ipymlops")


def test_home_is_on_the_volume_of_a_sagemaker_notebook_instance(tmp_path: Path) -> None:
    users = tmp_path / "ec2-user"
    marker = tmp_path / "etc/opt/ml/sagemaker-notebook-instance-config.json"
    marker.parent.mkdir(parents=True)
    marker.write_text("{}")
    assert home_of({"HOME": str(users)}, tmp_path) == users / ".local/share/ipymlops"
    (users / "SageMaker").mkdir(parents=True)
    assert home_of({"HOME": str(users)}, tmp_path) == users / "SageMaker/.ipymlops"


def test_home_is_below_home_in_studio_and_workbench(tmp_path: Path) -> None:
    env = {"HOME": "/home/jupyter", "XDG_DATA_HOME": "/opt/data"}
    assert home_of(env, tmp_path) == Path("/home/jupyter/.local/share/ipymlops")
    marker = tmp_path / "opt/ml/metadata/resource-metadata.json"
    marker.parent.mkdir(parents=True)
    marker.write_text("{}")
    env = {"HOME": "/home/sagemaker-user", "XDG_DATA_HOME": "/opt/data"}
    assert home_of(env, tmp_path) == Path("/home/sagemaker-user/.local/share/ipymlops")


def test_reading_settings_loads_nothing_that_only_writing_needs() -> None:
    words = "import sys, ipymlops.config; sys.exit('tomlkit' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", words], check=False).returncode == 0
