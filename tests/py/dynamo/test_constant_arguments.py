"""Numbers, flags and None among the arguments are constants of a compiled program: another value is
refused, never ignored."""

from __future__ import annotations

import math
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


def compiled_or_loaded(model: nn.Module, inputs: list[Any], retrace: bool | None, path: Any) -> Any:
    """The compiled module (``retrace`` is None), or what a file of it gives."""
    module = torch_tensorrt.compile(model, arg_inputs=inputs, min_block_size=1)
    if retrace is None:
        return module
    torch_tensorrt.save(module, str(path / "model.ep"), arg_inputs=inputs, retrace=retrace)
    return torch_tensorrt.load(str(path / "model.ep")).module()


WAYS = pytest.mark.parametrize("retrace", [None, False, True])


class Every(nn.Module):
    """One argument of each kind of constant."""

    def forward(
        self, x: torch.Tensor, mask: Any, by: float, times: int, flag: bool, how: str
    ) -> torch.Tensor:
        x = x if mask is None else x * mask
        x = x * by * times if flag else x
        return x.relu() if how == "relu" else x


@WAYS
@pytest.mark.parametrize("position", range(1, 6))
def test_every_kind_is_refused(position: int, retrace: bool | None, tmp_path: Any) -> None:
    captured = [X, None, 0.5, 3, True, "relu"]
    module = compiled_or_loaded(Every(), captured, retrace, tmp_path)
    name = ("x", "mask", "by", "times", "flag", "how")[position]
    must = rf"'{name}' must be {captured[position]!r}, with which .*, got "
    others: list[Any] = [torch.ones(3, 8), torch.tensor(2), None, 0.25, 4, False, "no"]
    for _ in range(2):
        torch.testing.assert_close(module(*captured), Every()(*captured))
        for other in others:
            if other is captured[position]:
                continue
            given = [*captured[:position], other, *captured[position + 1 :]]
            with pytest.raises(InputMismatchError, match=must):
                module(*given)


@WAYS
def test_zeros_and_nan(retrace: bool | None, tmp_path: Any) -> None:
    module = compiled_or_loaded(Scale(), [X, 0.0], retrace, tmp_path)
    for _ in range(2):
        torch.testing.assert_close(module(X, 0.0), X * 0.0 + 1)
        with pytest.raises(InputMismatchError, match=r"must be 0\.0.* got -0\.0"):
            module(X, -0.0)
    module = compiled_or_loaded(Scale(), [X, math.nan], retrace, tmp_path)
    torch.testing.assert_close(module(X, float("nan")), X * math.nan, equal_nan=True)
    with pytest.raises(InputMismatchError, match="must be nan"):
        module(X, 1.0)


@WAYS
def test_nested(retrace: bool | None, tmp_path: Any) -> None:
    given = {"by": X, "times": True}
    module = compiled_or_loaded(Configured(), [X, given], retrace, tmp_path)
    torch.testing.assert_close(module(X, given), X * X)
    with pytest.raises(InputMismatchError, match="must be True"):
        module(X, {"by": X, "times": False})
