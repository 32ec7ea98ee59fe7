"""Numbers, flags and None among the arguments are constants of a compiled program: another value is
refused, never ignored."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch_tensorrt
from torch import nn
from torch_tensorrt._exceptions import InputMismatchError

X = torch.randn(3, 8)


class Scale(nn.Module):
    def forward(self, x: torch.Tensor, factor: Any) -> torch.Tensor:
        return x * factor + 1


class Masked(nn.Module):
    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        return x * 2 if mask is None else x * mask


class Configured(nn.Module):
    def forward(self, x: torch.Tensor, config: dict[str, Any]) -> torch.Tensor:
        return x * config["by"] if config["times"] else x + config["by"]


def test_numbers() -> None:
    compiled = torch_tensorrt.compile(Scale(), arg_inputs=[X, 2.0], min_block_size=1)
    for _ in range(2):
        torch.testing.assert_close(compiled(X, 2.0), X * 2 + 1)
        for other in (5.0, 2, True, "2.0", None, torch.tensor(2.0)):
            with pytest.raises(InputMismatchError, match=r"'factor' must be 2\.0"):
                compiled(X, other)


def test_none() -> None:
    compiled = torch_tensorrt.compile(Masked(), arg_inputs=[X, None], min_block_size=1)
    torch.testing.assert_close(compiled(X, None), X * 2)
    with pytest.raises(InputMismatchError, match=r"'mask' must be None.* shape \[3, 8\]"):
        compiled(X, torch.zeros(3, 8))


@pytest.mark.parametrize("retrace", [None, False, True])
def test_nested(retrace: bool | None, tmp_path: Any) -> None:
    given = {"by": X, "times": True}
    module = torch_tensorrt.compile(Configured(), arg_inputs=[X, given], min_block_size=1)
    if retrace is not None:
        path = str(tmp_path / "model.ep")
        torch_tensorrt.save(module, path, arg_inputs=[X, given], retrace=retrace)
        module = torch_tensorrt.load(path).module()
    torch.testing.assert_close(module(X, given), X * X)
    with pytest.raises(InputMismatchError, match="must be True"):
        module(X, {"by": X, "times": False})
