import os
import sys
from pathlib import Path

print("read:", Path("my data", "in put.txt").read_text(), end="")
folder = Path(os.environ["IPYMLOPS_OUTPUT_DIR"], "a folder")
folder.mkdir(parents=True)
(folder / "out put.txt").write_text(sys.argv[1])
