"""Operators for autograd and capture go, except where they make the object that is handed out."""

import pytest
import torch
from torch_tensorrt.dynamo.lowering.passes.remove_detach import remove_detach

from tests.py.dynamo.lowering.passes.passed import graph_of, run_pass

aten = torch.ops.aten
X = torch.randn(3)
IDENTITIES = [
    aten.detach.default,
    aten.alias.default,
    aten.lift_fresh.default,
    aten.lift_fresh_copy.default,
]


@pytest.mark.parametrize("op", IDENTITIES)
def test_inside(op):
    def build(call, x):
        return [call(aten.neg.default, call(op, call(op, x)))]

    gm, left = run_pass(remove_detach, graph_of(build, X))
    assert left == [aten.neg.default]
    assert torch.equal(gm(X)[0], -X)


@pytest.mark.parametrize("op", IDENTITIES)
def test_results(op):
    gm, left = run_pass(remove_detach, graph_of(lambda call, x: [call(op, x)], X))
    assert left == [op]
    assert torch.equal(gm(X)[0], X)
