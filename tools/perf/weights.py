"""Random weights for models of billions of parameters, in seconds rather than minutes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

_BLOCK = (1 << 20) + 7  # values that are drawn; no power of two, so that rows of a matrix differ


def repeated_normal(shape: tuple[int, ...], generator: torch.Generator | None) -> torch.Tensor:
    """Normal values of ``shape``, the same ones over and over after about a million."""
    values = torch.randn(_BLOCK, generator=generator)
    count = torch.Size(shape).numel()
    return values.repeat(count // _BLOCK + 1)[:count].reshape(shape)


@torch.no_grad()
def build_large(build: Callable[[], nn.Module]) -> nn.Module:
    """The module that ``build`` makes, with weights of unit gain.

    Matrices and filters are drawn with a variance of one over their inputs, vectors are 1 (weights)
    or 0 (biases). Buffers that the constructor computes are lost: restore them.
    """
    with torch.device("meta"):
        module = build()
    module = module.to_empty(device="cpu")
    for name, parameter in module.named_parameters():
        if parameter.dim() == 1:
            parameter.fill_(0.0 if name.endswith("bias") else 1.0)
            continue
        inputs = parameter[0].numel()
        parameter.copy_(repeated_normal(tuple(parameter.shape), None).mul_(inputs**-0.5))
    return module
