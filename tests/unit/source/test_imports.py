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


def test_the_example_imports_scikit_learn():
    assert imported_packages(Path(__file__).parents[3] / "examples" / "digits", "", "train.py") == ("sklearn",)
