"""Sizes that depend on data, in graphs that are traced once and spliced in for one node or more.

Tracing an operator such as ``where(mask)`` makes a symbol for the number of elements that it
finds. In the graph around it that number has a symbol already, which the node's users have in
their shapes; and the same traced graph, put in the place of another ``where``, finds another
number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import fx
from torch.utils import _pytree as pytree

from torch_tensorrt.dynamo._symbols import SYMBOLIC, expr_of, free_symbols, shape_env_of


class NotHandled(Exception):
    """The graph needs the general way; the message says why."""


def symbol_renames(traced: fx.GraphModule, inputs: list[fx.Node], node: fx.Node) -> dict[Any, Any]:
    """What the symbols that ``traced`` makes are to be called in the place of ``node``.

    Symbols of its results get the expressions that ``node`` has there, others new symbols.

    Raises:
        NotHandled: the results' sizes cannot be told from each other that way.
    """
    given = {s for leaf in inputs for s in free_symbols(leaf.meta["val"])}
    made = {s for inner in traced.graph.nodes for s in free_symbols(inner.meta.get("val"))} - given
    wanted = free_symbols(node.meta["val"]) - given
    if not made and not wanted:
        return {}
    pairs = _paired_sizes(traced, node)
    renames: dict[Any, Any] = {}
    for size, name in pairs:
        if size in made and renames.setdefault(size, name) != name:
            raise NotHandled(f"{node}: {size} is both {renames[size]} and {name}")
    for size, name in pairs:
        concerned = size.free_symbols & made or name.free_symbols & wanted
        if concerned and size.xreplace(renames) != name:
            raise NotHandled(f"{node}: a size of {size} stands for {name}")
    env = shape_env_of(traced.graph.nodes)
    for symbol in sorted(made - renames.keys(), key=str):
        fresh = env.create_unbacked_symint().node.expr
        env.var_to_range[fresh] = env.var_to_range[symbol]
        renames[symbol] = fresh
    return renames


def _paired_sizes(traced: fx.GraphModule, node: fx.Node) -> list[tuple[Any, Any]]:
    """The sizes and numbers of the traced results, each with that of ``node``'s in its place."""
    (output,) = (inner for inner in traced.graph.nodes if inner.op == "output")
    results = pytree.tree_leaves(output.args[0])
    values = [r.meta["val"] if isinstance(r, fx.Node) else r for r in results]
    wanted = pytree.tree_leaves(node.meta["val"])
    if len(values) != len(wanted):
        raise NotHandled(f"{node} has {len(wanted)} results, its decomposition {len(values)}")
    pairs: list[tuple[Any, Any]] = []
    for value, want in zip(values, wanted, strict=True):
        if isinstance(value, torch.Tensor) and isinstance(want, torch.Tensor):
            if value.dim() != want.dim():
                raise NotHandled(f"{node}: its decomposition has another rank")
            pairs += zip(map(expr_of, value.shape), map(expr_of, want.shape), strict=True)
        elif isinstance(value, SYMBOLIC) and isinstance(want, SYMBOLIC):
            pairs.append((expr_of(value), expr_of(want)))
    return pairs


def rename_symbols(node: fx.Node, renames: Mapping[Any, Any]) -> None:
    """Rename symbols in what is noted about a node's value."""
    value = node.meta.get("val")
    if not free_symbols(value) & renames.keys():
        return
    node.meta["val"] = pytree.tree_map(lambda leaf: _renamed(leaf, renames), value)
    bindings = node.meta.get("unbacked_bindings")
    if bindings:
        node.meta["unbacked_bindings"] = {renames.get(s, s): at for s, at in bindings.items()}


def _renamed(value: Any, renames: Mapping[Any, Any]) -> Any:
    from torch.fx.experimental.sym_node import SymNode

    if isinstance(value, SYMBOLIC):
        old = value.node
        expr = old.expr.xreplace(renames)
        if not expr.free_symbols:
            return old.pytype(expr)
        return type(value)(SymNode(expr, old.shape_env, old.pytype, None))
    if not isinstance(value, torch.Tensor) or not free_symbols(value):
        return value
    if value.storage_offset() != 0:
        raise NotHandled("a view of data-dependent size does not begin where its memory does")
    shape = [_renamed(size, renames) for size in value.shape]
    stride = [_renamed(step, renames) for step in value.stride()]
    with value.fake_mode:  # type: ignore[attr-defined]
        return torch.empty_strided(shape, stride, dtype=value.dtype, device=value.device)
