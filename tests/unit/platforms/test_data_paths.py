"""What `--data NAME=URI` may say on this machine."""

import pytest

from ipymlops.errors import UsageProblem
from ipymlops.platforms.data_paths import data_paths


@pytest.mark.parametrize("form", ["{path}", "file://{path}", "~/some data"])
def test_local_paths_in_every_form(tmp_path, form):
    path = tmp_path / "some data"
    path.mkdir()
    found = data_paths("local", (("a/b", form.format(path=path)),), {"HOME": str(tmp_path)})
    assert found == {"a/b": path}


@pytest.mark.parametrize(
    ("name", "uri", "says"),
    [
        ("x", "s3://bucket/key", "s3://"),
        ("x", "/no/such", "no such path"),
        ("x", "relative", "not an absolute path"),
        ("../x", "/", "no leading slash"),
        ("/x", "/", "no leading slash"),
        ("", "/", "no leading slash"),
    ],
)
def test_what_is_not_on_this_machine_is_refused(name, uri, says):
    with pytest.raises(UsageProblem, match=says) as refusal:
        data_paths("local", ((name, uri),), {})
    assert refusal.value.fix
