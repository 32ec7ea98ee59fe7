from __future__ import annotations

import pytest
import torch

from tests.py.dynamo.lowering.decompositions.compiled import check

NAN, INF = float("nan"), float("inf")
ODD = torch.tensor(
    [0.0, -0.0, 1, -1, 0.75, 3e38, 1e-45, -1.2e-38, 0.99999994, 1024, INF, -INF, NAN]
)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_mantissa_and_exponent(dtype: torch.dtype) -> None:
    x = ODD[:-3].to(dtype)
    check(torch.frexp, x[x.isfinite()], exact=True)
    check(lambda a: torch.frexp(a)[0], ODD.to(dtype), exact=True)


@pytest.mark.parametrize("op", [torch.fmax, torch.fmin])
def test_nan_gives_way(op: object) -> None:
    check(op, ODD.unsqueeze(0), ODD.unsqueeze(1))  # type: ignore[arg-type]
    check(op, torch.tensor([1, 5]), torch.tensor([2.5, NAN]))  # type: ignore[arg-type]


def test_angle_of_reals() -> None:
    check(torch.angle, ODD)
    check(torch.angle, torch.tensor([-3, 0, 2]))


def test_whole_numbers_are_bounded() -> None:
    check(torch.nn.functional.relu6, torch.tensor([-3, 0, 5, 9]), exact=True)
