"""Modules that update their own buffers or weights while they run, in engines as in eager mode."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch_tensorrt
from torch import nn
from torch_tensorrt.dynamo.runtime import TorchTensorRTModule

IMAGE = (3, 4, 5, 7)
#: How much more than eager's own error is allowed.
FACTOR = {torch.float32: 2.0, torch.bfloat16: 3.0}
NORMS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "batch1d": (nn.BatchNorm1d(4), (9, 4)),
    "batch1d_sequence": (nn.BatchNorm1d(4, momentum=0.3), (2, 4, 33)),
    "batch2d": (nn.BatchNorm2d(4, eps=0.1), IMAGE),
    "batch2d_plain": (nn.BatchNorm2d(4, affine=False), IMAGE),
    "batch3d": (nn.BatchNorm3d(4), (2, 4, 3, 2, 5)),
    "batch_counts": (nn.BatchNorm2d(4, momentum=None), IMAGE),
    "instance2d": (nn.InstanceNorm2d(4, affine=True, track_running_stats=True), IMAGE),
}
#: torch.export cannot capture a momentum that is read from a buffer.
WAYS = [
    (name, how)
    for name in NORMS
    for how in ("export", "jit")
    if (name, how) != ("batch_counts", "export")
]


class Between(nn.Module):
    """A module between two cheap operators."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.inner(x * 3 + 2))


def _compiled(how: str, module: nn.Module, x: torch.Tensor) -> Any:
    options: Any = {"min_block_size": 1, "require_full_compilation": True}
    if how == "jit":
        torch._dynamo.reset()
        return torch.compile(module, backend="tensorrt", options=options)
    made = torch_tensorrt.compile(module, arg_inputs=[x], **options)
    assert any(isinstance(m, TorchTensorRTModule) for m in made.modules())
    return made


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize(("name", "how"), WAYS)
def test_statistics_follow_the_batches(name: str, how: str, dtype: torch.dtype) -> None:
    inner, shape = NORMS[name]
    torch.manual_seed(0)
    eager = Between(copy.deepcopy(inner)).to(dtype).train()
    ours = copy.deepcopy(eager)
    exact = copy.deepcopy(eager).double()
    with torch.no_grad():
        call = _compiled(how, ours, torch.randn(shape).to(dtype))
        for _ in range(3):
            x = torch.randn(shape).to(dtype)
            _near(call(x), eager(x), exact(x.double()))
        state = _buffers(ours if how == "jit" else call)
        wide = _buffers(exact)
        updated = [key for key in wide if key in state]  # an instance norm counts no batches
        assert {"inner.running_mean", "inner.running_var"} <= set(updated)
        for key in updated:
            _near(state[key], eager.get_buffer(key), wide[key])


def _near(ours: torch.Tensor, eager: torch.Tensor, exact: torch.Tensor) -> None:
    """Errors against float64 at most FACTOR times eager's, and a bit in the last place."""
    assert ours.dtype == eager.dtype
    assert ours.shape == eager.shape
    if not ours.dtype.is_floating_point:
        assert torch.equal(ours, eager)
        return
    allowed = FACTOR[ours.dtype] * (eager.double() - exact).abs().max() + 1e-6
    assert (ours.double() - exact).abs().max() <= allowed


def _buffers(module: nn.Module) -> dict[str, torch.Tensor]:
    return dict(module.named_buffers())


@pytest.mark.parametrize("norm", [1.0, 2.0, float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
def test_long_rows_of_an_embedding_become_shorter(norm: float, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    table = (torch.randn(31, 7) * 2).to(dtype)

    class Lookup(nn.Module):
        def forward(self, indices: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
            found = nn.functional.embedding(indices, weight, max_norm=1.5, norm_type=norm)
            return found * 2

    indices = torch.tensor([[3, 3, 30], [0, 7, 3]])
    with torch.no_grad():
        call = torch_tensorrt.compile(
            Lookup(),
            arg_inputs=[indices, table.clone()],
            min_block_size=1,
            require_full_compilation=True,
        )
        ours, theirs = table.clone(), table.clone()
        torch.testing.assert_close(call(indices, ours), Lookup()(indices, theirs))
    torch.testing.assert_close(ours, theirs)
    assert torch.equal(ours[1], table[1])  # not looked up
    assert not torch.equal(ours[3], table[3])
