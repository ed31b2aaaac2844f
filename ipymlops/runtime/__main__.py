"""`python3 launcher.pyz CONFIG.json`, and `python -m ipymlops.runtime CONFIG.json`."""

import sys

from ipymlops.runtime.launch import main

if __name__ == "__main__":
    sys.exit(main(sys.argv))
