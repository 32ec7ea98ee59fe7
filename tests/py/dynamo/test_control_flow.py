"""cond, while_loop, scan, map and flex_attention: their graphs run in engines, through both entry
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


class BySize(nn.Module):
    def forward(self, x):
        return torch.cond(x.shape[0] > 4, lambda x: x.exp() + 1, lambda x: x.sin() * 2, (x,))


def test_a_condition_on_a_size():
    model = BySize().eval()
    spec = Input(min_shape=(1, 3), opt_shape=(4, 3), max_shape=(9, 3))
    module = torch_tensorrt.compile(model, arg_inputs=[spec], min_block_size=1)
    for rows in (1, 4, 5, 9):
        x = torch.randn(rows, 3)
        same(module(x), model(x))


class Counted(nn.Module):
    """Carries a Python number, and uses a size as a value."""

    def forward(self, x):
        def condition(i, x):
            return i < 4

        def body(i, x):
            return i + 1, x * 2 + x.shape[0]

        return while_loop(condition, body, (0, x))[1]


def test_numbers_that_are_carried_stay_in_pytorch():
    model = Counted().eval()
    module = torch_tensorrt.compile(model, arg_inputs=[torch.ones(3)], min_block_size=1)
    x = torch.randn(3)
    same(module(x), model(x))


class Sized(nn.Module):
    """A branch that makes a tensor of a size that none of its inputs has."""

    def forward(self, x, y):
        def then(y):
            return torch.ones(x.shape[0]) * y.sum()

        return torch.cond(y.sum() > 0, then, lambda y: torch.zeros(x.shape[0]) + 2, (y,))


def test_a_size_that_no_input_of_the_branch_has(tmp_path):
    model = Sized().eval()
    specs = [Input(min_shape=(1,), opt_shape=(4,), max_shape=(9,)), torch.ones(2)]
    module = torch_tensorrt.compile(model, arg_inputs=specs, min_block_size=1)
    assert placed(module, CondEngines)
    path = str(tmp_path / "model.ep")
    torch_tensorrt.save(module, path)
    loaded = torch_tensorrt.load(path).module()
    for rows in (1, 4, 9):
        for y in (torch.ones(2), -torch.ones(2)):
            same(module(torch.randn(rows), y), model(torch.randn(rows), y))
            same(loaded(torch.randn(rows), y), model(torch.randn(rows), y))


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


class Flex(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        self.register_buffer("slopes", torch.rand(2))

    def forward(self, q, k, v):
        from torch.nn.attention.flex_attention import flex_attention

        def causal(score, b, h, i, j):
            return torch.where(i >= j, score, -float("inf"))

        def alibi(score, b, h, i, j):
            return score + self.slopes[h] * (j - i)

        score = {"none": None, "causal": causal, "alibi": alibi}[self.kind]
        return flex_attention(q * 2, k, v, score_mod=score, enable_gqa=k.shape[1] != q.shape[1]) + 1


@pytest.mark.parametrize("kind", ["none", "causal", "alibi"])
@pytest.mark.parametrize("heads", [2, 1])
@pytest.mark.parametrize("just_in_time", [True, False])
def test_flex_attention(kind, heads, just_in_time):
    torch._dynamo.reset()
    model = Flex(kind).eval()
    given = torch.randn(2, 2, 7, 8), torch.randn(2, heads, 9, 8), torch.randn(2, heads, 9, 8)
    options = {"require_full_compilation": True}
    with torch.no_grad():
        if just_in_time:
            module = torch.compile(model, backend="tensorrt", options=options)
        else:
            module = torch_tensorrt.compile(model, arg_inputs=list(given), **options)
        same(module(*given), model(*given))


def test_flex_attention_with_a_block_mask_and_dynamic_batch(tmp_path):
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    mask = create_block_mask(lambda b, h, i, j: i >= j, None, None, 16, 16, device="cpu")

    class Masked(nn.Module):
        def forward(self, q, k, v):
            return flex_attention(q, k, v, block_mask=mask)

    model = Masked().eval()
    given = [torch.randn(3, 2, 16, 8) for _ in range(3)]
    module = torch_tensorrt.compile(model, arg_inputs=given, require_full_compilation=True)
    with torch.no_grad():
        same(module(*given), model(*given))
    path = str(tmp_path / "model.ep")
    torch_tensorrt.save(module, path)
    same(torch_tensorrt.load(path).module()(*given), model(*given))


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
        same(module(x), model(x))


class Uneven(nn.Module):
    def forward(self, x):
        return torch.cond(x.sum() > 0, lambda x: x[:2] + 1, lambda x: x[:3] * 2, (x,)).exp()


def test_results_whose_sizes_depend_on_the_branch():
    model, x = Uneven().eval(), torch.rand(4, 3)
    try:
        program = torch_tensorrt.dynamo.trace(model, arg_inputs=[x])
    except torch_tensorrt._exceptions.CaptureError:
        pytest.skip("this PyTorch takes no branches of different sizes")
    module = torch_tensorrt.dynamo.compile(program, arg_inputs=[x], min_block_size=1)
    same(module(x), model(x))
    same(module(-x), model(-x))


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


class SizeAsValue(nn.Module):
    def forward(self, x):
        def body(i, x):
            return i + 1, x * x.shape[0] + torch.arange(x.shape[0])[:, None]

        start = torch.zeros((), dtype=torch.int64)
        return while_loop(lambda i, x: i < 3, body, (start, x))[1]


def test_sizes_inside_a_body():
    model = SizeAsValue().eval()
    spec = Input(min_shape=(1, 2), opt_shape=(4, 2), max_shape=(9, 2))
    module = torch_tensorrt.compile(model, arg_inputs=[spec], require_full_compilation=True)
    assert placed(module, WhileEngines)
    for rows in (1, 5, 9):
        x = torch.randn(rows, 2)
        same(module(x), model(x))


def test_flex_attention_of_any_length():
    spec = Input(
        min_shape=(1, 2, 2, 8),
        opt_shape=(1, 2, 8, 8),
        max_shape=(1, 2, 64, 8),
        shared_dims={2: "n"},
    )
    model = Flex("causal").eval()
    module = torch_tensorrt.compile(
        model, arg_inputs=[spec, spec, spec], require_full_compilation=True
    )
    for length in (2, 33, 64):
        given = [torch.randn(1, 2, length, 8) for _ in range(3)]
        same(module(*given), model(*given))
