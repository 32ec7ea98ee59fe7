"""The ``settings-table`` directive: every compilation option, read from ``CompilationSettings``.

Options, defaults and meanings are written in one place, the dataclass; this prints them.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList


def default_text(value: Any) -> str:
    """A default as the reader would write it; paths below the home directory start with ``~``."""
    if isinstance(value, (frozenset, set)) and not value:
        return "none"
    text = repr(value)
    return text.replace(str(Path.home()), "~")


def rows() -> list[tuple[str, str, str]]:
    """(option, default, meaning) for every field; the meaning says if it has no effect here."""
    from torch_tensorrt.dynamo._settings import CompilationSettings

    table = []
    for field in dataclasses.fields(CompilationSettings):
        meaning = field.metadata["doc"]
        effect = field.metadata["effect"]
        if effect != "effective":
            meaning += f" *No effect here:* {effect}."
        table.append((field.name, default_text(field.default), meaning))
    return table


class SettingsTable(Directive):
    """Prints the options as a list table."""

    def run(self) -> list[nodes.Node]:
        """Returns the parsed table."""
        lines = [".. list-table::", "   :header-rows: 1", "   :widths: 28 18 54", ""]
        for name, default, meaning in [("Option", "Default", "Meaning"), *self._marked()]:
            lines += [f"   * - {name}", f"     - {default}", f"     - {meaning}"]
        holder = nodes.container()
        self.state.nested_parse(StringList(lines, "settings"), self.content_offset, holder)
        return list(holder.children)

    @staticmethod
    def _marked() -> list[tuple[str, str, str]]:
        return [(f"``{name}``", f"``{default}``", meaning) for name, default, meaning in rows()]


def setup(app: Any) -> dict[str, bool]:
    """Registers the directive."""
    app.add_directive("settings-table", SettingsTable)
    return {"parallel_read_safe": True}
