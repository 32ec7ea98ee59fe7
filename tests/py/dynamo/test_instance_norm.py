"""Instance norm, and batch norm by the batch's own statistics, through both entry points."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch_tensorrt
from torch import nn

NORMS: dict[int, Any] = {1: nn.InstanceNorm1d, 2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}
SIZES = {1: (40,), 2: (7, 9), 3: (3, 5, 4)}
#: How much more than eager's own error is allowed.
FACTOR = {torch.float32: 2.0, torch.bfloat16: 3.0, torch.float16: 3.0}


class Normalised(nn.Module):
    """A norm between two cheap operators."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.norm(x * 3 + 2))


def _run(how: str, module: nn.Module, inputs: list[torch.Tensor], dynamic: bool) -> Any:
    options: Any = {"require_full_compilation": True}
    if how == "jit":
        torch._dynamo.reset()
        compiled = torch.compile(module, backend="tensorrt", dynamic=dynamic, options=options)
        return [compiled(x) for x in inputs]
    free = dict.fromkeys((0, *range(2, inputs[0].dim())), torch.export.Dim.DYNAMIC)
    program = torch.export.export(module, (inputs[0],), dynamic_shapes=(free,) if dynamic else None)
    compiled = torch_tensorrt.dynamo.compile(program, arg_inputs=[inputs[0]], **options)
    return [compiled(x) for x in inputs]


def _check(how: str, norm: nn.Module, rank: int, dtype: torch.dtype, dynamic: bool) -> None:
    torch.manual_seed(0)
    for parameter in norm.parameters():
        nn.init.uniform_(parameter, -1.5, 1.5)
    module = Normalised(norm).eval().to(dtype)
    shapes = [(2, 6, *SIZES[rank])]
    if dynamic:
        shapes.append((3, 6, *(size + 2 for size in SIZES[rank])))
    inputs = [torch.randn(shape).to(dtype) for shape in shapes]
    with torch.no_grad():
        results = _run(how, module, inputs, dynamic)
        for x, ours in zip(inputs, results, strict=True):
            theirs = module(x).double()
            module.double()
            exact = module(x.double())
            module.to(dtype)
            allowed = FACTOR[dtype] * (theirs - exact).abs().max() + 1e-6
            assert ours.dtype == dtype
            assert (ours.double() - exact).abs().max() <= allowed


@pytest.mark.parametrize("how", ["jit", "aot"])
@pytest.mark.parametrize(
    ("rank", "dtype", "dynamic", "affine"),
    [
        (1, torch.float32, True, True),
        (1, torch.bfloat16, False, False),
        (2, torch.float32, False, False),
        (2, torch.bfloat16, True, True),
        (2, torch.float16, True, False),
        (3, torch.float32, True, False),
        (3, torch.float16, False, True),
    ],
)
def test_instance_norm(
    how: str, rank: int, dtype: torch.dtype, dynamic: bool, affine: bool
) -> None:
    _check(how, NORMS[rank](6, affine=affine), rank, dtype, dynamic)


@pytest.mark.parametrize("how", ["jit", "aot"])
def test_instance_norm_with_running_statistics(how: str) -> None:
    norm = nn.InstanceNorm2d(6, affine=True, track_running_stats=True)
    with torch.no_grad():
        norm(torch.randn(4, 6, 5, 5) * 2 + 1)
    _check(how, norm, 2, torch.float32, True)


@pytest.mark.parametrize("how", ["jit", "aot"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_batch_norm_without_running_statistics(how: str, dtype: torch.dtype) -> None:
    _check(how, nn.BatchNorm2d(6, track_running_stats=False), 2, dtype, True)


def test_instance_norm_in_training_mode_updates_its_statistics() -> None:
    ours, theirs = (nn.InstanceNorm2d(3, track_running_stats=True) for _ in range(2))
    x = torch.randn(2, 3, 5, 5) + 4
    torch._dynamo.reset()
    with torch.no_grad():
        torch.testing.assert_close(torch.compile(ours, backend="tensorrt")(x), theirs(x))
    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    torch.testing.assert_close(ours.running_var, theirs.running_var)
