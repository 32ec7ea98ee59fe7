"""Statistics whose digits or range f32 sums would lose: means far from 0, and large deviations."""

import pytest
import torch
import torch_tensorrt
from torch import nn

from tests.py.dynamo.conversion.harness import Call

OFFSET = 1e4
DEVICES = ["cpu"] + (["cuda"] if torch.cuda.is_available() else [])
FLOATS = [torch.float32, torch.float16, torch.bfloat16]


def first(result):
    return result[0] if isinstance(result, tuple) else result


def errors(function, x):
    """Root mean squares of the engine's and of eager's distance from float64, on the CPU."""
    compiled = torch_tensorrt.compile(
        Call(function).eval(), arg_inputs=[x], require_full_compilation=True
    )
    expected = first(function(x.cpu().double()))

    def distance(result):
        return (first(result).cpu().double() - expected).pow(2).mean().sqrt().item()

    return distance(compiled(x)), distance(function(x.cpu()))


STATISTICS = {
    "var rows": lambda x: x.var(1),
    "var columns": lambda x: x.var(0),
    "var all": lambda x: x.var(),
    "var keepdim": lambda x: x.var(0, keepdim=True, correction=0),
    "std rows": lambda x: x.std(-1),
    "std columns": lambda x: x.std(0),
    "var_mean columns": lambda x: torch.var_mean(x, 0),
    "std_mean rows": lambda x: torch.std_mean(x, 1, correction=3),
}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", STATISTICS)
def test_a_mean_far_from_zero_costs_no_digits(name, device, dtype):
    torch.manual_seed(0)
    offset = OFFSET if dtype is torch.float32 else 100
    x = (torch.randn(33, 257) + offset).to(device, dtype)
    ours, eager = errors(STATISTICS[name], x)
    spacing = first(STATISTICS[name](x.double())).abs().max().item() * torch.finfo(dtype).eps
    assert ours <= max(2 * eager, spacing / 2)


@pytest.mark.parametrize("device", DEVICES)
def test_squares_do_not_overflow(device):
    x = (1e20 * torch.randn(3, 8)).to(device)
    compiled = torch_tensorrt.compile(
        Call(lambda x: x.std(0)).eval(), arg_inputs=[x], require_full_compilation=True
    )
    torch.testing.assert_close(compiled(x).cpu(), x.cpu().double().std(0).float())


@pytest.mark.parametrize("axes", [(0, 2), (1,), (0, 1, 2), (-1, 0)])
@pytest.mark.parametrize("keepdim", [False, True])
def test_any_axes(axes, keepdim):
    x = torch.randn(5, 6, 7)

    def function(x):
        return torch.var_mean(x, axes, keepdim=keepdim)

    compiled = torch_tensorrt.compile(
        Call(function).eval(), arg_inputs=[x], require_full_compilation=True
    )
    torch.testing.assert_close(compiled(x), function(x))


def test_no_degrees_of_freedom():
    x = torch.randn(4, 1)
    compiled = torch_tensorrt.compile(
        Call(lambda x: (x.var(1), x.std(1, correction=0), x[:, :0].var(1))).eval(), arg_inputs=[x]
    )
    torch.testing.assert_close(
        compiled(x), (x.var(1), x.std(1, correction=0), x[:, :0].var(1)), equal_nan=True
    )


NORMS = {
    "layer": lambda x: nn.functional.layer_norm(x, x.shape[1:]),
    "group": lambda x: nn.functional.group_norm(x, 4),
    "instance": lambda x: nn.functional.instance_norm(x),
    "batch": lambda x: nn.functional.batch_norm(x, None, None, training=True),
}


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("shape", [(4, 8, 7, 7), (2, 32, 31, 31), (2, 8, 33, 257)])
def test_norms_of_inputs_far_from_zero(name, shape):
    torch.manual_seed(0)
    ours, eager = errors(NORMS[name], torch.randn(shape) + OFFSET)
    assert ours <= 2 * eager


@pytest.mark.parametrize("size", [0.1, 0.5, 0.9, 1.1, 3])
def test_erf(size):
    x = torch.linspace(0.8, 1, 10001) * size
    ours, eager = errors(torch.erf, torch.cat([x, -x]))
    assert ours <= 2 * eager
