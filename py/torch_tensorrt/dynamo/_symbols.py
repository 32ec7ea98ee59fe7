"""Symbolic sizes in FX graphs: which inputs carry a symbol, and nodes that compute an
expression."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from itertools import zip_longest
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind

SYMBOLIC = (torch.SymInt, torch.SymFloat, torch.SymBool)

#: Operators that say a size of a tensor.
SIZE_OPERATORS = (torch.ops.aten.sym_size.int, torch.ops.aten.sym_numel.default)

#: Largest size an axis is assumed to reach when nothing bounds it.
UNBOUNDED = 2**31 - 1


def any_size() -> contextlib.AbstractContextManager[Any]:
    """While active, tracing takes no dynamic size to be at least 2.

    PyTorch's default is to assume it, without a guard, even of a size whose range has 0 and 1:
    ``if x.shape[0] == 1`` is captured as never. With this, code that asks leaves a guard, and what
    operators do with sizes of 1 (broadcasting) is captured for sizes that are not.
    """
    import torch.fx.experimental._config as config

    patched: contextlib.AbstractContextManager[Any] = config.patch(  # type: ignore[attr-defined]
        backed_size_oblivious=True
    )
    return patched


def expr_of(value: Any) -> Any:
    """The SymPy expression of a symbolic value or size; plain numbers become SymPy numbers."""
    import sympy  # type: ignore[import-untyped]

    if isinstance(value, SYMBOLIC):
        return value.node.expr
    return sympy.sympify(value)


def is_symbolic(value: Any) -> bool:
    """Whether ``value`` is a symbolic number whose value is not fixed."""
    return isinstance(value, SYMBOLIC) and bool(value.node.expr.free_symbols)


def is_number_node(node: fx.Node) -> bool:
    """Whether the node's value is a number (symbolic or not) rather than a tensor."""
    value = node.meta.get("val")
    return isinstance(value, (*SYMBOLIC, int, float, bool))


def free_symbols(value: Any) -> set[Any]:
    """Symbols in a number, in the shape of a tensor, or in a sequence of these."""
    if isinstance(value, SYMBOLIC):
        return set(value.node.expr.free_symbols)
    if isinstance(value, torch.Tensor):
        return {s for size in value.shape for s in free_symbols(size)}
    if isinstance(value, (list, tuple)):
        return {s for item in value for s in free_symbols(item)}
    return set()


def has_size_of_data(node: fx.Node) -> bool:
    """Whether the node is an operator whose result has as many elements as some values say."""
    tags = getattr(node.target, "tags", ())
    return torch.Tag.dynamic_output_shape in tags and isinstance(node.meta.get("val"), torch.Tensor)


def computed_symbols(node: fx.Node) -> set[Any]:
    """Symbols of the node's result that no size of what it takes has: its values give them."""
    if not has_size_of_data(node):
        return set()
    given = {s for source in node.all_input_nodes for s in free_symbols(source.meta.get("val"))}
    return free_symbols(node.meta["val"]) - given


def searched_shape(node: fx.Node) -> list[list[Any]]:
    """Shapes that, broadcast together, are what an operator with a size of data looks for elements
    in; none when its result may have more."""
    aten = torch.ops.aten
    if node.target in (aten.index.Tensor, aten._unsafe_index.Tensor):
        indices = node.args[1]
        assert isinstance(indices, (list, tuple))
        values = [n.meta["val"] for n in indices if isinstance(n, fx.Node)]
        masks = [value for value in values if value.dtype in (torch.bool, torch.uint8)]
        return [list(mask.shape) for mask in masks] if len(masks) == 1 else []
    if node.target in (aten.nonzero.default, aten.masked_select.default):
        return [list(n.meta["val"].shape) for n in node.all_input_nodes]
    return []


def most_found(node: fx.Node, upper: Callable[[Any], int | None]) -> int | None:
    """An upper bound of how many elements the operator finds, by those of sizes; None: unknown."""
    shapes = [[upper(size) for size in shape] for shape in searched_shape(node)]
    if not shapes:
        return None
    most = 1
    for sizes in zip_longest(*(reversed(shape) for shape in shapes), fillvalue=1):
        if None in sizes:
            return None
        most *= max(size for size in sizes if size is not None)
    return most


def shape_env_of(nodes: Iterable[fx.Node]) -> Any:
    """The ShapeEnv of the first symbolic value found, or None for a static graph."""
    for node in nodes:
        value = node.meta.get("val")
        candidates = value if isinstance(value, (list, tuple)) else [value]
        for item in candidates:
            sizes = item.shape if isinstance(item, torch.Tensor) else [item]
            for size in sizes:
                if isinstance(size, SYMBOLIC):
                    return size.node.shape_env
    return None


