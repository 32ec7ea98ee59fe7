"""NaN, infinities and indices out of range, through a whole engine."""

import itertools

import pytest
import torch
import torch_tensorrt
from torch import nn

SPECIAL = [0.0, -0.0, 1.5, -3e38, float("inf"), -float("inf"), float("nan")]


class Call(nn.Module):
    """One function as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *args):
        return self.function(*args)


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
