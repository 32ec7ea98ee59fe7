"""Checks that every test that is skipped says why.

Python: ``pytest.skip``, ``pytest.mark.skip``, ``skipif``, ``xfail`` and ``importorskip`` need a
reason. C++: ``GTEST_SKIP()`` needs ``<< "..."``, and no test is called ``DISABLED_``.

Usage: ``python tools/lint/skips.py [ROOT]``.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tools.lint.common import files, line_of, run, strip_comments

# name -> index of the positional argument that may hold the reason
_SKIPS = {"skip": 0, "skipif": None, "xfail": None, "importorskip": None}
_GTEST = re.compile(r"GTEST_SKIP(?:_)?\(\)\s*(<<\s*\S|)")


def _owner(node: ast.expr) -> str:
    """``pytest.mark.skip`` -> ``pytest.mark``."""
    return ast.unparse(node.value) if isinstance(node, ast.Attribute) else ""


def _is_skip(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr in _SKIPS
        and _owner(node) in ("pytest", "pytest.mark", "mark", "unittest")
    )


def _has_reason(call: ast.Call) -> bool:
    assert isinstance(call.func, ast.Attribute)
    reasons = [word.value for word in call.keywords if word.arg in ("reason", "msg")]
    position = _SKIPS[call.func.attr]
    if position is not None and len(call.args) > position:
        reasons.append(call.args[position])
    empty = [isinstance(r, ast.Constant) and not str(r.value or "").strip() for r in reasons]
    return bool(reasons) and not all(empty)


def _python(source: str, text: str) -> list[str]:
    problems, called = [], set()
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _is_skip(node.func):
            called.add(id(node.func))
            if not _has_reason(node):
                problems.append(f"{source}:{node.lineno}: {ast.unparse(node.func)} has no reason")
    for node in ast.walk(tree):
        # A bare decorator: @pytest.mark.skip
        if not isinstance(node, ast.Attribute) or id(node) in called:
            continue
        if _is_skip(node) and _owner(node) != "pytest":
            problems.append(f"{source}:{node.lineno}: {ast.unparse(node)} has no reason")
    return problems


def _cpp(source: str, text: str) -> list[str]:
    problems = []
    for match in _GTEST.finditer(text):
        if not match[1]:
            problems.append(f"{source}:{line_of(text, match.start())}: GTEST_SKIP has no reason")
    for match in re.finditer(r"\bTEST\w*\([^)]*\bDISABLED_", text):
        problems.append(f"{source}:{line_of(text, match.start())}: disabled test")
    return problems


def check(root: Path) -> list[str]:
    """Returns one line for every skip without a reason."""
    problems = []
    for path in files(root, ["tests"], (".py", ".cpp", ".h")):
        source, text = path.relative_to(root).as_posix(), path.read_text()
        if path.suffix == ".py":
            problems += _python(source, text)
        else:
            problems += _cpp(source, strip_comments(text))
    return problems


if __name__ == "__main__":
    run("skips", check)
