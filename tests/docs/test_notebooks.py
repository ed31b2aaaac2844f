"""The guide runs as it stands, on `local`, in a copy of the example repository."""

import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.servers.engine import dockerd
from tests.servers.python_images import import_science_image
from tests.servers.sagemaker_api import sagemaker_api, signed_in

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def shown(cell) -> str:
    """Everything a cell shows, as text."""
    parts = []
    for output in cell.outputs:
        parts.append(output.get("text", ""))
        parts.append(output.get("data", {}).get("text/plain", ""))
        parts += output.get("traceback", [])
    return "\n".join(parts)


def run(file: Path, folder: Path):
    copy = folder / file.name
    copy.write_bytes(file.read_bytes())
    notebook = nbformat.read(copy, as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    return {cell.source: shown(cell) for cell in notebook.cells if cell.cell_type == "code"}


def ending(cells: dict[str, str], end: str) -> list[str]:
    found = [text for source, text in cells.items() if source.endswith(end)]
    assert found, f"no cell ends with {end}"
    return found


def test_the_quickstart_shows_what_it_says(digits):
    cells = run(ROOT / "notebooks" / "00_quickstart_local.ipynb", digits)

    assert "train.py" in ending(cells, "--plan train.py --epochs 10 --lr 0.01")[0]
    assert "accuracy" in ending(cells, "print(job.state.value, dict(job.metrics))")[0]
    assert "/ 16" in ending(cells, "%mlops diff {{first}} {{second}}")[0]
    assert "train-1" in cells["%mlops jobs"]
    assert "wrote confusion.csv" in cells["%mlops logs {{second}} --tail 3"]
    assert "epoch 1 " in cells["%mlops logs {{second}} --grep 'epoch 1 '"]
    assert "report.json" in cells["%mlops artifacts {{second}}"]
    assert "accuracy" in ending(cells, 'json.loads(Path("results/report.json").read_text())')[0]
    assert "return images\n" in ending(cells, 'print(Path("../first-job/features.py").read_text())')[0]
    failed = ending(cells, "-f train.py --lr 0")[0]
    assert "--lr must be above 0, not 0.0" in failed
    assert "train.py" in failed
    assert "the same job: True" in ending(cells, "same.id == long.id)")[0]
    assert "stopped" in cells["%mlops show {{number}}"]
    assert "one argument a line" in ending(cells, "64\n32")[0]
    assert json.loads((digits / "results" / "report.json").read_text())["accuracy"] > 0.9


@pytest.mark.xdist_group("engine")
def test_the_chapter_on_sagemaker_shows_what_it_says(digits, monkeypatch):
    """On a server that stands for AWS, where the script of the first chapter really runs in a container."""
    with dockerd() as engine, sagemaker_api(engine) as api:
        api.local_images[api.image] = import_science_image(engine)
        for name, value in signed_in(api).items():
            monkeypatch.setenv(name, value)
        cells = run(ROOT / "notebooks" / "10_sagemaker.ipynb", digits)

    assert "signed in as" in cells["%mlops doctor sagemaker --machine ml.m5.large"]
    assert "ml.p4d.24xlarge" in cells["%mlops gpus a100"]
    plan = ending(cells, "--plan train.py --epochs 10 --lr 0.01")[0]
    assert "ml.p4d.24xlarge" in plan
    assert "CreateTrainingJob" in plan
    assert (
        "at most" in ending(cells, "team=vision --metric 'accuracy=accuracy (\\S+)' train.py --epochs 10 --lr 0.01")[0]
    )
    assert "wrote confusion.csv" in ending(cells, "%mlops logs {{number}} -f")[0]
    assert "succeeded {'accuracy': 0.9" in ending(cells, "print(job.state.value, dict(job.metrics))")[0]
    assert "report.json" in cells["%mlops artifacts {{number}}"]
    assert json.loads((digits / "results" / "report.json").read_text())["accuracy"] > 0.9
    assert "train-1" in cells["%mlops jobs platform:sagemaker"]
    assert "stopped user" in ending(cells, "print(long.state.value, long.record.end_reason)")[0]


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_it_is_stored_without_outputs(file):
    notebook = nbformat.read(file, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_its_first_page_is_the_vocabulary():
    first = nbformat.read(NOTEBOOKS[0], as_version=4).cells[0].source
    for word in (
        "job",
        "snapshot",
        "platform",
        "plan",
        "card",
        "state",
        "end reason",
        "log",
        "metric",
        "artifact",
        "cap",
    ):
        assert f"| **{word}** |" in first
