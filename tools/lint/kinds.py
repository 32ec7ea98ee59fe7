"""Checks that each list of kinds exists once.

A table is an X-macro (``#define LIST(X) X(Name, ...) ...``) or an enum. Reported are: two tables or
enums with mostly the same names, an enum name defined twice, a hand-kept list of strings that
repeats a table, and a ``default:`` in a switch that handles at least half of an enum that a table
generates: it means to handle all, and the default would hide a kind that was forgotten. A switch
that picks out a few kinds may have one. A list that must repeat a table says why in its own file:
``// kinds: <reason>``.

Usage: ``python tools/lint/kinds.py [ROOT]``.
"""

from __future__ import annotations

import re
import sys
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tools.lint.common import files, line_of, run, strip_comments

MIN_SHARED = 5  # fewer common names can be chance (kNone, kFloat, ...)
MIN_FRACTION = 0.6  # of the smaller list

_TABLE = re.compile(r"#define[ \t]+(\w+)\(X\)((?:.*\\\n)*.*)")
_ROW = re.compile(r"\bX\([ \t\\\n]*(\w+)")
_ENUM = re.compile(r"\benum\s+(?:class\s+|struct\s+)?(\w+)\s*(?::[^{;]+)?\{([^}]*)\}")
_STRING = re.compile(r'"(\w+)"')
_SWITCH = re.compile(r"\bswitch\s*\(")
_EXCUSE = re.compile(r"//\s*kinds:\s*\S+")


class KindList(NamedTuple):
    """One list of names and where it stands."""

    where: str
    label: str
    names: frozenset[str]
    is_table: bool


def _plain(name: str) -> str:
    """``kSoftmax``, ``SOFTMAX`` and ``softmax`` are one name."""
    if re.match(r"k[A-Z]", name):
        name = name[1:]
    return name.replace("_", "").lower()


def _same(a: frozenset[str], b: frozenset[str]) -> bool:
    shared = len(a & b)
    return shared >= MIN_SHARED and shared >= MIN_FRACTION * min(len(a), len(b))


def _lists_in(source: str, text: str) -> list[KindList]:
    found = []
    for match in _TABLE.finditer(text):
        names = frozenset(_plain(name) for name in _ROW.findall(match[2]))
        if names:
            where = f"{source}:{line_of(text, match.start())}"
            found.append(KindList(where, match[1], names, True))
    for match in _ENUM.finditer(text):
        body = re.sub(r"^[ \t]*#.*$|\(.*?\)", "", match[2], flags=re.MULTILINE)
        entries = [entry.split("=")[0].strip() for entry in body.split(",")]
        names = frozenset(_plain(entry) for entry in entries if re.fullmatch(r"\w+", entry))
        where = f"{source}:{line_of(text, match.start())}"
        found.append(KindList(where, match[1], names, False))
    return found


def _block(text: str, start: int) -> str:
    """The braced block that follows ``start``."""
    begin = text.find("{", start)
    depth = 0
    for offset in range(max(begin, start), len(text)):
        depth += {"{": 1, "}": -1}.get(text[offset], 0)
        if depth == 0 and offset > begin:
            return text[begin : offset + 1]
    return text[start:]


def _generated_enums(texts: dict[str, str], tables: list[KindList]) -> dict[str, int]:
    """The enums whose body invokes a table, with their number of kinds."""
    return {
        match[1]: len(table.names)
        for text in texts.values()
        for match in re.finditer(r"\benum\s+class\s+(\w+)[^{;]*\{([^}]*)\}", text)
        for table in tables
        if re.search(rf"\b{table.label}\(", match[2])
    }


def _defaults(source: str, text: str, enums: dict[str, int]) -> list[str]:
    problems = []
    for match in _SWITCH.finditer(text):
        block = _block(text, match.end())
        # A nested switch may have a default of its own.
        outer = block[:1] + re.sub(r"\{[^{}]*\}", "", block[1:-1])
        if not re.search(r"\bdefault\s*:", outer):
            continue
        for enum, size in sorted(enums.items()):
            cases = set(re.findall(rf"\bcase\s+(?:\w+::)*{enum}::(\w+)", block))
            if 2 * len(cases) >= size:
                where = f"{source}:{line_of(text, match.start())}"
                problems.append(f"{where}: the default over {enum} hides a kind that is forgotten")
    return problems


def check(root: Path) -> list[str]:
    """Returns one line for every repeated list and every default over a generated enum."""
    texts: dict[str, str] = {}
    excused: set[str] = set()
    for path in files(root, ["core", "cpp", "py"], (".h", ".cpp", ".py")):
        source, text = path.relative_to(root).as_posix(), path.read_text()
        if _EXCUSE.search(text):
            excused.add(source)
        texts[source] = text if path.suffix == ".py" else strip_comments(text)
    cpp = {source: text for source, text in texts.items() if not source.endswith(".py")}
    lists = [found for source, text in cpp.items() for found in _lists_in(source, text)]
    lists = [found for found in lists if found.where.rsplit(":", 1)[0] not in excused]
    tables = [found for found in lists if found.is_table]

    problems = []
    for a, b in combinations(lists, 2):
        if _same(a.names, b.names):
            problems.append(f"{b.where}: {b.label} repeats {a.label} of {a.where}")
        elif a.label == b.label and a.names and b.names and not a.is_table and not b.is_table:
            problems.append(f"{b.where}: {b.label} is defined at {a.where} too")
    for source, text in texts.items():
        strings = frozenset(_plain(name) for name in _STRING.findall(text))
        for table in tables:
            if table.where.startswith(source + ":") or source in excused:
                continue
            if len(strings & table.names) >= max(MIN_SHARED, MIN_FRACTION * len(table.names)):
                problems.append(f"{source}:1: strings repeat {table.label} of {table.where}")
    enums = _generated_enums(cpp, tables)
    for source, text in cpp.items():
        problems += _defaults(source, text, enums)
    return problems


if __name__ == "__main__":
    run("kinds", check)
