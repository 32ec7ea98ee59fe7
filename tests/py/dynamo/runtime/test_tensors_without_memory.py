"""Engines called with tensors that hold no memory themselves: fake, functional and wrapper ones go
through the dispatcher, others are refused; nothing is read through a null pointer."""

import copy

import pytest
import torch
import torch_tensorrt
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.testing._internal.two_tensor import TwoTensor
from torch_tensorrt._exceptions import InputMismatchError, UnsupportedTransformError


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return nn.Linear(8, 4).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def compiled(model):
    return torch_tensorrt.compile(model, arg_inputs=[torch.randn(3, 8)])


@pytest.fixture(scope="module", params=["compiled", "loaded", "grad"])
def module(request, model, compiled, tmp_path_factory):
    if request.param == "grad":  # parameters of the model that need gradients change nothing
        trained = copy.deepcopy(model).requires_grad_(True)
        return torch_tensorrt.compile(trained, arg_inputs=[torch.randn(3, 8)])
    if request.param == "loaded":
        path = tmp_path_factory.mktemp("saved") / "linear.ep"
        torch_tensorrt.save(compiled, path)
        return torch_tensorrt.load(path).module()
    return compiled


def test_inside_fake_mode(module, model):
    with FakeTensorMode(allow_non_fake_inputs=True):
        y = module(torch.empty(3, 8))
    assert isinstance(y, FakeTensor)
    assert (y.shape, y.dtype, y.device.type) == ((3, 4), torch.float32, "cpu")
    x = torch.randn(3, 8)
    torch.testing.assert_close(module(x), model(x))


@pytest.mark.parametrize("inference", [False, True])
def test_fake_inputs(module, inference):
    x = FakeTensorMode(allow_non_fake_inputs=True).from_tensor(torch.randn(3, 8))
    with torch.inference_mode(inference):
        y = module(x)
    assert isinstance(y, FakeTensor)
    assert y.shape == (3, 4)


def test_wrapper_subclasses(module, model):
    a, b = torch.randn(3, 8), torch.randn(3, 8)
    y = module(TwoTensor(a, b))
    assert isinstance(y, TwoTensor)
    torch.testing.assert_close(y.a, model(a))
    torch.testing.assert_close(y.b, model(b))


def test_functional_tensors(module, model):
    x = torch.randn(3, 8)
    y = module(torch._to_functional_tensor(x))
    assert torch._is_functional_tensor(y)
    torch._sync(y)
    torch.testing.assert_close(torch._from_functional_tensor(y), model(x))


@pytest.mark.parametrize("mode", ["real", "fake", "symbolic"])
def test_traced_by_make_fx(compiled, model, mode):
    traced = make_fx(compiled, tracing_mode=mode)(torch.randn(3, 8))
    calls = [node.target for node in traced.graph.nodes if node.op == "call_function"]
    assert torch.ops.tensorrt.execute_engine.default in calls
    x = torch.randn(3, 8)
    torch.testing.assert_close(traced(x), model(x))


def test_derivatives_of_fake_tensors_are_refused(compiled):
    x = FakeTensorMode(allow_non_fake_inputs=True).from_tensor(torch.randn(3, 8))
    with pytest.raises(UnsupportedTransformError, match="no backward"):
        compiled(x.requires_grad_())


@pytest.mark.parametrize("contiguous", [True, False])
@pytest.mark.parametrize("bytes_left", [0, 4, 92])
def test_storages_that_were_resized(module, model, bytes_left, contiguous):
    y = torch.randn(3, 8) if contiguous else torch.randn(8, 3).t()
    y.untyped_storage().resize_(bytes_left)
    with pytest.raises(InputMismatchError, match=r"input 0 '.*' has no memory"):
        module(y)
    x = torch.randn(3, 8)
    torch.testing.assert_close(module(x), model(x))


def test_empty_tensors_need_no_memory():
    model = nn.ReLU()
    compiled = torch_tensorrt.compile(
        model,
        arg_inputs=[torch_tensorrt.Input(min_shape=(0, 8), opt_shape=(2, 8), max_shape=(4, 8))],
    )
    assert compiled(torch.empty(0, 8)).shape == (0, 8)


class Loops(nn.Module):
    def forward(self, x):
        return torch.cond(x.sum() > 0, lambda t: t.sin() + 1, lambda t: t.cos() - 1, (x,))


def test_control_flow_on_fake_tensors():
    compiled = torch_tensorrt.compile(Loops(), arg_inputs=[torch.ones(3, 8)])
    with FakeTensorMode(allow_non_fake_inputs=True):
        y = compiled(torch.empty(3, 8))
    assert isinstance(y, FakeTensor)
    assert y.shape == (3, 8)
    x = torch.randn(3, 8)
    torch.testing.assert_close(compiled(x), Loops()(x))
