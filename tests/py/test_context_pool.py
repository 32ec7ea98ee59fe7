"""Execution contexts of an engine: made for threads at once, given up when they are not used."""

import json
import threading

import torch
import torch_tensorrt
from torch import nn

#: LeaseCount::kWindow of core/runtime.
WINDOW = 256


class Work(nn.Module):
    """Takes long enough for calls to overlap."""

    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(512, 512)

    def forward(self, x):
        return self.dense(self.dense(x).tanh()).sin()


def contexts(module):
    return json.loads(module._run_on_acc_0.engine.stats())["contexts"]


def burst(module, x, threads=6, calls=8):
    """Calls from several threads at once, each of which checks its results."""
    expected = module(x)
    start = threading.Barrier(threads)
    right = []

    def run():
        start.wait()
        right.append(all(torch.equal(module(x), expected) for _ in range(calls)))

    running = [threading.Thread(target=run) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert right == [True] * threads


def test_the_pool_shrinks_after_a_burst():
    torch.manual_seed(0)
    x = torch.randn(256, 512)
    module = torch_tensorrt.compile(Work().eval().requires_grad_(False), arg_inputs=(x,))
    for _ in range(20):
        burst(module, x)
        if contexts(module) > 1:
            break
    assert contexts(module) > 1
    expected = module(x)
    for _ in range(2 * WINDOW):
        module(x)
    assert contexts(module) == 1
    burst(module, x)
    assert torch.equal(module(x), expected)
