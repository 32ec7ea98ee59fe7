from __future__ import annotations

import pytest
import torch

from tests.py.dynamo.lowering.decompositions.compiled import check


def test_a_sum_of_products_is_one_product() -> None:
    x, a, b = torch.randn(3, 5), torch.randn(7, 3, 4), torch.randn(7, 4, 5)
    check(lambda *t: torch.addbmm(*t, beta=0.5, alpha=2), x, a, b)


@pytest.mark.parametrize("rows", [0, 1, 2, 33])
@pytest.mark.parametrize("p", [0.0, 1.0, 2.0, 3.0, float("inf")])
def test_distances_of_rows(rows: int, p: float) -> None:
    check(lambda x: torch.nn.functional.pdist(x, p), torch.randn(rows, 7))


def test_a_bilinear_layer() -> None:
    layer = torch.nn.Bilinear(3, 4, 5)
    with torch.no_grad():
        check(layer, torch.randn(7, 3), torch.randn(7, 4))
