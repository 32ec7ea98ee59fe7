"""Removes operators that only matter to autograd or to capture."""

from __future__ import annotations

import torch
from torch import fx

from torch_tensorrt.dynamo._settings import CompilationSettings

_IDENTITIES = (
    torch.ops.aten.detach.default,
    torch.ops.aten.alias.default,
    torch.ops.aten.lift_fresh.default,
    torch.ops.aten.lift_fresh_copy.default,
)


def remove_detach(gm: fx.GraphModule, settings: CompilationSettings) -> fx.GraphModule:
    """Replace detach, alias and lift_fresh by their input. A graph output is left alone:
    PyTorch makes a new tensor object there."""
    for node in list(gm.graph.nodes):
        if node.op != "call_function" or node.target not in _IDENTITIES:
            continue
        if any(user.op == "output" for user in node.users):
            continue
        node.replace_all_uses_with(node.args[0])
        gm.graph.erase_node(node)
    return gm
