"""Weights that operators left in PyTorch read: a compiled module never mixes old and new ones."""

import copy
import io
import time

import pytest
import torch
import torch_tensorrt
from torch import nn
from torch_tensorrt._exceptions import WeightsChangedError
from torch_tensorrt.dynamo._fixed_weights import WEIGHTS_MODULE

SMALL, LARGE = 8, 600  # LARGE * LARGE floats: more than 1 MiB


class Mixed(nn.Module):
    """``qr`` of a weight stays in PyTorch, an engine multiplies with the same weight."""

    def __init__(self, size):
        super().__init__()
        self.mix = nn.Linear(size, size)
        self.register_buffer("shift", torch.randn(size))
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls.add_(1)
        triangle = torch.linalg.qr(self.mix.weight)[1].abs()
        return self.mix(x).relu() @ triangle + self.shift + self.calls


def made(size):
    torch.manual_seed(0)
    return Mixed(size).eval().requires_grad_(False), torch.randn(3, size)


def compile_mixed(model, x):
    compiled = torch_tensorrt.compile(
        model,
        arg_inputs=[x],
        min_block_size=1,
        torch_executed_ops={"torch.ops.aten.linalg_qr.default"},
    )
    assert compiled.graph.find_nodes(op="call_function", target=torch.ops.aten.linalg_qr.default)
    model.calls.zero_()
    return compiled


def check(module, expected, x, calls=0):
    torch.testing.assert_close(module(x), expected + calls, rtol=1e-4, atol=1e-3)


CHANGES = {
    "in_place": lambda w: w.mul_(2),
    "through_data": lambda w: w.data.mul_(2),
    "new_data": lambda w: setattr(w, "data", w.data * 2),
    "freed": lambda w: w.untyped_storage().resize_(0),
}


@pytest.mark.parametrize("change", CHANGES)
def test_small_weights_are_the_modules_own(change):
    model, x = made(SMALL)
    expected = model(x) - 1
    compiled = compile_mixed(model, x)
    check(compiled, expected, x, 1)
    CHANGES[change](model.mix.weight)
    check(compiled, expected, x, 2)


@pytest.mark.parametrize("change", CHANGES)
def test_large_weights_are_watched(change, tmp_path):
    model, x = made(LARGE)
    compiled = compile_mixed(model, x)
    compiled(x)
    CHANGES[change](model.mix.weight)
    with pytest.raises(
        WeightsChangedError, match=r"'mix[._]weight' was .*compile the module again"
    ):
        compiled(x)
    for retrace in (False, True):
        with pytest.raises(WeightsChangedError, match="compile the module again"):
            torch_tensorrt.save(compiled, tmp_path / "m.ep", arg_inputs=[x], retrace=retrace)
    if change == "freed":
        return  # PyTorch's own copy of such a parameter crashes
    with pytest.raises(WeightsChangedError, match="compile the module again"):
        copy.deepcopy(compiled)


def test_large_weights_are_not_copied():
    model, x = made(LARGE)
    compiled = compile_mixed(model, x)
    assert compiled.mix.weight.data_ptr() == model.mix.weight.data_ptr()
    assert compile_mixed(*made(SMALL)).mix.weight.data_ptr() != model.mix.weight.data_ptr()


def test_buffers_that_the_model_writes_are_its_state():
    """The compiled module counts in the model's buffer, and reads what is written there."""
    model, x = made(SMALL)
    expected = model(x) - 1
    compiled = compile_mixed(model, x)
    compiled(x)
    assert model.calls == 1
    model.calls.fill_(5)
    check(compiled, expected, x, 6)


class HandsOut(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 4))
        self.register_buffer("rows", torch.zeros(3, 4))

    def forward(self, x):
        self.rows[0].add_(1)
        return torch.linalg.qr(self.weight)[1] @ x, self.weight.t(), self.rows[:1]


@pytest.mark.parametrize("how", ["compiled", "saved"])
def test_weights_that_are_handed_out(how, tmp_path):
    """They are the model's own, and watched; what is written through a view is state."""
    model, x = HandsOut().eval().requires_grad_(False), torch.randn(4)
    run = torch_tensorrt.compile(model, arg_inputs=[x], min_block_size=1)
    model.rows.zero_()
    if how == "saved":
        torch_tensorrt.save(run, tmp_path / "m.ep", arg_inputs=[x])
        run = torch_tensorrt.load(tmp_path / "m.ep").module()
    for calls in (1, 2):
        got, weight, rows = run(x)
        torch.testing.assert_close(got, torch.linalg.qr(model.weight)[1] @ x)
        assert torch.equal(weight, model.weight.t())
        assert torch.equal(rows, torch.full((1, 4), float(calls)))
    if how == "compiled":
        assert weight.data_ptr() == model.weight.data_ptr()
        assert rows.data_ptr() == model.rows.data_ptr()
    weight.mul_(2)
    with pytest.raises(WeightsChangedError, match="weight"):
        run(x)


