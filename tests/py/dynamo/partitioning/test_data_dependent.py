"""Operators whose result sizes depend on values: inside engines, or in PyTorch between two."""

import pytest
import torch
import torch_tensorrt
from torch import nn
from torch_tensorrt import Input
from torch_tensorrt._exceptions import UnsupportedOperatorException
from torch_tensorrt.dynamo import CompilationSettings, lowering, partitioning, trace


def model(function):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(4, 4)

        def forward(self, x):
            return function(self.linear, x)

    return Model().eval()


def by_rows(linear, x):
    rows = x[x.sum(1) > 0]
    flat = (linear(rows) * rows.shape[0]).tanh().view(rows.shape[0], 2, 2)
    return flat + torch.ones(rows.shape[0], 1, 1)


MODELS = {
    "nonzero": lambda linear, x: linear(torch.nonzero(x * 2 - 1).float() @ torch.ones(2, 4)) + 1,
    "boolean index": lambda linear, x: (linear((x + 1)[x.sum(1) > 0]) * 3).tanh().sum(0),
    "sizes of the result": by_rows,
    "masked_select": lambda linear, x: (torch.masked_select(x * 2, x > 0) * 3 + 1).exp(),
    "unique": lambda linear, x: (torch.unique((x * 2).round()) * 3 + 1).tanh(),
    "repeat_interleave": lambda linear, x: linear(
        torch.repeat_interleave(x * 2, x.sum(1).abs().long(), dim=0)
    ).relu(),
}
#: All rows, some, one, none.
VALUES = [
    torch.full((5, 4), 2.0),
    torch.randn(5, 4),
    torch.cat([torch.full((1, 4), 2.0), torch.full((6, 4), -1.0)]),
    torch.full((3, 4), -0.1),
    torch.ones(1, 4),
]
SPEC = Input(min_shape=(1, 4), opt_shape=(5, 4), max_shape=(9, 4))


#: What engines have no converter for, and all of them for a partitioner that is told so.
LEFT = {name: {} for name in MODELS if name == "unique"} | {
    name: {"fallback_data_dependent_ops": True} for name in MODELS
}


@pytest.mark.parametrize("name", sorted(set(MODELS) - {"unique"}))
def test_one_engine_holds_it_all(name, tmp_path):
    wanted = model(MODELS[name])
    module = torch_tensorrt.compile(wanted, arg_inputs=[SPEC], require_full_compilation=True)
    nodes = [n for n in module.graph.nodes if n.op not in ("placeholder", "output", "get_attr")]
    assert [n.target for n in nodes] == ["_run_on_acc_0"]
    modules = [module]
    for legacy in (False, True):
        path = str(tmp_path / f"model_{legacy}.ep")
        torch_tensorrt.save(module, path, use_legacy_exporter=legacy)
        modules.append(torch_tensorrt.load(path).module())
    with torch.no_grad():
        for x in VALUES:
            for each in modules:
                torch.testing.assert_close(each(x), wanted(x))


@pytest.mark.parametrize("name", LEFT)
def test_everything_around_is_in_engines(name, tmp_path):
    wanted = model(MODELS[name])
    module = torch_tensorrt.compile(wanted, arg_inputs=[SPEC], min_block_size=1, **LEFT[name])
    engines = [n for n, _ in module.named_children() if n.startswith("_run_on_acc")]
    left = [
        n
        for n in module.graph.nodes
        if isinstance(n.target, torch._ops.OpOverload) and "sym_" not in str(n.target)
    ]
    assert len(engines) == 2
    assert len(left) == 1
    path = str(tmp_path / "model.ep")
    torch_tensorrt.save(module, path)
    loaded = torch_tensorrt.load(path).module()
    with torch.no_grad():
        for x in VALUES:
            torch.testing.assert_close(module(x), wanted(x))
            torch.testing.assert_close(loaded(x), wanted(x))


@pytest.mark.parametrize("name", MODELS)
def test_just_in_time(name):
    torch._dynamo.reset()
    wanted = model(MODELS[name])
    fast = torch.compile(wanted, backend="tensorrt", options={"min_block_size": 1})
    with torch.no_grad():
        for x in VALUES:
            torch.testing.assert_close(fast(x), wanted(x))


@pytest.mark.parametrize("name", sorted(set(MODELS) - {"unique"}))
def test_just_in_time_in_one_engine(name):
    torch._dynamo.reset()
    wanted = model(MODELS[name])
    options = {"require_full_compilation": True}
    with torch._dynamo.config.patch(capture_dynamic_output_shape_ops=True), torch.no_grad():
        fast = torch.compile(wanted, backend="tensorrt", options=options, fullgraph=True)
        for x in VALUES:
            torch.testing.assert_close(fast(x), wanted(x))


def test_the_reason_says_that_the_size_depends_on_values():
    wanted = model(MODELS["unique"])
    settings = CompilationSettings(min_block_size=1)
    gm = lowering.lower_exported_program(trace(wanted, arg_inputs=[SPEC]), settings)
    [left] = partitioning.partition(gm, settings).left_in_torch
    assert "unique" in left.op
    assert left.reason.startswith("the size of its result depends on values")
    assert "test_data_dependent.py" in left.source
    with pytest.raises(UnsupportedOperatorException, match="size of its result depends on values"):
        torch_tensorrt.compile(wanted, arg_inputs=[SPEC], require_full_compilation=True)


def test_other_refusals_keep_their_reason():
    def both(linear, x):
        y = x[x.sum(1) > 0]
        return torch.sort(y)[0] + 1

    settings = CompilationSettings(min_block_size=1, torch_executed_ops={"sort", "index"})
    gm = lowering.lower_exported_program(trace(model(both), arg_inputs=[SPEC]), settings)
    reasons = {left.reason for left in partitioning.partition(gm, settings).left_in_torch}
    assert reasons == {"listed in torch_executed_ops"}


class Twice(nn.Module):
    """One size that PyTorch finds out, as told below, and the engine could too."""

    def forward(self, x, mask):
        rows = x[mask]
        places = torch.nonzero(mask)
        return torch.zeros(rows.shape[0]) + places[:, 0], rows


def test_a_size_that_pytorch_finds_out_enters_the_engine():
    x = torch.randn(6)
    module = torch_tensorrt.compile(
        Twice(), arg_inputs=[x, x > 0], min_block_size=1, torch_executed_ops={"aten.index.Tensor"}
    )
    assert len([n for n, _ in module.named_children() if n.startswith("_run_on_acc")]) == 1
    for mask in (x > 0, x <= 0, x > 100):
        torch.testing.assert_close(module(x, mask), Twice()(x, mask))


class Kept(torch.nn.Module):
    """A layer before and after rows are chosen by their values; weights need gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.tail = torch.nn.Linear(8, 8), torch.nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = self.head(x)
        return torch.relu(self.tail(rows[rows.sum(1) > -1e9]))


def test_weights_that_need_gradients(tmp_path) -> None:
    """Engines after a part in PyTorch got inputs that need gradients."""
    model, x = Kept(), torch.randn(3, 8)
    compiled = torch_tensorrt.compile(model, arg_inputs=[x], min_block_size=1)
    torch_tensorrt.save(compiled, str(tmp_path / "model.ep"), arg_inputs=[x])
    loaded = torch_tensorrt.load(str(tmp_path / "model.ep")).module()
    for module in (compiled, loaded):
        result = module(x)
        assert not result.requires_grad
        torch.testing.assert_close(result, model(x).detach())
    assert all(p.requires_grad for p in model.parameters())
