"""Cases of special functions, sign bits and neighbours."""

from __future__ import annotations

import torch

from tests.py.dynamo.conversion.harness import Case, Size, tensor

i32, i64, f16, f64 = torch.int32, torch.int64, torch.float16, torch.float64

_REAL_LINE = ["erfc", "lgamma", "digamma", "i0", "special_i0e", "special_i1", "special_i1e"]
_REAL_LINE += ["special_erfcx", "special_bessel_j0", "special_bessel_j1", "special_airy_ai"]
_REAL_LINE += ["special_modified_bessel_i0", "special_modified_bessel_i1"]
_POSITIVE = ["special_bessel_y0", "special_bessel_y1"]
_POSITIVE += ["special_modified_bessel_k0", "special_modified_bessel_k1"]
_POSITIVE += ["special_scaled_modified_bessel_k0", "special_scaled_modified_bessel_k1"]
_POLYNOMIALS = [
    *(f"{shifted}chebyshev_polynomial_{kind}" for shifted in ("", "shifted_") for kind in "tuvw"),
    "hermite_polynomial_h",
    "hermite_polynomial_he",
    "laguerre_polynomial_l",
    "legendre_polynomial_p",
]


def _degrees(n: int) -> torch.Tensor:
    return torch.arange(n, dtype=torch.float32) % 11 - 1


CASES: list[Case] = [
    *(Case(f"aten.{name}.default", lambda n: (tensor(n, 5) * 3,)) for name in _REAL_LINE),
    *(
        Case(f"aten.{name}.default", lambda n: (tensor(n, 5, positive=True) * 9,))
        for name in _POSITIVE
    ),
    Case("aten.erfc.default", lambda n: (tensor(n, 5, dtype=f16),), label="f16"),
    Case("aten.lgamma.default", lambda n: (tensor(n, dtype=i64),), label="i64"),
    Case("aten.erfinv.default", lambda n: (torch.linspace(-1, 1, n),)),
    Case("aten.special_ndtri.default", lambda n: (torch.linspace(0, 1, n),)),
    Case("aten.polygamma.default", lambda n: (0, tensor(n, positive=True)), label="0"),
    Case("aten.polygamma.default", lambda n: (3, tensor(n, positive=True)), label="3"),
    Case(
        "aten.igamma.default",
        lambda n: (tensor(n, positive=True) * 9, tensor(n, positive=True) * 9),
    ),
    Case(
        "aten.igammac.default",
        lambda n: (tensor(n, positive=True) * 9, tensor(n, positive=True) * 9),
    ),
    Case(
        "aten.special_zeta.default",
        lambda n: (tensor(n, positive=True) * 4 + 1, tensor(n, positive=True)),
    ),
    Case("aten.special_zeta.self_scalar", lambda n: (2, tensor(n, positive=True))),
    Case("aten.special_zeta.other_scalar", lambda n: (tensor(n, positive=True) + 2, 0.5)),
    *(
        Case(f"aten.special_{name}.default", lambda n: (tensor(n), _degrees(n)))
        for name in _POLYNOMIALS
    ),
    Case("aten.special_legendre_polynomial_p.n_scalar", lambda n: (tensor(n), 4)),
    Case("aten.special_legendre_polynomial_p.x_scalar", lambda n: (0.5, _degrees(n))),
    Case("aten.signbit.default", lambda n: (tensor(n) * 0.0,), label="zeros"),
    Case("aten.signbit.default", lambda n: (tensor(n, dtype=i32),), label="i32"),
    Case("aten.copysign.Tensor", lambda n: (tensor(n, 1), tensor(n) * 0.0)),
    Case("aten.copysign.Scalar", lambda n: (tensor(n, dtype=i64), -0.0)),
    Case("aten.nextafter.default", lambda n: (tensor(n), tensor(n)), wide=False),
    Case(
        "aten.nextafter.default",
        lambda n: (tensor(n, dtype=f64), tensor(n, dtype=f64)),
        label="f64",
    ),
    Case("aten.gcd.default", lambda n: (tensor(n, dtype=i64) * 6, tensor(n, dtype=i64) * 4)),
    Case("aten.gcd.default", lambda n: (tensor(n, dtype=i32), tensor(n, dtype=i64)), label="mixed"),
    Case("aten.lcm.default", lambda n: (tensor(n, dtype=i64) * 6, tensor(n, dtype=i64) * 4)),
    Case("aten.unfold.default", lambda n: (tensor(2, n + 3), 1, 3, 2)),
    Case("aten.unfold_copy.default", lambda n: (tensor(n + 3, 2), 0, 2, 1)),
    Case(
        "aten.slice_scatter.default",
        lambda n: (tensor(n, 9), tensor(n, 4), 1, 1, 9, 2),
        label="step",
    ),
    Case("aten.topk.default", lambda n: (tensor(n, 3).sum(), 1), label="scalar"),
    Case(
        "aten.native_layer_norm.default",
        lambda n: (tensor(n, 5), [5], None, None, 1e-5),
        label="statistics",
    ),
    Case(
        "aten.native_group_norm.default",
        lambda n: (tensor(n, 6, 5), None, None, Size(0, 0), 6, 5, 3, 1e-5),
        label="statistics",
    ),
    Case(
        "aten.adaptive_max_pool2d.default",
        lambda n: (tensor(n, 3, 7, 5), [3, 2]),
        label="indices",
    ),
    Case(
        "aten.adaptive_max_pool3d.default",
        lambda n: (tensor(n, 2, 5, 4, 3), [2, 3, 1]),
        label="indices",
    ),
    *(
        Case(
            "aten._embedding_bag.default",
            lambda n, mode=mode, padding=padding: (
                tensor(5, 3),
                torch.arange(n) % 5,
                torch.tensor([0, 0, 2]),
                False,
                mode,
                False,
                None,
                False,
                padding,
            ),
            outputs=(0,),
            label=f"{mode}-{padding}",
        )
        for mode in (0, 1, 2)
        for padding in (-1, 1)
    ),
    Case(
        "aten._embedding_bag.default",
        lambda n: (
            *(tensor(5, 3), torch.arange(n) % 5, torch.tensor([0, 2, 4]), False, 0, False),
            *(tensor(n), True, -1),
        ),
        outputs=(0,),
        label="weighted",
    ),
    Case(
        "aten.scaled_dot_product_attention.default",
        lambda n: (tensor(4, n, 8), tensor(2, 4, 6, 8), tensor(2, 4, 6, 8)),
        label="ranks",
    ),
    Case(
        "aten.reflection_pad2d.default",
        lambda n: (torch.ones(0, 3, n, 3), [0, 2, 0, 1]),
        label="empty",
    ),
]
