"""Capture: ranges of Inputs become dynamic dimensions."""

import pytest
import torch
from torch_tensorrt import Input
from torch_tensorrt.dynamo import trace
from torch_tensorrt.dynamo._compiler import declared_ranges
from torch_tensorrt.dynamo.lowering import unlift


class Add(torch.nn.Module):
    def forward(self, x, y):
        return (x + y).relu()


class Nested(torch.nn.Module):
    def forward(self, pair, *, table, flag=True):
        return pair[0] * table["w"] if flag else pair[1]


def ranged(low, opt, high, **keywords):
    return Input(min_shape=low, opt_shape=opt, max_shape=high, **keywords)


def placeholder_shapes(program):
    return [
        [str(s) for s in n.meta["val"].shape] for n in program.graph.nodes if n.op == "placeholder"
    ]


def test_static():
    program = trace(Add(), arg_inputs=[torch.zeros(2, 3), torch.zeros(3)])
    assert placeholder_shapes(program) == [["2", "3"], ["3"]]


def test_equal_sizes_are_found_by_capture():
    spec = ranged((1, 3), (2, 3), (8, 3))
    program = trace(Add(), arg_inputs=[spec, spec])
    shapes = placeholder_shapes(program)
    assert shapes[0] == shapes[1]
    assert shapes[0][0].startswith("s")


def test_opt_of_one_is_not_taken_as_a_constant():
    spec = ranged((1, 3), (1, 3), (8, 3))
    program = trace(Add(), arg_inputs=[spec, torch.zeros(3)])
    assert placeholder_shapes(program)[0][0].startswith("s")
    ranges = declared_ranges(unlift(program), [spec, None])
    assert list(ranges.values()) == [(1, 1, 8)]


def test_minimum_of_zero():
    spec = ranged((0, 3), (4, 3), (8, 3))
    program = trace(Add(), arg_inputs=[spec, torch.zeros(3)])
    assert list(declared_ranges(unlift(program), [spec, None]).values()) == [(0, 4, 8)]
    assert program.module()(torch.zeros(0, 3), torch.zeros(3)).shape == (0, 3)


def test_shared_dims_become_one_dimension():
    class Cat(torch.nn.Module):
        def forward(self, x, y):
            return torch.cat([x, y], 1)

    spec = ranged((1, 2), (4, 2), (8, 2), shared_dims={0: "batch"})
    shapes = placeholder_shapes(trace(Cat(), arg_inputs=[spec, spec]))
    assert shapes[0][0] == shapes[1][0]


def test_shared_dims_with_two_ranges():
    a = ranged((1, 3), (4, 3), (8, 3), shared_dims={0: "batch"})
    b = ranged((1, 3), (4, 3), (9, 3), shared_dims={0: "batch"})
    with pytest.raises(ValueError, match="batch"):
        trace(Add(), arg_inputs=[a, b])


def test_nested_and_keyword_inputs():
    spec = ranged((1, 3), (4, 3), (8, 3))
    program = trace(
        Nested(),
        arg_inputs=[(spec, torch.zeros(2))],
        kwarg_inputs={"table": {"w": torch.ones(3)}, "flag": True},
    )
    x = torch.randn(5, 3)
    out = program.module()((x, torch.zeros(2)), table={"w": torch.ones(3)}, flag=True)
    assert torch.equal(out, x)


def test_bad_inputs():
    with pytest.raises(ValueError, match="not both"):
        trace(Add(), [torch.zeros(1)], arg_inputs=[torch.zeros(1)])
    with pytest.raises(ValueError, match="object"):
        trace(Add(), arg_inputs=[object(), torch.zeros(1)])


def test_a_program_is_returned_as_it_is():
    program = trace(Add(), arg_inputs=[torch.zeros(1), torch.zeros(1)])
    assert trace(program) is program
