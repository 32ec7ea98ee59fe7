"""Slices that take everything go, all others stay as they are."""

import sys

import pytest
import torch
import torch_tensorrt
from torch import nn
from torch_tensorrt.dynamo.lowering.passes.simplify_slices import simplify_slices

from tests.py.dynamo.lowering.passes.passed import graph_of, run_pass

SLICE = torch.ops.aten.slice.Tensor
X = torch.arange(12.0).reshape(3, 4)
WHOLE = [((), {}), ((1,), {}), ((0, 0, 3), {}), ((1, None, 99), {}), ((-1, 0, sys.maxsize), {})]
PARTS = [
    ((0, 1), {}),
    ((1, 0, 3), {}),
    ((1, 0, 4, 2), {}),
    ((0, 0, -1), {}),
    ((0, -2), {}),
    ((1,), {"start": 2}),
    ((), {"dim": 1, "end": 2}),
    ((0, 0, 3), {"step": 2}),
]


@pytest.mark.parametrize(("args", "kwargs"), [*WHOLE, *PARTS])
def test_slices(args, kwargs):
    def build(call, x):
        return [call(torch.ops.aten.neg.default, call(SLICE, x, *args, **kwargs))]

    gm, left = run_pass(simplify_slices, graph_of(build, X))
    assert (SLICE in left) == ((args, kwargs) in PARTS)
    assert torch.equal(gm(X)[0], -SLICE(X, *args, **kwargs))


def test_a_result_that_is_a_slice_stays_a_view():
    _, left = run_pass(simplify_slices, graph_of(lambda call, x: [call(SLICE, x)], X))
    assert left == [SLICE]


class Keywords(nn.Module):
    def forward(self, x):
        return SLICE(x + 1, dim=1, start=2) * 2


def test_keywords_in_a_model():
    compiled = torch_tensorrt.compile(Keywords(), arg_inputs=[X], min_block_size=1)
    assert torch.equal(compiled(X), Keywords()(X))
    torch._dynamo.reset()
    assert torch.equal(torch.compile(Keywords(), backend="tensorrt")(X), Keywords()(X))
