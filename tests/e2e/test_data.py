"""`--data` as it is typed: relative to the folder of the line."""

import subprocess
import sys


def test_a_relative_path_is_meant_from_the_folder_of_the_line(repo):
    notebooks = repo / "notebooks"
    for folder in (notebooks, repo / "the data"):
        folder.mkdir()
    (repo / "the data" / "x.csv").write_text("1,2")
    (notebooks / "read.py").write_text("import os; print(open(os.environ['IPYMLOPS_DATA_DIR'] + '/d/x.csv').read())")
    line = ["train", "--on", "local", "-f", "--data", "d=../the data", "read.py"]
    done = subprocess.run([sys.executable, "-m", "ipymlops", *line], cwd=notebooks, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "1,2\n"), done.stderr
