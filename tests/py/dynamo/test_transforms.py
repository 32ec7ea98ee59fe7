"""Transforms of torch.func inside a model are traced through."""

import pytest
import torch
import torch_tensorrt
from torch import nn


class Mapped(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def forward(self, x):
        return torch.vmap(lambda row: self.linear(row).tanh() * 2)(x) + 1


class Prefix(nn.Module):
    def forward(self, x):
        from torch._higher_order_ops.associative_scan import associative_scan

        return associative_scan(lambda a, b: a + b, x * 2, dim=0, combine_mode="generic") + 1


@pytest.mark.parametrize("kind", [Mapped, Prefix])
def test_transforms_inside_a_model_are_traced_through(kind):
    """An exported graph holds the functions of vmap one by one, with state between them."""
    model, x = kind().eval(), torch.randn(5, 8)
    module = torch_tensorrt.compile(model, arg_inputs=[x], require_full_compilation=True)
    with torch.no_grad():
        torch.testing.assert_close(module(x), model(x))
