"""Mixed precision by rules."""

import pytest
import torch
import torch_tensorrt
from torch import nn
from torch_tensorrt._exceptions import InvalidOptionError
from torch_tensorrt.dynamo import CompilationSettings, lowering, trace
from torch_tensorrt.dynamo.lowering.passes.autocast import calibrate


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.norm = nn.LayerNorm(8 * 36)
        self.first, self.second = nn.Linear(8 * 36, 32), nn.Linear(32, 4)

    def forward(self, x):
        y = self.conv(x).relu().flatten(1)
        y = self.first(self.norm(y)).relu()
        return torch.softmax(self.second(y), -1)


def lowered(model, *inputs, **options):
    settings = CompilationSettings(enable_autocast=True, **options)
    return lowering.lower_exported_program(trace(model.eval(), arg_inputs=inputs), settings)


def types(gm):
    """Operator name to the types of its results."""
    found = {}
    for node in gm.graph.nodes:
        value = node.meta.get("val")
        if node.op == "call_function" and isinstance(value, torch.Tensor):
            name = str(node.target).split(".")[1]
            if name != "_to_copy":
                found.setdefault(name, set()).add(value.dtype)
    return found


@pytest.mark.parametrize("low", [torch.bfloat16, torch.float16])
def test_products_are_low_and_statistics_are_not(low):
    model, x = Model(), torch.randn(2, 3, 8, 8)
    gm = lowered(model, x, autocast_low_precision_type=low)
    found = types(gm)
    products = [name for name in found if name in ("convolution", "linear", "addmm")]
    assert len(products) >= 2
    for name in (*products, "relu"):
        assert found[name] == {low}
    for name in found:
        if "norm" in name or "softmax" in name:
            assert found[name] == {torch.float32}
    result = gm.graph.output_node().args[0][0]
    assert result.meta["val"].dtype == torch.float32
    with torch.no_grad():
        got = gm(x)
    got = got[0] if isinstance(got, (tuple, list)) else got
    assert got.dtype == torch.float32  # what the types say is what PyTorch computes
    torch.testing.assert_close(got, model(x), rtol=0.05, atol=0.02)


def test_every_node_has_the_type_that_pytorch_gives_it():
    model, x = Model(), torch.randn(2, 3, 8, 8)
    gm = lowered(model, x)
    wrong = []

    class Check(torch.fx.Interpreter):
        def run_node(self, n):
            value = super().run_node(n)
            expected = n.meta.get("val")
            if isinstance(value, torch.Tensor):
                same = (value.dtype, value.shape) == (expected.dtype, expected.shape)
                wrong.extend([] if same else [n])
            return value

    with torch.no_grad():
        Check(gm).run(x)
    assert wrong == []


@pytest.mark.parametrize("just_in_time", [True, False])
def test_engines(just_in_time):
    torch._dynamo.reset()
    model, x = Model().eval(), torch.randn(2, 3, 8, 8)
    options = {"enable_autocast": True, "require_full_compilation": True}
    with torch.no_grad():
        if just_in_time:
            module = torch.compile(model, backend="tensorrt", options=options)
        else:
            module = torch_tensorrt.compile(model, arg_inputs=[x], **options)
        got, wanted = module(x), model(x)
        exact = model.double()(x.double())
        model.float()
        with torch.autocast("cpu", torch.bfloat16):
            eager = model(x).float()
    assert got.dtype == torch.float32
    assert not torch.equal(got, wanted)  # something did compute in bfloat16
    error = (got - exact).pow(2).mean().sqrt()
    assert error <= 3 * (eager - exact).pow(2).mean().sqrt()


def low_ops(gm):
    return {name for name, kinds in types(gm).items() if torch.bfloat16 in kinds}


def test_exclusions():
    model, x = Model(), torch.randn(2, 3, 8, 8)
    assert "convolution" in low_ops(lowered(model, x))
    assert "convolution" not in low_ops(lowered(model, x, autocast_excluded_ops={"convolution"}))
    assert "convolution" not in low_ops(lowered(model, x, autocast_excluded_nodes={"^conv"}))
    deep = lowered(model, x, autocast_max_depth_of_reduction=100)
    linear = "linear" if "linear" in types(deep) else "addmm"
    assert types(deep)["convolution"] == {torch.bfloat16}  # 27 terms
    assert types(deep)[linear] == {torch.float32, torch.bfloat16}  # 288 and 32 terms
    assert low_ops(lowered(model, x, autocast_max_depth_of_reduction=10)) == set()


def test_calibration_keeps_large_results_high():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    with torch.no_grad():
        model[0].weight.mul_(1e4)
    x = torch.ones(2, 4)
    free = lowered(model, x)
    kinds = [k for name, k in types(free).items() if name in ("linear", "addmm")]
    assert kinds == [{torch.bfloat16}]
    held = lowered(model, x, autocast_calibration_dataloader=[(x,), x])
    assert low_ops(held) == set()
    some = lowered(model, x, autocast_calibration_dataloader=[x], autocast_max_output_threshold=1e9)
    assert low_ops(some) != set()
    for bad in ([(x, x)], []):
        with pytest.raises(InvalidOptionError, match="calibration"):
            lowered(model, x, autocast_calibration_dataloader=bad)


def test_calibration_changes_no_buffer():
    class Counts(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("n", torch.zeros(()))

        def forward(self, x):
            self.n.add_(1)
            return x * self.n

    model = Counts()
    lowered(model, torch.ones(3), autocast_calibration_dataloader=[torch.ones(3)] * 3)
    assert model.n == 0


def test_other_types_and_promotion_are_left_alone():
    class Mixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(4, 4)
            self.scale = nn.Parameter(torch.rand(4))

        def forward(self, x, y):
            low = self.linear(x)
            return low + 1, low * self.scale, low + x, y @ y, low.to(torch.float64), low.sum()

    x, y = torch.randn(3, 4), torch.randn(4, 4, dtype=torch.float64)
    gm = lowered(Mixed(), x, y)
    wanted = Mixed()(x, y)
    got = gm(x, y)
    assert [g.dtype for g in got] == [w.dtype for w in wanted]
    module = torch_tensorrt.compile(
        Mixed().eval(), arg_inputs=[x, y], enable_autocast=True, min_block_size=1
    )
    assert [g.dtype for g in module(x, y)] == [w.dtype for w in wanted]


def test_nan_results_count_as_large():
    gm = lowering.lower_exported_program(
        trace(nn.Linear(2, 2), arg_inputs=[torch.ones(1, 2)]), CompilationSettings()
    )
    sizes = calibrate(gm, [torch.full((1, 2), float("nan")), torch.ones(1, 2)])
    assert any(size != size for size in sizes.values())


@pytest.mark.parametrize(
    "options",
    [
        {"autocast_low_precision_type": torch.float64},
        {"autocast_excluded_nodes": {"("}},
        {"autocast_excluded_ops": {"aten.lienar"}},
        {"autocast_max_output_threshold": 0},
    ],
)
def test_values_that_the_options_do_not_take(options):
    with pytest.raises(InvalidOptionError):
        torch_tensorrt.dynamo.validate_options(options)
