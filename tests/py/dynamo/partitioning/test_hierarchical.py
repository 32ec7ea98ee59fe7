"""Several backends by priority."""

import pytest
import torch
from torch import nn
from torch_tensorrt._exceptions import InvalidOptionError, UnsupportedOperatorException
from torch_tensorrt.dynamo import CompilationSettings, lowering, partitioning, trace
from torch_tensorrt.dynamo.partitioning import (
    compile_subgraphs,
    hierarchical_adjacency_partition,
)
from torch_tensorrt.dynamo.runtime import TorchTensorRTModule


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 8), nn.Linear(8, 4)

    def forward(self, x):
        y = self.first(x).relu().sin() * 2
        y = torch.sort(y)[0].cumsum(0)
        values = torch.nonzero(y[0])
        return self.second(y).exp() + 1, values


def lowered(model, *inputs):
    return lowering.lower_exported_program(
        trace(model.eval(), arg_inputs=inputs), CompilationSettings()
    )


def same(got, wanted):
    for a, b in zip(got, wanted, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize(
    "taken",
    [{"aten.sort", "aten.cumsum"}, {"torch.ops.aten.sort.default", torch.ops.aten.cumsum.default}],
)
def test_each_node_goes_to_the_first_backend_that_takes_it(taken):
    model, x = Model(), torch.randn(3, 4)
    gm = lowered(model, x)
    module, result = hierarchical_adjacency_partition(
        gm,
        min_block_size=1,
        backend_priority=["other", "tensorrt"],
        backend_support_map={"other": taken},
        torch_executed_ops={"nonzero"},
    )
    names = [s.name for s in result.subgraphs]
    assert names == ["_run_on_acc_tensorrt_0", "_run_on_acc_other_1", "_run_on_acc_tensorrt_2"]
    assert [s.unit.op_count() for s in result.of("other")] == [2]
    assert [left.op for left in result.left_in_torch] == ["aten.nonzero.default"]
    assert "torch_executed_ops" in result.left_in_torch[0].reason
    ops = sum(s.unit.op_count() for s in result.subgraphs)
    assert ops + len(result.left_in_torch) == result.total_ops
    same(module(x), model(x))
    seen = []
    compile_subgraphs(module, result, {"other": lambda graph: seen.append(graph) or graph.forward})
    assert len(seen) == 1
    engines = [m for m in module.children() if isinstance(m, TorchTensorRTModule)]
    assert len(engines) == 2
    same(module(x), model(x))
    same(gm(x), model(x))


def test_inductor_takes_what_engines_refuse():
    model, x = Model(), torch.randn(3, 4)
    module, result = hierarchical_adjacency_partition(
        lowered(model, x),
        min_block_size=1,
        backend_priority=["tensorrt", "inductor"],
        backend_support_map={"tensorrt": {"linear", "addmm", "relu", "exp", "mul", "add"}},
        torch_executed_ops={"nonzero"},
    )
    assert [s.unit.backend for s in result.subgraphs].count("inductor") >= 1
    compiled = []

    def inductor(graph):
        compiled.append(graph)
        return torch.compile(graph, backend="eager")

    compile_subgraphs(module, result, {"inductor": inductor})
    assert compiled
    same(module(x), model(x))


def test_a_check_is_a_function_of_node_and_settings():
    model, x = Model(), torch.randn(3, 4)
    refuses = lambda node, settings: "not today" if "sort" in str(node.target) else None  # noqa: E731
    _, result = hierarchical_adjacency_partition(
        lowered(model, x),
        min_block_size=1,
        backend_priority=["mine"],
        backend_support_map={"mine": refuses},
    )
    left = result.left_in_torch[0]
    assert (left.op, left.reason) == ("aten.sort.default", "mine: not today")


def test_small_blocks_go_to_the_next_backend():
    model, x = Model(), torch.randn(3, 4)
    options = {
        "backend_priority": ["first", "second"],
        "backend_support_map": {
            "first": {"sin"},
            "second": {"sin", "relu", "mul", "linear", "addmm"},
        },
    }
    _, one = hierarchical_adjacency_partition(lowered(model, x), min_block_size=1, **options)
    _, two = hierarchical_adjacency_partition(lowered(model, x), min_block_size=2, **options)
    assert len(one.of("first")) == 1
    assert two.of("first") == []
    assert "sin" in {str(n.target).split(".")[1] for n in two.of("second")[0].unit.nodes}


def test_full_compilation_and_bad_backends():
    model, x = Model(), torch.randn(3, 4)
    gm = lowered(model, x)
    with pytest.raises(UnsupportedOperatorException, match=r"aten\.sort"):
        hierarchical_adjacency_partition(
            gm,
            backend_priority=["mine"],
            backend_support_map={"mine": {"relu"}},
            require_full_compilation=True,
        )
    for priority in ([], ["a", "a"], "tensorrt"):
        with pytest.raises(InvalidOptionError, match="backend_priority"):
            hierarchical_adjacency_partition(gm, backend_priority=priority)
    with pytest.raises(InvalidOptionError, match="inductor"):
        hierarchical_adjacency_partition(gm, backend_support_map={"inductor": {"relu"}})


def test_it_is_what_the_default_partitioner_does_with_one_backend():
    x = torch.randn(3, 4)
    settings = CompilationSettings(min_block_size=1, torch_executed_ops={"sort", "nonzero"})
    gm = lowered(Model(), x)
    expected = partitioning.partition(gm, settings)
    _, result = hierarchical_adjacency_partition(
        gm, min_block_size=1, torch_executed_ops={"sort", "nonzero"}
    )
    sizes = [engine.unit.op_count() for engine in expected.graph.engines]
    assert [s.unit.op_count() for s in result.subgraphs] == sizes
