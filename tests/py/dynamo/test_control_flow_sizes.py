"""Sizes and numbers in conditions, branches and bodies of control flow."""

import pytest
import torch
import torch_tensorrt
from torch import nn
from torch._higher_order_ops.while_loop import while_loop
from torch_tensorrt import Input
from torch_tensorrt.dynamo.runtime._control_flow import CondEngines, WhileEngines


def placed(module, kind):
    return [m for m in module.modules() if isinstance(m, kind)]


class BySize(nn.Module):
    def forward(self, x):
        return torch.cond(x.shape[0] > 4, lambda x: x.exp() + 1, lambda x: x.sin() * 2, (x,))


def test_a_condition_on_a_size():
    model = BySize().eval()
    spec = Input(min_shape=(1, 3), opt_shape=(4, 3), max_shape=(9, 3))
    module = torch_tensorrt.compile(model, arg_inputs=[spec], min_block_size=1)
    for rows in (1, 4, 5, 9):
        x = torch.randn(rows, 3)
        torch.testing.assert_close(module(x), model(x))


class Counted(nn.Module):
    """Carries a Python number, and uses a size as a value."""

    def forward(self, x):
        def condition(i, x):
            return i < 4

        def body(i, x):
            return i + 1, x * 2 + x.shape[0]

        return while_loop(condition, body, (0, x))[1]


def test_numbers_that_are_carried_stay_in_pytorch():
    model = Counted().eval()
    module = torch_tensorrt.compile(model, arg_inputs=[torch.ones(3)], min_block_size=1)
    x = torch.randn(3)
    torch.testing.assert_close(module(x), model(x))


class Sized(nn.Module):
    """A branch that makes a tensor of a size that none of its inputs has."""

    def forward(self, x, y):
        def then(y):
            return torch.ones(x.shape[0]) * y.sum()

        return torch.cond(y.sum() > 0, then, lambda y: torch.zeros(x.shape[0]) + 2, (y,))


def test_a_size_that_no_input_of_the_branch_has(tmp_path):
    model = Sized().eval()
    specs = [Input(min_shape=(1,), opt_shape=(4,), max_shape=(9,)), torch.ones(2)]
    module = torch_tensorrt.compile(model, arg_inputs=specs, min_block_size=1)
    assert placed(module, CondEngines)
    path = str(tmp_path / "model.ep")
    torch_tensorrt.save(module, path)
    loaded = torch_tensorrt.load(path).module()
    for rows in (1, 4, 9):
        for y in (torch.ones(2), -torch.ones(2)):
            torch.testing.assert_close(module(torch.randn(rows), y), model(torch.randn(rows), y))
            torch.testing.assert_close(loaded(torch.randn(rows), y), model(torch.randn(rows), y))


class Uneven(nn.Module):
    def forward(self, x):
        return torch.cond(x.sum() > 0, lambda x: x[:2] + 1, lambda x: x[:3] * 2, (x,)).exp()


def test_results_whose_sizes_depend_on_the_branch():
    model, x = Uneven().eval(), torch.rand(4, 3)
    try:
        program = torch_tensorrt.dynamo.trace(model, arg_inputs=[x])
    except torch_tensorrt._exceptions.CaptureError:
        pytest.skip("this PyTorch takes no branches of different sizes")
    module = torch_tensorrt.dynamo.compile(program, arg_inputs=[x], min_block_size=1)
    torch.testing.assert_close(module(x), model(x))
    torch.testing.assert_close(module(-x), model(-x))


class SizeAsValue(nn.Module):
    def forward(self, x):
        def body(i, x):
            return i + 1, x * x.shape[0] + torch.arange(x.shape[0])[:, None]

        start = torch.zeros((), dtype=torch.int64)
        return while_loop(lambda i, x: i < 3, body, (start, x))[1]


def test_sizes_inside_a_body():
    model = SizeAsValue().eval()
    spec = Input(min_shape=(1, 2), opt_shape=(4, 2), max_shape=(9, 2))
    module = torch_tensorrt.compile(model, arg_inputs=[spec], require_full_compilation=True)
    assert placed(module, WhileEngines)
    for rows in (1, 5, 9):
        x = torch.randn(rows, 2)
        torch.testing.assert_close(module(x), model(x))
