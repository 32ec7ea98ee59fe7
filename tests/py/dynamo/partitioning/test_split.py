"""Cuts that keep the order of effects, and what crosses them: sizes, aliases, constants."""

import pytest
import torch
from torch import fx, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch_tensorrt.dynamo import partitioning
from torch_tensorrt.dynamo._build import input_ranges

from tests.py.dynamo.partitioning.graphs import lowered, ranged, refuse, settings


class Effects(nn.Module):
    """The second random operator feeds what could join the first one's source."""

    def forward(self, x):
        a = x.relu() + 1
        b = torch.rand_like(a)
        c = torch.rand(3).exp() * 2
        return a + 1, b, c


def check_draws(module, model, x):
    """The same random numbers from the same seed."""
    torch.manual_seed(3)
    expected = model(x)
    torch.manual_seed(3)
    got = module(x)
    assert all(torch.equal(a, b) for a, b in zip(got, expected, strict=True))


@pytest.mark.parametrize("fast", [True, False])
def test_no_group_spans_effects_on_both_of_its_sides(fast):
    x = torch.randn(4)
    chosen = settings(use_fast_partitioner=fast)
    result = partitioning.partition(lowered(Effects(), x), chosen, refuse("rand", "rand_like"))
    check_draws(result.graph.module, Effects(), x)


def test_a_write_waits_for_readers_that_become_ready_later():
    """``sort`` comes after the write, and the engine that reads the old value needs it."""
    graph = fx.Graph()
    fake = FakeTensorMode()
    x, y = graph.placeholder("x"), graph.placeholder("y")
    nodes = [x, y]

    def call(op, *args):
        nodes.append(graph.call_function(op, args))
        return nodes[-1]

    old = call(torch.ops.aten.mul.Tensor, x, 2.0)
    call(torch.ops.aten.copy_.default, x, y)
    late = call(torch.ops.aten.flip.default, y, [0])
    graph.output((call(torch.ops.aten.add.Tensor, old, late),))
    for node in nodes:
        node.meta["val"] = fake.from_tensor(torch.empty(3))
    gm = fx.GraphModule({}, graph)
    result = partitioning.partition(gm, settings(), refuse("flip"))
    (engine,) = result.graph.engines
    assert engine.unit.op_count() == 2
    x, y = torch.randn(3), torch.randn(3)
    (got,) = result.graph.module(x.clone(), y)
    assert torch.equal(got, x * 2 + y.flip(0))


def test_a_write_waits_for_readers_of_views():
    """``select`` is a view that PyTorch makes; who reads it comes before the write too."""
    graph = fx.Graph()
    fake = FakeTensorMode()
    x, y = graph.placeholder("x"), graph.placeholder("y")
    for node in (x, y):
        node.meta["val"] = fake.from_tensor(torch.empty(3, 3))

    def call(op, *args):
        made = graph.call_function(op, args)
        with fake:
            made.meta["val"] = op(*fx.map_arg(args, lambda n: n.meta["val"]))
        return made

    row = call(torch.ops.aten.select.int, x, 0, 1)
    old = call(torch.ops.aten.mul.Tensor, row, 2.0)
    new = call(torch.ops.aten.copy_.default, x, y)
    graph.output((call(torch.ops.aten.add.Tensor, new, old),))
    gm = fx.GraphModule({}, graph)
    result = partitioning.partition(gm, settings(), refuse("select"))
    x, y = torch.randn(3, 3), torch.randn(3, 3)
    expected = y + x[1] * 2
    (got,) = result.graph.module(x, y)
    assert torch.equal(got, expected)
    assert torch.equal(x, y)


class Sizes(nn.Module):
    """Sizes used on both sides of a cut, as values and as outputs."""

    def forward(self, x):
        y = torch.sort(x.relu(), dim=0)[0]
        n = x.shape[0] * 2
        return y.reshape(n, -1) * n + torch.arange(n)[:, None], n, x, x.view(-1)


def test_sizes_cross_cuts_as_shapes():
    spec = ranged((1, 4), (3, 4), (9, 4))
    result = partitioning.partition(lowered(Sizes(), spec), settings(), refuse("sort"))
    for engine in result.graph.engines:
        for node in engine.module.graph.nodes:
            if node.op == "placeholder":
                assert isinstance(node.meta["val"], torch.Tensor)
            elif node.op != "output":
                assert "val" in node.meta
    for rows in (3, 1, 9):
        x = torch.randn(rows, 4)
        got, expected = result.graph.module(x), Sizes()(x)
        assert torch.equal(got[0], expected[0])
        assert got[1] == expected[1]
        assert got[2] is x
        assert got[3].data_ptr() == x.data_ptr() or torch.equal(got[3], expected[3])


