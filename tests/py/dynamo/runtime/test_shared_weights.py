"""Weights of a model after it was compiled: an engine has copies of small ones and of those that it
packs; it reads large ones where the model has them, and refuses to run when they changed."""

import copy
import gc

import pytest
import torch
import torch_tensorrt
from torch import nn
from torch_tensorrt._exceptions import TorchTensorRTError, WeightsChangedError

# 2 MiB: shared.
ROWS = 8192


class Table(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(ROWS, 64)
        self.norm = nn.LayerNorm(64)

    def forward(self, ids):
        return self.norm(self.table(ids))


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Table().eval().requires_grad_(False)


IDS = torch.arange(0, ROWS, 129)


def compile_table(model):
    return torch_tensorrt.compile(model, arg_inputs=[IDS], require_full_compilation=True)


@pytest.mark.parametrize("release", [False, True])
def test_small_weights_are_the_engines_own(release):
    torch.manual_seed(0)
    norm, x = nn.LayerNorm(4096), torch.randn(3, 4096)
    compiled = torch_tensorrt.compile(norm, arg_inputs=[x])
    expected = norm(x).detach()
    for parameter in norm.parameters():
        if release:
            parameter.untyped_storage().resize_(0)
        else:
            parameter.data.add_(1)
    junk = [torch.full((4096,), 123.0) for _ in range(6)]
    torch.testing.assert_close(compiled(x), expected)
    assert len(junk) == 6


def test_a_write_after_compilation_changes_nothing():
    torch.manual_seed(0)
    linear, x = nn.Linear(64, 64), torch.randn(3, 64)
    compiled = torch_tensorrt.compile(linear, arg_inputs=[x])
    expected, plan = linear(x).detach(), compiled._run_on_acc_0.serialized_engine_tensor()
    with torch.no_grad():
        linear.weight.mul_(2)
        linear.bias.add_(100)
    torch.testing.assert_close(compiled(x), expected)
    assert torch.equal(compiled._run_on_acc_0.serialized_engine_tensor(), plan)


def write(table):
    with torch.no_grad():
        table.weight[3, 5] = 7


CHANGES = {
    "an_element": (write, "written to"),
    "through_a_view": (lambda t: t.weight.view(-1)[5:9].zero_(), "written to"),
    "much_through_data": (lambda t: t.weight.data.mul_(2), "written to"),
    "in_inference_mode": (lambda t: t.weight.mul_(2), "written to"),
    "freed": (lambda t: t.weight.untyped_storage().resize_(0), "freed, resized or moved"),
    "grown": (lambda t: t.weight.untyped_storage().resize_(1 << 24), "freed, resized or moved"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changes_of_large_weights_are_refused(model, change, tmp_path):
    compiled = compile_table(model)
    torch.testing.assert_close(compiled(IDS), model(IDS))
    function, what = CHANGES[change]
    with torch.inference_mode(change == "in_inference_mode"):
        function(model.table)
    message = rf"'[\w.]*table[\w.]*' was {what}.*compile the module again"
    for _ in range(2):
        with pytest.raises(WeightsChangedError, match=message):
            compiled(IDS)
    with pytest.raises(WeightsChangedError, match=message):
        compiled._run_on_acc_0.serialized_engine_tensor()
    with pytest.raises(WeightsChangedError, match=message):
        copy.deepcopy(compiled._run_on_acc_0)
    with pytest.raises(TorchTensorRTError, match=message):
        torch_tensorrt.save(compiled, tmp_path / "table.ep")
    assert not list(tmp_path.iterdir())
    if what == "written to":
        torch.testing.assert_close(compile_table(model)(IDS), model(IDS))


def test_new_data_leaves_the_engine_as_it_was(model):
    compiled = compile_table(model)
    expected = model(IDS)
    model.table.weight.data = torch.zeros(ROWS, 64)
    gc.collect()
    torch.testing.assert_close(compiled(IDS), expected)


def test_the_engine_outlives_the_model(model):
    compiled = compile_table(model)
    expected = model(IDS)
    del model
    gc.collect()
    junk = [torch.full((ROWS, 64), 123.0) for _ in range(3)]
    torch.testing.assert_close(compiled(IDS), expected)
    assert len(junk) == 3


def test_large_weights_are_shared_and_saved_engines_have_their_own(model, tmp_path):
    compiled = compile_table(model)
    assert compiled._run_on_acc_0.report.packed_bytes < ROWS * 64 * 4
    expected = model(IDS)
    torch_tensorrt.save(compiled, tmp_path / "table.ep")
    write(model.table)
    torch.testing.assert_close(torch_tensorrt.load(tmp_path / "table.ep").module()(IDS), expected)


def test_weights_made_in_inference_mode_are_copied():
    torch.manual_seed(0)
    with torch.inference_mode():
        model = Table().eval()
        compiled = compile_table(model)
        expected = model(IDS)
        model.table.weight[129, 5] = 7  # no counter tells of it
        torch.testing.assert_close(compiled(IDS), expected)


def test_a_tied_table_is_watched():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(ROWS, 64)
            self.head = nn.Linear(64, ROWS, bias=False)
            self.head.weight = self.table.weight

        def forward(self, ids):
            return self.head(self.table(ids))

    torch.manual_seed(0)
    model, ids = Tied().eval().requires_grad_(False), torch.tensor([3, 4000])
    compiled = torch_tensorrt.compile(model, arg_inputs=[ids])
    torch.testing.assert_close(compiled(ids), model(ids))
    model.table.weight[5000, 1] = 2
    with pytest.raises(WeightsChangedError):
        compiled(ids)


@pytest.mark.parametrize("change", ["an_element", "through_a_view", "much_through_data"])
def test_torch_compile_follows(model, change):
    run = torch.compile(model, backend="tensorrt", options={"require_full_compilation": True})
    torch.testing.assert_close(run(IDS), model(IDS))
    CHANGES[change][0](model.table)
    torch.testing.assert_close(run(IDS), model(IDS))


def test_torch_compile_follows_what_only_the_engine_sees(model):
    """A write through ``.data`` in the middle of the half that the graph reads."""

    def look_up(ids):
        return nn.functional.embedding(ids, model.table.weight[: ROWS // 2])

    run = torch.compile(look_up, backend="tensorrt")
    ids = torch.tensor([3, ROWS // 4])
    torch.testing.assert_close(run(ids), look_up(ids))
    model.table.weight.data[ROWS // 4 - 1 : ROWS // 4 + 1] = 2
    torch.testing.assert_close(run(ids), look_up(ids))
