"""What a script imports is read from its source, through the repository's own modules."""

from pathlib import Path

import pytest

from ipymlops.source.imports import imported_packages


@pytest.fixture
def root(tmp_path):
    files = {
        "train.py": "import os, json\nfrom lab.model import Net\nimport near\nraise SystemExit('never run')\n",
        "near.py": "import sklearn.linear_model as lm\n",
        "src/lab/__init__.py": "",
        "src/lab/model.py": "from . import layers\nfrom .parts import norm\nif True:\n    import torch.nn\n",
        "src/lab/layers.py": "def f():\n    from transformers import AutoModel\n",
        "src/lab/parts/__init__.py": "import near\n",
        "broken.py": "import torch\ndef (\n",
        "pkg/__main__.py": "import xgboost\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_imports_are_followed_through_the_repositorys_own_modules(root):
    assert imported_packages(root, "", "train.py") == ("sklearn", "torch", "transformers")


def test_a_module_is_found_by_its_name(root):
    assert imported_packages(root, "", "-m pkg") == ("xgboost",)
    assert imported_packages(root, "", "-m near") == ("sklearn",)


def test_a_folder_of_code_is_the_repositorys_own_and_one_of_data_is_not(root):
    (root / "space").mkdir()
    (root / "space" / "near.py").write_text("import torch\n")
    (root / "datasets").mkdir()
    (root / "datasets" / "digits.csv").write_text("1\n")
    (root / "t.py").write_text("import space.near\nimport datasets\n")
    assert imported_packages(root, "", "t.py") == ("datasets", "torch")


def test_what_cannot_be_read_names_nothing(root):
    assert imported_packages(root, "", "broken.py") == ()
    assert imported_packages(root, "", "missing.py") == ()
    assert imported_packages(root, "no/such/folder", "train.py") == ()


def test_a_command_is_judged_by_what_the_repository_requires(root):
    (root / "requirements.txt").write_text("# torch\nscikit-learn>=1\n-r other.txt\nxgboost[gpu]==2\n")
    (root / "pyproject.toml").write_text(
        '[project]\nname = "x"\ndependencies = ["tensorflow>2", "PyTorch-Lightning"]\n'
    )
    expected = ("pytorch_lightning", "sklearn", "tensorflow", "xgboost")
    assert imported_packages(root, "", None) == expected


def test_an_environment_and_a_lock_name_packages_too(root):
    (root / "environment.yml").write_text(
        "name: x\ndependencies:\n  - python=3.12\n  - pytorch::pytorch=2\n  - pytorch=2\n"
    )
    (root / "uv.lock").write_text('version = 1\n[[package]]\nname = "xgboost"\nversion = "3.2"\n')
    assert {"torch", "xgboost"} <= set(imported_packages(root, "", None))


def test_imports_at_any_depth_are_seen_and_those_in_texts_are_not(root):
    deep = (
        '"""import tensorflow"""\nclass A:\n    def f(self):\n        try:\n            import torch\n'
        "        except ImportError:\n            import jax\n        else:\n            import timm; import keras\n"
        "with x:\n    for a in b:\n        while c:\n            import peft\n"
    )
    (root / "deep.py").write_text(deep)
    assert imported_packages(root, "", "deep.py") == ("jax", "keras", "peft", "timm", "torch")


def test_the_nearest_modules_of_a_big_repository_are_read_and_no_others(root):
    for number in range(300):
        (root / f"m{number}.py").write_text(f"import m{number + 1}\nimport package_{number}\n")
    found = imported_packages(root, "", "m0.py")
    assert "package_5" in found
    assert len(found) < 100


def test_modules_that_import_each_other_are_read_once(root):
    (root / "a.py").write_text("import b, torch\n")
    (root / "b.py").write_text("import a\n")
    assert imported_packages(root, "", "a.py") == ("torch",)


@pytest.mark.parametrize(
    "content", [b"\xff\xfeimport torch", b"\0", b"(" * 5000, b"# -*- coding: nonsense -*-\nimport torch\n"]
)
def test_what_is_no_python_names_nothing(content, root):
    (root / "odd.py").write_bytes(content)
    assert imported_packages(root, "", "odd.py") == ()


def test_the_example_imports_scikit_learn():
    assert imported_packages(Path(__file__).parents[3] / "examples" / "digits", "", "train.py") == ("sklearn",)
