from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

import pytest

from ipymlops.scriptflags import Flag, flags_of, misspelt

ARGPARSE = """
import argparse

def main(argv=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("data", nargs="?")
    parser.add_argument("-l", "--learning-rate", type=float, help="step size")
    parser.add_argument("--optimizer", choices=["adam", "sgd"])
    parser.add_argument("--amp", action="store_true")
    parser.add_argument("--shuffle", action=argparse.BooleanOptionalAction)
    return parser.parse_args(argv)

print(main())
"""


@pytest.fixture
def script(tmp_path):
    """Writes train.py and returns its path."""

    def write(source):
        path = tmp_path / "train.py"
        path.write_text(dedent(source))
        return path

    return write


def names(path):
    return {flag.name for flag in flags_of(path).known}


def test_argparse_flags_have_their_help_choices_and_values(script):
    flags = {flag.name: flag for flag in flags_of(script(ARGPARSE)).known}
    assert flags["--learning-rate"] == Flag("--learning-rate", "step size")
    assert flags["--optimizer"].choices == ("adam", "sgd")
    assert not flags["--amp"].takes_value
    assert {"-l", "--shuffle", "--no-shuffle", "--help"} < set(flags)


def test_a_misspelt_flag_is_pointed_out_with_the_one_that_was_meant(script):
    hints = misspelt(script(ARGPARSE), ["--learning-rte", "3", "--learning_rate=3", "--xyz", "--xyz"])
    assert hints == [
        "train.py has no --learning-rte; did you mean --learning-rate?",
        "train.py has no --learning_rate; did you mean --learning-rate?",
        "train.py has no --xyz; it has --learning-rate, --optimizer, --amp, --shuffle, --no-shuffle",
    ]


def test_a_flag_and_its_value_in_one_argument_are_told_apart(script):
    assert misspelt(script(ARGPARSE), ["--optimizer adam"]) == [
        "'--optimizer adam' arrives as one argument; --optimizer and its value are two, in a %%mlops cell two lines"
    ]


@pytest.mark.parametrize(
    "argv",
    [
        ["--learning-rate", "3"],
        ["--learn=3"],
        ["--learning-rate", "-3"],
        ["-l", "3", "-x", "-1"],
        ["--", "--nothing"],
        ["--no-shuffle", "--help"],
        ["data", "-", ""],
    ],
)
def test_right_words_get_no_hint(script, argv):
    assert misspelt(script(ARGPARSE), argv) == []


@pytest.mark.parametrize(
    "word", ["--learning-rate=1", "--learn=1", "--amp", "--no-shuffle", "--learning-rte=1", "--zz"]
)
def test_a_hint_is_given_just_where_the_script_itself_refuses(script, word):
    path = script(ARGPARSE)
    done = subprocess.run([sys.executable, path, word], capture_output=True)
    assert bool(misspelt(path, [word])) == (done.returncode != 0)


@pytest.mark.parametrize(
    "change",
    [
        ("parser.parse_args(argv)", "parser.parse_known_args(argv)"),
        ("parser.parse_args(argv)", "add_model_flags(parser) or parser.parse_args(argv)"),
        ("parser.parse_args(argv)", "models.Net.add_flags(parser=parser) or parser.parse_args(argv)"),
        ("parser.parse_args(argv)", "models.add([parser]) or parser.parse_args(argv)"),
        ("argparse.ArgumentParser()", "argparse.ArgumentParser(parents=[common.parser])"),
        ("argparse.ArgumentParser()", "common.make_parser()"),
        ("argparse.ArgumentParser()", "argparse.ArgumentParser(prefix_chars='-+')"),
        ('parser.add_argument("--amp"', 'parser.add_argument(NAME + "x"'),
        ('parser.add_argument("--amp"', "parser.add_argument(*NAMES"),
        ('nargs="?"', "nargs=argparse.REMAINDER"),
        ("print(main())", "import sys; rest = sys.argv[2:]; print(main(sys.argv[:2]))"),
        ("print(main())", "from sys import argv; other = list(argv); print(main())"),
        ('parser.add_argument("--amp", action="store_true")', 'add = parser.add_argument; add("--xyz")'),
        (
            "def main(argv=None):",
            "def more(p): models.add(p)\ndef main(argv=None):\n    more(argparse.ArgumentParser())\n    if 0: q = argparse.ArgumentParser(); more(q)",
        ),
        ("parser.parse_args(argv)", "parser.parse_args(['--amp'])"),
    ],
)
def test_where_others_may_add_flags_nothing_is_called_misspelt(script, change):
    assert change[0] in ARGPARSE
    path = script(ARGPARSE.replace(*change))
    assert not flags_of(path).is_complete
    assert misspelt(path, ["--xyz"]) == []


