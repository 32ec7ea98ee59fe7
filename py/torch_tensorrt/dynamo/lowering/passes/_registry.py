"""The ordered, named list of lowering passes, and its runner."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import fx

from torch_tensorrt.dynamo._settings import CompilationSettings

logger = logging.getLogger("torch_tensorrt")

PassFunction = Callable[[fx.GraphModule, CompilationSettings], fx.GraphModule]


@dataclass(frozen=True)
class LoweringPass:
    """One pass: a name (the off-switch is ``disabled_passes={name}``) and its function."""

    name: str
    function: PassFunction


class PassList:
    """An ordered list of passes. Filled at import; users add and remove before compiling."""

    def __init__(self, title: str, functions: list[PassFunction]) -> None:
        self.title = title
        self._passes = [LoweringPass(f.__name__, f) for f in functions]

    def __iter__(self) -> Any:
        return iter(tuple(self._passes))

    def __len__(self) -> int:
        return len(self._passes)

    def names(self) -> list[str]:
        """Names in running order."""
        return [p.name for p in self._passes]

    def add(self, function: PassFunction, index: int | None = None) -> None:
        """Insert ``function`` before position ``index``, or at the end."""
        entry = LoweringPass(function.__name__, function)
        self._passes.insert(len(self._passes) if index is None else index, entry)

    def remove(self, index: int) -> None:
        """Remove the pass at ``index``.

        Raises:
            IndexError: there is no such position.
        """
        del self._passes[index]

    def run(self, gm: fx.GraphModule, settings: CompilationSettings) -> fx.GraphModule:
        """Run every pass that is not disabled; the result is checked by FX's own linter."""
        for entry in self:
            if entry.name in settings.disabled_passes:
                continue
            start = time.perf_counter()
            gm = entry.function(gm, settings)
            elapsed = (time.perf_counter() - start) * 1e3
            logger.debug("%s pass %s: %.1f ms", self.title, entry.name, elapsed)
        gm.graph.lint()
        gm.recompile()
        return gm
