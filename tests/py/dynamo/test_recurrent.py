"""LSTM, GRU and RNN layers: any batch ahead of time, any sequence just in time."""

import copy

import pytest
import torch
import torch_tensorrt
from torch import nn

LAYERS = {
    "lstm": (nn.LSTM, {}),
    "lstm both ways": (nn.LSTM, {"bidirectional": True, "num_layers": 2}),
    "lstm projected": (nn.LSTM, {"proj_size": 5}),
    "gru": (nn.GRU, {"num_layers": 2}),
    "gru both ways": (nn.GRU, {"bidirectional": True}),
    "rnn": (nn.RNN, {"nonlinearity": "relu"}),
}


class Tagger(nn.Module):
    """Labels of each step, and the last state."""

    def __init__(self, kind, **options):
        super().__init__()
        self.table = nn.Embedding(50, 16)
        self.steps = kind(16, 24, batch_first=True, **options)
        width = options.get("proj_size", 24) * (1 + options.get("bidirectional", False))
        self.head = nn.Linear(width, 7)

    def forward(self, ids):
        steps, state = self.steps(self.table(ids))
        return self.head(steps).log_softmax(-1), state[0] if isinstance(state, tuple) else state


def made(name):
    torch.manual_seed(0)
    kind, options = LAYERS[name]
    return Tagger(kind, **options).eval().requires_grad_(False)


def check(run, model, ids):
    """Against float64: not worse than twice what eager is, or a few roundings."""
    exact = copy.deepcopy(model).double()(ids)
    for got, eager, wanted in zip(run(ids), model(ids), exact, strict=True):
        error = (got.double() - wanted).abs().max()
        assert error <= 2 * (eager.double() - wanted).abs().max() + 1e-6


@pytest.mark.parametrize("saved", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_any_batch(name, saved, tmp_path):
    model = made(name)
    ids = torch_tensorrt.Input(
        min_shape=(1, 9), opt_shape=(4, 9), max_shape=(33, 9), dtype=torch.int64
    )
    run = torch_tensorrt.compile(model, arg_inputs=[ids])
    assert [child for child, _ in run.named_children() if child.startswith("_run_on_acc")]
    if saved:
        torch_tensorrt.save(run, tmp_path / "tagger.ep")
        run = torch_tensorrt.load(tmp_path / "tagger.ep").module()
    for batch in (1, 2, 7, 33):
        check(run, model, torch.randint(0, 50, (batch, 9)))


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_any_sequence_just_in_time(name):
    torch._dynamo.reset()
    model = made(name)
    run = torch.compile(model, backend="tensorrt")
    for shape in ((3, 5), (3, 8), (2, 1)):
        check(run, model, torch.randint(0, 50, shape))
