"""Sizes that an engine computes: of results that have as many elements as some values say."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from torch_tensorrt.dynamo._settings import CompilationSettings
from torch_tensorrt.dynamo._symbols import (
    UNBOUNDED,
    computed_symbols,
    expr_of,
    finite,
    most_found,
    shape_env_of,
    symbol_ranges,
)

#: Kernels are tuned for half of the elements, but not for more than these.
_LIKELY_COUNT = 1 << 12


def refusal(node: fx.Node, settings: CompilationSettings) -> str | None:
    """Why no engine for the settings' device computes the sizes of ``node``; None when one does."""
    if settings.device is None or settings.device.to(torch.device).type == "cpu":
        return None
    if not computed_symbols(node):
        return None
    return "the size of its result depends on values, which engines on GPUs do not wait for"


def computed_ranges(node: fx.Node) -> dict[str, tuple[int, int, int]]:
    """``(min, opt, max)`` of the symbols that ``node`` computes, by name.

    At most as many as there are elements to find. What else the program states of them stays an
    assertion of its own.
    """
    env = shape_env_of([node])
    ranges = {}
    for name, (low, _, _) in symbol_ranges(sorted(computed_symbols(node), key=str), env).items():
        found = most_found(node, lambda size: _upper(size, env))
        high = max(low, UNBOUNDED if found is None else min(found, UNBOUNDED))
        ranges[name] = (low, max(low, min(high // 2, _LIKELY_COUNT)), high)
    return ranges


def _upper(size: Any, env: Any) -> int:
    from torch.utils._sympy.value_ranges import bound_sympy

    if isinstance(size, int):
        return size
    expr = expr_of(size)
    known = {s: env.var_to_range[s] for s in expr.free_symbols if s in env.var_to_range}
    return finite(bound_sympy(expr, known).upper, UNBOUNDED)
