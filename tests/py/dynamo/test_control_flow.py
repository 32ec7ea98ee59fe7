"""cond, while_loop, scan and map: their graphs run in engines, through both entry
points, with dynamic shapes, saved and loaded."""

import pytest
import torch
import torch_tensorrt
from torch import nn
from torch._higher_order_ops.map import map as torch_map
from torch._higher_order_ops.scan import scan
from torch._higher_order_ops.while_loop import while_loop
from torch_tensorrt import Input
from torch_tensorrt._exceptions import (
    DynamicShapeOutOfRangeException,
    UnsupportedOperatorException,
    UnsupportedTransformError,
)
from torch_tensorrt.dynamo.runtime import TorchTensorRTModule
from torch_tensorrt.dynamo.runtime._control_flow import CondEngines, ScanEngines, WhileEngines


class Cond(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x):
        x = x * 2
        y = torch.cond(
            x.sum() > 0,
            lambda x: self.a(x).relu() + 1,
            lambda x: self.b(x).tanh() - 1,
            (x,),
        )
        return y * 3


class Pass(nn.Module):
    """Branches of several results: an input, a weight, one result twice."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(8))

    def forward(self, x):
        def then(x):
            y = x.exp()
            return x.clone(), y, self.w.clone()

        def other(x):
            y = x.sin()
            return y, x.clone(), self.w * 2

        return torch.cond(x[0, 0] > 0, then, other, (x,))


class While(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(8, 8)

    def forward(self, x, limit):
        def condition(i, x):
            return i < limit

        def body(i, x):
            return i + 1, self.a(x).tanh() + x

        _, y = while_loop(condition, body, (torch.zeros((), dtype=torch.int64), x))
        return y * 3


class Scan(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(8, 8)

    def forward(self, h, xs):
        def step(carry, x):
            new = self.a(carry).tanh() + x
            return new, new * 2

        h, ys = scan(step, h, xs, dim=0)
        return h + 1, ys


class Map(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(8, 8)

    def forward(self, xs, y):
        return torch_map(lambda x, y: self.a(x).tanh() + y, xs, y) * 2


def limit(n):
    return torch.tensor(n)


CASES = {
    "cond": (Cond, lambda n, v: (torch.full((n, 8), v),), CondEngines),
    "pass": (Pass, lambda n, v: (torch.full((n, 8), v),), CondEngines),
    "while": (While, lambda n, v: (torch.full((n, 8), v), limit(int(abs(v * 3)))), WhileEngines),
    "scan": (Scan, lambda n, v: (torch.full((n, 8), v), torch.randn(5, n, 8)), ScanEngines),
    "map": (Map, lambda n, v: (torch.randn(5, n, 8), torch.full((n, 8), v)), ScanEngines),
}
VALUES = (1.0, -1.0, 0.0)


def same(got, wanted):
    torch.testing.assert_close(got, wanted)


@pytest.fixture(params=sorted(CASES))
def case(request):
    torch._dynamo.reset()
    model, inputs, kind = CASES[request.param]
    return model().eval(), inputs, kind


def placed(module, kind):
    return [m for m in module.modules() if isinstance(m, kind)]


def test_ahead_of_time(case):
    model, inputs, kind = case
    module = torch_tensorrt.compile(
        model, arg_inputs=list(inputs(3, 1.0)), min_block_size=1, require_full_compilation=True
    )
    [flow] = placed(module, kind)
    assert all(isinstance(engine, TorchTensorRTModule) for engine in flow.engines())
    for value in VALUES:
        given = inputs(3, value)
        with torch.no_grad():
            same(module(*given), model(*given))


def test_just_in_time(case):
    model, inputs, _ = case
    fast = torch.compile(
        model, backend="tensorrt", options={"min_block_size": 1, "require_full_compilation": True}
    )
    for value in VALUES:
        given = inputs(3, value)
        with torch.no_grad():
            same(fast(*given), model(*given))


def dynamic(inputs):
    """Inputs whose axes of size 3 vary from 1 to 9."""
    specs = []
    for tensor in inputs(3, 1.0):
        sizes = list(tensor.shape)
        names = {axis: "n" for axis, size in enumerate(sizes) if size == 3}
        if not names:
            specs.append(tensor)
            continue
        low = [1 if size == 3 else size for size in sizes]
        high = [9 if size == 3 else size for size in sizes]
        specs.append(Input(min_shape=low, opt_shape=sizes, max_shape=high, shared_dims=names))
    return specs


@pytest.mark.parametrize("retrace", [True, False])
def test_dynamic_shapes_saved_and_loaded(case, retrace, tmp_path):
    model, inputs, kind = case
    specs = dynamic(inputs)
    module = torch_tensorrt.compile(model, arg_inputs=specs, require_full_compilation=True)
    assert placed(module, kind)
    path = str(tmp_path / "model.ep")
    torch_tensorrt.save(module, path, retrace=retrace)
    loaded = torch_tensorrt.load(path).module()
    for rows in (1, 3, 9):
        for value in VALUES:
            given = inputs(rows, value)
            with torch.no_grad():
                wanted = model(*given)
                same(module(*given), wanted)
                same(loaded(*given), wanted)
    with pytest.raises(DynamicShapeOutOfRangeException):
        loaded(*inputs(10, 1.0))


def test_weights_of_branches_are_constants_of_engines():
    module = torch_tensorrt.compile(Cond().eval(), arg_inputs=[torch.randn(3, 8)])
    [flow] = placed(module, CondEngines)
    assert [len(engine.input_binding_names) for engine in flow.engines()] == [1, 1]


def test_gradients_and_vmap_are_refused():
    module = torch_tensorrt.compile(Cond().eval(), arg_inputs=[torch.randn(3, 8)])
    with pytest.raises(UnsupportedTransformError):
        module(torch.randn(3, 8, requires_grad=True))


class Partial(nn.Module):
    """A branch with an operator that stays in PyTorch."""

    def forward(self, x):
        def then(x):
            return torch.sort((x + 1).exp() * 2)[0].relu() - 1

        def other(x):
            return (x.sin() * 2).tanh() - 1

        return torch.cond(x.sum() > 0, then, other, (x,)) * 2


def test_a_branch_with_something_in_pytorch(tmp_path):
    model = Partial().eval()
    options = {"min_block_size": 1, "torch_executed_ops": {"aten.sort"}}
    module = torch_tensorrt.compile(model, arg_inputs=[torch.ones(2, 3)], **options)
    assert not placed(module, CondEngines)
    assert len([m for m in module.modules() if isinstance(m, TorchTensorRTModule)]) >= 3
    for value in VALUES:
        x = torch.full((2, 3), value)
        same(module(x), model(x))
    with pytest.raises(UnsupportedOperatorException, match=r"aten\.sort"):
        torch_tensorrt.compile(
            model, arg_inputs=[torch.ones(2, 3)], require_full_compilation=True, **options
        )
    path = str(tmp_path / "model.ep")
    torch_tensorrt.save(module, path)
    loaded = torch_tensorrt.load(path).module()
    for value in VALUES:
        x = torch.full((2, 3), value)
        same(loaded(x), model(x))


def test_a_branch_with_something_in_pytorch_just_in_time():
    torch._dynamo.reset()
    model = Partial().eval()
    options = {"min_block_size": 1, "torch_executed_ops": {"aten.sort"}}
    fast = torch.compile(model, backend="tensorrt", options=options)
    for value in VALUES:
        x = torch.full((2, 3), value)
        same(fast(x), model(x))


class Nested(nn.Module):
    def forward(self, x):
        def inner(x):
            return torch.cond(x.max() > 2, lambda x: x * 2, lambda x: x - 1, (x,)) + 1

        return torch.cond(x.sum() > 0, inner, lambda x: x.sin() * 3, (x,))


@pytest.mark.parametrize("just_in_time", [True, False])
def test_nested(just_in_time):
    torch._dynamo.reset()
    model = Nested().eval()
    options = {"min_block_size": 1, "require_full_compilation": True}
    if just_in_time:
        module = torch.compile(model, backend="tensorrt", options=options)
    else:
        module = torch_tensorrt.compile(model, arg_inputs=[torch.ones(4)], **options)
        assert placed(module, CondEngines)
    for x in (torch.ones(4), torch.ones(4) * 3, -torch.ones(4)):
        same(module(x), model(x))


def test_nothing_to_scan_over_is_an_error(tmp_path):
    model = Scan().eval()
    specs = [
        Input(shape=(2, 8)),
        Input(min_shape=(0, 2, 8), opt_shape=(3, 2, 8), max_shape=(9, 2, 8)),
    ]
    module = torch_tensorrt.compile(model, arg_inputs=specs)
    path = str(tmp_path / "model.ep")
    torch_tensorrt.save(module, path)
    loaded = torch_tensorrt.load(path).module()
    with torch.no_grad():
        for rows in (1, 7, 9):
            given = torch.randn(2, 8), torch.randn(rows, 2, 8)
            same(module(*given), model(*given))
            same(loaded(*given), model(*given))
        with pytest.raises((ValueError, RuntimeError), match=r"no rows|range"):
            module(torch.randn(2, 8), torch.randn(0, 2, 8))


def test_dry_run_counts_operators_of_branches(capsys):
    model = Cond().eval()
    module = torch_tensorrt.compile(
        model, arg_inputs=[torch.ones(3, 8)], dryrun=True, min_block_size=1
    )
    text = capsys.readouterr().out
    assert "Engines in branches and loops" in text
    assert "_cond_0_then: 3 operators" in text
    assert "100.0 %" in text
    x = torch.randn(3, 8)
    with torch.no_grad():
        same(module(x), model(x))  # the graph that the dry run looked at still works


def test_dynamic_sizes_just_in_time(case):
    model, inputs, _ = case
    fast = torch.compile(
        model,
        backend="tensorrt",
        dynamic=True,
        options={"min_block_size": 1, "require_full_compilation": True},
    )
    with torch.no_grad():
        for rows in (4, 6, 9):
            given = inputs(rows, 1.0)
            same(fast(*given), model(*given))
