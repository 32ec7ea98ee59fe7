"""Operators of torchvision, where it has been imported."""

from __future__ import annotations

from typing import Any

import torch

from torch_tensorrt.dynamo.lowering._decompositions import DecompositionTable


def vision_decompositions() -> DecompositionTable:
    """Those of the operators that exist in this process."""
    roi_align = getattr(torch.ops.torchvision, "roi_align", None)
    return {} if roi_align is None else {roi_align.default: _roi_align}


def _roi_align(
    x: torch.Tensor,
    rois: torch.Tensor,
    spatial_scale: float,
    pooled_height: int,
    pooled_width: int,
    sampling_ratio: int,
    aligned: bool,
) -> Any:
    """Means of bilinear samples of each box, ``[boxes, channels, height, width]``.

    How many samples a box has must be given: ``sampling_ratio=0`` takes it from the box's size.
    """
    if sampling_ratio <= 0:
        return NotImplemented
    batch, boxes = rois[:, 0].long(), rois[:, 1:].float() if x.dtype in _HALVES else rois[:, 1:]
    boxes = boxes * spatial_scale - (0.5 if aligned else 0.0)
    extent = boxes[:, 2:] - boxes[:, :2]
    if not aligned:
        extent = extent.clamp(min=1.0)
    pooled = (pooled_height, pooled_width)
    rows, columns = (
        _samples(boxes[:, 1 - axis], extent[:, 1 - axis], pooled[axis], sampling_ratio, size)
        for axis, size in enumerate(x.shape[-2:])
    )
    pixels = x.to(boxes.dtype).permute(0, 2, 3, 1)
    total: Any = 0.0
    for row, row_weight in rows:
        for column, column_weight in columns:
            found = pixels[batch[:, None, None], row[:, :, None], column[:, None, :]]
            weight = row_weight[:, :, None] * column_weight[:, None, :]
            total = total + found * weight[..., None]
    grid = (pooled_height, sampling_ratio, pooled_width, sampling_ratio)
    means = total.reshape(-1, *grid, x.shape[1]).mean((2, 4))
    return means.permute(0, 3, 1, 2).to(x.dtype).contiguous()


_HALVES = (torch.float16, torch.bfloat16)


def _samples(
    start: torch.Tensor, extent: torch.Tensor, bins: int, ratio: int, size: Any
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """The two pixels of every sample along an axis and their weights, ``[boxes, bins * ratio]``.

    A sample beyond the pixel before the first or after the last is zero.
    """
    number = torch.arange(bins * ratio, device=start.device)
    length = (extent / bins)[:, None]
    part = (number % ratio).to(start.dtype) + 0.5
    place = start[:, None] + torch.div(number, ratio, rounding_mode="floor") * length
    place = place + part * length / ratio
    inside = ((place >= -1.0) & (place <= size)).to(start.dtype)
    place = place.clamp(min=0.0)
    low = torch.clamp(place.long(), max=size - 1)
    high = torch.clamp(low + 1, max=size - 1)
    far = torch.where(low >= size - 1, 0.0, place - low)
    return [(low, (1.0 - far) * inside), (high, far * inside)]
