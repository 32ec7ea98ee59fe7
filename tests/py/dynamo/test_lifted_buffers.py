"""Programs that write to buffers and arguments, as one engine."""

import pytest
import torch
from torch import nn
from torch_tensorrt import Input
from torch_tensorrt._exceptions import BindingNameMismatchError, UnsupportedOperatorException
from torch_tensorrt.dynamo import convert_exported_program_to_serialized_trt_engine as convert
from torch_tensorrt.dynamo import trace
from torch_tensorrt.dynamo.runtime import TorchTensorRTModule


class Cache(nn.Module):
    """Appends a row to a key-value cache and looks at all of it."""

    def __init__(self):
        super().__init__()
        self.register_buffer("keys", torch.zeros(8, 4))
        self.register_buffer("values", torch.zeros(8, 4))

    def forward(self, x, position):
        self.keys.index_copy_(0, position, x)
        self.values.index_copy_(0, position, x * 2)
        return torch.softmax(x @ self.keys.t(), -1) @ self.values


def test_buffers_are_inputs_and_outputs():
    model = Cache().eval()
    given = torch.randn(1, 4), torch.tensor([0])
    program = trace(model, arg_inputs=given)
    plan = convert(program, lift_mutable_buffers=True)
    engine = TorchTensorRTModule(plan)
    assert engine.input_binding_names == ["x", "position", "keys", "values"]
    assert len(engine.output_binding_names) == 3
    keys, values = torch.zeros(8, 4), torch.zeros(8, 4)
    for step in range(4):
        x, at = torch.randn(1, 4), torch.tensor([step])
        with torch.no_grad():
            wanted = model(x, at)
        got, keys, values = engine(x, at, keys, values)
        torch.testing.assert_close(got, wanted)
        torch.testing.assert_close(keys, model.keys)
        torch.testing.assert_close(values, model.values)


def test_without_lifting_writes_are_an_error_that_says_so():
    program = trace(Cache().eval(), arg_inputs=(torch.randn(1, 4), torch.tensor([0])))
    with pytest.raises(UnsupportedOperatorException, match="lift_mutable_buffers=True") as caught:
        convert(program)
    assert "keys" in str(caught.value)
    assert len(caught.value.nodes) == 2


class Running(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("total", torch.zeros(()))

    def forward(self, x, out):
        self.total.add_(x.sum())
        out.mul_(2)
        return x + self.total


def test_arguments_that_change_and_names():
    model = Running().eval()
    spec = Input(min_shape=(1, 3), opt_shape=(4, 3), max_shape=(9, 3))
    program = trace(model, arg_inputs=[spec, torch.ones(2)])
    plan = convert(
        program,
        arg_inputs=[spec, torch.ones(2)],
        lift_mutable_buffers=True,
        arg_input_binding_names=("image", "scale"),
        output_binding_names=["result"],
    )
    engine = TorchTensorRTModule(plan)
    assert engine.input_binding_names == ["image", "scale", "total"]
    assert engine.output_binding_names[0] == "result"
    x, out = torch.randn(5, 3), torch.ones(2)
    results = engine(x, out, torch.tensor(1.0))
    named = sorted(results, key=lambda t: t.numel())
    torch.testing.assert_close(named[0], 1 + x.sum())
    torch.testing.assert_close(named[1], torch.full((2,), 2.0))
    torch.testing.assert_close(named[2], x + 1 + x.sum())
    assert torch.equal(out, torch.ones(2))
    with pytest.raises(BindingNameMismatchError):
        convert(program, lift_mutable_buffers=True, output_binding_names=["a", "b", "c"])


def test_inputs_and_outputs_keep_the_order_of_the_program():
    class Swapped(nn.Module):
        def forward(self, a, b, unused):
            y = b.exp()
            return a, y + a, y, y

    program = trace(Swapped(), arg_inputs=(torch.randn(2), torch.randn(2), torch.randn(3)))
    engine = TorchTensorRTModule(convert(program))
    assert engine.input_binding_names == ["a", "b", "unused"]
    a, b = torch.randn(2), torch.randn(2)
    wanted = Swapped()(a, b, torch.randn(3))
    for got, expected in zip(engine(a, b, torch.randn(3)), wanted, strict=True):
        torch.testing.assert_close(got, expected)
