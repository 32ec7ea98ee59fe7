"""The cost model: small blocks that cost more to call than they save stay in PyTorch."""

import pytest
import torch
from torch import nn
from torch_tensorrt import Input
from torch_tensorrt.dynamo import CompilationSettings, lowering, partitioning, trace
from torch_tensorrt.dynamo.partitioning._cost import crossing_cost, engine_gain


class Small(nn.Module):
    """Two operators of many inputs and outputs before an operator that stays in PyTorch, five
    after it."""

    def forward(self, x, *others):
        a, b = x * others[0], others[1] * others[2]
        c = torch.sort(a)[0]
        return a, b, (((c + 1) * 2).exp() - 1).tanh()


def partitioned(inputs, **options):
    settings = CompilationSettings(
        **{"min_block_size": 2, "torch_executed_ops": {"sort"}} | options
    )
    gm = lowering.lower_exported_program(trace(Small().eval(), arg_inputs=inputs), settings)
    return partitioning.partition(gm, settings)


def tensors(*shape):
    return [torch.randn(*shape) for _ in range(4)]


def test_a_small_block_with_many_tensors_stays_in_pytorch():
    inputs = tensors(3)
    result = partitioned(inputs)
    sizes = [engine.unit.op_count() for engine in result.graph.engines]
    reasons = [left.reason for left in result.left_in_torch if "sort" not in left.op]
    assert sizes == [5]
    assert len(reasons) == 2
    assert all("would cost more (about 8 us)" in r and "about 6 us" in r for r in reasons)
    for got, wanted in zip(result.graph.module(*inputs), Small()(*inputs), strict=True):
        torch.testing.assert_close(got, wanted)


def test_large_tensors_speak_for_the_engine():
    class Chain(nn.Module):
        def forward(self, x, y):
            return torch.sort((x + y) * 2)[0]

    for size, engines in ((4, 0), (100_000, 1)):
        settings = CompilationSettings(min_block_size=2, torch_executed_ops={"sort"})
        inputs = [torch.randn(size), torch.randn(size)]
        gm = lowering.lower_exported_program(trace(Chain().eval(), arg_inputs=inputs), settings)
        assert len(partitioning.partition(gm, settings).graph.engines) == engines


def test_sizes_that_vary_count_as_large():
    spec = [Input(min_shape=(1,), opt_shape=(3,), max_shape=(9,), shared_dims={0: "n"})] * 4
    result = partitioned(spec, min_block_size=2)
    unit = result.graph.engines[0].unit
    assert engine_gain(unit) == float("inf") or crossing_cost(unit) <= engine_gain(unit)


@pytest.mark.parametrize("options", [{"min_block_size": 1}])
def test_asking_for_every_engine(options):
    sizes = [e.unit.op_count() for e in partitioned(tensors(3), **options).graph.engines]
    assert sum(sizes) == 7


def test_a_graph_that_is_one_engine_is_never_refused():
    class One(nn.Module):
        def forward(self, *inputs):
            return tuple(x + 1 for x in inputs)

    settings = CompilationSettings(min_block_size=2)
    inputs = [torch.randn(2) for _ in range(40)]
    gm = lowering.lower_exported_program(trace(One().eval(), arg_inputs=inputs), settings)
    result = partitioning.partition(gm, settings)
    assert len(result.graph.engines) == 1
    unit = result.graph.engines[0].unit
    assert engine_gain(unit) > crossing_cost(unit)  # forty operators are worth one call
    full = CompilationSettings(min_block_size=2, require_full_compilation=True)
    assert len(partitioning.partition(gm, full).graph.engines) == 1
