from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from tests.py.dynamo.lowering.decompositions.compiled import check


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_a_chunked_loss_in_one_piece(reduction: str) -> None:
    module = pytest.importorskip(
        "torch.nn.modules.linear_cross_entropy_options",
        reason="this PyTorch has no linear_cross_entropy",
    )
    x, weight, target = torch.randn(7, 5), torch.randn(4, 5), torch.arange(7) % 4

    def loss(a: torch.Tensor, w: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        chunks = module.LinearCrossEntropyOptions(batch_chunk_size=2)
        return functional.linear_cross_entropy(a, w, t, reduction=reduction, options=chunks)

    with torch.no_grad():
        check(loss, x, weight, target)
