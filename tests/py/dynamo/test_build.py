"""Building the engines of a graph: what is disabled stays out, and why there is no engine."""

import logging

import pytest
import torch
import torch_tensorrt
from torch import nn
from torch_tensorrt import dynamo
from torch_tensorrt._exceptions import EngineBuildError, InvalidOptionError
from torch_tensorrt.dynamo._build import compile_module


class Work(nn.Module):
    """Enough to fuse."""

    def forward(self, x):
        return (x * 2).relu() + 1


class Views(nn.Module):
    def forward(self, x):
        return x.t()


def lowered(model, x, **options):
    settings = dynamo.validate_options(options)
    program = dynamo.trace(model.eval(), arg_inputs=(x,))
    return dynamo.lowering.lower_exported_program(program, settings), settings


def engines_of(module):
    return [child for name, child in module.named_children() if name.startswith("_run_on_acc")]


def warnings_of(caplog):
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


@pytest.mark.parametrize("name", ["fuse_pointwise", "constant_fold"])
def test_a_disabled_pass_costs_no_engine(name, caplog):
    """Optimiser passes and lowering passes alike."""
    x = torch.randn(3, 4)
    compiled = torch_tensorrt.compile(Work().eval(), arg_inputs=(x,), disabled_passes={name})
    (engine,) = engines_of(compiled)
    assert name not in [ran for ran, _ in engine.report.passes]
    assert torch.equal(compiled(x), Work()(x))
    assert warnings_of(caplog) == []


@pytest.mark.parametrize(
    "options", [{"disabled_passes": ["nope"]}, {"disabled_tactics": ["nope"]}], ids=str
)
def test_an_unknown_name_stops_the_build(options):
    with pytest.raises(InvalidOptionError, match="nope"):
        torch_tensorrt.compile(Work().eval(), arg_inputs=(torch.randn(3, 4),), **options)


def test_a_failed_build_is_the_reason_of_the_warning(caplog):
    def fail(*args, **keywords):
        raise EngineBuildError("the kiln is cold")

    gm, settings = lowered(Work(), torch.randn(3, 4))
    result = compile_module(gm, settings, convert=fail)
    assert result.failed == {"_run_on_acc_0": "the kiln is cold"}
    summary = warnings_of(caplog)[-1]
    assert "no engine was built" in summary
    assert "the kiln is cold" in summary
    assert "min_block_size" not in summary


def test_the_reasons_of_the_report_are_those_of_the_warning(caplog):
    compile_module(*lowered(Views(), torch.randn(3, 4)))
    assert warnings_of(caplog) == []  # there is nothing to compute
    compile_module(
        *lowered(Work(), torch.randn(3, 4), torch_executed_ops={"aten.relu"}, min_block_size=9)
    )
    (summary,) = warnings_of(caplog)
    assert "fewer than min_block_size=9 (" in summary
    assert "listed in torch_executed_ops (1)" in summary
