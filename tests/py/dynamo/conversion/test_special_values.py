"""NaN, infinities and indices out of range, through a whole engine."""

import itertools

import pytest
import torch
import torch_tensorrt
from torch import nn

from tests.py.dynamo.conversion.harness import Call

SPECIAL = [0.0, -0.0, 1.5, -3e38, float("inf"), -float("inf"), float("nan")]


def compiled(function, *inputs):
    return torch_tensorrt.compile(
        Call(function).eval(), arg_inputs=inputs, require_full_compilation=True
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_hypot_of_every_pair(dtype):
    """An infinite side wins over NaN."""
    x, y = (
        torch.tensor(v).to(dtype) for v in zip(*itertools.product(SPECIAL, SPECIAL), strict=True)
    )
    got = compiled(torch.hypot, x, y)(x, y)
    expected = torch.hypot(x.double(), y.double()).to(dtype)
    torch.testing.assert_close(got, expected, equal_nan=True)


@pytest.mark.parametrize("shape", [(), (3,), (2, 0), (5, 7)])
def test_one_hot(shape):
    x = torch.randint(0, 4, shape)
    got = compiled(lambda x: nn.functional.one_hot(x, 4), x)(x)
    assert torch.equal(got, nn.functional.one_hot(x, 4))


@pytest.mark.parametrize("bad", [4, 7, -1])
def test_one_hot_refuses_a_class_out_of_range(bad):
    good = torch.tensor([[0, 3], [2, 1]])
    run = compiled(lambda x: nn.functional.one_hot(x, 4), good)
    wrong = good.clone()
    wrong[1, 0] = bad
    with pytest.raises(ValueError, match=f"index {bad} is out of range"):
        run(wrong)
    assert torch.equal(run(good), nn.functional.one_hot(good, 4))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize(
    ("mode", "sizes"),
    [
        ("linear", [((7,), (13,)), ((7,), (7,)), ((4,), (8,))]),
        ("bilinear", [((4, 5), (8, 10)), ((4, 5), (4, 10)), ((4, 5), (7, 5)), ((1, 4), (3, 8))]),
        ("bilinear", [((4, 5), (4, 5)), ((5, 5), (3, 3)), ((9, 9), (5, 17)), ((4, 1), (1, 1))]),
        ("trilinear", [((3, 4, 5), (6, 4, 7)), ((2, 2, 2), (3, 5, 2))]),
    ],
)
def test_resize_multiplies_neighbours_of_weight_0(mode, sizes, dtype):
    """0 times NaN or infinity is NaN, so neighbours count that do not change numbers."""
    for (old, new), align, last in itertools.product(sizes, (False, True), (False, True)):
        x = torch.randn(2, 3, *old)
        chosen = torch.rand(x.shape)
        x[chosen < 0.1], x[chosen > 0.9] = float("nan"), float("inf")
        x[(chosen > 0.8) & (chosen < 0.85)] = -float("inf")
        x = x.to(dtype)
        if last and mode == "bilinear":
            x = x.to(memory_format=torch.channels_last)

        def resize(x, new=new, align=align):
            return nn.functional.interpolate(x, size=new, mode=mode, align_corners=align)

        got, expected = compiled(resize, x)(x), resize(x)
        torch.testing.assert_close(got, expected, equal_nan=True, atol=1e-2, rtol=1e-2)


def spelled_out(q, k, v, mask):
    return torch.softmax(q @ k.transpose(-1, -2) / 4 + mask, -1) @ v


def with_function(q, k, v, mask):
    return nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("sizes", [(1, 5), (3, 7), (17, 33), (40, 300), (2, 600)])
@pytest.mark.parametrize("kind", ["spelled out", "bool", "float", "lowest"])
def test_attention_of_queries_that_see_nothing(kind, sizes, dtype):
    """Zeros from PyTorch's attention, NaN from its softmax."""
    q, k, v = (torch.randn(1, 2, size, 16, dtype=dtype) for size in (sizes[0], *sizes[1:] * 2))
    seen = torch.rand(1, 1, *sizes) > 0.3
    seen[..., 0] = True
    seen[..., -1, :] = False
    lowest = torch.finfo(dtype).min if kind == "lowest" else float("-inf")
    added = torch.zeros(seen.shape, dtype=dtype).masked_fill(~seen, lowest)
    mask = seen if kind == "bool" else added
    function = spelled_out if kind == "spelled out" else with_function
    run = compiled(function, q, k, v, added * 0 if mask is added else ~seen)
    got, expected = run(q, k, v, mask), function(q, k, v, mask)
    torch.testing.assert_close(got, expected, equal_nan=True, atol=1e-2, rtol=1e-2)
    hidden = expected[..., -1, :]
    assert hidden.isnan().all() if kind == "spelled out" else hidden.isfinite().all()
