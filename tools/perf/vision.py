"""Convolution nets of inverted residual blocks, from the shapes in their papers."""

from __future__ import annotations

import torch
from torch import nn


class Squeeze(nn.Module):
    """Scales each channel by a gate computed from all channels' means."""

    def __init__(self, channels: int, hidden: int, inner: nn.Module, gate: nn.Module) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, hidden, 1)
        self.expand = nn.Conv2d(hidden, channels, 1)
        self.inner = inner
        self.gate = gate

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        means = x.mean((2, 3), keepdim=True)
        return x * self.gate(self.expand(self.inner(self.reduce(means))))


def _conv(inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


class Inverted(nn.Module):
    """Expand, convolve each channel, gate, project; the input is added where shapes allow."""

    def __init__(
        self,
        inputs: int,
        expanded: int,
        outputs: int,
        kernel: int,
        stride: int,
        activation: nn.Module,
        squeeze: nn.Module,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        if expanded != inputs:
            layers += [_conv(inputs, expanded, 1, 1), activation]
        layers += [_conv(expanded, expanded, kernel, stride, expanded), activation, squeeze]
        self.layers = nn.Sequential(*layers, _conv(expanded, outputs, 1, 1))
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.layers(x)
        return x + y if self.adds else y


class Classifier(nn.Module):
    """Pixels ``[N, 3, H, W]`` to logits ``[N, classes]``."""

    def __init__(self, features: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.features = features
        self.head = head

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.features(pixel_values).mean((2, 3)))
        return logits


def _rounded(channels: float) -> int:
    return max(8, int(channels + 4) // 8 * 8)


# Kernel, expanded channels, output channels, squeezes, hard swish, stride.
_MOBILENET_V3 = [
    (3, 16, 16, False, False, 1),
    (3, 64, 24, False, False, 2),
    (3, 72, 24, False, False, 1),
    (5, 72, 40, True, False, 2),
    (5, 120, 40, True, False, 1),
    (5, 120, 40, True, False, 1),
    (3, 240, 80, False, True, 2),
    (3, 200, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 480, 112, True, True, 1),
    (3, 672, 112, True, True, 1),
    (5, 672, 160, True, True, 2),
    (5, 960, 160, True, True, 1),
    (5, 960, 160, True, True, 1),
]


def mobilenet_v3(small: bool) -> nn.Module:
    """MobileNetV3-Large 1.0 at 224, or every third block of it at a quarter of the width."""
    rows = _MOBILENET_V3[::3] if small else _MOBILENET_V3
    width = 0.25 if small else 1.0
    channels = _rounded(16 * width)
    layers: list[nn.Module] = [_conv(3, channels, 3, 2), nn.Hardswish()]
    for kernel, expanded, outputs, squeezes, hard, stride in rows:
        wide, out = _rounded(expanded * width), _rounded(outputs * width)
        gate: nn.Module = nn.Identity()
        if squeezes:
            gate = Squeeze(wide, _rounded(wide / 4), nn.ReLU(), nn.Hardsigmoid())
        activation: nn.Module = nn.Hardswish() if hard else nn.ReLU()
        layers.append(Inverted(channels, wide, out, kernel, stride, activation, gate))
        channels = out
    last, hidden, classes = _rounded(960 * width), _rounded(1280 * width), 10 if small else 1000
    layers += [_conv(channels, last, 1, 1), nn.Hardswish()]
    head = nn.Sequential(nn.Linear(last, hidden), nn.Hardswish(), nn.Linear(hidden, classes))
    return Classifier(nn.Sequential(*layers), head)


# Expansion, kernel, stride, output channels, blocks.
_EFFICIENTNET_B0 = [
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
]


def efficientnet_b0(small: bool) -> nn.Module:
    """EfficientNet-B0 at 224, or its stages of one block each at a quarter of the width."""
    width = 0.25 if small else 1.0
    channels = _rounded(32 * width)
    layers: list[nn.Module] = [_conv(3, channels, 3, 2), nn.SiLU()]
    for expansion, kernel, first_stride, outputs, blocks in _EFFICIENTNET_B0:
        out = _rounded(outputs * width)
        for block in range(1 if small else blocks):
            wide = channels * expansion
            gate = Squeeze(wide, max(1, channels // 4), nn.SiLU(), nn.Sigmoid())
            stride = first_stride if block == 0 else 1
            layers.append(Inverted(channels, wide, out, kernel, stride, nn.SiLU(), gate))
            channels = out
    last, classes = _rounded(1280 * width), 10 if small else 1000
    layers += [_conv(channels, last, 1, 1), nn.SiLU()]
    return Classifier(nn.Sequential(*layers), nn.Linear(last, classes))
