"""Erases what nobody reads."""

from __future__ import annotations

from torch import fx

from torch_tensorrt.dynamo._settings import CompilationSettings


def remove_dead_nodes(gm: fx.GraphModule, settings: CompilationSettings) -> fx.GraphModule:
    """Dead code elimination; operators with side effects stay."""
    gm.graph.eliminate_dead_code()
    return gm
