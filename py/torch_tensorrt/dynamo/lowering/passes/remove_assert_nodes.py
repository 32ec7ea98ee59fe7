"""Removes checks that capture left in the graph: the engine checks its inputs itself."""

from __future__ import annotations

import torch
from torch import fx

from torch_tensorrt.dynamo._settings import CompilationSettings

_ASSERTS = (
    "_assert_tensor_metadata",
    "_assert_scalar",
    "_assert_async",
    "sym_constrain_range",
    "sym_constrain_range_for_size",
)


def remove_assert_nodes(gm: fx.GraphModule, settings: CompilationSettings) -> fx.GraphModule:
    """Erase assertion operators and the exporter's guard module.

    A check on sizes that is not known to hold stays: nothing else would catch it.
    """
    for node in reversed(list(gm.graph.nodes)):
        is_guard = node.op == "call_module" and node.target == "_guards_fn"
        if is_guard or (_is_assert(node) and not _may_fail(node)):
            gm.graph.erase_node(node)
    return gm


def _is_assert(node: fx.Node) -> bool:
    packet = getattr(node.target, "overloadpacket", None)
    return packet is not None and packet in {
        getattr(torch.ops.aten, name) for name in _ASSERTS if hasattr(torch.ops.aten, name)
    }


def _may_fail(node: fx.Node) -> bool:
    for source in node.all_input_nodes:
        value = source.meta.get("val")
        if isinstance(value, torch.SymBool):
            env = value.node.shape_env
            # Without the conditions of capture: those are what such nodes check.
            known = env._maybe_evaluate_static(value.node.expr, axioms=()) if env else None
            if known is None or not bool(known):
                return True
        elif isinstance(value, (torch.SymInt, torch.SymFloat)):
            return True
    return False
