"""Reading and writing by index."""

from __future__ import annotations

from typing import Any

import torch

from torch_tensorrt.dynamo.lowering._decompositions import register_torch_trt_decomposition

aten = torch.ops.aten

#: Up to so many boundaries are counted; more are searched by halving.
_FEW_BOUNDARIES = 64


@register_torch_trt_decomposition(aten.diagonal_scatter.default)
def _diagonal_scatter(
    x: torch.Tensor, src: torch.Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1
) -> torch.Tensor:
    """The diagonal is selected by a mask from ``src`` spread over the rows."""
    rows, columns = x.shape[dim1], x.shape[dim2]
    if src.shape[-1] == 0:
        return x.clone()
    row = torch.arange(rows, device=x.device)
    column = torch.arange(columns, device=x.device)
    on_diagonal = row[:, None] + offset == column[None, :]
    place = (row + min(offset, 0)).clamp(0, src.shape[-1] - 1)
    spread = src.index_select(src.dim() - 1, place)[..., None]
    flat = x.movedim((dim1, dim2), (-2, -1))
    return torch.where(on_diagonal, spread, flat).movedim((-2, -1), (dim1, dim2)).contiguous()


@register_torch_trt_decomposition(aten.masked_scatter.default)
def _masked_scatter(x: torch.Tensor, mask: torch.Tensor, source: torch.Tensor) -> Any:
    """The n-th element under the mask is the n-th of ``source``."""
    mask, x = torch.broadcast_tensors(mask, x)
    if source.numel() == 0:
        return x.clone() if x.numel() == 0 else NotImplemented
    place = mask.reshape(-1).cumsum(0) - 1
    place = torch.where(mask, place.reshape(mask.shape), 0)
    return torch.where(mask, source.reshape(-1)[place], x)


@register_torch_trt_decomposition(aten.index_reduce.default)
def _index_reduce(
    x: torch.Tensor,
    dim: int,
    index: torch.Tensor,
    source: torch.Tensor,
    reduce: str,
    *,
    include_self: bool = True,
) -> Any:
    if x.dim() == 0:
        row = _index_reduce(
            x.reshape(1), 0, index, source.reshape(-1), reduce, include_self=include_self
        )
        return row.reshape(())
    dim = dim % x.dim()
    shape = [-1 if axis == dim else 1 for axis in range(x.dim())]
    spread = index.reshape(shape).expand(source.shape)
    return aten.scatter_reduce.two(x, dim, spread, source, reduce, include_self=include_self)


@register_torch_trt_decomposition(aten.put.default)
def _put(
    x: torch.Tensor, index: torch.Tensor, source: torch.Tensor, accumulate: bool = False
) -> torch.Tensor:
    flat = aten.index_put.default(
        x.reshape(-1), [index.reshape(-1)], source.reshape(-1), accumulate
    )
    return flat.reshape(x.shape)


_SCATTERS = {"add": "sum", "multiply": "prod"}


@register_torch_trt_decomposition(aten.scatter.reduce)
def _scatter_reduce(
    x: torch.Tensor, dim: int, index: torch.Tensor, src: torch.Tensor, *, reduce: str
) -> Any:
    if reduce not in _SCATTERS:
        return NotImplemented
    return aten.scatter_reduce.two(x, dim, index, src, _SCATTERS[reduce])


@register_torch_trt_decomposition(aten.scatter.value_reduce)
def _scatter_value_reduce(
    x: torch.Tensor, dim: int, index: torch.Tensor, value: Any, *, reduce: str
) -> Any:
    src = torch.full(index.shape, value, dtype=x.dtype, device=x.device)
    return _scatter_reduce(x, dim, index, src, reduce=reduce)


@register_torch_trt_decomposition(aten.searchsorted.Tensor)
def _searchsorted(
    boundaries: torch.Tensor,
    values: torch.Tensor,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: torch.Tensor | None = None,
) -> torch.Tensor:
    if sorter is not None:
        boundaries = boundaries.gather(-1, sorter)
    right = right or side == "right"
    dtype = torch.int32 if out_int32 else torch.int64
    if boundaries.dim() == 1:
        return _places(boundaries, values, right).to(dtype)
    if values.dim() == 0:
        return _places(boundaries, values.reshape(1), right).reshape(()).to(dtype)
    return _places(boundaries, values, right).to(dtype)


@register_torch_trt_decomposition(aten.searchsorted.Scalar)
def _searchsorted_scalar(boundaries: torch.Tensor, value: Any, **options: Any) -> torch.Tensor:
    found = torch.full((), value, dtype=boundaries.dtype, device=boundaries.device)
    return _searchsorted(boundaries, found, **options)


@register_torch_trt_decomposition(aten.bucketize.Tensor)
def _bucketize(
    values: torch.Tensor, boundaries: torch.Tensor, *, out_int32: bool = False, right: bool = False
) -> Any:
    if boundaries.dim() != 1:
        return NotImplemented  # PyTorch's own operator raises the error
    return _searchsorted(boundaries, values, out_int32=out_int32, right=right)


@register_torch_trt_decomposition(aten.bucketize.Scalar)
def _bucketize_scalar(value: Any, boundaries: torch.Tensor, **options: Any) -> torch.Tensor:
    return _searchsorted_scalar(boundaries, value, **options)


