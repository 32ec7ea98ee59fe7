"""What the checks share: finding files, blanking out comments, reporting."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_COMMENT_OR_STRING = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.DOTALL)


def files(root: Path, folders: list[str], suffixes: tuple[str, ...]) -> Iterator[Path]:
    """Yields the files below ``root/<folder>`` with one of the suffixes, in sorted order."""
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in suffixes and path.is_file():
                yield path


def strip_comments(text: str) -> str:
    """Returns C++ source with comments blanked out, line numbers kept."""

    def blank(match: re.Match[str]) -> str:
        token = match.group()
        return token if token.startswith('"') else re.sub(r"[^\n]", " ", token)

    return _COMMENT_OR_STRING.sub(blank, text)


def line_of(text: str, offset: int) -> int:
    """Returns the 1-based line of a character offset."""
    return text.count("\n", 0, offset) + 1


def run(name: str, check: Callable[[Path], list[str]]) -> None:
    """Runs a check on the tree given as first argument (default: this one) and exits."""
    root = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT
    problems = check(root)
    for problem in problems:
        print(problem)
    print(f"{name}: {len(problems)} problem(s)" if problems else f"{name}: ok")
    sys.exit(1 if problems else 0)
