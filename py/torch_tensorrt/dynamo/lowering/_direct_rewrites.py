"""Rewrites of the most frequent composite operators, without tracing them."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import fx
from torch._subclasses.fake_tensor import FakeTensor

aten = torch.ops.aten

#: Gives the replacement, inserted before the node, or None when the node is not of the usual form.
Rewrite = Callable[[fx.Graph, fx.Node], fx.Node | None]


def _named_arguments(node: fx.Node) -> dict[str, Any]:
    schema = node.target._schema  # type: ignore[union-attr]
    values = {a.name: a.default_value for a in schema.arguments if a.has_default_value()}
    values.update(zip((a.name for a in schema.arguments), node.args, strict=False))
    values.update(node.kwargs)
    return values


def _made(
    graph: fx.Graph, node: fx.Node, target: Any, args: tuple[Any, ...], value: Any
) -> fx.Node:
    made = graph.call_function(target, args)
    made.meta.update(node.meta)
    made.meta["val"] = value
    return made


def _convolution(dims: int) -> Rewrite:
    def rewrite(graph: fx.Graph, node: fx.Node) -> fx.Node | None:
        a = _named_arguments(node)
        if a["input"].meta["val"].dim() != dims + 2:
            return None
        lists = [_per_axis(a[name], dims) for name in ("stride", "padding", "dilation")]
        args = (a["input"], a["weight"], a["bias"], *lists, False, [0] * dims, a["groups"])
        return _made(graph, node, aten.convolution.default, args, node.meta["val"])

    return rewrite


def _per_axis(values: Any, dims: int) -> list[Any]:
    listed = [values] if isinstance(values, int) else list(values)
    return listed * dims if len(listed) == 1 else listed


def _batch_norm(graph: fx.Graph, node: fx.Node) -> fx.Node | None:
    a = _named_arguments(node)
    value = node.meta["val"]
    statistics = (a["running_mean"], a["running_var"])
    if a["training"] or None in statistics or not isinstance(value, FakeTensor):
        return None
    args = (a["input"], a["weight"], a["bias"], *statistics, a["momentum"], a["eps"])
    with value.fake_mode:
        empty = torch.empty(0, dtype=value.dtype, device=value.device)
    target = aten._native_batch_norm_legit_no_training.default
    made = _made(graph, node, target, args, (value, empty, empty))
    return _made(graph, node, operator.getitem, (made, 0), value)


DIRECT_REWRITES: dict[Any, Rewrite] = {
    aten.conv1d.default: _convolution(1),
    aten.conv2d.default: _convolution(2),
    aten.conv3d.default: _convolution(3),
    aten.batch_norm.default: _batch_norm,
}
