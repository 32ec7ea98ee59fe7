"""Brings slice bounds into one form."""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch import fx

from torch_tensorrt.dynamo._settings import CompilationSettings

_INT64_MAX = sys.maxsize


def simplify_slices(gm: fx.GraphModule, settings: CompilationSettings) -> fx.GraphModule:
    """``slice(x, dim, 0, end >= size)`` -> ``x``; ``min(s, INT64_MAX)`` -> ``s``."""
    for node in list(gm.graph.nodes):
        if node.op != "call_function":
            continue
        if node.target is torch.ops.aten.slice.Tensor and _takes_all(node):
            if any(user.op == "output" for user in node.users):
                continue
            node.replace_all_uses_with(node.args[0])
            gm.graph.erase_node(node)
        elif node.target is torch.sym_min and _INT64_MAX in node.args:
            other = node.args[0] if node.args[1] == _INT64_MAX else node.args[1]
            node.replace_all_uses_with(other)
            gm.graph.erase_node(node)
    return gm


def _takes_all(node: fx.Node) -> bool:
    given = dict(zip(("self", "dim", "start", "end", "step"), node.args, strict=False))
    given.update(node.kwargs)
    source, start, step = given["self"], given.get("start"), given.get("step", 1)
    dim: Any = given.get("dim", 0)
    end = given.get("end")
    if start not in (None, 0) or step != 1 or not isinstance(source, fx.Node):
        return False
    if end is None or end == _INT64_MAX:
        return True
    size = source.meta["val"].shape[dim]
    return isinstance(end, int) and isinstance(size, int) and end >= size
