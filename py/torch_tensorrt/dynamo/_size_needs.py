"""Sizes that indexing operators need and capture takes for granted.

The exporter takes every dynamic size for 2 or more and asks nothing where that is enough, but a
compiled module may be called with sizes 0 and 1, for which PyTorch's ``t[1]`` raises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from torch_tensorrt.dynamo._symbols import expr_of, free_symbols, shape_env_of, symbol_ranges

_Ranges = dict[str, tuple[int, int, int]]


@dataclass(frozen=True)
class SizeNeed:
    """What one operator asks of a size.

    Attributes:
        size: SymPy expression of the size.
        least: What it must be at least: a number or an expression.
        text: The operator, what it was called with, and the user's line if it is known.
    """

    size: Any
    least: Any
    text: str

    @property
    def condition(self) -> Any:
        """``size >= least``; not evaluated: SymPy takes symbols of sizes for positive."""
        import sympy  # type: ignore[import-untyped]

        return sympy.Ge(self.size, self.least, evaluate=False)


def size_needs(graph: fx.Graph, declared: _Ranges | None = None) -> list[SizeNeed]:
    """What the operators of ``graph`` need that the ranges of its symbols do not ensure.

    Args:
        graph: Of an exported program.
        declared: Ranges of symbols declared by the user's Inputs.
    """
    env = shape_env_of(graph.find_nodes(op="placeholder"))
    if env is None:
        return []
    found = (need for node in graph.nodes for need in _needs_of(node))
    return [need for need in found if not _is_certain(need, env, declared)]


def with_least_sizes(ranges: _Ranges, needs: Iterable[SizeNeed], graph: fx.Graph) -> _Ranges:
    """``ranges`` without the sizes for which an operator of ``graph`` raises, where that depends on
    one symbol: engines then refuse them by themselves."""
    from torch_tensorrt.dynamo._guards import linear

    env = shape_env_of(graph.find_nodes(op="placeholder"))
    narrowed = dict(ranges)
    for need in needs:
        parts = linear(need.size)
        if parts is None or not expr_of(need.least).is_Integer:
            continue
        symbol, a, b = parts
        least = -((b - int(need.least)) // a)
        low, opt, high = symbol_ranges([symbol], env, narrowed)[str(symbol)]
        if low < least <= high:
            narrowed[str(symbol)] = (least, max(opt, least), high)
    return narrowed


def _needs_of(node: fx.Node) -> Iterable[SizeNeed]:
    bounds = _BOUNDS.get(node.target) if node.op == "call_function" else None
    if bounds is None:
        return
    from torch_tensorrt.dynamo.conversion._arguments import bind_arguments
    from torch_tensorrt.dynamo.partitioning._support import op_text, source_line

    values = bind_arguments(node, lambda source: source.meta.get("val"))
    tensor = values["self"]
    if not isinstance(tensor, torch.Tensor) or tensor.dim() == 0:
        return
    axis = int(values["dim"] if "dim" in values else values["dimension"])
    size = tensor.shape[axis]
    if not free_symbols(size):
        return
    least = bounds(values)
    if least is None:
        return
    given = ", ".join(f"{k}={v}" for k, v in values.items() if k != "self")
    where = source_line(node)
    yield SizeNeed(
        expr_of(size),
        expr_of(least),
        f"{op_text(node.target)}({given})" + (f" at {where}" if where else ""),
    )


def _select(values: dict[str, Any]) -> Any:
    index = values["index"]
    if not isinstance(index, int):
        return None
    return index + 1 if index >= 0 else -index


def _narrow(values: dict[str, Any]) -> Any:
    start, length = values["start"], values["length"]
    if not isinstance(start, int):
        return None
    return start + length if start >= 0 else -start


def _unfold(values: dict[str, Any]) -> Any:
    return values["size"]


_aten = torch.ops.aten
#: The least size of the axis for the arguments of a call; None where the arguments do not tell.
_BOUNDS: dict[Any, Callable[[dict[str, Any]], Any]] = {
    _aten.select.int: _select,
    _aten.select_copy.int: _select,
    _aten.narrow.default: _narrow,
    _aten.narrow_copy.default: _narrow,
    _aten.unfold.default: _unfold,
    _aten.unfold_copy.default: _unfold,
}


def _is_certain(need: SizeNeed, env: Any, declared: _Ranges | None) -> bool:
    from torch.utils._sympy.value_ranges import ValueRanges, bound_sympy

    room = need.size - need.least
    ranges = symbol_ranges(room.free_symbols, env, declared)
    known = {s: ValueRanges(ranges[str(s)][0], ranges[str(s)][2]) for s in room.free_symbols}
    return bool(bound_sympy(room, known).lower >= 0)
