"""Discrete Fourier transforms as matrix products, for sizes that are known.

A long transform is split into two short ones with a twist between them (Cooley and Tukey).
Everything is computed in float64: products with whole rows would otherwise lose more digits than a
fast transform.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import fx

from torch_tensorrt.dynamo.lowering._real_graph import RealGraph, rank, shape

aten = torch.ops.aten

#: Transforms up to this length are one product.
DIRECT = 64


#: Larger prime factors would need tables of many megabytes.
LARGEST_PRIME = 512


def is_supported(size: int) -> bool:
    """Whether a transform of this length is made of products of a bearable size."""
    rest, factor = size, 2
    while factor * factor <= rest:
        if rest % factor == 0:
            rest //= factor
        else:
            factor += 1
    return size > 0 and rest <= LARGEST_PRIME


def scale_of(sizes: Sequence[int], normalization: int) -> float:
    """The factor of PyTorch's normalisation 0 (none), 1 (by the root) or 2 (by the count)."""
    count = math.prod(sizes)
    return {0: 1.0, 1: 1 / math.sqrt(count), 2: 1 / count}[normalization]


def transform(g: RealGraph, pair: fx.Node, axes: Sequence[int], forward: bool) -> fx.Node:
    """Complex to complex over ``axes``. pair: ``[..., 2]`` in float64."""
    for axis in axes:
        pair = _along(g, pair, axis, forward)
    return pair


def real_transform(g: RealGraph, x: fx.Node, axis: int, onesided: bool) -> fx.Node:
    """Real to complex over one axis, forward. x: float64; gives ``[..., 2]``."""
    size = shape(x)[axis]
    if size > DIRECT:
        zeros = g.call(aten.mul.Tensor, x, 0.0)
        whole = _along(g, g.pair(x, zeros), axis, forward=True)
        if not onesided:
            return whole
        return g.call(aten.slice.Tensor, whole, axis, 0, size // 2 + 1)
    kept = size // 2 + 1 if onesided else size
    cosine, sine = _waves(size)
    matrix = torch.cat([cosine[:, :kept], -sine[:, :kept]], 1)
    last = rank(x) - 1
    moved = g.permuted(x, [*(d for d in range(rank(x)) if d != axis), axis])
    product = g.call(aten.matmul.default, moved, g.constant(matrix))
    parts = g.reshaped(product, [*shape(product)[:-1], 2, kept])
    order = list(range(last))
    order.insert(axis, last + 1)
    return g.permuted(parts, [*order, last])


def inverse_real_transform(g: RealGraph, pair: fx.Node, axis: int, size: int) -> fx.Node:
    """Half a spectrum to ``size`` real numbers over one axis. pair: ``[..., 2]`` in float64."""
    kept = size // 2 + 1
    pair = g.call(aten.slice.Tensor, pair, axis, 0, kept)
    cosine, sine = _waves(size)
    weight = torch.full((kept, 1), 2.0, dtype=torch.float64)
    weight[0] = 1.0
    if size % 2 == 0:
        weight[-1] = 1.0
    matrix = torch.cat([cosine[:kept] * weight, -sine[:kept] * weight], 0)
    dims = rank(pair)
    order = [*(d for d in range(dims - 1) if d != axis), dims - 1, axis]
    moved = g.permuted(pair, order)
    rows = g.reshaped(moved, [*shape(moved)[:-2], 2 * kept])
    product = g.call(aten.matmul.default, rows, g.constant(matrix))
    back = list(range(dims - 2))
    back.insert(axis, dims - 2)
    return g.permuted(product, back)


def _along(g: RealGraph, pair: fx.Node, axis: int, forward: bool) -> fx.Node:
    dims = rank(pair)
    others = [d for d in range(dims - 1) if d != axis]
    moved = g.permuted(pair, [*others, dims - 1, axis])
    out = _rows(g, moved, forward)
    order = list(range(dims - 2))
    order.insert(axis, dims - 1)
    return g.permuted(out, [*order, dims - 2])


def _rows(g: RealGraph, x: fx.Node, forward: bool) -> fx.Node:
    """The transform of the last axis of ``[..., 2, n]``."""
    *outer, _, size = shape(x)
    factor = _factor(size)
    if factor is None:
        rows = g.reshaped(x, [*outer, 2 * size])
        product = g.call(aten.matmul.default, rows, g.constant(_matrix(size, forward)))
        return g.reshaped(product, [*outer, 2, size])
    # j = j1 b + j2 and k = k1 + a k2: a transform of length a, a twist, one of length b.
    a, b = factor, size // factor
    k = len(outer)
    table = g.reshaped(x, [*outer, 2, a, b])
    first = _rows(g, g.permuted(table, [*range(k), k + 2, k, k + 1]), forward)  # [..., j2, 2, k1]
    twisted = _twist(g, first, a, b, forward)
    second = _rows(
        g, g.permuted(twisted, [*range(k), k + 2, k + 1, k]), forward
    )  # [..., k1, 2, k2]
    return g.reshaped(g.permuted(second, [*range(k), k + 1, k + 2, k]), [*outer, 2, size])


def _twist(g: RealGraph, x: fx.Node, a: int, b: int, forward: bool) -> fx.Node:
    """``[..., b, 2, a]`` times exp(-+ 2 pi i j2 k1 / (a b))."""
    places = torch.arange(b)[:, None] * torch.arange(a)[None, :]
    angles = places.double() * (2 * math.pi / (a * b))
    cosine = g.constant(torch.cos(angles))
    sine = g.constant(torch.sin(angles) * (1 if forward else -1))
    axis = rank(x) - 2
    real = g.call(aten.select.int, x, axis, 0)
    imaginary = g.call(aten.select.int, x, axis, 1)
    return g.call(
        aten.stack.default,
        [
            g.call(aten.add.Tensor, _times(g, real, cosine), _times(g, imaginary, sine)),
            g.call(aten.sub.Tensor, _times(g, imaginary, cosine), _times(g, real, sine)),
        ],
        axis,
    )


def _times(g: RealGraph, a: fx.Node, b: fx.Node) -> fx.Node:
    return g.call(aten.mul.Tensor, a, b)


def _factor(size: int) -> int | None:
    """The divisor nearest to the root from below; None for short and for prime sizes."""
    if size <= DIRECT:
        return None
    return next((a for a in range(math.isqrt(size), 1, -1) if size % a == 0), None)


def _waves(size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """``cos`` and ``sin`` of 2 pi j k / size. The product is reduced first, so that angles are
    exact, and what is zero is made so."""
    places = torch.arange(size)[:, None] * torch.arange(size)[None, :] % size
    angles = places.double() * (2 * math.pi / size)
    cosine, sine = torch.cos(angles), torch.sin(angles)
    return torch.where(4 * places % (2 * size) == size, 0.0, cosine), torch.where(
        2 * places % size == 0, 0.0, sine
    )


def _matrix(size: int, forward: bool) -> torch.Tensor:
    """``[re | im] @ matrix`` is the transform."""
    cosine, sine = _waves(size)
    if not forward:
        sine = -sine
    return torch.cat([torch.cat([cosine, -sine], 1), torch.cat([sine, cosine], 1)], 0)


__all__: list[Any] = [
    "inverse_real_transform",
    "is_supported",
    "real_transform",
    "scale_of",
    "transform",
]
