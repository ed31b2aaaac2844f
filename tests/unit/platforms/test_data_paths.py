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
        *(
            (name, "/", "no slash at its ends")
            for name in ("../x", "/x", "", "x/", "a//b", "./x", "a/./b", "a/..", "a\0")
        ),
    ],
)
def test_what_is_not_on_this_machine_is_refused(name, uri, says):
    with pytest.raises(UsageProblem, match=says) as refusal:
        data_paths("local", ((name, uri),), {})
    assert refusal.value.fix


@pytest.mark.parametrize("names", [("a", "a/b"), ("a/b/c", "a/b")])
def test_data_within_other_data_is_refused(tmp_path, names):
    with pytest.raises(UsageProblem, match="would lie within"):
        data_paths("local", tuple((name, str(tmp_path)) for name in names), {})
    assert list(data_paths("local", (("a", str(tmp_path)), ("ab/c", str(tmp_path))), {})) == ["a", "ab/c"]
