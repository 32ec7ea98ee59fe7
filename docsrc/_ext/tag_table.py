"""The ``tag-table`` directive: the numbers of a C++ enum, read from the source that uses them.

``.. tag-table:: core/engine/format_meta.cpp PlanTag`` prints one row for each enumerator.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList

ROOT = Path(__file__).resolve().parents[2]
_ENTRY = re.compile(r"(k\w+)\s*=\s*(\d+)\s*,?[ \t]*(?://[ \t]*(.*))?")


def tags(source: Path, enum: str) -> list[tuple[int, str, str]]:
    """(value, name, comment) of every enumerator.

    Raises:
        ValueError: there is no such enum in the file, or an enumerator has no explicit value.
    """
    match = re.search(rf"\benum\s+(?:class\s+)?{enum}\b[^{{]*\{{(.*?)\}}", source.read_text(), re.S)
    if match is None:
        raise ValueError(f"{source}: no enum {enum}")
    found = [(int(number), name, note) for name, number, note in _ENTRY.findall(match[1])]
    body = re.sub(r"//.*", "", match[1])
    if len(found) != len([entry for entry in body.split(",") if entry.strip()]):
        raise ValueError(f"{source}: an enumerator of {enum} has no explicit value")
    return found


class TagTable(Directive):
    """Prints an enum as a list table."""

    required_arguments = 2

    def run(self) -> list[nodes.Node]:
        """Returns the parsed table."""
        source, enum = self.arguments
        lines = [".. list-table::", "   :header-rows: 1", "   :widths: 10 40 50", ""]
        lines += ["   * - Tag", "     - Name", "     - Note"]
        for number, name, note in tags(ROOT / source, enum):
            lines += [f"   * - {number}", f"     - ``{name}``", f"     - {note}".rstrip()]
        holder = nodes.container()
        self.state.nested_parse(StringList(lines, source), self.content_offset, holder)
        return list(holder.children)


def setup(app: Any) -> dict[str, bool]:
    """Registers the directive."""
    app.add_directive("tag-table", TagTable)
    return {"parallel_read_safe": True}
