"""How users add and remove lowering passes."""

from __future__ import annotations

from typing import Any

from torch_tensorrt.dynamo.lowering.passes import POST_LOWERING_PASSES
from torch_tensorrt.dynamo.lowering.passes._registry import PassFunction


def _aten_lowering_pass(function: PassFunction | None = None, *, index: int | None = None) -> Any:
    """Decorator: add a pass ``(GraphModule, CompilationSettings) -> GraphModule``.

    Args:
        index: Position in the list; at the end by default.
    """

    def add(added: PassFunction) -> PassFunction:
        POST_LOWERING_PASSES.add(added, index)
        return added

    return add if function is None else add(function)


def _remove_lowering_pass(*, index: int) -> None:
    """Remove the pass at ``index``.

    Raises:
        IndexError: there is no such position.
    """
    POST_LOWERING_PASSES.remove(index)


def get_lowering_pass_config() -> list[str]:
    """Names of the post-lowering passes in running order."""
    return POST_LOWERING_PASSES.names()


def dump_lowering_passes() -> str:
    """The pass list as text, one ``index: name`` a line."""
    return "\n".join(f"{i}: {name}" for i, name in enumerate(POST_LOWERING_PASSES.names()))
