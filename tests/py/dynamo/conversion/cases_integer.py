"""Convolutions and pools of integers: exact, with wrap-around."""

from __future__ import annotations

from typing import Any

import torch

from tests.py.dynamo.conversion.harness import Case, tensor

i64, i32, i16, i8, u8 = torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8


def _large(*shape: int, dtype: torch.dtype = i64) -> torch.Tensor:
    """Values whose products and sums wrap, and that no float64 holds."""
    limits = torch.iinfo(dtype)
    return torch.randint(limits.min, limits.max, shape, dtype=dtype)


def _conv(op: str, label: str, *rest: Any, make: Any) -> Case:
    return Case(f"aten.{op}", lambda n: (*make(n), *rest), label=f"int_{label}")


CASES = [
    _conv(
        "conv1d.default", "1d", [2], [1], make=lambda n: (_large(n, 4, 9), _large(6, 4, 3), None)
    ),
    _conv(
        "conv2d.default",
        "2d",
        [2, 1],
        [1, 2],
        [1, 2],
        make=lambda n: (_large(2, 3, n, 6), _large(5, 3, 3, 2), _large(5)),
    ),
    _conv(
        "conv2d.default",
        "groups",
        [1, 1],
        [0, 0],
        [1, 1],
        3,
        make=lambda n: (_large(n, 6, 5, 4), _large(9, 2, 2, 3), _large(9)),
    ),
    _conv(
        "conv2d.padding",
        "same",
        [1, 1],
        "same",
        make=lambda n: (tensor(3, n, 5, dtype=i64), tensor(4, 3, 2, 3, dtype=i64), None),
    ),
    _conv(
        "conv3d.default",
        "3d",
        [1, 2, 1],
        [1, 0, 1],
        make=lambda n: (_large(2, 2, n, 4, 3), _large(3, 2, 2, 2, 3), None),
    ),
    *(
        _conv(
            "convolution.default",
            str(dtype).removeprefix("torch."),
            [1, 1],
            [1, 1],
            [1, 1],
            False,
            [0, 0],
            1,
            make=lambda n, dtype=dtype: (
                _large(2, 3, n, 4, dtype=dtype),
                _large(2, 3, 3, 3, dtype=dtype),
                _large(2, dtype=dtype),
            ),
        )
        for dtype in (i32, i16, i8, u8)
    ),
    _conv(
        "conv_transpose1d.default",
        "transposed1d",
        [3],
        [2],
        [1],
        2,
        [2],
        make=lambda n: (_large(2, 4, n), _large(4, 3, 3), _large(6)),
    ),
    _conv(
        "conv_transpose2d.input",
        "transposed2d",
        [2, 1],
        [0, 3],
        [1, 0],
        make=lambda n: (_large(n, 3, 4, 7), _large(3, 2, 2, 3), None),
    ),
    _conv(
        "conv_transpose3d.input",
        "transposed3d",
        [1, 2, 2],
        [0, 1, 0],
        [0, 1, 1],
        make=lambda n: (_large(3, n, 2, 3), _large(3, 2, 2, 3, 1), _large(2)),
    ),
    Case("aten.avg_pool1d.default", lambda n: (_large(n, 3, 8), [3]), label="int"),
    Case(
        "aten.avg_pool2d.default",
        lambda n: (tensor(2, 3, n, 8, dtype=i64), [3, 2], [2, 3], [1, 1], True),
        label="int_ceil",
    ),
    Case(
        "aten.avg_pool2d.default",
        lambda n: (tensor(3, 8, n, dtype=i64), [3, 3], [2, 2], [1, 1], True, False),
        label="int_without_padding",
    ),
    Case(
        "aten.avg_pool2d.default",
        lambda n: (tensor(n, 2, 6, 5, dtype=i64), [2, 3], [1, 2], [0, 1], False, True, -4),
        label="int_divisor",
    ),
    Case(
        "aten.avg_pool3d.default",
        lambda n: (tensor(2, 2, n, 5, 4, dtype=i64), [2, 3, 2], [2] * 3, [1, 1, 0], True, False),
        label="int",
    ),
    Case(
        "aten.max_pool2d.default",
        lambda n: (_large(n, 3, 9, 9), [3, 3], [2, 2], [1, 1], [1, 1], True),
        label="int",
    ),
    Case(
        "aten.max_pool2d_with_indices.default",
        lambda n: ((1 << 62) + tensor(n, 2, 8, 8, dtype=i64), [2, 2]),
        label="int",
    ),
]
