from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from tests.py.dynamo.lowering.decompositions.compiled import check


@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("corners", [False, True])
def test_a_volume_is_sampled(mode: str, padding: str, corners: bool) -> None:
    x, grid = torch.randn(2, 3, 5, 4, 7), torch.randn(2, 3, 2, 5, 3) * 1.5
    check(lambda a, g: functional.grid_sample(a, g, mode, padding, corners), x, grid)


@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
def test_an_image_is_sampled(mode: str, padding: str) -> None:
    x, grid = torch.randn(2, 3, 5, 7), torch.randn(2, 4, 3, 2)
    check(lambda a, g: functional.grid_sample(a, g, mode, padding, False), x, grid)


@pytest.mark.parametrize("size", [(3, 4), (31, 5), (7, 9), (1, 1)])
@pytest.mark.parametrize("corners", [False, True])
def test_an_image_is_resized_with_antialiasing(size: tuple[int, int], corners: bool) -> None:
    def resize(x: torch.Tensor) -> torch.Tensor:
        return functional.interpolate(
            x, size, mode="bilinear", align_corners=corners, antialias=True
        )

    check(resize, torch.randn(2, 3, 7, 9))
