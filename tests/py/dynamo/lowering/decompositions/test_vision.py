"""Operators of torchvision, by a plain reference: torchvision itself is not needed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch_tensorrt
from torch import nn
from torch_tensorrt.dynamo.lowering.decompositions.vision import vision_decompositions

I64 = torch.int64
SCHEMA = (
    "roi_align(Tensor input, Tensor rois, float spatial_scale, int pooled_height, "
    "int pooled_width, int sampling_ratio, bool aligned) -> Tensor"
)


def _pixel(plane: torch.Tensor, y: float, x: float) -> float:
    """Bilinear, with the edge pixels repeated by one pixel, and zero beyond."""
    rows, columns = plane.shape
    if not (-1 <= y <= rows and -1 <= x <= columns):
        return 0.0
    y, x = min(max(y, 0.0), rows - 1), min(max(x, 0.0), columns - 1)
    y0, x0 = math.floor(y), math.floor(x)
    y1, x1 = min(y0 + 1, rows - 1), min(x0 + 1, columns - 1)
    top = plane[y0, x0] * (1 - (x - x0)) + plane[y0, x1] * (x - x0)
    low = plane[y1, x0] * (1 - (x - x0)) + plane[y1, x1] * (x - x0)
    return float(top * (1 - (y - y0)) + low * (y - y0))


def roi_align(
    x: torch.Tensor,
    rois: torch.Tensor,
    spatial_scale: float,
    pooled_height: int,
    pooled_width: int,
    sampling_ratio: int,
    aligned: bool,
) -> torch.Tensor:
    """Box by box, bin by bin, sample by sample."""
    out = x.new_zeros(rois.shape[0], x.shape[1], pooled_height, pooled_width)
    for k, (image, *corners) in enumerate(rois.tolist()):
        x0, y0, x1, y1 = (corner * spatial_scale - (0.5 if aligned else 0) for corner in corners)
        height, width = y1 - y0, x1 - x0
        if not aligned:
            height, width = max(height, 1.0), max(width, 1.0)
        for c in range(x.shape[1]):
            for i in range(pooled_height * sampling_ratio):
                for j in range(pooled_width * sampling_ratio):
                    y = y0 + (i + 0.5) * height / pooled_height / sampling_ratio
                    z = x0 + (j + 0.5) * width / pooled_width / sampling_ratio
                    value = _pixel(x[int(image), c], y, z) / sampling_ratio**2
                    out[k, c, i // sampling_ratio, j // sampling_ratio] += value
    return out


def nms(boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float) -> torch.Tensor:
    """The best boxes that overlap no better one by more than the threshold."""
    kept: list[int] = []
    for i in scores.argsort(descending=True).tolist():
        corner, other = boxes[i], boxes[kept]
        size = torch.minimum(corner[2:], other[:, 2:]) - torch.maximum(corner[:2], other[:, :2])
        both = size.clamp(min=0).prod(1)
        each = (other[:, 2:] - other[:, :2]).prod(1) + (corner[2:] - corner[:2]).prod()
        if bool((both / (each - both) <= iou_threshold).all()):
            kept.append(i)
    return torch.tensor(kept, dtype=torch.int64)


@pytest.fixture
def operator() -> Iterator[None]:
    """``torchvision::roi_align`` and ``nms``, unless torchvision has brought its own."""
    if hasattr(torch.ops.torchvision, "roi_align"):
        yield
        return
    library = torch.library.Library("torchvision", "FRAGMENT")
    library.define(SCHEMA)
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.impl("roi_align", roi_align, "CPU")
    library.impl("nms", nms, "CPU")
    torch.library.register_fake(
        "torchvision::roi_align",
        lambda x, rois, scale, h, w, ratio, aligned: x.new_empty(rois.shape[0], x.shape[1], h, w),
        lib=library,
    )
    torch.library.register_fake(
        "torchvision::nms",
        lambda dets, *_: dets.new_empty(torch.library.get_ctx().new_dynamic_size(), dtype=I64),
        lib=library,
    )
    yield
    library._destroy()


class Heads(nn.Module):
    """Boxes of two feature maps, as detectors pool them."""

    def __init__(self, ratio: int, aligned: bool) -> None:
        super().__init__()
        self.ratio, self.aligned = ratio, aligned

    def forward(self, x: torch.Tensor, rois: torch.Tensor) -> torch.Tensor:
        pooled = torch.ops.torchvision.roi_align
        fine = pooled(x, rois, 0.5, 3, 2, self.ratio, self.aligned)
        coarse = pooled(x * 2, rois, 0.25, 3, 2, self.ratio, self.aligned)
        return torch.relu(fine + coarse)


def _boxes(count: int) -> torch.Tensor:
    corners = torch.rand(count, 2) * 20 - 3
    sizes = torch.rand(count, 2) * 9
    return torch.cat([torch.randint(0, 2, (count, 1)), corners, corners + sizes], 1)


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("ratio", [1, 2])
def test_boxes_of_feature_maps(operator: None, ratio: int, aligned: bool) -> None:
    torch.manual_seed(0)
    module, x = Heads(ratio, aligned), torch.randn(2, 3, 9, 7)
    boxes = torch_tensorrt.Input(min_shape=(0, 5), opt_shape=(6, 5), max_shape=(31, 5))
    with torch.no_grad():
        compiled = torch_tensorrt.compile(
            module, arg_inputs=[x, boxes], require_full_compilation=True, min_block_size=1
        )
        for count in (6, 0, 1, 31):
            rois = _boxes(count)
            torch.testing.assert_close(compiled(x, rois), module(x, rois), rtol=1e-4, atol=1e-5)


def test_samples_by_the_size_of_a_box_stay_in_torch(operator: None) -> None:
    (decomposition,) = vision_decompositions().values()
    arguments = (torch.randn(2, 2, 5, 5), _boxes(3), 1.0, 2, 2)
    assert decomposition(*arguments, 0, False) is NotImplemented
    assert decomposition(*arguments, 2, False).shape == (3, 2, 2, 2)


class Detector(nn.Module):
    """Boxes are decoded, the best are kept, and their features are pooled."""

    def forward(self, x: torch.Tensor, raw: torch.Tensor, scores: torch.Tensor) -> Any:
        corners = raw[:, :2].sigmoid() * 12
        boxes = torch.cat([corners, corners + raw[:, 2:].exp()], 1)
        kept = torch.ops.torchvision.nms(boxes, scores.sigmoid(), 0.3)
        best = boxes[kept]
        rois = torch.cat([torch.zeros_like(best[:, :1]), best], 1)
        pooled = torch.ops.torchvision.roi_align(x.relu(), rois, 0.5, 2, 2, 2, False)
        return best, pooled.flatten(1).tanh()


def test_what_comes_before_and_after_nms_runs_in_engines(operator: None) -> None:
    torch.manual_seed(0)
    module = Detector()
    inputs = (torch.randn(1, 3, 9, 7), torch.randn(12, 4), torch.randn(12))
    with torch.no_grad():
        compiled = torch_tensorrt.compile(module, arg_inputs=inputs, min_block_size=1)
        for scale in (1.0, 0.2, 3.0):
            given = (inputs[0], inputs[1] * scale, inputs[2])
            for ours, theirs in zip(compiled(*given), module(*given), strict=True):
                torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    targets = [str(n.target) for n in compiled.graph.nodes if n.op == "call_function"]
    assert "torchvision.nms.default" in targets
    assert "torchvision.roi_align.default" not in targets
    assert sum(name.startswith("_run_on_acc") for name, _ in compiled.named_children()) >= 2
