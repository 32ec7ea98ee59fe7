"""Cases of operators that work element by element."""

from __future__ import annotations

import math
from typing import Any

import torch

from tests.py.dynamo.conversion.harness import Case, Size, tensor

i64, u8, i16, b = torch.int64, torch.uint8, torch.int16, torch.bool
bf16, f16, f64 = torch.bfloat16, torch.float16, torch.float64


def specials() -> torch.Tensor:
    return torch.tensor([math.nan, math.inf, -math.inf, 0.0, -0.0, 1.5, -2.5, 3e38, 1e-40])


def _binary(op: str) -> list[Case]:
    return [
        Case(op, lambda n: (tensor(n, 7), tensor(n, 7))),
        Case(op, lambda n: (tensor(3, 1, n), tensor(2, 1)), label="broadcast"),
        Case(op, lambda n: (tensor(n, dtype=bf16), tensor(n, dtype=bf16)), label="bf16"),
        Case(op, lambda n: (tensor(n, dtype=i64), tensor(n)), label="mixed"),
        Case(
            op, lambda n: (tensor(n, dtype=u8, positive=True), tensor(n, dtype=i16)), label="ints"
        ),
    ]


def _scalar(op: str, value: Any) -> list[Case]:
    return [
        Case(op, lambda n: (tensor(n, 5), value)),
        Case(op, lambda n: (tensor(n, dtype=bf16), value), label="bf16"),
        Case(op, lambda n: (tensor(n, dtype=i64), value), label="i64"),
    ]


UNARY = [
    "abs",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "ceil",
    "cos",
    "cosh",
    "erf",
    "exp",
    "exp2",
    "expm1",
    "floor",
    "log",
    "log10",
    "log1p",
    "log2",
    "neg",
    "reciprocal",
    "round",
    "rsqrt",
    "sigmoid",
    "sign",
    "sin",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
    "trunc",
    "isnan",
    "isinf",
    "isfinite",
    "logical_not",
    "relu",
    "square",
    "frac",
    "nan_to_num",
]

FLOAT_UNARY = [
    "gelu",
    "silu",
    "hardswish",
    "hardsigmoid",
    "hardtanh",
    "leaky_relu",
    "elu",
    "softplus",
    "mish",
    "selu",
    "celu",
    "log_sigmoid_forward",
    "softshrink",
    "hardshrink",
    "relu6",
]

