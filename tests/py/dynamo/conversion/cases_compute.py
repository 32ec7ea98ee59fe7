"""Cases of reductions, scans, products, convolutions, pooling, normalisation and attention."""

from __future__ import annotations

import torch

from tests.py.dynamo.conversion.harness import Case, tensor

i64, b, bf16, f16 = torch.int64, torch.bool, torch.bfloat16, torch.float16
ZERO, ONE = [0, 0], [1, 1]

CASES: list[Case] = [
    Case("aten.sum.dim_IntList", lambda n: (tensor(n, 5, 3), [0, -1], True)),
    Case("aten.sum.default", lambda n: (tensor(n, dtype=b),), label="bool"),
    Case(
        "aten.sum.dim_IntList",
        lambda n: (tensor(n, 5), [1]),
        {"dtype": torch.float64},
        label="dtype",
    ),
    Case("aten.mean.dim", lambda n: (tensor(n, 5, dtype=bf16), [1])),
    Case("aten.prod.dim_int", lambda n: (tensor(n, 5), 1)),
    Case("aten.amax.default", lambda n: (tensor(n, 5), [1], True)),
    Case("aten.max.dim", lambda n: (tensor(n, 5), 1)),
    Case("aten.min.default", lambda n: (tensor(n, dtype=i64),)),
    Case("aten.argmax.default", lambda n: (tensor(n, 5),)),
    Case("aten.argmin.default", lambda n: (tensor(n, 5), 1, True)),
    Case("aten.any.dim", lambda n: (tensor(n, 2, dtype=b), 1)),
    Case("aten.all.default", lambda n: (tensor(n, dtype=i64),)),
    Case("aten.logsumexp.default", lambda n: (tensor(n, 5) * 100, [1])),
    Case("aten.var.correction", lambda n: (tensor(n, 5), [1]), {"correction": 1}),
    Case(
        "aten.std.correction",
        lambda n: (tensor(n, 5, dtype=f16), [0]),
        {"correction": 0, "keepdim": True},
    ),
    Case("aten.var_mean.correction", lambda n: (tensor(n, 5), [1]), {"correction": 1}),
    *(
        Case(
            "aten.linalg_vector_norm.default", lambda n, p=p: (tensor(n, 5), p, [1]), label=f"p{p}"
        )
        for p in (0, 1, 2, 3, float("inf"))
    ),
    Case("aten._cdist_forward.default", lambda n: (tensor(2, n, 5), tensor(2, 4, 5), 2.0, None)),
    Case(
        "aten._native_batch_norm_legit.no_stats",
        lambda n: (tensor(n, 4, 3), tensor(4), tensor(4), True, 0.1, 1e-5),
    ),
    Case("aten.cumsum.default", lambda n: (tensor(n, 5, dtype=b), 1)),
    Case("aten.cumsum.default", lambda n: (tensor(n, 5), 0), label="float"),
    Case("aten.cumprod.default", lambda n: (tensor(n, 5), 1)),
    Case("aten.cummax.default", lambda n: (tensor(n, 5), 1)),
    Case("aten.topk.default", lambda n: (tensor(n, 9), 4)),
    Case("aten.topk.default", lambda n: (tensor(9, n), 4, 0, False), label="smallest"),
    Case("aten.sort.default", lambda n: (tensor(n, 9), -1, True)),
    Case("aten.argsort.default", lambda n: (tensor(n, 9),)),
    Case("aten._softmax.default", lambda n: (tensor(n, 5), -1, False)),
    Case("aten._softmax.default", lambda n: (tensor(n, 5, dtype=bf16), 0, False), label="bf16"),
    Case("aten._log_softmax.default", lambda n: (tensor(n, 5), 1, False)),
    Case("aten.linear.default", lambda n: (tensor(2, n, 7), tensor(5, 7), tensor(5))),
    Case(
        "aten.linear.default",
        lambda n: (tensor(n, 7, dtype=bf16), tensor(5, 7, dtype=bf16)),
        label="bf16",
    ),
    Case("aten.linear.default", lambda n: (tensor(7), tensor(5, 7), tensor(5)), label="vector"),
    Case("aten.addmm.default", lambda n: (tensor(5), tensor(n, 7), tensor(7, 5))),
    Case(
        "aten.addmm.default",
        lambda n: (tensor(n, 5), tensor(n, 7), tensor(7, 5)),
        {"beta": 0.5, "alpha": 2},
        label="scaled",
    ),
    Case("aten.mm.default", lambda n: (tensor(n, 7), tensor(7, 5))),
    Case("aten.bmm.default", lambda n: (tensor(3, n, 7), tensor(3, 7, 5))),
    Case("aten.baddbmm.default", lambda n: (tensor(3, n, 5), tensor(3, n, 7), tensor(3, 7, 5))),
    Case("aten.matmul.default", lambda n: (tensor(2, 1, n, 7), tensor(3, 7, 5))),
    Case("aten.matmul.default", lambda n: (tensor(n, 7), tensor(7)), label="vector"),
    Case("aten.mv.default", lambda n: (tensor(n, 7), tensor(7))),
    Case("aten.dot.default", lambda n: (tensor(n), tensor(n))),
    Case("aten.linalg_cross.default", lambda n: (tensor(n, 3), tensor(n, 3))),
    Case(
        "aten.convolution.default",
        lambda n: (
            tensor(n, 4, 9, 8),
            tensor(6, 4, 3, 3),
            tensor(6),
            [2, 1],
            ONE,
            [1, 2],
            False,
            ZERO,
            1,
        ),
    ),
    Case(
        "aten.convolution.default",
        lambda n: (tensor(n, 4, 9), tensor(4, 1, 3), None, [1], [1], [1], False, [0], 4),
        label="depthwise1d",
    ),
    Case(
        "aten.conv2d.default",
        lambda n: (tensor(4, n, 8), tensor(6, 4, 3, 3), None, ONE, ZERO, ONE, 1),
        label="unbatched",
    ),
    Case(
        "aten.conv2d.padding",
        lambda n: (tensor(n, 4, 9, 8), tensor(6, 4, 2, 3), None, ONE, "same"),
    ),
    Case(
        "aten.convolution.default",
        lambda n: (
            tensor(n, 4, 5, 6),
            tensor(4, 3, 3, 3),
            tensor(6),
            [2, 2],
            ONE,
            ONE,
            True,
            ONE,
            2,
        ),
        label="transposed",
    ),
    Case(
        "aten.convolution.default",
        lambda n: (
            tensor(n, 2, 4, 5, 6),
            tensor(3, 2, 2, 2, 2),
            None,
            [1] * 3,
            [0] * 3,
            [1] * 3,
            False,
            [0] * 3,
            1,
        ),
        label="3d",
    ),
    Case(
        "aten.convolution.default",
        lambda n: (
            tensor(n, 6, 4, 5, 6, dtype=bf16),
            tensor(4, 3, 2, 3, 1, dtype=bf16),
            tensor(4, dtype=bf16),
            [1, 2, 1],
            [1, 1, 0],
            [2, 1, 1],
            False,
            [0] * 3,
            2,
        ),
        label="3d_bf16",
    ),
    Case(
        "aten.conv3d.default",
        lambda n: (
            tensor(2, 4, 3, n + 2, 6),
            tensor(4, 1, 3, 3, 3),
            None,
            [1] * 3,
            [1] * 3,
            [1] * 3,
            4,
        ),
        label="depthwise3d",
    ),
    Case(
        "aten.conv_transpose2d.input",
        lambda n: (tensor(2, 5, n, 4), tensor(5, 6, 4, 4), tensor(6), [2, 2], ONE),
        label="doubling",
    ),
    Case(
        "aten.conv_transpose2d.input",
        lambda n: (tensor(n, 5, 3, 4, dtype=bf16), tensor(5, 6, 2, 2, dtype=bf16), None, [2, 2]),
        label="bf16",
    ),
    Case(
        "aten.conv_transpose1d.default",
        lambda n: (tensor(2, 4, n), tensor(4, 3, 3), tensor(6), [3], [0], [1], 2, [2]),
    ),
    Case(
        "aten.conv_transpose3d.input",
        lambda n: (
            tensor(2, 4, 2, n, 3),
            tensor(4, 3, 2, 3, 1),
            tensor(3),
            [2, 1, 2],
            [0, 1, 0],
            [1, 0, 0],
            1,
            [1, 2, 1],
        ),
    ),
    Case(
        "aten.conv_transpose3d.input",
        lambda n: (
            tensor(n, 4, 2, 3, 3, dtype=bf16),
            tensor(4, 3, 2, 2, 2, dtype=bf16),
            None,
            [2] * 3,
        ),
        label="bf16",
    ),
    Case(
        "aten.max_pool2d.default",
        lambda n: (tensor(n, 3, 9, 9), [3, 3], [2, 2], [1, 1], [1, 1], True),
    ),
    Case("aten.max_pool2d_with_indices.default", lambda n: (tensor(n, 3, 8, 8), [2, 2])),
    Case(
        "aten.avg_pool2d.default",
        lambda n: (tensor(n, 3, 8, 8), [3, 3], [2, 2], [1, 1], False, False),
    ),
    Case("aten.avg_pool1d.default", lambda n: (tensor(n, 3, 8), [3])),
    Case("aten.adaptive_avg_pool2d.default", lambda n: (tensor(n, 3, 7, 9), [2, 3])),
    Case("aten._adaptive_avg_pool2d.default", lambda n: (tensor(n, 3, 7, 9), [1, 1])),
    Case("aten.upsample_nearest2d.vec", lambda n: (tensor(n, 3, 4, 5), None, [2.0, 2.0])),
    Case("aten.upsample_bilinear2d.vec", lambda n: (tensor(n, 3, 4, 5), [7, 9], False, None)),
    Case(
        "aten.upsample_bilinear2d.vec",
        lambda n: (tensor(n, 3, 4, 5), [7, 9], True, None),
        label="corners",
    ),
    Case("aten.upsample_bicubic2d.vec", lambda n: (tensor(n, 3, 4, 5), [7, 9], False, None)),
    Case("aten.layer_norm.default", lambda n: (tensor(n, 5, 8), [8], tensor(8), tensor(8))),
    Case("aten.layer_norm.default", lambda n: (tensor(n, 5, 8), [5, 8]), label="two"),
    Case(
        "aten.native_layer_norm.default",
        lambda n: (tensor(n, 8, dtype=bf16), [8], tensor(8, dtype=bf16), None, 1e-5),
        outputs=(0,),
    ),
    Case("aten.rms_norm.default", lambda n: (tensor(n, 8), [8], tensor(8))),
    Case("aten.group_norm.default", lambda n: (tensor(n, 6, 5), 3, tensor(6), tensor(6))),
    Case(
        "aten._native_batch_norm_legit_no_training.default",
        lambda n: (
            tensor(n, 4, 5, 6),
            tensor(4),
            tensor(4),
            tensor(4),
            tensor(4, positive=True),
            0.1,
            1e-5,
        ),
        outputs=(0,),
    ),
    Case(
        "aten.scaled_dot_product_attention.default",
        lambda n: (tensor(2, 4, n, 8), tensor(2, 4, n, 8), tensor(2, 4, n, 8)),
        {"is_causal": True},
        label="causal",
    ),
    Case(
        "aten.scaled_dot_product_attention.default",
        lambda n: (
            tensor(2, 4, n, 8),
            tensor(2, 2, 5, 8),
            tensor(2, 2, 5, 8),
            torch.rand(2, 1, n, 5) > 0.3,
        ),
        {"enable_gqa": True, "scale": 0.3},
        label="gqa",
    ),
    Case(
        "aten.scaled_dot_product_attention.default",
        lambda n: (tensor(3, n, 8), tensor(3, 5, 8), tensor(3, 5, 6), tensor(n, 5)),
        label="rank3",
    ),
]
