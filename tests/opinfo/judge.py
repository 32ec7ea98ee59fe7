"""Compares an engine's results with eager PyTorch's, given the same call in float64.

Integers, booleans and numbers are equal. A float result has eager's class (number, NaN, +Inf, -Inf)
everywhere, or that of float64 where eager's own steps overflow. Then one of three holds: it is
eager's; every element is within a few units in the last place of the float64 result, or as near to
it as eager allows; or its root mean square error is within a factor of eager's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from tools.perf.accuracy import FACTOR

#: Units in the last place that an element may be off whatever eager's own error is.
ULPS = {torch.float64: 8.0, torch.float32: 4.0, torch.float16: 1.0, torch.bfloat16: 1.0}
#: Below this many elements a root mean square says little, and the factor is that of half types.
FEW = 1000
#: Of so few elements a single lucky rounding of eager's decides: the factor is 8.
HANDFUL = 10


def differences(
    got: Sequence[Any], eager: Sequence[Any], exact: Sequence[Any] | None
) -> str | None:
    """None when the results agree, else what differs first.

    Args:
        exact: The results in float64; None where the operator has none, and then eager's
            own results stand in.
    """
    if len(got) != len(eager):
        return f"{len(got)} results, eager has {len(eager)}"
    for index, (ours, theirs) in enumerate(zip(got, eager, strict=True)):
        wide = None if exact is None or len(exact) != len(eager) else exact[index]
        found = _difference(ours, theirs, wide)
        if found is not None:
            return f"result {index}: {found}"
    return None


def _difference(ours: Any, theirs: Any, wide: Any) -> str | None:
    if not isinstance(theirs, torch.Tensor):
        same = type(ours) is type(theirs) and (
            ours == theirs or (ours != ours and theirs != theirs)
        )
        return None if same else f"{ours!r}, eager {theirs!r}"
    if not isinstance(ours, torch.Tensor):
        return f"a {type(ours).__name__} where eager gives a tensor"
    if ours.dtype != theirs.dtype or ours.shape != theirs.shape or ours.layout != theirs.layout:
        return f"{_kind(ours)}, eager {_kind(theirs)}"
    if theirs.layout != torch.strided:
        return _difference(ours.to_dense(), theirs.to_dense(), None)
    ours, theirs = ours.detach(), theirs.detach()
    if theirs.is_complex():
        parts = None if wide is None else torch.view_as_real(wide.detach().resolve_conj())
        pair = [torch.view_as_real(x.resolve_conj()) for x in (ours, theirs)]
        return _floats(pair[0], pair[1], parts)
    if theirs.is_floating_point():
        return _floats(ours, theirs, None if wide is None else wide.detach())
    if torch.equal(ours, theirs):
        return None
    wrong = (ours != theirs).sum().item()
    at = (ours != theirs).reshape(-1).nonzero()[0].item()
    pair_text = f"{ours.reshape(-1)[at].item()} for {theirs.reshape(-1)[at].item()}"
    return f"{wrong} of {theirs.numel()} elements differ, the first is {pair_text}"


def _floats(ours: torch.Tensor, theirs: torch.Tensor, wide: torch.Tensor | None) -> str | None:
    if ours.numel() == 0 or torch.equal(ours, theirs):
        return None
    a, b = ours.double(), theirs.double()
    usable = wide is not None and wide.shape == theirs.shape and wide.is_floating_point()
    c = wide.double() if usable and wide is not None else b
    other = _classes(a) != _classes(b)
    if usable:
        other &= _classes(a) != _classes(c.to(theirs.dtype))
    if bool(other.any()):
        at = other.reshape(-1).nonzero()
        first = at[0].item()
        pair = f"{a.reshape(-1)[first].item()} for {b.reshape(-1)[first].item()}"
        return f"another class at {len(at)} of {a.numel()} elements, the first is {pair}"
    finite = a.isfinite() & c.isfinite()
    a, b, c = a[finite], b[finite], c[finite]
    b = torch.where(b.isfinite(), b, c)  # where eager overflows, it allows no error
    if a.numel() == 0:
        return None
    factor = FACTOR.get(theirs.dtype, 2.0)
    off, own = (a - c).abs(), (b - c).abs()
    step = torch.finfo(theirs.dtype).eps * c.abs() + torch.finfo(theirs.dtype).smallest_normal
    allowed = torch.maximum(ULPS[theirs.dtype] * step, factor * own)
    if bool((off <= allowed).all()):
        return None
    factor = max(factor, 3.0) if a.numel() < FEW else factor
    factor = 8.0 if a.numel() <= HANDFUL else factor
    rms, eager_rms = off.square().mean().sqrt(), own.square().mean().sqrt()
    floor = 0.1 * torch.finfo(theirs.dtype).eps * c.square().mean().sqrt()
    if bool(rms <= factor * eager_rms + floor):
        return None
    worst = int((off / allowed).argmax())
    return (
        f"RMSE {rms:.2e}, eager {eager_rms:.2e}; worst {a[worst].item():.9g} for "
        f"{c[worst].item():.9g}, eager {b[worst].item():.9g}"
    )


def _classes(x: torch.Tensor) -> torch.Tensor:
    """0 for numbers, 1 and -1 for infinities, 2 for NaN."""
    return x.isposinf().long() - x.isneginf().long() + 2 * x.isnan().long()


def _kind(x: torch.Tensor) -> str:
    return f"{str(x.dtype).removeprefix('torch.')}{list(x.shape)}"
