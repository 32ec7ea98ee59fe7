"""Checks that every folder with source files has a README.

Usage: ``python tools/lint/readmes.py [ROOT]``. Looks at the files that git tracks, or at all of a
tree that is no checkout. Exit status 1 lists the folders without one.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tools.lint.common import run

FOLDERS = ("core", "py", "tests", "tools", "examples", "docsrc")
SOURCES = (".h", ".cpp", ".cu", ".cuh", ".py", ".json")


def check(root: Path) -> list[str]:
    """Returns one line for every folder that has source files and no README.md."""
    names = [name for name in _files(root) if name.parts[0] in FOLDERS]
    described = {name.parent for name in names if name.name == "README.md"}
    sources = {n.parent for n in names if n.suffix in SOURCES or n.name == "CMakeLists.txt"}
    return [
        f"{folder}: no README.md; say the folder's job and what it may include"
        for folder in sorted(sources - described)
    ]


def _files(root: Path) -> list[Path]:
    if (root / ".git").exists():
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        )
        return [Path(line) for line in listed.stdout.splitlines()]
    return [path.relative_to(root) for path in root.rglob("*") if path.is_file()]


if __name__ == "__main__":
    run("readmes", check)
