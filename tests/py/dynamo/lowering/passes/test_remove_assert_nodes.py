"""Assertions on values hold in compiled modules as they do in eager mode."""

import pytest
import torch
import torch_tensorrt
from torch import nn
from torch_tensorrt._exceptions import UnsupportedOperatorException


class Asserts(nn.Module):
    def forward(self, x):
        y = x * 2 + 1
        torch._assert_async((x > 0).all())
        return y.relu().sum(0)


class AssertsWithMessage(nn.Module):
    def forward(self, x):
        torch._assert_async((x > 0).all(), "must be positive")
        return (x * 2 + 1).relu().sum(0)


class ChecksTensor(nn.Module):
    def forward(self, x):
        torch._check_tensor_all(x > 0)
        return x * 2


class ChecksSizeOfResult(nn.Module):
    def forward(self, x):
        found = (x > 0).nonzero()
        torch._check(found.shape[0] > 3)
        return found * 2


class ChecksItem(nn.Module):
    """The number has no other use than the check."""

    def forward(self, x):
        k = x[0, 0].item()
        torch._check(k > 0)
        return x * 2


MODULES = [Asserts, AssertsWithMessage, ChecksTensor, ChecksSizeOfResult, ChecksItem]


def good():
    return torch.rand(3, 8) + 0.1


@pytest.mark.parametrize("module", MODULES)
def test_ahead_of_time(module, tmp_path):
    x = good()
    compiled = torch_tensorrt.compile(module().eval(), arg_inputs=[x], min_block_size=1)
    torch_tensorrt.save(compiled, tmp_path / "asserts.ep")
    for run in (compiled, torch_tensorrt.load(tmp_path / "asserts.ep").module()):
        torch.testing.assert_close(run(x), module()(x))
        with pytest.raises(RuntimeError):
            run(-x)
        torch.testing.assert_close(run(x), module()(x))


@pytest.mark.parametrize("module", [Asserts, AssertsWithMessage])
def test_just_in_time(module):
    x = good()
    compiled = torch.compile(module(), backend="tensorrt", options={"min_block_size": 1})
    torch.testing.assert_close(compiled(x), module()(x))
    with pytest.raises(RuntimeError, match=r"zero|must be positive"):
        compiled(-x)


def test_one_engine_computes_the_condition():
    compiled = torch_tensorrt.compile(Asserts().eval(), arg_inputs=[good()], min_block_size=1)
    engines = [name for name, _ in compiled.named_children() if name.startswith("_run_on_acc")]
    assert engines == ["_run_on_acc_0"]
    in_torch = [n.target for n in compiled.graph.nodes if n.op == "call_function"]
    assert torch.ops.aten._assert_async.default in in_torch
    assert torch.ops.aten.logical_not.default not in in_torch


def test_a_whole_engine_cannot_assert():
    with pytest.raises(UnsupportedOperatorException, match="an assertion on values"):
        torch_tensorrt.convert_method_to_trt_engine(Asserts().eval(), arg_inputs=[good()])


def test_checks_that_capture_proves_leave_nothing():
    class Proven(nn.Module):
        def forward(self, x):
            torch._assert_tensor_metadata(x, dtype=torch.float32)
            torch._check(x.shape[0] >= 0)
            return x * 2

    rows = torch_tensorrt.Input(min_shape=(1, 8), opt_shape=(3, 8), max_shape=(9, 8))
    compiled = torch_tensorrt.compile(
        Proven().eval(), arg_inputs=[rows], require_full_compilation=True
    )
    x = good()
    torch.testing.assert_close(compiled(x), x * 2)
    assert not [n for n in compiled.graph.nodes if n.op == "call_function"]
