"""Order statistics, by sorting."""

from __future__ import annotations

from typing import Any

import torch

from torch_tensorrt.dynamo.lowering._decompositions import register_torch_trt_decomposition

aten = torch.ops.aten

Pair = tuple[torch.Tensor, torch.Tensor]


@register_torch_trt_decomposition(aten.kthvalue.default)
def _kthvalue(x: torch.Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    if x.dim() == 0:
        return x.clone(), torch.zeros((), dtype=torch.int64, device=x.device)
    if x.shape[dim] == 0:
        return NotImplemented
    values, places = torch.sort(x, dim=dim, stable=True)
    return _kept(values.narrow(dim, k - 1, 1), places.narrow(dim, k - 1, 1), dim, keepdim)


@register_torch_trt_decomposition(aten.median.dim)
def _median_dim(x: torch.Tensor, dim: int, keepdim: bool = False) -> Any:
    return _median_of(x, dim, keepdim, skip_nan=False)


@register_torch_trt_decomposition(aten.nanmedian.dim)
def _nanmedian_dim(x: torch.Tensor, dim: int, keepdim: bool = False) -> Any:
    return _median_of(x, dim, keepdim, skip_nan=True)


@register_torch_trt_decomposition(aten.median.default)
def _median(x: torch.Tensor) -> Any:
    return _median_of_all(x, skip_nan=False)


@register_torch_trt_decomposition(aten.nanmedian.default)
def _nanmedian(x: torch.Tensor) -> Any:
    return _median_of_all(x, skip_nan=True)


def _median_of_all(x: torch.Tensor, skip_nan: bool) -> Any:
    if x.numel() == 0:
        if not x.dtype.is_floating_point:
            return NotImplemented
        return torch.full((), float("nan"), dtype=x.dtype, device=x.device)
    return _median_of(x.reshape(-1), 0, False, skip_nan)[0]


def _median_of(x: torch.Tensor, dim: int, keepdim: bool, skip_nan: bool) -> Any:
    """The lower one of two middles. NaNs are sorted to the end."""
    if x.dim() == 0:
        return x.clone(), torch.zeros((), dtype=torch.int64, device=x.device)
    size = x.shape[dim]
    if size == 0:
        return NotImplemented
    values, places = torch.sort(x, dim=dim, stable=True)
    if not x.dtype.is_floating_point:
        at = (size - 1) // 2
        return _kept(values.narrow(dim, at, 1), places.narrow(dim, at, 1), dim, keepdim)
    numbers = torch.logical_not(torch.isnan(x)).sum(dim, keepdim=True)
    if skip_nan:
        half = torch.bitwise_right_shift(numbers - 1, 1)
        middle = torch.where(numbers == 0, 0, half)
    else:
        middle = torch.where(numbers < size, numbers, (size - 1) // 2)
    return _kept(values.gather(dim, middle), places.gather(dim, middle), dim, keepdim)


@register_torch_trt_decomposition(aten.mode.default)
def _mode(x: torch.Tensor, dim: int = -1, keepdim: bool = False) -> Any:
    """The end of the first longest run of equals in sorted order."""
    if x.dim() == 0:
        return x.clone(), torch.zeros((), dtype=torch.int64, device=x.device)
    size = x.shape[dim]
    if not isinstance(size, int) or size == 0:
        return NotImplemented
    values, places = torch.sort(x, dim=dim, stable=True)
    shape = [size if axis == dim % x.dim() else 1 for axis in range(x.dim())]
    position = torch.arange(size, device=x.device).reshape(shape).expand(x.shape)
    first = values.narrow(dim, 0, 1)
    before = torch.cat([first, values.narrow(dim, 0, size - 1)], dim)
    starts = torch.where(values != before, position, 0)
    run = position - torch.cummax(starts, dim)[0]
    best = torch.argmax(run, dim, keepdim=True)
    return _kept(values.gather(dim, best), places.gather(dim, best), dim, keepdim)


def _kept(values: torch.Tensor, places: torch.Tensor, dim: int, keepdim: bool) -> Pair:
    if keepdim:
        return values.clone(), places.clone()
    return values.squeeze(dim).clone(), places.squeeze(dim).clone()
