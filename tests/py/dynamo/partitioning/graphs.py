"""Small graphs to partition, and what the tests here say about them."""

import torch
from torch import nn
from torch_tensorrt import Input
from torch_tensorrt.dynamo import CompilationSettings, lowering, trace
from torch_tensorrt.dynamo._op_names import op_names


def refuse(*names):
    """A support check that refuses operators by packet name."""

    def check(node, settings):
        found = op_names(node.target) & set(names)
        return f"no converter for {sorted(found)}" if found else None

    return check


def settings(**options):
    return CompilationSettings(**{"min_block_size": 1, **options})


def lowered(model, *inputs):
    return lowering.lower_exported_program(trace(model.eval(), arg_inputs=inputs), settings())


class Two(nn.Module):
    """Two supported stretches around one sort."""

    def forward(self, x):
        y = torch.sort((x + 1) * 2)[0]
        return (y - 1).relu().exp()


class Branches(nn.Module):
    """Supported branches that only the global partitioner joins."""

    def forward(self, x, y):
        a = x.relu() + 1
        b = torch.sort(a)[0]
        c = y.relu() * 2
        d = torch.sort(c)[0]
        return b.exp() + d.exp()


def ranged(low, opt, high, **keywords):
    return Input(min_shape=low, opt_shape=opt, max_shape=high, **keywords)