def test_groups_subcommands_parents_and_functions_of_the_file_are_read(script):
    path = script("""
        from argparse import ArgumentParser
        import sys

        def add_model(group):
            group.add_argument("--depth", type=int)

        common = ArgumentParser(add_help=False)
        common.add_argument("--seed")
        parser = ArgumentParser(parents=[common])
        add_model(parser.add_argument_group("model"))
        group = parser.add_mutually_exclusive_group()
        group.add_argument("--cpu", action="store_true")
        commands = parser.add_subparsers()
        fit = commands.add_parser("fit", parents=[common])
        fit.add_argument("--epochs")
        if __name__ == "__main__":
            args = parser.parse_args(sys.argv[1:])
            print(vars(args))
        """)
    assert names(path) == {"--depth", "--seed", "--cpu", "--epochs", "--help"}
    assert flags_of(path).is_complete


def test_loops_over_literals_are_unrolled(script):
    path = script("""
        import argparse
        SIZES = {"width": 3, "height": 4}
        parser = argparse.ArgumentParser()
        for name in ("lr", "momentum"):
            parser.add_argument(f"--{name}", type=float)
        for name, default in SIZES.items():
            parser.add_argument("--" + name, default=default)
        for kind in ["train", "test"]:
            for part in ("data", "labels"):
                parser.add_argument(f"--{kind}-{part}")
        parser.parse_args()
        """)
    assert {"--lr", "--momentum", "--width", "--height", "--train-data", "--test-labels"} <= names(path)
    assert flags_of(path).is_complete


def test_click_options_are_read(script):
    path = script("""
        import click

        @click.command()
        @click.option("--lr", default=0.1, help="step size")
        @click.option("--shout/--no-shout", default=False)
        @click.option("-v", "--verbose", is_flag=True)
        @click.option("--mode", type=click.Choice(["fast", "slow"]))
        @click.argument("data")
        @click.version_option("1")
        def main(**kwargs): ...

        main()
        """)
    flags = {flag.name: flag for flag in flags_of(path).known}
    assert set(flags) == {"--lr", "--shout", "--no-shout", "-v", "--verbose", "--mode", "--version", "--help"}
    assert flags["--mode"].choices == ("fast", "slow")
    assert flags["--lr"].takes_value
    assert not flags["--verbose"].takes_value
    assert misspelt(path, ["--lrr", "1", "--mode", "--odd-value", "data"]) == [
        "train.py has no --lrr; did you mean --lr?"
    ]


@pytest.mark.parametrize("extra", ["@common_options", "@click.pass_context\n@cli.lenient"])
def test_unknown_decorators_may_add_options(script, extra):
    path = script(f"import click\n@click.command()\n{extra}\n@click.option('--lr')\ndef main(lr): ...\nmain()\n")
    assert names(path) == {"--lr", "--help"}
    assert misspelt(path, ["--xyz"]) == []


def test_lenient_click_commands_get_no_hint(script):
    settings = 'context_settings={"ignore_unknown_options": True}'
    path = script(f"import click\n@click.command({settings})\n@click.option('--lr')\ndef main(lr): ...\nmain()\n")
    assert misspelt(path, ["--xyz"]) == []


