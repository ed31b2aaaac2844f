"""The scan of a `train` line: what is ours, and where the script's own words begin."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ipymlops.errors import UsageProblem
from ipymlops.verbs.request import parse
from ipymlops.verbs.train_options import TABLE, TrainOptions

TEXT = st.text(st.characters(exclude_characters="\0"), max_size=20)


def train(*words: str, cell: str | None = None) -> TrainOptions:
    options = parse(["train", *words], cell).options
    assert isinstance(options, TrainOptions)
    return options


def test_the_scan_stops_at_the_script():
    options = train("--gpu", "a100", "-f", "train.py", "--gpu", "t4", "-f", "--", "--json")
    assert (options.gpu, options.follow, options.as_json) == ("a100", True, False)
    assert (options.script, options.argv) == ("train.py", ("--gpu", "t4", "-f", "--", "--json"))


def test_the_scan_stops_at_a_module():
    options = train("--nodes=1", "-m", "pkg.train", "-m", "--lr", "1")
    assert (options.script, options.argv) == ("-m pkg.train", ("-m", "--lr", "1"))


def test_what_follows_two_dashes_is_a_command():
    options = train("--wait", "--", "ls", "--json", "-l")
    assert (options.script, options.argv, options.as_json) == (None, ("ls", "--json", "-l"), False)


@pytest.mark.parametrize("words", [[], ["."]])
def test_a_dot_and_nothing_are_the_default_script(words):
    assert train("--gpu", "a100", *words).script == ""


def test_after_the_dot_everything_is_the_scripts():
    assert train(".", "--lr", "3e-4").argv == ("--lr", "3e-4")


@pytest.mark.parametrize("words", [["--lr", "1"], ["--"], ["-"], ["."], ["-m", "x"]])
def test_an_image_as_built_gets_its_words(words):
    after = words if words[0] not in {"--lr", "--"} else ["--", *words]
    options = train("--image", "i", "--no-code", *after)
    assert (options.script, options.argv) == (None, tuple(words))


def test_a_value_may_stand_in_the_same_word():
    assert train("--name=a=b", "--env=K=-v", "t.py") == train("--name", "a=b", "--env", "K=-v", "t.py")


def test_repeatable_options_keep_their_order():
    assert train("--label", "a=1", "--label", "b=2", "--label=a2=3").labels == (("a", "1"), ("b", "2"), ("a2", "3"))


@pytest.mark.parametrize(
    ("words", "what", "fix"),
    [
        (["--gp", "a100", "t.py"], "there is no option --gp", "ipymlops train --gpu a100 t.py"),
        (["--gpuu=a100", "t.py"], "there is no option --gpuu", "ipymlops train --gpu=a100 t.py"),
        (["--plan=yes", "t.py"], "--plan takes no value", "ipymlops train --plan t.py"),
        (["--nodes", "2", "--nodes", "3", "t.py"], "--nodes is given twice", "ipymlops train --nodes 3 t.py"),
        (["--name", "--plan", "t.py"], "--name needs a value", "ipymlops train --help"),
        (["--name"], "--name needs a value", "ipymlops train --help"),
        (["--name", "--", "ls"], "--name needs a value", "ipymlops train --help"),
        (["-m"], "-m needs the name of a module", "ipymlops train --help"),
        (["-m", "a b"], "-m needs the name of a module", "ipymlops train --help"),
        ([""], "the script's name is empty", "ipymlops train --help"),
    ],
)
def test_a_wrong_line_is_put_right(words, what, fix):
    with pytest.raises(UsageProblem) as raised:
        train(*words)
    assert raised.value.what.startswith(what)
    assert raised.value.fix == fix


def test_options_are_never_abbreviated():
    for row in TABLE:
        for cut in range(3, len(row.flag)):
            short = row.flag[:cut]
            if short not in {one.flag for one in TABLE}:
                with pytest.raises(UsageProblem):
                    train(short + "=1", "t.py")


@settings(max_examples=150, deadline=None)
@given(argv=st.lists(st.one_of(TEXT, st.sampled_from(["--gpu", "--json", "-f", "--", "-m", ".", "--help", "-h", ""]))))
def test_the_scripts_words_are_never_touched(argv):
    assert train("--label", "a=b", "train.py", *argv).argv == tuple(argv)
    assert train("--", "x", *argv).argv == ("x", *argv)
    assert train("-m", "p", *argv).argv == tuple(argv)


@settings(max_examples=100, deadline=None)
@given(value=TEXT)
@example("--")
def test_a_value_is_taken_as_it_is(value):
    assert train(f"--image={value}", "t.py").image == value


@settings(max_examples=150, deadline=None)
@given(body=TEXT)
def test_each_line_of_a_cell_is_one_argument(body):
    lines = train("t.py", "--x", cell=body).argv[1:]
    assert "\n".join(lines) == (body.removesuffix("\n") if body else "")


@pytest.mark.parametrize(
    ("body", "argv"),
    [
        ("", ()),
        ("\n", ("",)),
        ("a\n", ("a",)),
        ("a\nb", ("a", "b")),
        ("a\n\nb\n\n", ("a", "", "b", "")),
        ("  a $x {y} {{z}}\t\n", ("  a $x {y} {{z}}\t",)),
        ("a\rb\x0bc\u2028d\n", ("a\rb\x0bc\u2028d",)),
    ],
)
def test_a_cells_lines_end_at_newlines_only(body, argv):
    assert train("t.py", cell=body).argv == argv
