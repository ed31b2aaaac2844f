"""Whether a path would be left out of the next snapshot."""

from __future__ import annotations

from pathlib import Path

from ipymlops.source.git import Git, find_git
from ipymlops.source.paths import IGNORE_FILE
from ipymlops.source.repository import find_repository


def joins_code(path: Path, folder: Path) -> bool:
    """Whether a new file at `path` becomes part of the code that `folder` (absolute, no symlinks) sends.

    It looks at the rules only: nothing is read, however big it is. Without a repository everything below is sent.
    """
    repository = find_repository(folder)
    root = repository.root if repository else folder
    if not path.is_relative_to(root) or path == root:
        return False
    if repository is None:
        return True
    own = root / IGNORE_FILE
    settings = (("core.excludesFile", str(own)),) if own.is_file() else ()
    git = Git(find_git(), repository.git_dir, work_tree=root, settings=settings)
    return not git.run("check-ignore", "--no-index", "--", str(path.relative_to(root)), cwd=root, fine=(0, 1))
