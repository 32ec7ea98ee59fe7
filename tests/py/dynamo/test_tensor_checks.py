"""Inputs that PyTorch reads, and not an engine, are checked as those of engines are."""

from __future__ import annotations

import pytest
import torch
import torch_tensorrt
from torch import nn
from torch_tensorrt import Input
from torch_tensorrt._exceptions import DynamicShapeOutOfRangeException, InputMismatchError


class InPyTorch(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.linalg.svdvals(x).sum()[None] * x.shape[0]


class BeforeAnEngine(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return ((torch.linalg.svdvals(x) * x.shape[0]).sin().cos().exp().relu() + 1).sum()[None]


class Unused(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return x * 2 + 1


@pytest.mark.parametrize("kind", [InPyTorch, BeforeAnEngine])
def test_static_inputs(kind: type[nn.Module]) -> None:
    compiled = torch_tensorrt.compile(kind(), arg_inputs=[torch.eye(4)])
    x = torch.randn(4, 4)
    for _ in range(2):
        torch.testing.assert_close(compiled(x), kind()(x))
        with pytest.raises(
            InputMismatchError, match=r"'x' has shape \[7, 4\] but axis 0 must be 4"
        ):
            compiled(torch.randn(7, 4))
        with pytest.raises(InputMismatchError, match=r"'x' must be f32, got f64"):
            compiled(x.double())
        with pytest.raises(InputMismatchError, match=r"'x' must have 2 axes"):
            compiled(x[0])


def test_ranges() -> None:
    declared = Input(min_shape=(2, 2), opt_shape=(4, 4), max_shape=(6, 6))
    compiled = torch_tensorrt.compile(InPyTorch(), arg_inputs=[declared])
    for size in (2, 5, 6):
        x = torch.randn(size, size)
        torch.testing.assert_close(compiled(x), InPyTorch()(x))
    with pytest.raises(DynamicShapeOutOfRangeException, match=r"size 9 on axis 0.*\[2, 6\]"):
        compiled(torch.randn(9, 9))


def test_unused_inputs() -> None:
    compiled = torch_tensorrt.compile(
        Unused(), arg_inputs=[torch.eye(4), torch.eye(3)], min_block_size=1
    )
    compiled(torch.eye(4), torch.eye(3))
    with pytest.raises(InputMismatchError, match="'y' has shape"):
        compiled(torch.eye(4), torch.eye(4))
