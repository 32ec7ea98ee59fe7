from __future__ import annotations

import pytest
import torch
import torch_tensorrt

from tests.py.dynamo.lowering.decompositions.compiled import Function, check

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("count", [0, 1, 5, 64, 65, 257])
@pytest.mark.parametrize("right", [False, True])
def test_places_between_boundaries(count: int, right: bool) -> None:
    edges = torch.arange(count).float().div(3).floor()  # each three times
    values = torch.tensor([-1, 0, 0.5, 1, 7, 85, 1000, NAN, INF, -INF])
    check(lambda e, v: torch.bucketize(v, e, right=right), edges, values, exact=True)


def test_places_row_by_row_and_through_a_sorter() -> None:
    rows = torch.randn(3, 7)
    order = rows.argsort(-1)
    values = torch.randn(3, 5)
    check(lambda r, o, v: torch.searchsorted(r, v, sorter=o), rows, order, values, exact=True)
    ordered = rows.sort(-1).values
    check(
        lambda r, v: torch.searchsorted(r, v, side="right", out_int32=True),
        *(ordered, values),
        exact=True,
    )
    check(lambda r: torch.searchsorted(r, 0.25), ordered[0].clone(), exact=True)


@pytest.mark.parametrize(
    ("rows", "columns", "offset"), [(4, 7, 2), (7, 4, -3), (1, 1, 0), (3, 3, 3)]
)
def test_a_diagonal_is_written(rows: int, columns: int, offset: int) -> None:
    x = torch.randn(2, rows, columns)
    src = torch.diagonal(x, offset, 1, 2).clone() + 9
    check(lambda a, b: torch.diagonal_scatter(a, b, offset, 1, 2), x, src, exact=True)


def test_what_a_mask_selects_is_written_in_order() -> None:
    x, source = torch.zeros(7, 3), torch.arange(1.0, 31)
    mask = torch.rand(7, 1) > 0.4
    check(torch.masked_scatter, x, mask, source, exact=True)
    check(torch.masked_scatter, x, mask & False, source, exact=True)


def test_too_short_a_source_raises() -> None:
    x, mask = torch.zeros(4), torch.ones(4, dtype=torch.bool)
    with pytest.raises((RuntimeError, IndexError)):
        check(torch.masked_scatter, x, mask, torch.ones(3))


@pytest.mark.parametrize("reduce", ["prod", "mean", "amax", "amin"])
@pytest.mark.parametrize("include_self", [True, False])
def test_rows_are_reduced_into(reduce: str, include_self: bool) -> None:
    x, source = torch.randn(5, 3), torch.randn(7, 3)
    index = torch.tensor([0, 4, 0, 2, 2, 2, 0])
    check(
        lambda a, i, s: torch.index_reduce(a, 0, i, s, reduce, include_self=include_self),
        *(x, index, source),
    )


def test_elements_are_put_by_flat_index() -> None:
    x, index = torch.zeros(3, 4), torch.tensor([0, -1, 5, 5])
    check(lambda a, i, s: torch.Tensor.put(a, i, s, True), x, index, torch.ones(4), exact=True)


@pytest.mark.parametrize("size", [0, 3, 31])
def test_first_nonzero_places(size: int) -> None:
    x = torch.tensor([[0, 1, 0], [2, 0, 3]])
    check(lambda a: torch.nonzero_static(a, size=size, fill_value=-7), x, exact=True)


@pytest.mark.parametrize(("low", "high"), [(0, 0), (-1, 2), (5, 5)])
def test_a_histogram(low: int, high: int) -> None:
    x = torch.randn(257)
    check(lambda a: torch.histc(a, 31, low, high), x, exact=True)
    check(lambda a: torch.histc(a, 7), torch.full((5,), 2.0), exact=True)


@pytest.mark.parametrize("rows", [(2,), (2, 1)])
def test_rows_that_do_not_fit_raise_as_in_pytorch(rows: tuple[int, ...]) -> None:
    x, index, source = torch.zeros(3, 2), torch.tensor([0, 1]), torch.ones(rows)
    add = Function(lambda a, i, s: torch.index_add(a, 0, i, s))
    with pytest.raises(RuntimeError, match="source"):
        add(x, index, source)
    program = torch.export.export(add, (x, index, source))
    with pytest.raises(RuntimeError, match="source"):
        torch_tensorrt.dynamo.compile(program, arg_inputs=(x, index, source))(x, index, source)


@pytest.mark.parametrize("index", [2, [0, -1], [[5], [3]], []])
def test_elements_of_a_flat_tensor(index: object) -> None:
    # PyTorch's own decomposition asks a single index for its number
    check(torch.take, torch.randn(2, 3), torch.tensor(index, dtype=torch.int64), exact=True)
