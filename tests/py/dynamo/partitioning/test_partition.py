"""Partitioning: verdicts with reasons, cuts that compute the same, reports."""

import json

import pytest
import torch
from torch import fx, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch_tensorrt import Input
from torch_tensorrt._exceptions import ConversionError, UnsupportedOperatorException
from torch_tensorrt.dynamo import CompilationSettings, lowering, partitioning, trace
from torch_tensorrt.dynamo._build import compile_module, input_ranges
from torch_tensorrt.dynamo._ladder import MAX_LEFT_OUT
from torch_tensorrt.dynamo._op_names import op_names
from torch_tensorrt.dynamo.partitioning._report import recommend


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


@pytest.mark.parametrize("fast", [True, False])
def test_counts_and_results(fast):
    gm = lowered(Two(), torch.randn(4, 5))
    result = partitioning.partition(gm, settings(use_fast_partitioner=fast), refuse("sort"))
    assert len(result.graph.engines) == 2
    assert (result.engine_ops, result.total_ops) == (5, 6)
    x = torch.randn(4, 5)
    assert torch.equal(result.graph.module(x), Two()(x))


@pytest.mark.parametrize("fast", [True, False])
def test_branches(fast):
    inputs = (torch.randn(3, 4), torch.randn(3, 4))
    gm = lowered(Branches(), *inputs)
    result = partitioning.partition(gm, settings(use_fast_partitioner=fast), refuse("sort"))
    assert len(result.graph.engines) == 2
    assert torch.equal(result.graph.module(*inputs), Branches()(*inputs))


def test_whole_graph_is_one_engine_whatever_its_size():
    gm = lowered(Two(), torch.randn(4, 5))
    for required in (True, False):
        full = settings(require_full_compilation=required, min_block_size=100)
        result = partitioning.partition(gm, full, refuse())
        assert len(result.graph.engines) == 1
        assert result.left_in_torch == []
    part = partitioning.partition(gm, settings(min_block_size=100), refuse("relu"))
    assert part.graph.engines == []


class Views(nn.Module):
    def forward(self, x):
        return x.permute(1, 0).unsqueeze(0)


def test_a_graph_of_views_needs_no_engine():
    gm = lowered(Views(), torch.randn(4, 5))
    result = partitioning.partition(gm, settings(min_block_size=100), refuse())
    assert result.graph.engines == []
    assert all("views only" in left.reason for left in result.left_in_torch)


def test_require_full_compilation_names_op_shapes_and_line():
    gm = lowered(Two(), torch.randn(4, 5))
    with pytest.raises(UnsupportedOperatorException) as caught:
        partitioning.partition(gm, settings(require_full_compilation=True), refuse("sort"))
    text = str(caught.value)
    for part in ("aten.sort.default", "float32[4, 5]", "no converter", "y = torch.sort", "Way out"):
        assert part in text
    assert len(caught.value.nodes) == 1


@pytest.mark.parametrize("size", [1, 3, 4, 100])
def test_min_block_size(size):
    gm = lowered(Two(), torch.randn(4, 5))
    result = partitioning.partition(gm, settings(min_block_size=size), refuse("sort"))
    assert len(result.graph.engines) == {1: 2, 3: 1, 4: 0, 100: 0}[size]
    reasons = [left.reason for left in result.left_in_torch]
    assert all("min_block_size" in r or "no converter" in r for r in reasons)
    assert len(reasons) + result.engine_ops == result.total_ops
    x = torch.randn(4, 5)
    assert torch.equal(result.graph.module(x), Two()(x))


@pytest.mark.parametrize(
    "op",
    [
        *("aten.mul", "torch.ops.aten.mul.Tensor", "aten::mul", "mul"),
        *(torch.ops.aten.mul.Tensor, torch.ops.aten.mul),
    ],
)
def test_torch_executed_ops_in_every_spelling(op):
    gm = lowered(Two(), torch.randn(4, 5))
    result = partitioning.partition(gm, settings(torch_executed_ops=frozenset({op})), refuse())
    assert [left.op for left in result.left_in_torch] == ["aten.mul.Tensor"]
    assert result.left_in_torch[0].reason == "listed in torch_executed_ops"


class Inner(nn.Module):
    def forward(self, x):
        return x.sin() + 1


class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = Inner()
        self.second = Inner()

    def forward(self, x):
        return self.second(self.first(x) * 2)


@pytest.mark.parametrize(
    ("wanted", "left"), [(Inner, 4), ("Inner", 4), ("second", 2), ("other", 0), (nn.Linear, 0)]
)
def test_torch_executed_modules(wanted, left):
    gm = lowered(Outer(), torch.randn(4))
    chosen = settings(torch_executed_modules=frozenset({wanted}))
    result = partitioning.partition(gm, chosen, refuse())
    assert len(result.left_in_torch) == left
    assert all("torch_executed_modules" in entry.reason for entry in result.left_in_torch)
    x = torch.randn(4)
    assert torch.equal(result.graph.module(x), Outer()(x))


