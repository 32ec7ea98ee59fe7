"""Gives clamps by NaN the meaning that PyTorch gives them."""

from __future__ import annotations

import math

import torch
from torch import fx

from torch_tensorrt.dynamo._settings import CompilationSettings

aten = torch.ops.aten

_CLAMPS = (
    aten.clamp.default,
    aten.clamp_min.default,
    aten.clamp_max.default,
    aten.clip.default,
)


def replace_nan_bounds(gm: fx.GraphModule, settings: CompilationSettings) -> fx.GraphModule:
    """``clamp(x, nan)`` -> ``x * nan``: every element is NaN. Engines order bounds by comparing."""
    for node in gm.graph.nodes:
        if node.target not in _CLAMPS:
            continue
        bounds = [*node.args[1:], *node.kwargs.values()]
        if any(isinstance(bound, float) and math.isnan(bound) for bound in bounds):
            node.target = aten.mul.Tensor
            node.args = (node.args[0], math.nan)
            node.kwargs = {}
    return gm
