"""Sizes that an engine computes: of results that have as many elements as some values say."""

from __future__ import annotations

import math
from itertools import zip_longest
from typing import Any

import torch
from torch import fx

from torch_tensorrt.dynamo._settings import CompilationSettings
from torch_tensorrt.dynamo._symbols import (
    UNBOUNDED,
    computed_symbols,
    expr_of,
    finite,
    shape_env_of,
    symbol_ranges,
)

aten = torch.ops.aten

#: Share of the elements that kernels are tuned for.
_LIKELY_SHARE = 2


def refusal(node: fx.Node, settings: CompilationSettings) -> str | None:
    """Why no engine for the settings' device computes the sizes of ``node``; None when one does."""
    if settings.device is None or settings.device.to(torch.device).type == "cpu":
        return None
    if not computed_symbols(node):
        return None
    return "the size of its result depends on values, which engines on GPUs do not wait for"


def computed_ranges(node: fx.Node) -> dict[str, tuple[int, int, int]]:
    """``(min, opt, max)`` of the symbols that ``node`` computes, by name: what capture knows of
    them, and not more than there are elements to find."""
    symbols = computed_symbols(node)
    env = shape_env_of([node])
    ranges = {}
    for name, (low, _, high) in symbol_ranges(sorted(symbols, key=str), env).items():
        high = max(low, min(high, _most(node, env)))
        ranges[name] = (low, min(max(high // _LIKELY_SHARE, low), _LIKELY_COUNT), high)
    return ranges


#: Where nothing bounds the number of elements, and at most: it only tunes.
_LIKELY_COUNT = 1 << 12


def _most(node: fx.Node, env: Any) -> int:
    """An upper bound of how many elements the operator finds."""
    shapes = [[_upper(size, env) for size in tensor.shape] for tensor in _searched(node)]
    if not shapes:
        return UNBOUNDED
    joint = zip_longest(*(reversed(shape) for shape in shapes), fillvalue=1)
    return min(math.prod(max(sizes) for sizes in joint), UNBOUNDED)


def _searched(node: fx.Node) -> list[torch.Tensor]:
    """The tensors that it looks for elements in, together; none when the bound is another."""
    if node.target in (aten.index.Tensor, aten._unsafe_index.Tensor):
        indices = node.args[1]
        assert isinstance(indices, (list, tuple))
        values = [n.meta["val"] for n in indices if isinstance(n, fx.Node)]
        masks = [value for value in values if value.dtype in (torch.bool, torch.uint8)]
        return masks if len(masks) == 1 else []
    if node.target in (aten.nonzero.default, aten.masked_select.default):
        return [n.meta["val"] for n in node.all_input_nodes]
    return []


def _upper(size: Any, env: Any) -> int:
    from torch.utils._sympy.value_ranges import bound_sympy

    if isinstance(size, int):
        return size
    expr = expr_of(size)
    known = {s: env.var_to_range[s] for s in expr.free_symbols if s in env.var_to_range}
    return finite(bound_sympy(expr, known).upper, UNBOUNDED)
