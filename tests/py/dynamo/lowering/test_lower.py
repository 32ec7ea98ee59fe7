"""Lowering: same results as eager, only wanted operators left, both ways of decomposing agree."""

import pytest
import torch
import torch_tensorrt
from torch import nn
from torch_tensorrt import Input
from torch_tensorrt.dynamo import CompilationSettings, lowering, trace
from torch_tensorrt.dynamo.lowering import _lower
from torch_tensorrt.dynamo.lowering._data_sizes import NotHandled
from torch_tensorrt.dynamo.lowering._decompose import decompose

from tests.py.dynamo.conversion.harness import Call

SETTINGS = CompilationSettings()


def ops(gm):
    return {str(n.target) for n in gm.graph.nodes if n.op == "call_function"}


class Vision(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.act = nn.ReLU6(inplace=True)
        self.drop = nn.Dropout(inplace=True)

    def forward(self, x):
        y = self.drop(self.act(self.norm(self.conv(x))))
        return torch.flatten(nn.functional.adaptive_avg_pool2d(y, 1), 1)


class Sequence(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(16)
        self.qkv = nn.Linear(16, 48)
        self.out = nn.Linear(16, 16)

    def forward(self, x):
        b, s, _ = x.shape
        q, k, v = self.qkv(self.norm(x)).view(b, s, 3, 4, 4).permute(2, 0, 3, 1, 4).unbind(0)
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        y = self.out(y.transpose(1, 2).reshape(b, s, 16))
        mask = torch.arange(s, device=x.device)[None, :, None] < s - 1
        return torch.where(mask, nn.functional.gelu(y), y) + torch.roll(x, 1, dims=1)


class Writes(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("count", torch.zeros(3))

    def forward(self, x):
        self.count.add_(1)
        y = x.clone()
        y[:, 0] = 5.0
        return y + self.count


MODELS = {
    "vision": (Vision, (2, 3, 8, 8), ((1, 3, 8, 8), (2, 3, 8, 8), (4, 3, 8, 8))),
    "sequence": (Sequence, (2, 5, 16), ((1, 2, 16), (2, 5, 16), (4, 9, 16))),
    "writes": (Writes, (2, 3), ((1, 3), (2, 3), (4, 3))),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("dynamic", [False, True])
def test_same_results_and_every_value_known(name, dynamic):
    make, shape, (low, opt, high) = MODELS[name]
    model = make().eval()
    spec = Input(min_shape=low, opt_shape=opt, max_shape=high) if dynamic else torch.randn(shape)
    gm = lowering.lower_exported_program(trace(model, arg_inputs=[spec]), SETTINGS)
    for size in [shape, high, low] if dynamic else [shape]:
        x = torch.randn(size)
        with torch.no_grad():
            expected = make_equal(make, model)(x)
            assert torch.equal(gm(x), expected)
            if hasattr(model, "count"):
                model.count.copy_(gm.count)
    assert all("val" in n.meta for n in gm.graph.nodes if n.op not in ("output",))


def make_equal(make, model):
    twin = make().eval()
    twin.load_state_dict(model.state_dict())
    return twin


@pytest.mark.parametrize("name", ["vision", "sequence"])
def test_node_by_node_equals_the_general_way(name):
    make, shape, _ = MODELS[name]
    program = trace(make().eval(), arg_inputs=[torch.randn(shape)])
    table = lowering.get_decompositions()
    fast = lowering.unlift(program)
    with torch.no_grad():
        decompose(fast, table, _lower.kept_ops(table))
    slow = lowering.unlift(program.run_decompositions(table))
    x = torch.randn(shape)
    with torch.no_grad():
        assert torch.equal(fast(x), slow(x))
    assert ops(lowering.post_lowering(fast, SETTINGS)) - {"aten.detach.default"} <= (
        ops(lowering.post_lowering(slow, SETTINGS)) | {"aten.clone.default"}
    )


class PerItem(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, x):
        return torch.vmap(lambda item: torch.relu(self.linear(item)).sum(0))(x)


@pytest.mark.parametrize(
    "batch", [5, Input(min_shape=(1, 2, 4), opt_shape=(5, 2, 4), max_shape=(9, 2, 4))]
)
def test_vmap_inside_forward(batch):
    model = PerItem().eval()
    given = torch.randn(batch, 2, 4) if isinstance(batch, int) else batch
    compiled = torch_tensorrt.compile(
        model, arg_inputs=[given], require_full_compilation=True, min_block_size=1
    )
    for rows in [5] if isinstance(batch, int) else [1, 5, 9]:
        x = torch.randn(rows, 2, 4)
        torch.testing.assert_close(compiled(x), model(x))


def test_a_write_to_a_view_takes_the_general_way():
    program = trace(Writes(), arg_inputs=[torch.randn(2, 3)])
    table = lowering.get_decompositions()
    with pytest.raises(NotHandled):
        decompose(lowering.unlift(program), table, _lower.kept_ops(table))


@pytest.mark.parametrize(
    "function",
    [
        # Both operands come from one traced rule, and so have one fake tensor.
        lambda x, y: torch.stack([torch.roll(x, 1, 0), torch.roll(y, 1, 0)]),
        lambda x, y: torch.lerp(torch.roll(x, 1, 0), torch.roll(y, 1, 0), 0.3),
        # The rule is traced for one operand twice, then used for two.
        lambda x, y: torch.lerp(x, x, 0.3) + torch.lerp(x, y, 0.3),
    ],
)
def test_operands_that_look_alike_are_told_apart(function):
    class Model(nn.Module):
        def forward(self, x, y):
            return function(x, y)

    x, y = torch.randn(3, 4), torch.randn(3, 4)
    gm = lowering.lower_exported_program(trace(Model(), arg_inputs=[x, y]), SETTINGS)
    torch.testing.assert_close(gm(x, y), function(x, y))


def test_decompositions_fix_no_size():
    class Model(nn.Module):
        def forward(self, x, y):
            ones = torch.eye(x.shape[0])
            return ones + y, nn.functional.pad(ones, (1, 1))

    wide = Input(min_shape=(1, 8), opt_shape=(6, 8), max_shape=(9, 8))
    square = Input(min_shape=(1, 1), opt_shape=(6, 6), max_shape=(9, 9))
    gm = lowering.lower_exported_program(trace(Model(), arg_inputs=[wide, square]), SETTINGS)
    for size in (6, 1, 9):
        x, y = torch.randn(size, 8), torch.randn(size, size)
        for made, wanted in zip(gm(x, y), Model()(x, y), strict=True):
            assert torch.equal(made, wanted)
    sizes = [s for n in gm.graph.nodes if n.op == "placeholder" for s in n.meta["val"].shape]
    assert sum(isinstance(size, torch.SymInt) for size in sizes) == 3


def test_composites_are_kept_whole():
    gm = lowering.lower_exported_program(
        trace(Sequence().eval(), arg_inputs=[torch.randn(2, 5, 16)]), SETTINGS
    )
    found = ops(gm)
    for kept in ("linear", "layer_norm", "scaled_dot_product_attention", "gelu"):
        assert f"aten.{kept}.default" in found
    assert "aten.roll.default" not in found


def test_decompose_attention_and_everything():
    program = trace(Sequence().eval(), arg_inputs=[torch.randn(2, 5, 16)])
    some = lowering.lower_exported_program(program, CompilationSettings(decompose_attention=True))
    assert not any("attention" in op for op in ops(some))
    every = lowering.lower_exported_program(
        program, CompilationSettings(enable_experimental_decompositions=True)
    )
    assert "aten.linear.default" not in ops(every)


def test_sizes_come_from_inputs_only():
    spec = Input(min_shape=(1, 2, 16), opt_shape=(2, 5, 16), max_shape=(4, 9, 16))
    gm = lowering.lower_exported_program(trace(Sequence().eval(), arg_inputs=[spec]), SETTINGS)
    for node in gm.graph.nodes:
        if node.target is torch.ops.aten.sym_size.int:
            assert node.args[0].op == "placeholder"


def test_parameters_are_shared_not_copied():
    model = Vision().eval()
    gm = lowering.lower_exported_program(
        trace(model, arg_inputs=[torch.randn(2, 3, 8, 8)]), SETTINGS
    )
    assert gm.conv.weight.data_ptr() == model.conv.weight.data_ptr()


def test_constants_are_folded_and_weights_are_not():
    class Positions(nn.Module):
        def forward(self, x):
            return x + torch.arange(5) * 2

    gm = lowering.lower_exported_program(trace(Positions(), arg_inputs=[torch.zeros(5)]), SETTINGS)
    assert ops(gm) == {"aten.add.Tensor"}
    off = CompilationSettings(disabled_passes=frozenset({"constant_fold"}))
    gm = lowering.lower_exported_program(trace(Positions(), arg_inputs=[torch.zeros(5)]), off)
    assert len(ops(gm)) > 1


def test_exclusion_rule():
    @lowering.register_constant_fold_exclusion_rule("test_arange")
    def rule(node):
        return "arange" in str(node.target)

    class Positions(nn.Module):
        def forward(self, x):
            return x + torch.arange(5)

    try:
        program = trace(Positions(), arg_inputs=[torch.zeros(5)])
        assert len(ops(lowering.lower_exported_program(program, SETTINGS))) == 2
        disabled = CompilationSettings(disabled_constant_fold_exclusions=frozenset({"test_arange"}))
        assert len(ops(lowering.lower_exported_program(program, disabled))) == 1
    finally:
        lowering.unregister_constant_fold_exclusion_rule("test_arange")


def test_users_add_and_remove_passes():
    names = lowering.get_lowering_pass_config()

    @lowering._aten_lowering_pass(index=0)
    def sin_to_cos(gm, settings):
        for node in gm.graph.nodes:
            if node.target is torch.ops.aten.sin.default:
                node.target = torch.ops.aten.cos.default
        return gm

    try:
        assert lowering.get_lowering_pass_config() == ["sin_to_cos", *names]
        assert lowering.dump_lowering_passes().startswith("0: sin_to_cos\n1: ")
        gm = lowering.lower_exported_program(
            trace(Call(torch.sin), arg_inputs=[torch.zeros(3)]), SETTINGS
        )
        assert ops(gm) == {"aten.cos.default"}
    finally:
        lowering._remove_lowering_pass(index=0)
    assert lowering.get_lowering_pass_config() == names
    with pytest.raises(IndexError):
        lowering._remove_lowering_pass(index=99)


def test_users_register_decompositions():
    from torch_tensorrt.dynamo.lowering._decompositions import TORCH_TRT_DECOMPOSITIONS

    op = torch.ops.aten.sinh.default

    @lowering.register_torch_trt_decomposition(op)
    def sinh(x):
        return (torch.exp(x) - torch.exp(-x)) / 2

    try:
        program = trace(Call(torch.sinh), arg_inputs=[torch.zeros(3)])
        assert str(op) not in ops(lowering.lower_exported_program(program, SETTINGS))
    finally:
        del TORCH_TRT_DECOMPOSITIONS[op]


@pytest.mark.parametrize("shift", [0, 1, -2, 7, [1, 2]])
@pytest.mark.parametrize("dims", [None, 0, 1])
def test_roll(shift, dims):
    if isinstance(shift, list):
        if dims is None:
            pytest.skip("several shifts need several dims")
        dims = [0, 1]
    for shape in [(3, 4), (1, 7), (0, 3)]:
        x = torch.randn(shape)
        program = trace(Call(lambda t: torch.roll(t, shift, dims)), arg_inputs=[x])
        gm = lowering.lower_exported_program(program, SETTINGS)
        assert torch.equal(gm(x), torch.roll(x, shift, dims))
        assert "aten.roll.default" not in ops(gm)


@pytest.mark.parametrize(
    "bounds",
    [
        {"min": float("nan")},
        {"max": float("nan")},
        {"min": float("nan"), "max": 1.0},
        {"min": 0.0, "max": float("nan")},
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.int64])
def test_a_clamp_by_nan_gives_nan(bounds, dtype):
    x = torch.arange(12).reshape(3, 4).to(dtype)
    torch._dynamo.reset()
    function = torch.compile(lambda x: x.clamp(**bounds), backend="tensorrt")
    result = function(x)
    assert result.dtype == x.clamp(**bounds).dtype
    assert result.isnan().all()


class Tree(nn.Module):
    """A dict of tensors in, a list and a dict of them out."""

    def forward(self, x, more):
        return [x + more["a"], x], {"b": more["a"] * 2}


class Pair(nn.Module):
    def forward(self, x, y=None):
        return (x + 1, x * 2) if y is None else (x + y, x * y)


def test_only_nested_signatures_are_flattened():
    x, y = torch.randn(2, 3), torch.randn(2, 3)
    for module, args, flat in (
        (Pair(), (x, y), True),
        (nn.ReLU(), (x,), True),
        (Tree(), (x, {"a": y}), False),
    ):
        gm = lowering.lower_exported_program(
            torch.export.export(module, args, strict=False), SETTINGS
        )
        assert ("pytree" not in gm.code) == flat, gm.code
        torch.testing.assert_close(gm(*args), module(*args))
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        lowering.lower_exported_program(
            torch.export.export(Pair(), (x, y), strict=False), SETTINGS
        )(x)
