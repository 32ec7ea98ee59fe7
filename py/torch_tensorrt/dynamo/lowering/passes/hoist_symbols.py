"""Makes every size a function of the graph's inputs."""

from __future__ import annotations

import torch
from torch import fx

from torch_tensorrt.dynamo._settings import CompilationSettings
from torch_tensorrt.dynamo._symbols import SymbolBindings, free_symbols


def hoist_symbols(gm: fx.GraphModule, settings: CompilationSettings) -> fx.GraphModule:
    """Recompute every SymInt from the shapes of the inputs, at the top of the graph.

    Afterwards no size depends on an intermediate tensor, so that a subgraph never has to be cut
    (or kept in PyTorch) because of where a size was read. Sizes of data-dependent tensors stay.
    """
    sizes = [
        node
        for node in gm.graph.nodes
        if node.op == "call_function" and isinstance(node.meta.get("val"), (int, torch.SymInt))
    ]
    if not sizes:
        return gm
    bindings = SymbolBindings(gm.graph)
    for node in sizes:
        value = node.meta["val"]
        if not bindings.known(free_symbols(value)):
            continue
        if not free_symbols(value):
            node.replace_all_uses_with(int(value), delete_user_cb=lambda u: not _is_check(u))
            continue
        replacement = bindings.node_for(value)
        if replacement is not node:
            node.replace_all_uses_with(replacement)
    gm.graph.eliminate_dead_code()
    return gm


def _is_check(node: fx.Node) -> bool:
    """Whether all that becomes of ``node`` is an assertion. One of them may be why capture knows
    the number; with the number in its place it would check nothing."""
    if node.target is torch.ops.aten._assert_scalar.default:
        return True
    return bool(node.users) and all(_is_check(user) for user in node.users)
