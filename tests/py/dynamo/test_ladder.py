"""Builds that fail: as few operators as possible run in PyTorch, and the model still works."""

import logging

import pytest
import torch
import torch_tensorrt
from torch import nn
from torch_tensorrt._exceptions import ConversionError, EngineBuildError
from torch_tensorrt.dynamo import CompilationSettings, conversion, lowering, trace
from torch_tensorrt.dynamo import _build as build_module
from torch_tensorrt.dynamo import _compiler as compiler_module
from torch_tensorrt.dynamo._build import compile_module
from torch_tensorrt.dynamo._ladder import MAX_LEFT_OUT, MAX_TRIALS, Ladder
from torch_tensorrt.dynamo._op_names import op_names
from torch_tensorrt.dynamo.partitioning._split import in_torch


class Chain(nn.Module):
    """Thirteen operators, one ``sin`` among them."""

    def forward(self, x):
        for _ in range(3):
            x = (x + 1).relu() * 2
        x = x.sin()
        return (x - 1).exp().tanh()


class Builder:
    """Builds engines in PyTorch, and fails where ``refuses`` says so."""

    def __init__(self, refuses):
        self.refuses = refuses
        self.calls = []

    def __call__(self, module, settings, *, name, input_ranges):
        nodes = [n for n in module.graph.nodes if n.op == "call_function"]
        self.calls.append(name)
        error = self.refuses(nodes)
        if error is not None:
            raise error
        return in_torch(module)


def having(op, error):
    return lambda nodes: next((error(n) for n in nodes if op in op_names(n.target)), None)


def settings(**options):
    return CompilationSettings(**{"min_block_size": 1, **options})


def compiled(model, x, refuses, **options):
    gm = lowering.lower_exported_program(trace(model.eval(), arg_inputs=[x]), settings())
    builder = Builder(refuses)
    return compile_module(gm, settings(**options), convert=builder), builder


def test_an_error_that_names_a_layer_costs_its_node(caplog):
    x = torch.randn(3, 4)
    refuses = having("sin", lambda n: EngineBuildError(f"[Unary] layer '{n.name}' has no tactic"))
    result, builder = compiled(Chain(), x, refuses)
    [left] = result.partition.left_in_torch
    assert left.op == "aten.sin.default"
    assert "cannot be built" in left.reason
    assert "has no tactic" in left.reason
    assert not result.failed
    assert builder.calls.count("_trial") == 0
    torch.testing.assert_close(result.module(x), Chain()(x))


def test_a_failure_without_a_name_is_searched_for(caplog):
    x = torch.randn(3, 4)
    refuses = having("sin", lambda n: RuntimeError("something is wrong"))
    with caplog.at_level(logging.WARNING, "torch_tensorrt"):
        result, builder = compiled(Chain(), x, refuses)
    [left] = result.partition.left_in_torch
    assert left.op == "aten.sin.default"
    assert left.reason.endswith("RuntimeError: something is wrong")
    assert "an operator is left in PyTorch: sin" in caplog.text
    assert len(result.partition.graph.engines) == 2
    assert 0 < builder.calls.count("_trial") <= 8
    torch.testing.assert_close(result.module(x), Chain()(x))


def test_what_was_built_is_not_built_again():
    class Two(nn.Module):
        def forward(self, x):
            y = torch.nonzero((x + 1) * 2)
            return (y - 1) * 3 + y.sin().sum().long()

    x = torch.randn(3, 4)
    refuses = having("sin", lambda n: ConversionError(n.name, "aten.sin", reason="no"))
    result, builder = compiled(Two(), x, refuses, torch_executed_ops={"aten.nonzero"})
    assert builder.calls.count("_run_on_acc_0") == 1
    assert torch.equal(result.module(x), Two()(x))


def test_parts_that_fail_only_together_are_cut_apart():
    def refuses(nodes):
        names = set().union(*(op_names(n.target) for n in nodes))
        return RuntimeError("both") if {"sin", "exp"} <= names else None

    x = torch.randn(3, 4)
    result, _ = compiled(Chain(), x, refuses)
    assert result.partition.left_in_torch == []
    assert len(result.partition.graph.engines) == 2
    torch.testing.assert_close(result.module(x), Chain()(x))


def test_results_of_one_operator_are_not_cut_from_it():
    class Parts(nn.Module):
        def forward(self, x):
            a, b = torch.split(x * 2, [1, 2])
            return a.exp() + 1, b.sin() * 3

    def refuses(nodes):
        return RuntimeError("large") if len(nodes) > 4 else None

    x = torch.randn(3, 4)
    for size in range(3, 8):
        result, _ = compiled(
            Parts(), x, lambda n, size=size: RuntimeError("") if len(n) > size else None
        )
        for got, wanted in zip(result.module(x), Parts()(x), strict=True):
            torch.testing.assert_close(got, wanted)


