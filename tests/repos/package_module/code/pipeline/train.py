import json
import sys
from pathlib import Path

from pipeline.shape import NAME

print(json.dumps({"argv": sys.argv[1:], "folder": Path.cwd().name, "package": NAME}))
