"""Partitioning: verdicts with reasons, and what engines take."""

import pytest
import torch
from torch import nn
from torch_tensorrt._exceptions import UnsupportedOperatorException
from torch_tensorrt.dynamo import partitioning

from tests.py.dynamo.partitioning.graphs import Branches, Two, lowered, refuse, settings


@pytest.mark.parametrize("fast", [True, False])
def test_counts_and_results(fast):
    gm = lowered(Two(), torch.randn(4, 5))
    result = partitioning.partition(gm, settings(use_fast_partitioner=fast), refuse("sort"))
    assert len(result.graph.engines) == 2
    assert (result.engine_ops, result.total_ops) == (5, 6)
    x = torch.randn(4, 5)
    assert torch.equal(result.graph.module(x), Two()(x))


@pytest.mark.parametrize("fast", [True, False])
def test_branches(fast):
    inputs = (torch.randn(3, 4), torch.randn(3, 4))
    gm = lowered(Branches(), *inputs)
    result = partitioning.partition(gm, settings(use_fast_partitioner=fast), refuse("sort"))
    assert len(result.graph.engines) == 2
    assert torch.equal(result.graph.module(*inputs), Branches()(*inputs))


def test_whole_graph_is_one_engine_whatever_its_size():
    gm = lowered(Two(), torch.randn(4, 5))
    for required in (True, False):
        full = settings(require_full_compilation=required, min_block_size=100)
        result = partitioning.partition(gm, full, refuse())
        assert len(result.graph.engines) == 1
        assert result.left_in_torch == []
    part = partitioning.partition(gm, settings(min_block_size=100), refuse("relu"))
    assert part.graph.engines == []


class Views(nn.Module):
    def forward(self, x):
        return x.permute(1, 0).unsqueeze(0)


def test_a_graph_of_views_needs_no_engine():
    gm = lowered(Views(), torch.randn(4, 5))
    result = partitioning.partition(gm, settings(min_block_size=100), refuse())
    assert result.graph.engines == []
    assert all("views only" in left.reason for left in result.left_in_torch)


def test_require_full_compilation_names_op_shapes_and_line():
    gm = lowered(Two(), torch.randn(4, 5))
    with pytest.raises(UnsupportedOperatorException) as caught:
        partitioning.partition(gm, settings(require_full_compilation=True), refuse("sort"))
    text = str(caught.value)
    for part in ("aten.sort.default", "float32[4, 5]", "no converter", "y = torch.sort", "Way out"):
        assert part in text
    assert len(caught.value.nodes) == 1


@pytest.mark.parametrize("size", [1, 3, 4, 100])
def test_min_block_size(size):
    gm = lowered(Two(), torch.randn(4, 5))
    result = partitioning.partition(gm, settings(min_block_size=size), refuse("sort"))
    assert len(result.graph.engines) == {1: 2, 3: 1, 4: 0, 100: 0}[size]
    reasons = [left.reason for left in result.left_in_torch]
    assert all("min_block_size" in r or "no converter" in r for r in reasons)
    assert len(reasons) + result.engine_ops == result.total_ops
    x = torch.randn(4, 5)
    assert torch.equal(result.graph.module(x), Two()(x))


@pytest.mark.parametrize(
    "op",
    [
        *("aten.mul", "torch.ops.aten.mul.Tensor", "aten::mul", "mul"),
        *(torch.ops.aten.mul.Tensor, torch.ops.aten.mul),
    ],
)
def test_torch_executed_ops_in_every_spelling(op):
    gm = lowered(Two(), torch.randn(4, 5))
    result = partitioning.partition(gm, settings(torch_executed_ops=frozenset({op})), refuse())
    assert [left.op for left in result.left_in_torch] == ["aten.mul.Tensor"]
    assert result.left_in_torch[0].reason == "listed in torch_executed_ops"


class Inner(nn.Module):
    def forward(self, x):
        return x.sin() + 1


class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = Inner()
        self.second = Inner()

    def forward(self, x):
        return self.second(self.first(x) * 2)


@pytest.mark.parametrize(
    ("wanted", "left"), [(Inner, 4), ("Inner", 4), ("second", 2), ("other", 0), (nn.Linear, 0)]
)
def test_torch_executed_modules(wanted, left):
    gm = lowered(Outer(), torch.randn(4))
    chosen = settings(torch_executed_modules=frozenset({wanted}))
    result = partitioning.partition(gm, chosen, refuse())
    assert len(result.left_in_torch) == left
    assert all("torch_executed_modules" in entry.reason for entry in result.left_in_torch)
    x = torch.randn(4)
    assert torch.equal(result.graph.module(x), Outer()(x))


class Shared(nn.Module):
    """Calls one submodule twice."""

    def __init__(self):
        super().__init__()
        self.first = Inner()

    def forward(self, x):
        return self.first(self.first(x) * 2)


def test_torch_executed_modules_in_every_call_of_the_module():
    gm = lowered(Shared(), torch.randn(4))
    chosen = settings(torch_executed_modules=frozenset({"first"}))
    assert len(partitioning.partition(gm, chosen, refuse()).left_in_torch) == 4
