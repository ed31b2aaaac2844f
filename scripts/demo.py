"""The main job, on this machine: a user's repository with an edit not yet committed, trained from one notebook line.

Makes a repository in a temporary folder, runs a notebook in it cell by cell, and prints what a reader of the notebook
would see. Nothing outside that folder is written.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "digits"
TRAIN = r"--on local --follow --metric 'accuracy=accuracy (\S+)' train.py --epochs 10 --lr 0.01"
CELLS = [
    ("Load it, as any extension of IPython.", "%load_ext ipymlops"),
    ("The main job: this folder as it stands, followed until it ends.", f"job = %mlops train {TRAIN}"),
    ("What came back: its metrics ...", "dict(job.metrics)"),
    ("... and its files, fetched one by one.", "%mlops artifacts last --to results"),
    (
        "The same line again: the code is known by its content, so there is nothing to send.",
        f"%mlops train --plan {TRAIN}",
    ),
    ("It trains again, without sending anything again.", f"job = %mlops train {TRAIN}"),
    ("Both jobs are in the list.", "%mlops jobs"),
]


def user_repository(folder: Path) -> Path:
    """A git repository with one commit, and one edit that is not committed."""
    root = folder / "digits"
    shutil.copytree(EXAMPLE, root)
    who = ["-c", "user.name=A user", "-c", "user.email=user@example.org"]
    for words in (["init", "-q"], ["add", "-A"], [*who, "commit", "-qm", "A network for digits"]):
        subprocess.run(["git", *words], cwd=root, check=True)
    features = root / "features.py"
    features.write_text(features.read_text().replace("return images\n", "return images / 16  # not committed\n"))
    return root


class PrintedNotebook(NotebookClient):
    """Runs a notebook and prints what each cell shows, when it shows it."""

    def __init__(self, notebook: Any, file: Path) -> None:
        place = {"metadata": {"path": str(file.parent)}}
        super().__init__(notebook, timeout=600, resources=place, extra_arguments=["--IPKernelApp.log_level=ERROR"])
        self.file = file
        self.shown: dict[str, list[str]] = {}
        self.on_cell_start = self._head
        self.on_cell_executed = self._save

    def _head(self, cell: Any, cell_index: int) -> None:
        print(f"\n\n# {CELLS[cell_index][0]}\n>>> {cell.source}\n", flush=True)

    def _save(self, **_: Any) -> None:
        """As Jupyter's autosave does between two cells: the outputs in the file are no new code."""
        nbformat.write(self.nb, self.file)

    def process_message(self, message: dict[str, Any], cell: Any, cell_index: int) -> Any:
        content = message["content"]
        if message["msg_type"] == "stream":
            print(content["text"], end="", flush=True)
        elif "data" in content:
            self._print_new(content)
        return super().process_message(message, cell, cell_index)

    def _print_new(self, content: dict[str, Any]) -> None:
        """A card changes in place; a terminal can only print what is new: another state, and lines of the log."""
        name = content.get("transient", {}).get("display_id", "")
        lines = content["data"].get("text/plain", "").splitlines()
        before = self.shown.get(name, []) if name else []
        new = [line for line in lines if line not in before and not line.startswith("  last lines of the log")]
        if all(line.startswith(" ") for line in new):
            new = [line for line in new if line.lstrip().startswith("│")]
        if before:  # what the job printed led to its new state
            new.sort(key=lambda line: not line.lstrip().startswith("│"))
        for line in new:
            print(line, flush=True)
        self.shown[name] = before + new


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="ipymlops-demo-") as folder:
        os.environ["IPYMLOPS_HOME"] = str(Path(folder) / "home")
        os.environ["IPYTHONDIR"] = str(Path(folder) / "ipython")
        root = user_repository(Path(folder))
        print(f"A user's repository: {root}\n\n$ git diff --unified=0", flush=True)
        subprocess.run(["git", "--no-pager", "diff", "--unified=0"], cwd=root, check=True)
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for _, source in CELLS])
        file = root / "demo.ipynb"
        nbformat.write(notebook, file)
        try:
            PrintedNotebook(notebook, file).execute()
        except CellExecutionError as error:
            print(error, file=sys.stderr)
            return 1
        print("\n\nThe files in results/:")
        for path in sorted((root / "results").rglob("*")):
            print(f"{path.stat().st_size:>9,} bytes  {path.relative_to(root)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
