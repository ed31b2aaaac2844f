"""Whether what is written to a path is sent with the next job."""

import pytest

from ipymlops.source.ignored import joins_code


@pytest.mark.parametrize(
    ("path", "is_sent"),
    [("new/a.bin", True), ("out/a.bin", False), ("own/a.bin", False), ("a.ignored", False), ("../a.bin", False)],
)
def test_a_path_joins_the_code_unless_a_rule_leaves_it_out(path, is_sent, repo):
    (repo / ".gitignore").write_text("out/\n*.ignored\n")
    (repo / ".ipymlopsignore").write_text("own/\n")
    where = (repo / path).resolve()
    assert joins_code(where, repo) is is_sent
    assert joins_code(where, repo.resolve()) is is_sent


def test_without_a_repository_all_below_the_folder_joins(tmp_path):
    assert joins_code(tmp_path / "out" / "a.bin", tmp_path)
    assert not joins_code(tmp_path.parent / "a.bin", tmp_path)