class SymbolBindings:
    """Where the symbols of a graph can be read, and nodes for expressions over them.

    Nodes are inserted right after the last placeholder, each expression once. Not thread-safe; one
    object for one graph, made after its placeholders and at least one more node.
    """

    def __init__(self, graph: fx.Graph) -> None:
        self._graph = graph
        self._sources: dict[Any, tuple[fx.Node, int | None]] = {}
        self._made: dict[Any, Any] = {}
        placeholders = [node for node in graph.nodes if node.op == "placeholder"]
        for node in placeholders:
            self._add_source(node)
        first = next(iter(graph.nodes))
        self._point: fx.Node = placeholders[-1].next if placeholders else first

    def _add_source(self, node: fx.Node) -> None:
        value = node.meta.get("val")
        if isinstance(value, torch.SymInt) and value.node.expr.is_symbol:
            self._sources[value.node.expr] = (node, None)
        elif isinstance(value, torch.Tensor):
            for axis, size in enumerate(value.shape):
                if isinstance(size, torch.SymInt) and size.node.expr.is_symbol:
                    self._sources.setdefault(size.node.expr, (node, axis))

    def known(self, symbols: Iterable[Any]) -> bool:
        """Whether every symbol can be read from a graph input."""
        return all(symbol in self._sources for symbol in symbols)

    def node_for(self, value: Any) -> Any:
        """A node (or a plain number) computing the symbolic number ``value``.

        REQUIRES: ``known(free_symbols(value))``.
        """
        from torch.utils._sympy.interp import sympy_interp
        from torch.utils._sympy.reference import PythonReferenceAnalysis

        expr = expr_of(value)
        if expr not in self._made:
            proxies = {s: fx.Proxy(self._symbol_node(s)) for s in expr.free_symbols}
            last = self._point.prev
            with self._graph.inserting_before(self._point):
                made = sympy_interp(PythonReferenceAnalysis, proxies, expr)
            self._annotate_after(last)
            self._made[expr] = made.node if isinstance(made, fx.Proxy) else made
        return self._made[expr]

    def _symbol_node(self, symbol: Any) -> fx.Node:
        if symbol not in self._made:
            node, axis = self._sources[symbol]
            if axis is not None:
                size = node.meta["val"].shape[axis]
                with self._graph.inserting_before(self._point):
                    node = self._graph.call_function(torch.ops.aten.sym_size.int, (node, axis))
                node.meta["val"] = size
            self._made[symbol] = node
        made: fx.Node = self._made[symbol]
        return made

    def _annotate_after(self, node: fx.Node) -> None:
        while (node := node.next) is not self._point:
            values = fx.map_arg(node.args, lambda n: n.meta["val"])
            node.meta["val"] = node.target(*values)  # type: ignore[operator]


class Ranges(dict[str, tuple[int, int, int]]):
    """Symbol name to ``(min, opt, max)``.

    Attributes:
        points: Of further optimisation profiles, symbol name to the size that they are for.
    """

    points: tuple[dict[str, int], ...] = ()


def symbol_ranges(symbols: Iterable[Any], shape_env: Any, declared: Ranges | None = None) -> Ranges:
    """The ranges of symbols, with what concerns them of the points of ``declared``.

    Declared ranges (of the user's Inputs) win; otherwise the range PyTorch knows is used, where a
    lower bound
    of 2 only says that the size was not specialised, so that 1 and 0 are allowed too.
    """
    ranges = Ranges()
    for symbol in symbols:
        name = str(symbol)
        if declared and name in declared:
            ranges[name] = declared[name]
            continue
        known = shape_env.var_to_range.get(symbol) if shape_env is not None else None
        low = finite(known.lower, 0) if known is not None else 0
        high = finite(known.upper, UNBOUNDED) if known is not None else UNBOUNDED
        low = 0 if low <= 2 else low
        ranges[name] = (low, min(max(_hint(symbol, shape_env, low), low), high), high)
    points = declared.points if declared is not None else ()
    mine = [{name: size for name, size in point.items() if name in ranges} for point in points]
    ranges.points = tuple(point for point in mine if point)
    return ranges


def stated_range(known: Any) -> tuple[int, int]:
    """Smallest and largest value of a size by what a captured program states of it (a
    ``ValueRanges``). A lower bound of 2 only says that the size was not taken as a constant."""
    low = finite(known.lower, 0)
    return 0 if low == 2 else low, finite(known.upper, UNBOUNDED)


def own_inputs(program: ExportedProgram) -> list[fx.Node]:
    """The placeholders of ``program`` that its callers give: no weights, no objects."""
    placeholders = program.graph.find_nodes(op="placeholder")
    sources = program.graph_signature.input_specs
    return [n for n, s in zip(placeholders, sources, strict=True) if s.kind == InputKind.USER_INPUT]


def finite(bound: Any, otherwise: int) -> int:
    """A bound of a range as a number; ``otherwise`` for an infinite one."""
    # Infinities are SymPy numbers too, but no Integers.
    finite = isinstance(bound, int) or getattr(bound, "is_Integer", False)
    return min(int(bound), UNBOUNDED) if finite else otherwise


def _hint(symbol: Any, shape_env: Any, low: int) -> int:
    name = "backed_var_to_val" if hasattr(shape_env, "backed_var_to_val") else "var_to_val"
    return int(getattr(shape_env, name, {}).get(symbol, max(low, 1)))