def _places(boundaries: torch.Tensor, values: torch.Tensor, right: bool) -> torch.Tensor:
    """How many boundaries of the last dim lie before each value; a NaN comes after all."""
    count = boundaries.shape[-1]
    if isinstance(count, int) and count > _FEW_BOUNDARIES:
        return _halved(boundaries, values, right)
    wide = values.unsqueeze(-1)
    edges = boundaries if boundaries.dim() == 1 else boundaries.unsqueeze(-2)
    return torch.logical_not(_reached(edges, wide, right)).sum(-1)


def _reached(edges: torch.Tensor, values: torch.Tensor, right: bool) -> torch.Tensor:
    return edges > values if right else edges >= values


def _halved(boundaries: torch.Tensor, values: torch.Tensor, right: bool) -> torch.Tensor:
    """Binary search of all values at once: the place grows by falling powers of two."""
    count = boundaries.shape[-1]
    place = torch.zeros_like(values, dtype=torch.int64)
    step = 1 << (count.bit_length() - 1)
    while step > 0:
        probe = place + (step - 1)
        safe = probe.clamp(max=count - 1)
        edge = boundaries[safe] if boundaries.dim() == 1 else boundaries.gather(-1, safe)
        passed = (probe < count) & torch.logical_not(_reached(edge, values, right))
        place = torch.where(passed, place + step, place)
        step >>= 1
    return place


@register_torch_trt_decomposition(aten.nonzero_static.default)
def _nonzero_static(x: torch.Tensor, *, size: int, fill_value: int = -1) -> Any:
    """The n-th place is where the count of nonzeros first reaches n."""
    if not all(isinstance(length, int) for length in x.shape):
        return NotImplemented
    if x.numel() == 0 or size == 0 or x.dim() == 0:
        return torch.full((size, x.dim()), fill_value, dtype=torch.int64, device=x.device)
    count = (x != 0).reshape(-1).cumsum(0)
    wanted = torch.arange(1, size + 1, device=x.device)
    flat = _places(count, wanted, right=False)
    columns = []
    for length in reversed(x.shape):
        columns.append(torch.remainder(flat, length))
        flat = torch.floor_divide(flat, length)
    places = torch.stack(columns[::-1], 1)
    return torch.where((wanted <= count[-1]).unsqueeze(1), places, fill_value)


@register_torch_trt_decomposition(aten.resize.default)
def _resize(x: torch.Tensor, size: list[int], *, memory_format: Any = None) -> Any:
    """Elements keep their order in memory. What lies beyond is not defined; here it is zero."""
    order = sorted(range(x.dim()), key=x.stride, reverse=True)
    packed = x.permute(order)
    if memory_format not in (None, torch.contiguous_format) or not packed.is_contiguous():
        return NotImplemented
    flat, wanted = packed.reshape(-1), 1
    for length in size:
        wanted *= length
    if wanted > x.numel():
        flat = torch.cat([flat, flat.new_zeros(wanted - x.numel())])
    return flat.narrow(0, 0, wanted).reshape(size).clone()


@register_torch_trt_decomposition(aten.histc.default)
def _histc(x: torch.Tensor, bins: int = 100, min: Any = 0, max: Any = 0) -> Any:
    if not x.dtype.is_floating_point:
        return NotImplemented
    if x.numel() == 0:
        return x.new_zeros(bins)
    flat = x.reshape(-1)
    low = torch.full((), min, dtype=x.dtype, device=x.device)
    high = torch.full((), max, dtype=x.dtype, device=x.device)
    if min == max:
        low, high = flat.amin(), flat.amax()
    alike = low == high
    low, high = torch.where(alike, low - 1, low), torch.where(alike, high + 1, high)
    inside = (flat >= low) & (flat <= high)
    place = ((flat - low) / (high - low) * bins).long().clamp(0, bins - 1)
    place = torch.where(inside, place, 0)
    counts = torch.zeros(bins, dtype=x.dtype, device=x.device)
    return counts.scatter_add(0, place, inside.to(x.dtype))


@register_torch_trt_decomposition(aten.index_add.default)
def _index_add(
    x: torch.Tensor, dim: int, index: torch.Tensor, source: torch.Tensor, *, alpha: Any = 1
) -> Any:
    """PyTorch's own, which broadcasts rows that do not fit, where the operator raises an error."""
    if x.dim() > 0 and not _rows_fit(x, dim % x.dim(), source):
        return NotImplemented
    whole = torch._decomp.decomposition_table[aten.index_add.default]
    return whole(x, dim, index, source, alpha=alpha)


def _rows_fit(x: torch.Tensor, dim: int, source: torch.Tensor) -> bool:
    pairs = enumerate(zip(x.shape, source.shape, strict=False))
    return x.dim() == source.dim() and all(
        a == b or not (isinstance(a, int) and isinstance(b, int))
        for axis, (a, b) in pairs
        if axis != dim
    )


@register_torch_trt_decomposition(aten.embedding_renorm.default)
def _embedding_renorm(
    weight: torch.Tensor, indices: torch.Tensor, max_norm: float, norm_type: float
) -> torch.Tensor:
    """Rows that are looked up and longer than ``max_norm`` are made that long."""
    norm = torch.linalg.vector_norm(weight, norm_type, 1, keepdim=True).double()
    used = torch.zeros(weight.shape[0], dtype=torch.bool, device=weight.device)
    used = used.index_fill(0, indices.reshape(-1), True)
    scale = (max_norm / (norm + 1e-7)).to(torch.promote_types(weight.dtype, torch.float32))
    scaled = (weight * scale).to(weight.dtype)
    return torch.where(used[:, None] & (norm > max_norm), scaled, weight)