CASES: list[Case] = [
    *(
        Case(f"aten.{op}.default", lambda n: (tensor(n, 3),))
        for op in UNARY + FLOAT_UNARY
        if op != "log_sigmoid_forward"
    ),
    *(
        Case(f"aten.{op}.default", lambda n: (tensor(n, dtype=f16),), label="f16")
        for op in UNARY
        if op != "square"
    ),
    *(
        Case(f"aten.{op}.default", lambda n: (specials(),), label="specials")
        for op in [
            "abs",
            "exp",
            "log",
            "sqrt",
            "tanh",
            "sigmoid",
            "relu",
            "neg",
            "isnan",
            "isinf",
            "isfinite",
            "sign",
            "round",
            "floor",
            "erf",
            "silu",
            "softplus",
        ]
    ),
    *(
        Case(f"aten.{op}.default", lambda n: (tensor(n, dtype=i64),), label="i64")
        for op in ["abs", "sin", "floor", "sign", "neg", "sigmoid", "relu", "isnan"]
    ),
    Case("aten.nan_to_num.default", lambda n: (specials(),), label="specials", wide=False),
    Case("aten.log_sigmoid_forward.default", lambda n: (tensor(n, 3) * 30,), outputs=(0,)),
    Case("aten.gelu.default", lambda n: (tensor(n, 3),), {"approximate": "tanh"}, label="tanh"),
    Case("aten.celu.default", lambda n: (tensor(n, 3), 1.7), label="alpha"),
    Case("aten.elu.default", lambda n: (tensor(n, 3), 1.5, 0.7, 2.0), label="scaled"),
    Case("aten.glu.default", lambda n: (tensor(n, 6),)),
    Case("aten._prelu_kernel.default", lambda n: (tensor(n, 6), tensor(6))),
    Case("aten.threshold.default", lambda n: (tensor(n), 0.1, 20.0)),
    *[c for op in ("add", "sub", "mul") for c in _binary(f"aten.{op}.Tensor")],
    *[c for op in ("maximum", "minimum") for c in _binary(f"aten.{op}.default")],
    *[c for op in ("eq", "ne", "lt", "le", "gt", "ge") for c in _binary(f"aten.{op}.Tensor")[:4]],
    *[c for op in ("eq", "lt", "ge") for c in _scalar(f"aten.{op}.Scalar", 0.1)],
    *_scalar("aten.add.Tensor", 0.3),
    *_scalar("aten.mul.Tensor", 3),
    *_scalar("aten.sub.Tensor", 2),
    *_scalar("aten.div.Tensor", 3),
    *_scalar("aten.remainder.Scalar", 3),
    *_scalar("aten.pow.Tensor_Scalar", 2),
    *_scalar("aten.clamp_min.default", 0.5),
    Case("aten.add.Tensor", lambda n: (tensor(n), tensor(n)), {"alpha": 2.5}, label="alpha"),
    Case("aten.add.Tensor", lambda n: (tensor(n, dtype=i64), Size(0, 0)), label="size"),
    Case("aten.rsub.Scalar", lambda n: (tensor(n), 1.5)),
    Case(
        "aten.div.Tensor",
        lambda n: (tensor(n, dtype=i64), tensor(n, dtype=i64, positive=True)),
        label="ints",
    ),
    Case(
        "aten.div.Tensor_mode",
        lambda n: (tensor(n), tensor(n, positive=True)),
        {"rounding_mode": "floor"},
        label="floor",
    ),
    *(
        Case(
            "aten.div.Tensor_mode",
            lambda n, by=by: (tensor(n, dtype=i64), by),
            {"rounding_mode": mode},
            label=f"{mode}{by}",
        )
        for mode in ("floor", "trunc")
        for by in (3, -4)
    ),
    *_scalar("aten.floor_divide.default", -3),
    *_scalar("aten.fmod.Scalar", 3),
    Case("aten.fmod.Tensor", lambda n: (tensor(n), tensor(n, positive=True))),
    Case("aten.atan2.default", lambda n: (tensor(n), tensor(n))),
    Case("aten.pow.Tensor_Tensor", lambda n: (tensor(n, positive=True), tensor(n))),
    Case("aten.pow.Scalar", lambda n: (2.0, tensor(n))),
    *(
        Case("aten.pow.Tensor_Scalar", lambda n, e=e: (tensor(n, positive=True), e), label=f"e{e}")
        for e in (3, 0.5, -0.5, -1, -2, 1.7)
    ),
    Case("aten.addcmul.default", lambda n: (tensor(n), tensor(n), tensor(n)), {"value": 0.5}),
    Case("aten.addcdiv.default", lambda n: (tensor(n), tensor(n), tensor(n, positive=True))),
    Case("aten.lerp.Scalar", lambda n: (tensor(n), tensor(n), 0.7)),
    Case("aten.logical_and.default", lambda n: (tensor(n, dtype=i64), tensor(n))),
    Case("aten.bitwise_and.Tensor", lambda n: (tensor(n, dtype=b), tensor(n, dtype=b))),
    Case("aten.bitwise_xor.Tensor", lambda n: (tensor(n, dtype=i64), tensor(n, dtype=i64))),
    Case("aten.bitwise_not.default", lambda n: (tensor(n, dtype=i64),)),
    Case("aten.where.self", lambda n: (tensor(n, 1, dtype=b), tensor(n, 4), tensor(4, dtype=f64))),
    Case("aten.masked_fill.Scalar", lambda n: (tensor(n, 4), tensor(n, 1, dtype=b), -math.inf)),
    Case("aten.clamp.default", lambda n: (tensor(n), -0.5, 0.5)),
    Case("aten.clamp.default", lambda n: (tensor(n, dtype=i64), None, 2.5), label="promote"),
    Case("aten.clamp.Tensor", lambda n: (tensor(n), tensor(n), None)),
    Case("aten._to_copy.default", lambda n: (tensor(n) * 5,), {"dtype": i64}),
    Case("aten._to_copy.default", lambda n: (tensor(n),), {"dtype": bf16}, label="bf16"),
    Case("aten._to_copy.default", lambda n: (specials(),), {"dtype": b}, label="bool"),
]
