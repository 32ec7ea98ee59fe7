"""Sizes for which PyTorch's indexing raises: compiled modules refuse them, if declared or not."""

import pytest
import torch
import torch_tensorrt
from torch import nn
from torch_tensorrt._exceptions import DynamicShapeOutOfRangeException
from torch_tensorrt.dynamo._size_needs import size_needs
from torch_tensorrt.dynamo._symbols import Ranges
from torch_tensorrt.dynamo.runtime import TorchTensorRTModule


class Net(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, t):
        return self.function(t) * 2


def declared(least, most=6):
    return [torch_tensorrt.Input(min_shape=(least, 8), opt_shape=(4, 8), max_shape=(most, 8))]


#: Function, the sizes of the first axis from 0 on for which it raises, what the message says.
RAISES = {
    "select": (lambda t: t[1], [1], r"aten\.select\.int\(dim=0, index=1\).*t\.shape\[0\] >= 2"),
    "select_first": (lambda t: t[0], [0], r"index=0\).*t\.shape\[0\] >= 1"),
    "select_from_end": (lambda t: t[-2], [0, 1], r"index=-2\).*t\.shape\[0\] >= 2"),
    "select_of_a_slice": (lambda t: t[1:][1], [1, 2], "needs|captured"),
    "narrow": (lambda t: t.narrow(0, 0, 2), [0, 1], r"aten\.narrow.*length=2\).*>= 2"),
    "narrow_from_end": (lambda t: t.narrow(0, -2, 1), [0, 1], r"start=-2.*>= 2"),
    "unfold": (lambda t: t.unfold(0, 2, 1), [0, 1], r"aten\.unfold.*size=2.*>= 2"),
}


@pytest.mark.parametrize("case", RAISES)
def test_sizes_that_raise(case):
    function, sizes, text = RAISES[case]
    compiled = torch_tensorrt.compile(Net(function), arg_inputs=declared(0))
    for size in sizes:
        with pytest.raises((IndexError, RuntimeError)):
            Net(function)(torch.ones(size, 8))
        with pytest.raises(DynamicShapeOutOfRangeException, match=text) as refused:
            compiled(torch.ones(size, 8))
        assert f"[{size}, 8]" in str(refused.value)
    for size in range(sizes[-1] + 1, 7):
        t = torch.randn(size, 8)
        assert torch.equal(compiled(t), Net(function)(t)), size


def test_the_message_names_the_users_line():
    compiled = torch_tensorrt.compile(Net(lambda t: t[1]), arg_inputs=declared(1))
    with pytest.raises(DynamicShapeOutOfRangeException, match=r"test_size_needs\.py:\d+ in"):
        compiled(torch.ones(1, 8))


@pytest.mark.parametrize("case", ["select", "narrow", "unfold"])
def test_a_lone_engine_refuses_them_too(case):
    net = Net(RAISES[case][0])
    engine = TorchTensorRTModule(
        torch_tensorrt.convert_method_to_trt_engine(net, arg_inputs=declared(1))
    )
    with pytest.raises(DynamicShapeOutOfRangeException, match=r"size 1 on axis 0"):
        engine(torch.ones(1, 8))
    t = torch.randn(2, 8)
    assert torch.equal(engine(t), net(t))


def test_a_saved_module_refuses_them_too(tmp_path):
    net = Net(lambda t: t.narrow(0, 0, 2))
    compiled = torch_tensorrt.compile(net, arg_inputs=declared(1))
    torch_tensorrt.save(compiled, tmp_path / "net.ep")
    loaded = torch_tensorrt.load(tmp_path / "net.ep").module()
    with pytest.raises(DynamicShapeOutOfRangeException):
        loaded(torch.ones(1, 8))
    t = torch.randn(2, 8)
    assert torch.equal(loaded(t), net(t))


def test_what_the_ranges_ensure_is_not_checked():
    program = torch_tensorrt.dynamo.trace(Net(lambda t: t[1]), arg_inputs=declared(2))
    (placeholder,) = program.graph.find_nodes(op="placeholder")
    symbol = str(placeholder.meta["val"].shape[0])
    assert size_needs(program.graph, Ranges({symbol: (2, 4, 6)})) == []
    (need,) = size_needs(program.graph, Ranges({symbol: (1, 4, 6)}))
    assert need.least == 2
    compiled = torch_tensorrt.compile(Net(lambda t: t[1]), arg_inputs=declared(2))
    assert not hasattr(compiled, "_guards_fn")