def test_writes_to_the_compiled_module_itself_are_refused():
    model, x = made(SMALL)
    compiled = compile_mixed(model, x)
    with torch.no_grad():
        compiled.mix.weight.mul_(2)
    with pytest.raises(WeightsChangedError, match=r"mix\.weight"):
        compiled(x)


def test_conversions_that_change_nothing():
    model, x = made(SMALL)
    expected = model(x) - 1
    compiled = compile_mixed(model, x).float().to("cpu").eval()
    check(compiled, expected, x, 1)


def pickled(module):
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize("way", [copy.deepcopy, pickled])
@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_copies_watch_their_own(way, size):
    model, x = made(size)
    expected = model(x) - 1
    copied = way(compile_mixed(model, x))
    model.mix.weight.mul_(2)
    check(copied, expected, x, 1)
    copied.mix.weight.mul_(2)
    with pytest.raises(WeightsChangedError):
        copied(x)


@pytest.mark.parametrize("retrace", [False, True])
def test_files_hold_the_weights_of_the_compilation(retrace, tmp_path):
    model, x = made(SMALL)
    expected = model(x) - 1
    compiled = compile_mixed(model, x)
    model.mix.weight.mul_(2)
    torch_tensorrt.save(compiled, tmp_path / "m.ep", arg_inputs=[x], retrace=retrace)
    loaded = torch_tensorrt.load(tmp_path / "m.ep").module()
    for calls in (1, 2):
        check(loaded, expected, x, calls)
    loaded.get_parameter("mix.weight").data.mul_(2)
    with pytest.raises(WeightsChangedError, match=r"mix\.weight"):
        loaded(x)


def test_all_in_engines_needs_no_check():
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU()).eval()
    compiled = torch_tensorrt.compile(model, arg_inputs=[torch.ones(2, 8)], min_block_size=1)
    assert not hasattr(compiled, WEIGHTS_MODULE)


def test_a_model_without_engines_is_a_snapshot_too():
    model, x = made(SMALL)
    expected = model(x) - 1
    compiled = torch_tensorrt.compile(model, arg_inputs=[x], min_block_size=1000)
    model.calls.zero_()
    model.mix.weight.mul_(2)
    check(compiled, expected, x, 1)


def test_a_tied_weight_is_one():
    model, x = made(SMALL)
    model.other = nn.Linear(SMALL, SMALL, bias=False)
    model.other.weight = model.mix.weight

    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = model

        def forward(self, x):
            r = (
                torch.linalg.qr(self.inner.mix.weight)[1]
                + torch.linalg.qr(self.inner.other.weight)[1]
            )
            return self.inner.mix(x) @ r.abs()

    both = Both()
    expected = both(x)
    compiled = torch_tensorrt.compile(both, arg_inputs=[x], min_block_size=1)
    model.mix.weight.mul_(2)
    torch.testing.assert_close(compiled(x), expected, rtol=1e-4, atol=1e-4)


def test_weights_made_in_inference_mode():
    with torch.inference_mode():
        model, x = made(LARGE)
        expected = model(x) - 1
        compiled = compile_mixed(model, x)
        model.mix.weight[3, 4] += 100
        check(compiled, expected, x, 1)


@pytest.mark.parametrize("change", ["in_place", "through_data", "new_data"])
@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_torch_compile_follows(change, size):
    model, x = made(size)
    run = torch.compile(model, backend="tensorrt", options={"min_block_size": 1})
    for _ in range(2):
        model.calls.zero_()
        got = run(x)
        model.calls.zero_()
        torch.testing.assert_close(got, model(x), rtol=1e-4, atol=1e-3)
        CHANGES[change](model.mix.weight)


def test_the_check_costs_little():
    """Less than 2 us for 50 weights (four times that here, for busy machines)."""
    fixed = torch_tensorrt.dynamo._fixed_weights.FixedWeights(
        {str(i): torch.randn(30, 30) for i in range(50)}
    )
    best = min(_seconds(fixed) for _ in range(20))
    assert best < 8e-6


def _seconds(call, count=200):
    start = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - start) / count
