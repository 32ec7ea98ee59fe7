"""Capture that fails: what the error names, and that torch's own text and log stay behind it."""

import pytest
import torch
import torch_tensorrt
from torch import nn
from torch_tensorrt import Input
from torch_tensorrt._exceptions import CaptureError
from torch_tensorrt.dynamo import trace


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 8))

    def forward(self, tokens, mask=None):
        hidden = self.layers(tokens)  # the line of the user
        return hidden if mask is None else hidden + mask


class Branch(nn.Module):
    def forward(self, x):
        return x + 1 if x.sum() > 0 else x


class Raises(nn.Module):
    def forward(self, x):
        raise KeyError("no such table")


def ranged(low, opt, high, **keywords):
    return Input(min_shape=low, opt_shape=opt, max_shape=high, **keywords)


def quantised():
    layers = nn.Sequential(nn.Linear(16, 16), nn.ReLU()).eval()
    return torch.ao.quantization.quantize_dynamic(layers, {nn.Linear})


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.steps = nn.LSTM(8, 6, batch_first=True)

    def forward(self, x):
        return self.steps(x)[0].relu()


LINE = "test_capture_errors.py"
CASES = {
    "width": (
        Net,
        {"arg_inputs": [torch.randn(4, 15)]},
        ["reduction dim", "[4, 15]", LINE, "self.layers(tokens)", "'layers.0'", "Linear("],
    ),
    "mask": (
        Net,
        {"arg_inputs": [torch.randn(4, 16)], "kwarg_inputs": {"mask": torch.randn(3)}},
        ["broadcast", "hidden + mask", "'tokens': float32[4, 16]", "'mask': float32[3]"],
    ),
    "dtype": (
        Net,
        {"arg_inputs": [torch.randn(4, 16).double()]},
        ["aten.linear", "float64[4, 16]", "float32[32, 16]", "self.layers(tokens)", "'layers.0'"],
    ),
    "fixed axis": (
        Net,
        {"arg_inputs": [ranged((1, 8), (4, 16), (8, 32))]},
        ["axis 1 of input 'tokens'", "8 to 32", "always 16", "the size 16", "min_shape"],
    ),
    "fixed shared axis": (
        Net,
        {"arg_inputs": [ranged((1, 8), (4, 16), (8, 32), shared_dims={1: "width"})]},
        ["axis 1 of input 'tokens'", "8 to 32", "always 16"],
    ),
    "sequence": (
        Tagger,
        {"arg_inputs": [ranged((4, 1, 8), (4, 12, 8), (4, 32, 8))]},
        ["axis 1 of input 'x'", "1 to 32", "always 12", "'steps': LSTM(8, 6", "pad", "the batch"],
    ),
    "missing": (Net, {"kwarg_inputs": {"mask": torch.randn(3)}}, ["'tokens'", "forward(tokens"]),
    "values": (
        Branch,
        {"arg_inputs": [torch.randn(4)]},
        ["data-dependent", "x.sum() > 0", 'backend="tensorrt"'],
    ),
    "the user's error": (
        Raises,
        {"arg_inputs": [torch.randn(4)]},
        ["KeyError", "no such table", LINE, "raise KeyError"],
    ),
    "quantised": (
        quantised,
        {"arg_inputs": [torch.randn(4, 16)]},
        ["cannot capture", "quantised", "'0'", 'backend="tensorrt"'],
    ),
}


@pytest.mark.parametrize("kind", CASES)
def test_messages(kind, caplog):
    make, inputs, words = CASES[kind]
    with pytest.raises(CaptureError) as caught:
        torch_tensorrt.compile(make().eval(), **inputs)
    message = str(caught.value)
    assert [
        w for w in [*words, "cannot be captured", "Way out", "input '"] if w not in message
    ] == []
    assert "mark_dynamic" not in message
    assert len(message) < 900
    assert [r.getMessage() for r in caplog.records if r.levelname == "ERROR"] == []
    assert kind == "dtype" or caught.value.__cause__ is not None


class Views(nn.Module):
    def forward(self, x):
        doubled = x * 2
        return doubled.view(7, 3)  # never


STRICT = {
    "values": (Branch, torch.randn(4), ["x.sum() > 0", 'backend="tensorrt"']),
    "sizes": (Views, torch.randn(4, 5), ["'[7, 3]' is invalid", "doubled.view", "call the model"]),
    "layer": (Net, torch.randn(4, 15), ["reduction dim", "self.layers(tokens)", "call the model"]),
}


@pytest.mark.parametrize("kind", STRICT)
def test_strict_capture_names_the_line(kind):
    make, x, words = STRICT[kind]
    with pytest.raises(CaptureError) as caught:
        torch_tensorrt.compile(make().eval(), arg_inputs=[x], strict=True)
    message = str(caught.value)
    assert [w for w in [*words, LINE, "Way out", "input '"] if w not in message] == []
    assert len(message) < 900


@pytest.mark.parametrize("strict", [False, True])
def test_a_gradient_inside_forward(strict):
    class Slope(nn.Module):
        def forward(self, x):
            return torch.func.grad(lambda a: (a * a).sum())(x)

    with pytest.raises(CaptureError) as caught:
        torch_tensorrt.compile(Slope(), arg_inputs=[torch.randn(4)], strict=strict)
    words = ["torch.func", "Way out", 'backend="tensorrt"']
    words += [LINE, "torch.func.grad(lambda"]
    assert [w for w in words if w not in str(caught.value)] == []


def test_values_and_structures_among_the_inputs():
    class Nested(nn.Module):
        def forward(self, pair, *, table, scale):
            return pair[0] @ table["w"] * scale

    with pytest.raises(CaptureError) as caught:
        trace(
            Nested(),
            arg_inputs=[(ranged((1, 3), (4, 3), (8, 3)), torch.zeros(2))],
            kwarg_inputs={"table": {"w": torch.ones(4)}, "scale": 2.0},
        )
    words = ["'pair[0]': float32[1 to 8, 3]", "'table['w']': float32[4]", "'scale': 2.0"]
    assert [w for w in words if w not in str(caught.value)] == []


def test_one_dtype_is_asked_of_products_only():
    class Mixed(nn.Module):
        def forward(self, x, scale):
            return torch.nn.functional.linear(x, torch.ones(3, 4, dtype=x.dtype)) * scale

    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        trace(Mixed(), arg_inputs=[torch.randn(2, 4).to(dtype), torch.tensor(2.0)])


def test_autocast_casts_by_itself():
    with torch.autocast("cpu", torch.bfloat16):
        trace(nn.Linear(4, 3), arg_inputs=[torch.randn(2, 4)])
