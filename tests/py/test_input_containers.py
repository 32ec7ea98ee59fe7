"""Inputs in containers of every kind that PyTorch's trees know keep their types."""

from __future__ import annotations

import collections
import dataclasses
from typing import Any

import pytest
import torch
import torch_tensorrt
from torch import nn
from torch_tensorrt import Input
from transformers.modeling_outputs import BaseModelOutput

X = torch.randn(3, 8)
RANGE = Input(min_shape=(1, 8), opt_shape=(3, 8), max_shape=(9, 8))


@dataclasses.dataclass
class Pair:
    first: Any
    second: Any


torch.export.register_dataclass(Pair, serialized_type_name="test_input_containers.Pair")


@dataclasses.dataclass
class Unknown:
    first: Any


class OfPair(nn.Module):
    def forward(self, given: Pair) -> torch.Tensor:
        assert isinstance(given, Pair)
        return given.first * 2 + given.second


class OfOutput(nn.Module):
    def forward(self, given: BaseModelOutput) -> torch.Tensor:
        return given.last_hidden_state * 2 + 1


class OfMapping(nn.Module):
    def forward(self, given: Any) -> torch.Tensor:
        assert isinstance(given, collections.OrderedDict)
        return given["a"] * 2 + 1


CASES = {
    "dataclass": (OfPair(), lambda value: Pair(value, value)),
    "model output": (OfOutput(), lambda value: BaseModelOutput(last_hidden_state=value)),
    "ordered dict": (OfMapping(), lambda value: collections.OrderedDict(a=value)),
}


@pytest.mark.parametrize("declared", [X, RANGE], ids=["static", "range"])
@pytest.mark.parametrize("case", CASES)
def test_containers(case: str, declared: Any, tmp_path: Any) -> None:
    model, wrap = CASES[case]
    inputs = [wrap(declared)]
    compiled = torch_tensorrt.compile(model, arg_inputs=inputs, min_block_size=1)
    path = str(tmp_path / "model.ep")
    torch_tensorrt.save(compiled, path, arg_inputs=inputs)
    for module in (compiled, torch_tensorrt.load(path).module()):
        for rows in (3,) if declared is X else (1, 9):
            given = wrap(torch.randn(rows, 8))
            torch.testing.assert_close(module(given), model(given))


def test_an_unknown_container_is_named() -> None:
    with pytest.raises(ValueError, match=r"Unknown.*register_dataclass"):
        torch_tensorrt.compile(OfPair(), arg_inputs=[Unknown(X)])
