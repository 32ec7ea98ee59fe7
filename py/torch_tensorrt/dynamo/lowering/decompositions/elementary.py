"""Functions of single numbers that a few other ones give exactly."""

from __future__ import annotations

import math
from typing import Any

import torch

from torch_tensorrt.dynamo.lowering._decompositions import register_torch_trt_decomposition

aten = torch.ops.aten

_IN_DOUBLE = (torch.float16, torch.bfloat16, torch.float32)


@register_torch_trt_decomposition(aten.fmax.default)
def _fmax(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return _of_numbers(aten.maximum.default, a, b)


@register_torch_trt_decomposition(aten.fmin.default)
def _fmin(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return _of_numbers(aten.minimum.default, a, b)


def _of_numbers(choose: Any, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """``choose(a, b)``, where a NaN gives way to the other operand."""
    dtype = torch.result_type(a, b)
    a, b = a.to(dtype), b.to(dtype)
    if not dtype.is_floating_point:
        return choose(a, b)
    return torch.where(torch.isnan(a), b, torch.where(torch.isnan(b), a, choose(a, b)))


@register_torch_trt_decomposition(aten.frexp.Tensor)
def _frexp(x: torch.Tensor) -> Any:
    """Mantissa and exponent, in float64, where every power of two of a narrower type is exact."""
    if x.dtype not in _IN_DOUBLE:
        return NotImplemented
    wide = x.double()
    regular = torch.isfinite(x) & (x != 0)
    exponent = torch.floor(torch.log2(torch.where(regular, wide.abs(), 1.0))) + 1
    mantissa = wide * torch.exp2(-exponent)
    small, large = mantissa.abs() < 0.5, mantissa.abs() >= 1
    exponent = exponent + torch.where(large, 1.0, 0.0) - torch.where(small, 1.0, 0.0)
    mantissa = torch.where(large, mantissa * 0.5, torch.where(small, mantissa * 2, mantissa))
    return (
        torch.where(regular, mantissa, wide).to(x.dtype),
        torch.where(regular, exponent, 0.0).to(torch.int32),
    )


@register_torch_trt_decomposition(aten.special_spherical_bessel_j0.default)
def _spherical_bessel_j0(x: torch.Tensor) -> torch.Tensor:
    dtype = x.dtype if x.dtype.is_floating_point else torch.float32
    wide = x.to(torch.float64)
    ratio = torch.where(wide == 0, 1.0, torch.sin(wide) / wide)
    return torch.where(torch.isinf(wide), 0.0, ratio).to(dtype)


@register_torch_trt_decomposition(aten.angle.default)
def _angle(x: torch.Tensor) -> Any:
    if x.dtype.is_complex:
        return NotImplemented
    dtype = x.dtype if x.dtype.is_floating_point else torch.float32
    half_turn = torch.where(x < 0, math.pi, 0.0).to(dtype)
    return torch.where(torch.isnan(x), x, half_turn) if x.dtype.is_floating_point else half_turn


@register_torch_trt_decomposition(aten.hardtanh.default)
def _hardtanh(x: torch.Tensor, min_val: Any = -1, max_val: Any = 1) -> Any:
    """The engine's own is for floats."""
    if x.dtype.is_floating_point or x.dtype == torch.bool:
        return NotImplemented
    return torch.clamp(x, int(min_val), int(max_val))
