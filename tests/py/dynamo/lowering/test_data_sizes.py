"""Sizes that depend on data keep their names when operators are decomposed."""

import pytest
import torch
import torch_tensorrt
from torch import nn
from torch_tensorrt.dynamo import CompilationSettings, lowering, trace
from torch_tensorrt.dynamo._symbols import free_symbols


class Rows(nn.Module):
    """Two selections of the rows of ``x``, by ``pick(x, mask)``."""

    def __init__(self, pick):
        super().__init__()
        self.pick = pick

    def forward(self, x, a, b):
        return (self.pick(x, a) * 2).sin().sum(0) + (self.pick(x, b) * 3).cos().sum(0)


class Experts(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate = nn.Linear(4, 3)
        self.experts = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))

    def forward(self, x, a, b):
        weights, chosen = self.gate(x).softmax(-1).topk(2, -1)
        result = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            row, place = torch.where(chosen == number)
            result = result.index_add(0, row, expert(x[row]) * weights[row, place, None])
        return result


MODELS = {
    "where": lambda: Rows(lambda x, mask: x[torch.where(mask)[0]]),
    "argwhere": lambda: Rows(lambda x, mask: x[torch.argwhere(mask)[:, 0]]),
    "nonzero as tuple": lambda: Rows(lambda x, mask: x[mask.nonzero(as_tuple=True)]),
    "repeat_interleave": lambda: Rows(lambda x, mask: torch.repeat_interleave(x, mask.long(), 0)),
    "mixture of experts": Experts,
}


def draw(p, q):
    return torch.randn(9, 4), torch.rand(9) < p, torch.rand(9) < q


@pytest.mark.parametrize("name", MODELS)
def test_two_data_dependent_sizes(name):
    torch.manual_seed(0)
    model = MODELS[name]().eval()
    compiled = torch_tensorrt.compile(model, arg_inputs=draw(0.5, 0.8), min_block_size=1)
    with torch.no_grad():
        for p, q in [(0.5, 0.8), (0.9, 0.1), (0, 1), (1, 0), (0, 0)]:
            args = draw(p, q)
            torch.testing.assert_close(compiled(*args), model(*args))


@pytest.mark.parametrize("name", MODELS)
def test_each_size_has_the_name_that_its_users_know(name):
    model = MODELS[name]().eval()
    graph = lowering.lower_exported_program(
        trace(model, arg_inputs=draw(0.5, 0.8)), CompilationSettings()
    ).graph
    made = set()
    makers = 0
    for node in graph.nodes:
        mine = free_symbols(node.meta.get("val"))
        known = {s for n in node.all_input_nodes for s in free_symbols(n.meta.get("val"))}
        makers += bool(mine - known)
        assert not (mine - known) & made, node
        made |= mine - known
    assert makers == len(made) >= 2
