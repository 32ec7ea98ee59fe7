"""A denoising UNet with the shapes of Stable Diffusion 1.5."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F

from tools.perf.weights import build_large


class Residual(nn.Module):
    """Group norm, SiLU and convolution twice, with a time embedding added between."""

    def __init__(self, inputs: int, outputs: int, embed: int, groups: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.time = nn.Linear(embed, outputs)
        self.norm2 = nn.GroupNorm(groups, outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        hidden = self.conv1(F.silu(self.norm1(x)))
        hidden = hidden + self.time(F.silu(time))[:, :, None, None]
        hidden = self.conv2(F.silu(self.norm2(hidden)))
        total: torch.Tensor = self.skip(x) + hidden
        return total


class Attention(nn.Module):
    """Attention of tokens ``[N, S, C]`` to a context ``[N, T, D]``, or to themselves."""

    def __init__(self, channels: int, context: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(channels, channels, bias=False)
        self.key = nn.Linear(context, channels, bias=False)
        self.value = nn.Linear(context, channels, bias=False)
        self.out = nn.Linear(channels, channels)

    def forward(self, x: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        def split(y: torch.Tensor) -> torch.Tensor:
            return y.unflatten(-1, (self.heads, -1)).transpose(1, 2)

        mixed = F.scaled_dot_product_attention(
            split(self.query(x)), split(self.key(context)), split(self.value(context))
        )
        out: torch.Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return out


class Transformer(nn.Module):
    """Self-attention, attention to the text, gated GELU, over the pixels of ``[N, C, H, W]``."""

    def __init__(self, channels: int, context: int, heads: int, groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels, eps=1e-6)
        self.proj_in = nn.Conv2d(channels, channels, 1)
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(3))
        self.self_attention = Attention(channels, channels, heads)
        self.cross_attention = Attention(channels, context, heads)
        self.gate = nn.Linear(channels, 8 * channels)
        self.down = nn.Linear(4 * channels, channels)
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        height, width = x.shape[2:]
        tokens = self.proj_in(self.norm(x)).flatten(2).transpose(1, 2)
        normed = self.norms[0](tokens)
        tokens = tokens + self.self_attention(normed, normed)
        tokens = tokens + self.cross_attention(self.norms[1](tokens), context)
        value, gate = self.gate(self.norms[2](tokens)).chunk(2, dim=-1)
        tokens = tokens + self.down(value * F.gelu(gate))
        pixels = tokens.transpose(1, 2).unflatten(2, (height, width))
        total: torch.Tensor = x + self.proj_out(pixels)
        return total


class Stage(nn.Module):
    """A residual block and, where there are heads, a transformer."""

    def __init__(self, sizes: tuple[int, int], context: int, heads: int, groups: int, embed: int):
        super().__init__()
        self.residual = Residual(*sizes, embed, groups)
        self.transformer = Transformer(sizes[1], context, heads, groups) if heads else None

    def forward(self, x: torch.Tensor, time: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        x = self.residual(x, time)
        return x if self.transformer is None else self.transformer(x, context)


class Up(nn.Module):
    """Nearest upsampling by two and a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return out


class UNet(nn.Module):
    """Latent ``[N, 4, H, W]``, time steps ``[N]`` and text ``[N, T, D]`` to noise ``[N, 4, H, W]``.

    Args:
        widths: Channels of each level, from the finest.
        blocks: Residual blocks of a level on the way down; one more on the way up.
    """

    def __init__(self, widths: list[int], blocks: int, context: int, heads: int, groups: int):
        super().__init__()
        embed = 4 * widths[0]
        levels = range(len(widths))
        heads_of = [heads if level + 1 < len(widths) else 0 for level in levels]
        self.time = nn.Sequential(nn.Linear(widths[0], embed), nn.SiLU(), nn.Linear(embed, embed))
        self.conv_in = nn.Conv2d(4, widths[0], 3, padding=1)
        self.down, self.shrink = nn.ModuleList(), nn.ModuleList()
        kept, now = [widths[0]], widths[0]
        for level in levels:
            for _ in range(blocks):
                sizes = (now, widths[level])
                self.down.append(Stage(sizes, context, heads_of[level], groups, embed))
                now = widths[level]
                kept.append(now)
            if level + 1 < len(widths):
                self.shrink.append(nn.Conv2d(now, now, 3, stride=2, padding=1))
                kept.append(now)
        self.middle = Stage((now, now), context, heads, groups, embed)
        self.after = Residual(now, now, embed, groups)
        self.up, self.grow = nn.ModuleList(), nn.ModuleList()
        for level in reversed(levels):
            for _ in range(blocks + 1):
                sizes = (now + kept.pop(), widths[level])
                self.up.append(Stage(sizes, context, heads_of[level], groups, embed))
                now = widths[level]
            if level > 0:
                self.grow.append(Up(now))
        self.norm_out = nn.GroupNorm(groups, now)
        self.conv_out = nn.Conv2d(now, 4, 3, padding=1)
        self.blocks = blocks
        self.embedded = widths[0]

    def embed(self, steps: torch.Tensor) -> torch.Tensor:
        """Time steps ``[N]`` as sines and cosines, through two layers: ``[N, E]``."""
        half = self.embedded // 2
        ramp = torch.arange(half, dtype=torch.float32, device=steps.device)
        angles = steps.float()[:, None] * torch.exp(-math.log(10000.0) / half * ramp)
        waves = torch.cat([angles.cos(), angles.sin()], dim=-1).to(steps.dtype)
        out: torch.Tensor = self.time(waves)
        return out

    def forward(
        self, latent: torch.Tensor, steps: torch.Tensor, context: torch.Tensor
    ) -> torch.Tensor:
        time = self.embed(steps)
        x = self.conv_in(latent)
        kept = [x]
        for index, stage in enumerate(self.down):
            x = stage(x, time, context)
            kept.append(x)
            level = index // self.blocks
            if (index + 1) % self.blocks == 0 and level < len(self.shrink):
                x = self.shrink[level](x)
                kept.append(x)
        x = self.after(self.middle(x, time, context), time)
        for index, stage in enumerate(self.up):
            x = stage(torch.cat([x, kept.pop()], dim=1), time, context)
            level = index // (self.blocks + 1)
            if (index + 1) % (self.blocks + 1) == 0 and level < len(self.grow):
                x = self.grow[level](x)
        out: torch.Tensor = self.conv_out(F.silu(self.norm_out(x)))
        return out


def sd_unet(small: bool) -> nn.Module:
    """The UNet of Stable Diffusion 1.5 (860 million parameters), or a narrow one of two levels."""
    if small:
        return UNet([32, 64], blocks=1, context=48, heads=4, groups=8)
    return build_large(lambda: UNet([320, 640, 1280, 1280], 2, context=768, heads=8, groups=32))
