"""Clamps by NaN give NaN, by position and by keyword; other bounds stay."""

import math

import pytest
import torch
from torch_tensorrt.dynamo.lowering.passes.replace_nan_bounds import replace_nan_bounds

from tests.py.dynamo.lowering.passes.passed import graph_of, run_pass

aten = torch.ops.aten
X = torch.tensor([-math.inf, -1.0, 0.0, 2.0, math.nan])
CLAMPS = [
    (aten.clamp.default, (math.nan,), {}),
    (aten.clamp.default, (None, math.nan), {}),
    (aten.clamp.default, (), {"max": math.nan}),
    (aten.clamp_min.default, (math.nan,), {}),
    (aten.clamp_max.default, (math.nan,), {}),
    (aten.clamp.default, (-1.0, 1.0), {}),
    (aten.clamp_max.default, (math.inf,), {}),
]


@pytest.mark.parametrize(("op", "args", "kwargs"), CLAMPS)
def test_clamps(op, args, kwargs):
    gm, left = run_pass(
        replace_nan_bounds, graph_of(lambda call, x: [call(op, x, *args, **kwargs)], X)
    )
    has_nan = any(value is not None and math.isnan(value) for value in [*args, *kwargs.values()])
    assert left == [aten.mul.Tensor if has_nan else op]
    torch.testing.assert_close(gm(X)[0], op(X, *args, **kwargs), equal_nan=True)
