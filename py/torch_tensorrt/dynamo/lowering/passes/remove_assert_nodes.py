"""Removes checks that capture left in the graph and that hold: the engine checks its inputs."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx
from torch.utils._sympy.symbol import SymT, symbol_is_type

from torch_tensorrt.dynamo._marks import REASON
from torch_tensorrt.dynamo._settings import CompilationSettings
from torch_tensorrt.dynamo._symbols import SYMBOLIC

_ASSERTS = (
    "_assert_tensor_metadata",
    "_assert_scalar",
    "sym_constrain_range",
    "sym_constrain_range_for_size",
)
_ON_VALUES = (torch.ops.aten._assert_async.default, torch.ops.aten._assert_async.msg)
_OF_DATA = (SymT.UNBACKED_INT, SymT.UNBACKED_FLOAT)


def remove_assert_nodes(gm: fx.GraphModule, settings: CompilationSettings) -> fx.GraphModule:
    """Erase assertion operators and the exporter's guard module.

    A check on sizes or values that is not known to hold stays: nothing else would catch it. So do
    ``_assert_async`` nodes, which PyTorch runs on what engines give.
    """
    for node in reversed(list(gm.graph.nodes)):
        is_guard = node.op == "call_module" and node.target == "_guards_fn"
        if is_guard or (_is_assert(node) and not _may_fail(node)):
            gm.graph.erase_node(node)
        elif _is_assert(node) or node.target in _ON_VALUES:
            node.meta[REASON] = "an assertion on values, which PyTorch checks at every call"
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
            if not _is_known_to_hold(source, value):
                return True
        elif isinstance(value, (torch.SymInt, torch.SymFloat)):
            return True
    return False


def _is_known_to_hold(condition: fx.Node, value: torch.SymBool) -> bool:
    env = value.node.shape_env
    if env is None:
        return False
    data = _symbols_of_data(condition)
    if data:
        # What capture knows of them is what this very check has told it. A size is at least 0.
        relation = value.node._expr
        return data <= relation.free_symbols and _holds_for_all(relation, data & env.size_like)
    # Without the conditions of capture: those are what such nodes check.
    known = env._maybe_evaluate_static(value.node.expr, axioms=())
    return known is not None and bool(known)


def _symbols_of_data(condition: fx.Node) -> set[Any]:
    """Numbers that are no sizes of inputs, among those that the condition is computed from."""
    pending, seen = [condition], {condition}
    found: set[Any] = set()
    while pending:
        node = pending.pop()
        value = node.meta.get("val")
        if not isinstance(value, SYMBOLIC):
            continue
        symbols = getattr(value.node._expr, "free_symbols", ())
        found.update(s for s in symbols if symbol_is_type(s, _OF_DATA))
        pending.extend(source for source in node.all_input_nodes if source not in seen)
        seen.update(node.all_input_nodes)
    return found


def _holds_for_all(relation: Any, sizes: set[Any]) -> bool:
    import sympy  # type: ignore[import-untyped]

    free = {s: sympy.Dummy(integer=True) for s in relation.free_symbols}
    free.update({s: sympy.Dummy(integer=True, nonnegative=True) for s in sizes})
    return bool(relation.xreplace(free) == sympy.true)


# The overload without a message is a check too; dead code elimination must not take it.
fx.node.has_side_effect(torch.ops.aten._assert_async.default)
