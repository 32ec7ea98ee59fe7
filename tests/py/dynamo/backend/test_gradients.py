"""Gradients of compiled models are eager's: the engine runs the forward pass where a repeated one
is the same, PyTorch runs the whole where it is not."""

import copy
import logging

import pytest
import torch
import torch.nn.functional as F
from torch import nn

OPTIONS = {"min_block_size": 1, "pass_through_build_failures": True}


@pytest.fixture(autouse=True)
def fresh_dynamo():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


class Net(nn.Module):
    def __init__(self, body):
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.register_buffer("count", torch.zeros(()))
        self.body = body

    def forward(self, x):
        return self.body(self, x)


def add_to_input(net, x):
    x += 1
    return net.first(x)


def write_column_of_input(net, x):
    x[:, 0] = x[:, 0] * 2
    return net.first(x)


def count_calls(net, x):
    net.count += 1
    return net.first(x) * net.count


def sample(net, x):
    h = net.first(x)
    return h * torch.randn_like(h)


def attend_with_dropout(net, x):
    h = net.first(x)[None, None]
    return F.scaled_dot_product_attention(h, h, h, dropout_p=0.5)


def leaky_at_random(net, x):
    return F.rrelu(net.first(x), training=True)


def gumbel(net, x):
    return F.gumbel_softmax(net.first(x))


def fractional_pool(net, x):
    return F.fractional_max_pool2d(net.first(x)[None], 2, output_size=2)


def write_to_intermediate(net, x):
    h = net.first(x)
    h[:, 0] = h[:, 0] * 2
    return net.second(h).relu_()


def attend(net, x):
    h = net.first(x)[None, None]
    return F.scaled_dot_product_attention(h, h, h)


def detach_one(net, x):
    return net.first(x), net.second(x).detach()


IN_PYTORCH = {
    add_to_input: "writes to a tensor in place",
    write_column_of_input: "writes to a tensor in place",
    count_calls: "writes to a tensor in place",
    sample: "draws random numbers (aten.randn_like",
    attend_with_dropout: "draws random numbers (aten.scaled_dot_product_attention",
    leaky_at_random: "draws random numbers (aten.rrelu",
    gumbel: "draws random numbers",
    fractional_pool: "draws random numbers (aten.rand",
}


def step(model, x):
    """Outputs, gradients, buffers and the input after one training step without an optimiser."""
    x = x.clone()
    torch.manual_seed(3)
    outputs = model(x)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    model.zero_grad()
    sum(out.square().sum() for out in outputs if out.requires_grad).backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    return [*outputs, *gradients, *model.buffers(), x], [out.requires_grad for out in outputs]


def check(model, x):
    eager = copy.deepcopy(model)
    model.compile(backend="tensorrt", options=OPTIONS)
    for _ in range(2):
        got, wanted = step(model, x), step(eager, x)
        assert got[1] == wanted[1]
        torch.testing.assert_close(got[0], wanted[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("body", IN_PYTORCH)
def test_what_cannot_be_repeated_runs_in_pytorch(body, caplog):
    with caplog.at_level(logging.WARNING, "torch_tensorrt"):
        check(Net(body), torch.randn(4, 4))
    assert f"gradients may be needed: it {IN_PYTORCH[body]}" in caplog.text


@pytest.mark.parametrize("body", [write_to_intermediate, attend, detach_one])
def test_what_can_be_repeated_runs_in_an_engine(body, caplog):
    with caplog.at_level(logging.INFO, "torch_tensorrt"):
        check(Net(body), torch.randn(4, 4))
    assert "1 engine" in caplog.text
    assert "gradients may be needed" not in caplog.text


def test_running_statistics_are_updated_once():
    check(
        nn.Sequential(
            nn.Conv1d(3, 5, 1), nn.InstanceNorm1d(5, affine=True, track_running_stats=True)
        ),
        torch.randn(2, 3, 7),
    )


def test_gradients_of_gradients(caplog):
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
    x = torch.randn(3, 4)
    found = []
    with caplog.at_level(logging.INFO, "torch_tensorrt"):
        for run in (model, torch.compile(model, backend="tensorrt", options=OPTIONS)):
            model.zero_grad()
            loss = run(x).square().sum()
            gradients = torch.autograd.grad(loss, list(model.parameters()), create_graph=True)
            (loss + sum(g.square().sum() for g in gradients)).backward()
            found.append([p.grad.clone() for p in model.parameters()])
    torch.testing.assert_close(found[0], found[1], rtol=1e-5, atol=1e-5)
    assert "1 engine" in caplog.text
