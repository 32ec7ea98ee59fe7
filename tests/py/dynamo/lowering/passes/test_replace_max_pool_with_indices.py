"""Pooling without indices takes over only where nobody reads them."""

import operator

import pytest
import torch
from torch_tensorrt.dynamo.lowering.passes.replace_max_pool_with_indices import (
    replace_max_pool_with_indices,
)

from tests.py.dynamo.lowering.passes.passed import graph_of, run_pass

aten = torch.ops.aten
X = torch.randn(1, 2, 7, 7)


@pytest.mark.parametrize("reads", [[0], [1], [0, 1], [0, 0]])
def test_who_reads_what(reads):
    def build(call, x):
        pooled = call(aten.max_pool2d_with_indices.default, x, [3, 3], [2, 2])
        return [call(operator.getitem, pooled, index) for index in reads]

    gm, _ = run_pass(replace_max_pool_with_indices, graph_of(build, X))
    gm.graph.eliminate_dead_code()
    plain = gm.graph.find_nodes(op="call_function", target=aten.max_pool2d.default)
    assert bool(plain) == (1 not in reads)
    wanted = aten.max_pool2d_with_indices(X, [3, 3], [2, 2])
    for got, index in zip(gm(X), reads, strict=True):
        assert torch.equal(got, wanted[index])
