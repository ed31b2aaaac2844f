"""Which script a line means."""

from dataclasses import replace

import pytest

from ipymlops.errors import UsageProblem
from ipymlops.verbs.dispatch import dispatch
from ipymlops.verbs.request import parse
from ipymlops.verbs.train import run


def spec(context, *words: str):
    return run(parse(["train", "--plan", *words]).options, context).intent.spec


def hints(context, *words: str):
    return run(parse(["train", "--plan", *words]).options, context).hints


def test_a_script_is_named_from_the_folder_one_is_in(context, repo):
    below = repo / "a" / "b"
    below.mkdir(parents=True)
    (below / "t.py").write_text("")
    inside = replace(context, cwd=below)
    assert (spec(inside, "t.py").script, spec(inside, "t.py").workdir) == ("t.py", "a/b")
    assert spec(inside, "../../train.py").script == "../../train.py"
    assert spec(inside, str(repo / "train.py")).script == "../../train.py"


def test_the_only_train_py_is_the_default_and_is_named(context, repo):
    (repo / "src").mkdir()
    (repo / "train.py").rename(repo / "src" / "train.py")
    (repo / "ignored.ignored").mkdir()
    (repo / "ignored.ignored" / "train.py").write_text("")
    assert spec(context).script == "src/train.py"
    assert hints(context, ".") == ("script: src/train.py, the repository's only train.py",)
    assert spec(replace(context, cwd=repo / "src"), ".", "--lr", "1").argv == ("--lr", "1")


def test_of_several_train_py_the_least_deep_is_the_remedy(context, repo):
    (repo / "a").mkdir(exist_ok=True)
    (repo / "a" / "train.py").write_text("")
    with pytest.raises(UsageProblem, match="there are several") as caught:
        dispatch(["train", "--plan"], None, context)
    assert caught.value.fix == "ipymlops train --plan train.py"


def test_the_configured_script_is_the_default(context, repo, again):
    (repo / "jobs").mkdir()
    (repo / "jobs" / "main.py").write_text("")
    (repo / "pyproject.toml").write_text('[tool.ipymlops]\nscript = "jobs/main.py"\n')
    assert spec(again()).script == "jobs/main.py"
    assert spec(again(repo / "jobs"), ".").script == "main.py"


def test_a_link_to_the_repository_is_the_repository(context, repo, tmp_path):
    (tmp_path / "link").symlink_to(repo)
    through = replace(context, cwd=tmp_path / "link")
    assert spec(through, "train.py").workdir == ""
    assert spec(through, str(tmp_path / "link" / "train.py")).script == "train.py"


def test_a_folder_without_a_repository_is_sent_as_it_is(context, tmp_path):
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "t.py").write_text("")
    assert spec(replace(context, cwd=plain), "t.py").script == "t.py"


def test_a_misspelt_flag_of_the_script_is_pointed_out_and_sent(context, repo):
    (repo / "train.py").write_text(
        "import argparse\np = argparse.ArgumentParser()\np.add_argument('--lr')\nargs = p.parse_args()\n"
    )
    assert hints(context, "train.py", "--lrr", "1") == ("train.py has no --lrr; did you mean --lr?",)
    assert spec(context, "train.py", "--lrr", "1").argv == ("--lrr", "1")


def test_data_is_meant_from_the_folder_one_is_in(context, repo):
    (repo / "digits").mkdir()
    assert spec(context, "--data", "d=./digits", "train.py").data == (("d", str(repo / "digits")),)


def test_a_secret_without_a_reference_is_the_callers_variable(context, monkeypatch):
    context = replace(context, env={**context.env, "TOKEN": "s3cret"})
    context.platforms["local"].context = replace(context.platforms["local"].context, env=context.env)
    asked = spec(context, "--secret", "TOKEN", "train.py")
    assert asked.secrets == (("TOKEN", "env:TOKEN"),)
    assert "s3cret" not in repr(asked)


@pytest.mark.parametrize(
    "name", ["MAX_TOKENS", "TOKENIZERS_PARALLELISM", "KEYBOARD", "PWD", "MONKEY", "OMP_NUM_THREADS"]
)
def test_an_innocent_variable_passes(name, context):
    assert spec(context, "--env", f"{name}=1", "train.py").env == ((name, "1"),)


@pytest.mark.parametrize(
    "pair",
    [
        "HF_TOKEN=x",
        "AWS_SECRET_ACCESS_KEY=x",
        "API_KEY=x",
        "db_password=x",
        "OPENAI_APIKEY=x",
        "X=sk-" + "a" * 40,
        "X=ghp_" + "a" * 36,
        "X=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abc",
        "X=postgres://ada:lovelace@db/x",
        "X=-----BEGIN RSA PRIVATE KEY-----\n" + "A" * 64,
    ],
)
def test_what_looks_like_a_secret_is_refused_and_not_repeated(pair, context):
    with pytest.raises(UsageProblem, match="looks like a secret") as raised:
        spec(context, "--env", pair, "train.py")
    value = pair.partition("=")[2]
    assert len(value) < 3 or value not in str(raised.value)
