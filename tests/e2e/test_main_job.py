"""The main job, end to end: a real training of a real data set, from an executed notebook."""

import hashlib
import json
import pickle
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
TRAIN = r"--metric 'accuracy=accuracy (\S+)' train.py --epochs 8 --lr 0.01"


@pytest.fixture
def digits(tmp_path, git) -> Path:
    """A user's repository with one commit, and one edit that is not committed: grey values of 0 to 1."""
    root = tmp_path / "digits"
    shutil.copytree(ROOT / "examples" / "digits", root)
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "A network for digits")
    features = root / "features.py"
    features.write_text(features.read_text().replace("return images\n", "return images / 16\n"))
    return root


def executed(folder: Path, lines: list[str]) -> list:
    """The cells once they have run; the notebook is saved after each, as autosave does."""
    file = folder / "experiment.ipynb"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(line) for line in lines])
    nbformat.write(notebook, file)
    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}})
    client.on_cell_executed = lambda **_: nbformat.write(notebook, file)
    client.execute()
    return notebook.cells


def printed(cell) -> str:
    return "".join(output["text"] for output in cell.outputs if output.output_type == "stream")


def cards(cell) -> str:
    return "\n".join(output.data["text/plain"] for output in cell.outputs if "data" in output)


def digests(folder: Path) -> dict[str, str]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def kept(root: Path) -> dict[str, str]:
    """What a submit leaves as it is: HEAD, index, branches, reflogs, stash, configuration, hooks."""
    found = digests(root / ".git")
    return {path: digest for path, digest in found.items() if not path.startswith(("objects/", "refs/ipymlops/"))}


def test_the_main_job_from_notebook_to_files_and_a_second_time_without_sending(digits, git, home):
    git(digits, "status")
    before = kept(digits)
    _, train, first, log, _, plan, resent, second = executed(
        digits,
        [
            "%load_ext ipymlops",
            f"job = %mlops train --on local -f {TRAIN}",
            "import json; print(json.dumps(job.to_json()))",
            "%mlops logs last",
            "%mlops artifacts last --to results",
            f"%mlops train --on local --plan --json {TRAIN}",
            f"again = %mlops train --on local -f {TRAIN}",
            "print(json.dumps(again.to_json()))",
        ],
    )

    job = json.loads(printed(first))
    assert (job["state"], job["exit_code"], job["end_reason"], job["error"]) == ("succeeded", 0, None, None)
    assert (job["script"], job["argv"]) == ("train.py", ["--epochs", "8", "--lr", "0.01"])
    assert (job["dirty"], job["commit"]) == (True, git(digits, "rev-parse", "HEAD").strip())
    assert job["metrics"]["accuracy"] > 0.9, "without the edit it is far lower"

    shown = cards(train)
    assert "succeeded" in shown
    assert "running" not in shown, "the saved notebook holds the last state"
    assert "epoch 8 loss" in shown

    epochs = [line.split()[1] for line in printed(log).splitlines() if line.startswith("epoch")]
    assert epochs == [str(epoch) for epoch in range(1, 9)]

    report = json.loads((digits / "results" / "report.json").read_text())
    assert report["accuracy"] == pytest.approx(job["metrics"]["accuracy"], abs=1e-4)
    assert pickle.loads((digits / "results" / "model.pkl").read_bytes()).classes_.tolist() == list(range(10))
    assert kept(digits) == before

    again = json.loads(printed(second))
    assert again["state"] == "succeeded"
    assert (again["number"], again["tree"]) == (job["number"] + 1, job["tree"])
    assert json.loads(printed(plan))["code"]["to_send_bytes"] == 0
    assert "Sent nothing again: the platform has this code already" in " ".join(cards(resent).split())
    assert "nothing again" not in cards(train)
    assert len(list((home / "code").glob("*.tar"))) == 1


def test_a_failed_job_stops_run_all_and_names_the_line_of_the_users_file(digits):
    from nbclient.exceptions import CellExecutionError

    with pytest.raises(CellExecutionError) as stopped:
        executed(digits, ["%load_ext ipymlops", "%mlops train --on local -f train.py --lr 0", "open('reached', 'w')"])
    line = (digits / "train.py").read_text().splitlines().index("    if args.lr <= 0:") + 2
    assert "JobDidNotSucceed" in stopped.value.ename
    assert f"train.py:{line}" in str(stopped.value) or f"train.py, line {line}" in str(stopped.value)
    assert not (digits / "reached").exists()