def test_the_search_is_bounded():
    class Deep(nn.Module):
        def forward(self, x):
            for _ in range(40):
                x = (x + 1).sin()
            return x

    x = torch.randn(3)
    result, builder = compiled(Deep(), x, having("sin", lambda n: RuntimeError("no")))
    assert builder.calls.count("_trial") <= MAX_TRIALS
    assert len(result.partition.left_in_torch) <= MAX_LEFT_OUT
    assert result.failed
    torch.testing.assert_close(result.module(x), Deep()(x))


def test_memory_errors_are_not_searched_for():
    x = torch.randn(3, 4)
    result, builder = compiled(Chain(), x, having("sin", lambda n: MemoryError("no more")))
    assert builder.calls == ["_run_on_acc_0"]
    assert list(result.failed) == ["_run_on_acc_0"]
    torch.testing.assert_close(result.module(x), Chain()(x))


@pytest.mark.parametrize("option", ["require_full_compilation", "pass_through_build_failures"])
def test_failures_that_the_caller_wants_to_hear_of(option):
    refuses = having("sin", lambda n: RuntimeError("something is wrong"))
    with pytest.raises(RuntimeError, match="something is wrong"):
        compiled(Chain(), torch.randn(3, 4), refuses, **{option: True})


def test_dynamic_sizes_in_trials():
    class Sized(nn.Module):
        def forward(self, x):
            y = torch.full([x.shape[0], 2], 3.0).exp() * 2
            return y.sin() + 1, (x + 1).tanh()

    spec = torch_tensorrt.Input(min_shape=(1, 4), opt_shape=(3, 4), max_shape=(9, 4))
    gm = lowering.lower_exported_program(trace(Sized().eval(), arg_inputs=[spec]), settings())
    result = compile_module(
        gm, settings(), convert=Builder(having("sin", lambda n: RuntimeError()))
    )
    [left] = result.partition.left_in_torch
    assert left.op == "aten.sin.default"
    for rows in (1, 7):
        x = torch.randn(rows, 4)
        for got, wanted in zip(result.module(x), Sized()(x), strict=True):
            torch.testing.assert_close(got, wanted)


@pytest.mark.parametrize("just_in_time", [True, False])
@pytest.mark.parametrize("named", [True, False])
def test_both_entry_points_keep_engines_around_an_operator(just_in_time, named, monkeypatch):
    torch._dynamo.reset()
    real = conversion.convert_module

    def failing(module, *args, **keywords):
        for node in module.graph.nodes:
            if node.op == "call_function" and "softmax" in str(node.target):
                where = f"layer '{node.name}'" if named else "somewhere"
                raise EngineBuildError(f"[Softmax] {where} has no tactic")
        return real(module, *args, **keywords)

    monkeypatch.setattr(conversion, "convert_module", failing)
    model = nn.Sequential(nn.Linear(4, 4), nn.Softmax(-1), nn.Linear(4, 4)).eval()
    x, built = torch.randn(2, 4), []
    monkeypatch.setattr(build_module, "log_summary", lambda result, _: built.append(result))
    with torch.no_grad():
        if just_in_time:
            module = torch.compile(model, backend="tensorrt", options={"min_block_size": 1})
        else:
            module = torch_tensorrt.compile(model, arg_inputs=[x], min_block_size=1)
        torch.testing.assert_close(module(x), model(x))
    [result] = built
    assert [left.op for left in result.partition.left_in_torch] == ["aten._softmax.default"]
    assert len(result.partition.graph.engines) == 2
    assert not result.failed


@pytest.mark.parametrize("stage", ["partition", "lower_exported_program"])
def test_a_stage_that_fails_runs_in_pytorch(stage, monkeypatch, caplog, tmp_path):
    def broken(*args, **kwargs):
        raise KeyError("a bug")

    monkeypatch.setattr(build_module if stage == "partition" else compiler_module, stage, broken)
    model = Chain().eval()
    spec = torch_tensorrt.Input(min_shape=(1, 4), opt_shape=(3, 4), max_shape=(9, 4))
    module = torch_tensorrt.compile(model, arg_inputs=[spec])
    assert "runs in PyTorch" in caplog.text
    assert "a bug" in caplog.text
    x = torch.randn(7, 4)
    torch.testing.assert_close(module(x), model(x))
    path = str(tmp_path / "model.ep")
    torch_tensorrt.save(module, path)
    torch.testing.assert_close(torch_tensorrt.load(path).module()(x), model(x))
    with pytest.raises(KeyError):
        torch_tensorrt.compile(model, arg_inputs=[spec], pass_through_build_failures=True)


def test_a_step_down_with_nothing_left_to_try():
    ladder = Ladder(trials=0)
    gm = lowering.lower_exported_program(
        trace(Chain().eval(), arg_inputs=[torch.randn(2)]), settings()
    )
    nodes = [n for n in gm.graph.nodes if n.op == "call_function"]
    assert not ladder.step_down(nodes, RuntimeError("no"), lambda part: None)
    assert list(ladder.given_up.values()) == ["RuntimeError: no"]
