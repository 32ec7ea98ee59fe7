"""Resampling and pooling."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import torch

from torch_tensorrt.dynamo.lowering._decompositions import register_torch_trt_decomposition

aten = torch.ops.aten

_HALVES = (torch.float16, torch.bfloat16)


@register_torch_trt_decomposition(aten.max_pool2d_with_indices_backward.default)
def _max_pool2d_backward(
    grad: torch.Tensor, x: torch.Tensor, *window: Any, **named: Any
) -> torch.Tensor:
    """Every gradient is added where the maximum was."""
    indices = named["indices"] if "indices" in named else window[-1]
    into = torch.zeros_like(x).flatten(-2)
    return into.scatter_add(-1, indices.flatten(-2), grad.flatten(-2)).reshape(x.shape)


@register_torch_trt_decomposition(aten._upsample_bilinear2d_aa.default)
def _bilinear2d_antialias(
    x: torch.Tensor,
    output_size: list[int],
    align_corners: bool,
    scales_h: float | None = None,
    scales_w: float | None = None,
) -> Any:
    """One matrix product an axis, with weights that depend on sizes alone."""
    rows, columns = x.shape[-2:]
    if not all(isinstance(size, int) and size > 0 for size in (rows, columns, *output_size)):
        return NotImplemented
    wide = x.float() if x.dtype in _HALVES else x
    down = _triangle_weights(rows, output_size[0], align_corners, scales_h, wide)
    across = _triangle_weights(columns, output_size[1], align_corners, scales_w, wide)
    half_way = torch.matmul(wide, across.t())
    return torch.matmul(down, half_way).to(x.dtype)


def _triangle_weights(
    size: int, out: int, align_corners: bool, factor: float | None, like: torch.Tensor
) -> torch.Tensor:
    """``[out, size]``: a triangle around each place, as wide as an output pixel, summing to one."""
    if align_corners:
        scale = (size - 1) / (out - 1) if out > 1 else 0.0
    else:
        scale = 1.0 / factor if factor is not None and factor > 0 else size / out
    support = max(scale, 1.0)
    place = torch.arange(out, dtype=torch.float64, device=like.device).unsqueeze(1)
    pixel = torch.arange(size, dtype=torch.float64, device=like.device).unsqueeze(0)
    center = (place + 0.5) * scale
    first = torch.floor(center - support + 0.5).clamp(min=0)
    last = torch.floor(center + support + 0.5).clamp(max=size)
    weight = (1 - ((pixel - center + 0.5) / support).abs()).clamp(min=0)
    weight = torch.where((pixel >= first) & (pixel < last), weight, 0.0)
    return (weight / weight.sum(1, keepdim=True)).to(like.dtype)


_BILINEAR, _NEAREST = 0, 1
_ZEROS, _BORDER, _REFLECTION = 0, 1, 2


@register_torch_trt_decomposition(aten.grid_sampler_3d.default)
def _grid_sampler_3d(
    x: torch.Tensor,
    grid: torch.Tensor,
    interpolation_mode: int,
    padding_mode: int,
    align_corners: bool,
) -> Any:
    """Sums over the corners around each place; eight for trilinear, one for nearest."""
    sizes = x.shape[2:]
    if interpolation_mode not in (_BILINEAR, _NEAREST):
        return NotImplemented
    if not all(isinstance(size, int) and size > 0 for size in sizes):
        return NotImplemented
    dtype = torch.float32 if x.dtype in _HALVES else x.dtype
    places = [
        _place(grid[..., 2 - axis].to(dtype), size, padding_mode, align_corners)
        for axis, size in enumerate(sizes)
    ]
    flat = x.to(dtype).flatten(2)
    if interpolation_mode == _NEAREST:
        out = _corner(flat, [torch.round(place) for place in places], sizes)
    else:
        lows = [torch.floor(place) for place in places]
        terms = []
        for corner in itertools.product((0, 1), repeat=3):
            at = [low + up for low, up in zip(lows, corner, strict=True)]
            weight: Any = 1.0
            for place, low, up in zip(places, lows, corner, strict=True):
                weight = weight * (place - low if up else 1 - (place - low))
            terms.append(_corner(flat, at, sizes) * weight.unsqueeze(1))
        out = functools.reduce(torch.add, terms)
    return out.to(x.dtype)


def _corner(flat: torch.Tensor, at: list[torch.Tensor], sizes: Any) -> torch.Tensor:
    """``[n, c, ...]``: elements at whole places, zero outside."""
    inside: Any = True
    index: Any = 0
    for place, size in zip(at, sizes, strict=True):
        inside = (place >= 0) & (place < size) & inside
        index = index * size + torch.where(torch.isnan(place), 0, place).clamp(0, size - 1).long()
    batch, channels = flat.shape[:2]
    spread = index.flatten(1).unsqueeze(1).expand(-1, channels, -1)
    found = flat.gather(2, spread).reshape(batch, channels, *index.shape[1:])
    return torch.where(inside.unsqueeze(1), found, 0.0)


def _place(x: torch.Tensor, size: int, padding_mode: int, align_corners: bool) -> torch.Tensor:
    """From [-1, 1] to elements; places outside are moved inside as the mode says."""
    place = (x + 1) / 2 * (size - 1) if align_corners else ((x + 1) * size - 1) / 2
    if padding_mode == _BORDER:
        return place.clamp(0, size - 1)
    if padding_mode == _REFLECTION:
        low, span = (0.0, size - 1.0) if align_corners else (-0.5, float(size))
        return _reflected(place, low, span).clamp(0, size - 1)
    return place


def _reflected(place: torch.Tensor, low: float, span: float) -> torch.Tensor:
    if span == 0:
        return torch.zeros_like(place)
    distance = (place - low).abs()
    extra = torch.fmod(distance, span)
    flips = torch.floor(distance / span)
    even = torch.fmod(flips, 2.0) == 0
    return torch.where(even, extra + low, span - extra + low)
