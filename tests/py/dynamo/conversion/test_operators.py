"""Every case: convert, build, run, compare; with known sizes and with one engine for many sizes."""

from __future__ import annotations

import pytest
import torch
import torch_tensorrt
from torch_tensorrt.dynamo._settings import CompilationSettings
from torch_tensorrt.dynamo.conversion import node_support

from tests.py.dynamo.conversion import (
    cases_compute,
    cases_integer,
    cases_pointwise,
    cases_shape,
    cases_special,
)
from tests.py.dynamo.conversion.harness import Case, check, graph_of, tensor

CASES: list[Case] = [
    *cases_pointwise.CASES,
    *cases_shape.CASES,
    *cases_compute.CASES,
    *cases_integer.CASES,
    *cases_special.CASES,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_known_sizes(case: Case) -> None:
    check(case, 7, dynamic=False)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_sizes_known_at_run_time(case: Case) -> None:
    check(case, 7, dynamic=True, sizes=(33, 4))


DIVISIONS = ["aten.floor_divide.default", "aten.remainder.Tensor", "aten.fmod.Tensor"]


@pytest.mark.parametrize("op", DIVISIONS)
def test_an_integer_divisor_that_may_be_zero_is_refused(op: str) -> None:
    case = Case(op, lambda n: (tensor(n, dtype=torch.int64), tensor(n, dtype=torch.int64)))
    reason = node_support(graph_of(case, 7, dynamic=False)[1], CompilationSettings())
    assert reason is not None
    assert "divisor may be zero" in reason
    assert op in reason


class Buckets(torch.nn.Module):
    """Divides by constants without a zero, and by an input."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("sizes", torch.tensor([3, -2, 1, 7]))

    def forward(self, x: torch.Tensor, by: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return (x + 1) // self.sizes % 5, x // by


def test_division_by_zero_raises_as_in_pytorch() -> None:
    x, ones = torch.arange(-4, 4).view(2, 4), torch.ones(4, dtype=torch.int64)
    compiled = torch_tensorrt.compile(Buckets().eval(), arg_inputs=[x, ones], min_block_size=1)
    for got, expected in zip(compiled(x, ones * -3), Buckets()(x, ones * -3), strict=True):
        assert torch.equal(got, expected)
    assert any(name.startswith("_run_on_acc") for name, _ in compiled.named_children())
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        compiled(x, ones * 0)
    assert torch.equal(compiled(x, ones)[1], x)


@pytest.mark.parametrize("rows", [(2, 4), (5, 3), (2,)])
def test_rows_that_do_not_fit_are_left_to_pytorch_which_raises(rows: tuple[int, ...]) -> None:
    index = torch.tensor([0, 2])
    case = Case("aten.index_add.default", lambda n: (torch.ones(5, 3), 0, index, torch.ones(2, 3)))
    assert node_support(graph_of(case, 7, dynamic=False)[1], CompilationSettings()) is None
    module, call = graph_of(case, 7, dynamic=False)
    source = [node for node in module.graph.nodes if node.op == "placeholder"][-1]
    with source.meta["val"].fake_mode:
        source.meta["val"] = torch.ones(rows)
    reason = node_support(call, CompilationSettings())
    assert reason is not None
    assert "rows" in reason
