"""Sums of products, and distances."""

from __future__ import annotations

from typing import Any

import torch

from torch_tensorrt.dynamo.lowering._decompositions import register_torch_trt_decomposition

aten = torch.ops.aten


@register_torch_trt_decomposition(aten.addbmm.default)
def _addbmm(
    x: torch.Tensor,
    batch1: torch.Tensor,
    batch2: torch.Tensor,
    *,
    beta: Any = 1,
    alpha: Any = 1,
) -> torch.Tensor:
    """The sum over the batch belongs to the sum of the product: one product, not a batch."""
    batch, rows, inner = batch1.shape
    left = batch1.permute(1, 0, 2).reshape(rows, batch * inner)
    right = batch2.reshape(batch * inner, batch2.shape[2])
    shaped = x.expand(rows, batch2.shape[2])
    return aten.addmm.default(shaped, left, right, beta=beta, alpha=alpha)


@register_torch_trt_decomposition(aten._pdist_forward.default)
def _pdist_forward(x: torch.Tensor, p: float = 2.0) -> Any:
    rows = x.shape[0]
    if not isinstance(rows, int):
        return NotImplemented
    if rows < 2 or x.shape[1] == 0:
        return x.new_zeros(rows * (rows - 1) // 2 if rows > 1 else 0)
    first, second = torch.triu_indices(rows, rows, 1).unbind(0)
    apart = x.index_select(0, first) - x.index_select(0, second)
    return aten.linalg_vector_norm.default(apart, p, [1])


@register_torch_trt_decomposition(aten._trilinear.default)
def _trilinear(
    i1: torch.Tensor,
    i2: torch.Tensor,
    i3: torch.Tensor,
    expand1: list[int],
    expand2: list[int],
    expand3: list[int],
    sumdim: list[int],
    unroll_dim: int = 1,
) -> torch.Tensor:
    spread = []
    for tensor, dims in ((i1, expand1), (i2, expand2), (i3, expand3)):
        for dim in sorted(dims):
            tensor = tensor.unsqueeze(dim)
        spread.append(tensor)
    product = spread[0] * spread[1] * spread[2]
    return product.sum(sumdim) if sumdim else product