class Factory(nn.Module):
    def forward(self, x):
        y = torch.sort(x, dim=0)[0]
        m = torch.full([x.shape[0], 2], 3.0).exp() * 2
        return y, m


def test_an_engine_without_a_tensor_of_that_size_gets_a_carrier():
    spec = ranged((1, 2), (3, 2), (9, 2))
    result = partitioning.partition(lowered(Factory(), spec), settings(), refuse("sort"))
    names = [
        node.name
        for engine in result.graph.engines
        for node in engine.module.graph.nodes
        if node.op == "placeholder"
    ]
    assert any(name.startswith("size_carrier") for name in names)
    for rows in (3, 7):
        x = torch.randn(rows, 2)
        for got, expected in zip(result.graph.module(x), Factory()(x), strict=True):
            assert torch.equal(got, expected)
    first = result.graph.engines[0].module
    assert all(low <= opt <= high for low, opt, high in input_ranges(first).values())


class Odd(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(3))
        self.register_buffer("steps", torch.zeros(()))

    def forward(self, x):
        self.steps.add_(1)
        y = x * self.w + self.steps
        return {"twice": [y, y], "weight": self.w, "input": x, "none": None, "number": 3}


def test_aliases_constants_none_duplicates_and_buffer_writes():
    model = Odd()
    result = partitioning.partition(lowered(model, torch.randn(2, 3)), settings(), refuse())
    module = result.graph.module
    for step in (1, 2):
        x = torch.randn(2, 3)
        with torch.no_grad():
            got = module(x)
        assert got["twice"][0] is got["twice"][1]
        assert torch.equal(got["twice"][0], x * model.w + step)
        assert got["input"] is x
        assert got["weight"].data_ptr() == model.w.data_ptr()
        assert (got["none"], got["number"]) == (None, 3)
    assert model.steps == 2


def test_writes_run_after_readers_and_random_order_is_kept():
    class Random(nn.Module):
        def forward(self, x):
            a = torch.rand_like(x)
            b = torch.sort(x)[0] + torch.rand_like(x)
            return a + 1, b * 2

    x = torch.randn(4)
    result = partitioning.partition(
        lowered(Random(), x), settings(), refuse("sort", "rand_like", "rand")
    )
    check_draws(result.graph.module, Random(), x)


def test_a_block_of_views_is_no_engine():
    class Views(nn.Module):
        def forward(self, x):
            return torch.sort(x.view(2, 6).t())[0]

    result = partitioning.partition(lowered(Views(), torch.randn(12)), settings(), refuse("sort"))
    assert result.graph.engines == []


def test_multi_output_operators_stay_together():
    class Split(nn.Module):
        def forward(self, x):
            a, b = torch.split(x, [1, 2])
            values, index = torch.topk(b, 1)
            return a + 1, values, index

    x = torch.randn(3, 4)
    for refused in (refuse(), refuse("split_with_sizes"), refuse("topk")):
        result = partitioning.partition(lowered(Split(), x), settings(), refused)
        got = result.graph.module(x)
        assert all(torch.equal(a, b) for a, b in zip(got, Split()(x), strict=True))


class TwoReaders(nn.Module):
    """What one engine makes is read by PyTorch and by the next engine."""

    def forward(self, x):
        a = (x + 1).relu()
        b, c = torch.sort(a * 2)[0], a.exp() * 3
        return (b * c).sin()


def test_what_an_engine_made_is_not_made_again():
    x = torch.randn(5)
    result = partitioning.partition(lowered(TwoReaders(), x), settings(), refuse("sort"))
    calls = result.graph.module.graph.find_nodes(op="call_module")
    assert len(calls) == len(result.graph.engines) == 2
    called = [n.target for n in result.graph.module.graph.nodes if n.op == "call_function"]
    assert [target for target in called if "getitem" not in str(target)] == [
        torch.ops.aten.sort.default
    ]
    torch.testing.assert_close(result.graph.module(x), TwoReaders()(x))


class Across(nn.Module):
    """The second engine takes what the first one made, and what PyTorch made of that."""

    def forward(self, x):
        y = (x + 1).relu() * 2
        return y * y.flip(0) + 1


def test_what_an_engine_made_and_pytorch_read_is_not_made_again():
    x = torch.randn(5, 3)
    result = partitioning.partition(lowered(Across(), x), settings(), refuse("flip"))
    module = result.graph.module
    assert len(result.graph.engines) == 2
    calls = [n.target for n in module.graph.nodes if isinstance(n.target, torch._ops.OpOverload)]
    assert calls == [torch.ops.aten.flip.default]
    torch.testing.assert_close(module(x), Across()(x))
