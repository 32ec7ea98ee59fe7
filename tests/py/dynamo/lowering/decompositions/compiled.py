"""A function through the product, wholly in engines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch_tensorrt


class Function(torch.nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: torch.Tensor) -> Any:
        return self.function(*args)


def check(function: Callable[..., Any], *args: torch.Tensor, exact: bool = False) -> None:
    """Compile under ``require_full_compilation`` and compare with eager mode."""
    program = torch.export.export(Function(function), args)
    compiled = torch_tensorrt.dynamo.compile(
        program, arg_inputs=args, require_full_compilation=True, min_block_size=1
    )
    got, expected = compiled(*args), function(*args)
    if isinstance(expected, torch.Tensor):
        got, expected = [got], [expected]
    for ours, theirs in zip(got, expected, strict=True):
        assert ours.dtype == theirs.dtype
        tolerance = {"rtol": 0, "atol": 0} if exact else {}
        torch.testing.assert_close(ours, theirs, equal_nan=True, **tolerance)