def test_typer_parameters_are_read(script):
    path = script("""
        import typer
        from typing import Annotated

        def main(data: str, lr: float = 0.1, batch_size: int = typer.Option(32, help="rows"), amp: bool = False,
                 mode: Annotated[str, typer.Option("--how")] = "x", out: str = typer.Argument("o")): ...

        typer.run(main)
        """)
    assert names(path) == {"--lr", "--batch-size", "--amp", "--no-amp", "--how", "--help"}


@pytest.mark.parametrize(
    "reader",
    [
        "from transformers import HfArgumentParser\nHfArgumentParser((Model, Data)).parse_args_into_dataclasses()",
        "import tyro\ntyro.cli(Model)\ntyro.cli(Data)",
        "from simple_parsing import ArgumentParser\np = ArgumentParser()\np.add_arguments(Model, dest='m')\np.add_arguments(Data, 'd')",
    ],
)
def test_fields_of_dataclasses_are_read(script, reader):
    path = script(
        "from dataclasses import dataclass, field\n"
        "@dataclass\nclass Base:\n    seed: int = 0\n"
        "@dataclass\nclass Model(Base):\n    lr: float = field(default=1, metadata={'help': 'step size'})\n    amp: bool = False\n"
        "@dataclass\nclass Data:\n    path: str = ''\n"
        "@dataclass\nclass Unused:\n    other: str = ''\n" + reader
    )
    assert {"--seed", "--lr", "--amp", "--path"} <= names(path)
    assert "--other" not in names(path)
    assert {flag.help for flag in flags_of(path).known if flag.name == "--lr"} == {"step size"}
    assert misspelt(path, ["--xyz"]) == []


def test_absl_and_fire_are_read(script):
    absl = script(
        "from absl import flags\nflags.DEFINE_float('lr', 0.1, 'step size')\nflags.DEFINE_bool('amp', False, '')\n"
    )
    assert names(absl) == {"--lr", "--amp", "--noamp"}
    assert not flags_of(absl).is_complete
    fire = script("import fire\ndef train(lr=0.1, *, epochs=3): ...\nfire.Fire(train)\n")
    assert names(fire) == {"--lr", "--epochs"}


def test_a_script_that_takes_no_options_gets_no_hints(script):
    path = script("import sys\nprint(sys.argv)\n")
    assert flags_of(path).known == ()
    assert misspelt(path, ["--anything"]) == []


@pytest.mark.parametrize(
    "source",
    [
        "def (:\n",
        "import argparse\nargparse.ArgumentParser().add_argument('--x'",
        "a\0b",
        "# -*- coding: nonsense -*-\n",
        "(" * 90_000,
        "-" * 90_000 + "1",
        "1" + "+1" * 140_000,
        "a" + ".b" * 100_000,
        "x: " + "a" + "[0]" * 500 + " = 1\n",
        "import argparse\np = argparse.ArgumentParser()\np.add_argument("
        + "+".join(["'-'"] * 700)
        + ")\np.parse_args()\n",
        "x = foo(1, 2, a=3)\n" * 60_000,
        "import typer\ndef f(x: a" + "[0]" * 1500 + " = 1): ...\ntyper.run(f)\n",
    ],
)
def test_broken_and_hostile_scripts_are_harmless(script, source):
    path = script("")
    path.write_text(source)
    assert misspelt(path, ["--x"]) == []


def test_what_is_no_script_has_no_flags(tmp_path):
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    for name in ("absent", "binary", "."):
        assert flags_of(tmp_path / name).known == ()


def test_a_script_is_never_imported(script, tmp_path):
    path = script(
        f"import argparse\nopen({str(tmp_path / 'ran')!r}, 'w')\np = argparse.ArgumentParser()\np.add_argument('--x')\np.parse_args()\n"
    )
    assert names(path) == {"--x", "--help"}
    assert not (tmp_path / "ran").exists()


def test_an_edited_script_is_read_again(script):
    script(ARGPARSE)
    assert "--new" in names(script(ARGPARSE.replace("--amp", "--new")))
