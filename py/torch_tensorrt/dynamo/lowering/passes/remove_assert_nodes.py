"""Removes checks that capture left in the graph and that hold: the engine checks its inputs."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

import torch
from torch import fx
from torch.utils._sympy.numbers import int_oo
from torch.utils._sympy.symbol import SymT, symbol_is_type
from torch.utils._sympy.value_ranges import ValueRanges, bound_sympy

from torch_tensorrt.dynamo._marks import REASON
from torch_tensorrt.dynamo._settings import CompilationSettings
from torch_tensorrt.dynamo._symbols import (
    SIZE_OPERATORS,
    SYMBOLIC,
    computed_symbols,
    expr_of,
    most_found,
)

_ASSERTS = (
    "_assert_tensor_metadata",
    "_assert_scalar",
    "sym_constrain_range",
    "sym_constrain_range_for_size",
)
_ON_VALUES = (torch.ops.aten._assert_async.default, torch.ops.aten._assert_async.msg)


def remove_assert_nodes(gm: fx.GraphModule, settings: CompilationSettings) -> fx.GraphModule:
    """Erase assertion operators and the exporter's guard module.

    A check on sizes or values that is not known to hold stays: nothing else would catch it. So do
    ``_assert_async`` nodes, which PyTorch runs on what engines give.
    """
    most = _most_found(gm.graph)
    for node in reversed(list(gm.graph.nodes)):
        is_guard = node.op == "call_module" and node.target == "_guards_fn"
        if is_guard or (_is_assert(node) and not _may_fail(node, most)):
            gm.graph.erase_node(node)
        elif _is_assert(node) or node.target in _ON_VALUES:
            node.meta[REASON] = "an assertion on values, which PyTorch checks at every call"
    return gm


def _is_assert(node: fx.Node) -> bool:
    packet = getattr(node.target, "overloadpacket", None)
    return packet is not None and packet in {
        getattr(torch.ops.aten, name) for name in _ASSERTS if hasattr(torch.ops.aten, name)
    }


def _most_found(graph: fx.Graph) -> dict[Any, int]:
    """For each size that data gives, how large it can be at most: as many elements as there are."""
    most: dict[Any, int] = {}

    def upper(size: Any) -> int | None:
        return size if isinstance(size, int) else most.get(expr_of(size))

    for node in graph.nodes:
        symbols = computed_symbols(node)
        found = most_found(node, upper) if symbols else None
        if found is not None:
            most.update((symbol, found) for symbol in symbols)
    return most


def _may_fail(node: fx.Node, most: Mapping[Any, int]) -> bool:
    for source in node.all_input_nodes:
        value = source.meta.get("val")
        if isinstance(value, torch.SymBool):
            if not _is_known_to_hold(source, value, most):
                return True
        elif isinstance(value, (torch.SymInt, torch.SymFloat)):
            return True
        elif isinstance(value, bool):
            return not value
    return False


def _is_known_to_hold(condition: fx.Node, value: torch.SymBool, most: Mapping[Any, int]) -> bool:
    env = value.node.shape_env
    if env is None:
        return False
    if _holds_for_both(condition):
        return True
    data = _symbols_of_data(condition, most)
    if data:
        # What capture knows of them is what this very check has told it.
        relation = value.node._expr
        return data.keys() <= relation.free_symbols and _holds_for_all(relation, data)
    # Without the conditions of capture: those are what such nodes check.
    known = env._maybe_evaluate_static(value.node.expr, axioms=())
    return known is not None and bool(known)


def _holds_for_both(condition: fx.Node) -> bool:
    """Whether this compares the number that stands for a flag, and holds for both."""
    if condition.target not in (operator.ge, operator.le):
        return False
    flag, bound = condition.args
    if not isinstance(flag, fx.Node) or flag.target is not torch.sym_ite:
        return False
    values = flag.args[1:]
    if not all(isinstance(value, int) for value in (bound, *values)):
        return False
    return all(condition.target(value, bound) for value in values)


def _symbols_of_data(condition: fx.Node, most: Mapping[Any, int]) -> dict[Any, ValueRanges[Any]]:
    """Numbers that are no sizes of inputs, among those that the condition is computed from, and
    what they can be."""
    pending, seen = [condition], {condition}
    found: dict[Any, ValueRanges[Any]] = {}
    while pending:
        node = pending.pop()
        value = node.meta.get("val")
        if not isinstance(value, SYMBOLIC):
            continue
        for symbol in getattr(value.node._expr, "free_symbols", ()):
            if symbol_is_type(symbol, SymT.UNBACKED_FLOAT):
                found[symbol] = ValueRanges.unknown()
            elif symbol_is_type(symbol, SymT.UNBACKED_INT):
                found.setdefault(symbol, ValueRanges.unknown_int())
                if node.target in SIZE_OPERATORS:
                    found[symbol] &= ValueRanges(0, most.get(symbol, int_oo))
        pending.extend(source for source in node.all_input_nodes if source not in seen)
        seen.update(node.all_input_nodes)
    return found


def _holds_for_all(relation: Any, ranges: dict[Any, ValueRanges[Any]]) -> bool:
    free = {symbol: ValueRanges.unknown_int() for symbol in relation.free_symbols}
    bounds = bound_sympy(relation, {**free, **ranges})
    return bool(bounds.is_singleton() and bounds.lower)


# The overload without a message is a check too; dead code elimination must not take it.
fx.node.has_side_effect(torch.ops.aten._assert_async.default)
