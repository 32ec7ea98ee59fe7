"""Nodes whose conversion fails after all."""

import pytest
import torch
from torch import nn
from torch_tensorrt._exceptions import ConversionError
from torch_tensorrt.dynamo import partitioning
from torch_tensorrt.dynamo._build import compile_module
from torch_tensorrt.dynamo._ladder import MAX_LEFT_OUT
from torch_tensorrt.dynamo._op_names import op_names

from tests.py.dynamo.partitioning.graphs import Two, lowered, settings


def converting_all_but(*names):
    """A builder of engines, in PyTorch, that fails at operators the support check let through."""

    def convert(module, settings, *, name, input_ranges):
        for node in module.graph.nodes:
            if node.op == "call_function" and op_names(node.target) & set(names):
                raise ConversionError(node.name, str(node.target), reason="a surprise")
        return partitioning._split.in_torch(module)

    return convert


def test_a_node_whose_conversion_fails_is_left_out_of_the_engines():
    x = torch.randn(4, 5)
    gm = lowered(Two(), x)
    result = compile_module(gm, settings(), convert=converting_all_but("relu"))
    assert not result.failed
    assert len(result.partition.graph.engines) == 2
    [left] = result.partition.left_in_torch
    assert left.op == "aten.relu.default"
    assert left.reason == "conversion failed: a surprise"
    assert torch.equal(result.module(x), Two()(x))


def test_conversion_gives_up_after_some_failing_nodes():
    class Many(nn.Module):
        def forward(self, x):
            for _ in range(MAX_LEFT_OUT + 2):
                x = (x + 1).relu()
            return x

    x = torch.randn(4, 5)
    result = compile_module(lowered(Many(), x), settings(), convert=converting_all_but("relu"))
    assert len(result.partition.left_in_torch) == MAX_LEFT_OUT
    assert len(result.failed) == 1
    assert torch.equal(result.module(x), Many()(x))


def test_a_failing_conversion_is_an_error_when_everything_must_be_converted():
    gm = lowered(Two(), torch.randn(4, 5))
    with pytest.raises(ConversionError, match="a surprise"):
        compile_module(
            gm, settings(require_full_compilation=True), convert=converting_all_but("relu")
        )