class Shared(nn.Module):
    """Calls one submodule twice."""

    def __init__(self):
        super().__init__()
        self.first = Inner()

    def forward(self, x):
        return self.first(self.first(x) * 2)


def test_torch_executed_modules_in_every_call_of_the_module():
    gm = lowered(Shared(), torch.randn(4))
    chosen = settings(torch_executed_modules=frozenset({"first"}))
    assert len(partitioning.partition(gm, chosen, refuse()).left_in_torch) == 4


class Effects(nn.Module):
    """The second random operator feeds what could join the first one's source."""

    def forward(self, x):
        a = x.relu() + 1
        b = torch.rand_like(a)
        c = torch.rand(3).exp() * 2
        return a + 1, b, c


@pytest.mark.parametrize("fast", [True, False])
def test_no_group_spans_effects_on_both_of_its_sides(fast):
    x = torch.randn(4)
    chosen = settings(use_fast_partitioner=fast)
    result = partitioning.partition(lowered(Effects(), x), chosen, refuse("rand", "rand_like"))
    torch.manual_seed(3)
    expected = Effects()(x)
    torch.manual_seed(3)
    got = result.graph.module(x)
    assert all(torch.equal(a, b) for a, b in zip(got, expected, strict=True))


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
    torch.manual_seed(3)
    expected = Random()(x)
    torch.manual_seed(3)
    got = result.graph.module(x)
    assert all(torch.equal(a, b) for a, b in zip(got, expected, strict=True))


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


def test_report(tmp_path):
    chosen = settings(min_block_size=3)
    result = partitioning.partition(lowered(Two(), torch.randn(4, 5)), chosen, refuse("sort"))
    report = partitioning.build_report(result, chosen)
    text = str(report)
    for part in ("3 of 6", "50.0 %", "_run_on_acc_0", "aten.sort.default: 1", "min_block_size=3"):
        assert part in text
    path = tmp_path / "report.json"
    partitioning.write_report(report, str(path))
    loaded = json.loads(path.read_text())
    assert loaded["coverage_percent"] == 50.0
    assert loaded["engines"][0]["inputs"] == ["getitem float32[4, 5]"]
    with pytest.raises(FileExistsError):
        partitioning.write_report(report, str(path))
    partitioning.write_report(report, str(tmp_path / "new" / "report.txt"))
    assert "dry run" in (tmp_path / "new" / "report.txt").read_text()


def test_recommendations():
    assert recommend([], 5) == {}
    advice = recommend([10, 4, 1], 5)
    assert advice["minimal"] == {"min_block_size": 10, "engines": 1}
    assert advice["moderate"] == {"min_block_size": 4, "engines": 2}
    assert advice["current"] == {"min_block_size": 5, "engines": 1}


def test_support_counts():
    gm = lowered(Two(), torch.randn(4, 5))
    counts = partitioning.get_graph_converter_support(gm, settings(), refuse("sort"))
    assert counts == (5, 6)


def converting_all_but(*names):
    """A builder of engines, in PyTorch, that fails at operators the support check let through."""

    def convert(module, settings, *, name, input_ranges):
        for node in module.graph.nodes:
            if node.op == "call_function" and op_names(node.target) & set(names):
                raise ConversionError(node.name, str(node.target), reason="a surprise")
        return partitioning._split.in_torch(module)

    return convert


def test_a_node_whose_conversion_fails_is_left_out_of_the_engines():
    x = torch.randn(4, 5)
    gm = lowered(Two(), x)
    result = compile_module(gm, settings(), convert=converting_all_but("relu"))
    assert not result.failed
    assert len(result.partition.graph.engines) == 2
    [left] = result.partition.left_in_torch
    assert left.op == "aten.relu.default"
    assert left.reason == "conversion failed: a surprise"
    assert torch.equal(result.module(x), Two()(x))


def test_conversion_gives_up_after_some_failing_nodes():
    class Many(nn.Module):
        def forward(self, x):
            for _ in range(MAX_LEFT_OUT + 2):
                x = (x + 1).relu()
            return x

    x = torch.randn(4, 5)
    result = compile_module(lowered(Many(), x), settings(), convert=converting_all_but("relu"))
    assert len(result.partition.left_in_torch) == MAX_LEFT_OUT
    assert len(result.failed) == 1
    assert torch.equal(result.module(x), Many()(x))


def test_a_failing_conversion_is_an_error_when_everything_must_be_converted():
    gm = lowered(Two(), torch.randn(4, 5))
    with pytest.raises(ConversionError, match="a surprise"):
        compile_module(
            gm, settings(require_full_compilation=True), convert=converting_all_but("relu")
        )
