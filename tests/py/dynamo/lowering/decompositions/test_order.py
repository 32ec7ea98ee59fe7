from __future__ import annotations

import pytest
import torch

from tests.py.dynamo.lowering.decompositions.compiled import check

NAN = float("nan")
ROWS = torch.tensor([[3.0, NAN, 1, 2], [5, 4, 3, 2], [NAN, NAN, NAN, NAN], [1, NAN, NAN, 0]])


@pytest.mark.parametrize("op", [torch.median, torch.nanmedian])
def test_medians_treat_nan_as_pytorch_does(op: object) -> None:
    check(lambda x: op(x, 1)[0], ROWS, exact=True)  # type: ignore[operator]
    check(lambda x: op(x), ROWS, exact=True)  # type: ignore[operator]
    check(lambda x: op(x, 0, True), torch.randperm(33).reshape(11, 3), exact=True)  # type: ignore[operator]


@pytest.mark.parametrize("k", [1, 17, 33])
def test_the_kth_value(k: int) -> None:
    x = torch.randperm(99).reshape(33, 3).float()
    check(lambda a: torch.kthvalue(a, k, 0), x, exact=True)


def test_the_most_frequent_value_the_smallest_of_equals() -> None:
    x = torch.tensor([[4, 1, 4, 1, 7], [9, 9, 9, 2, 2], [5, 4, 3, 2, 1]])
    check(lambda a: torch.mode(a, 1)[0], x, exact=True)
    check(lambda a: torch.mode(a, 0, True)[0], x.bool(), exact=True)
