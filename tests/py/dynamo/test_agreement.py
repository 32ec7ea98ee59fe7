"""Declared inputs against the program they are given with, and keywords without effect."""

import logging

import pytest
import torch
import torch_tensorrt
from torch import nn
from torch_tensorrt import Input, dynamo
from torch_tensorrt._exceptions import (
    CaptureError,
    DynamicShapeOutOfRangeException,
    InputMismatchError,
    InvalidOptionError,
    SaveError,
)


class Affine(nn.Module):
    def forward(self, x, *, scale, shift):
        return x * scale + shift


class Double(nn.Module):
    def forward(self, x):
        return x * 2


def ranged(low, opt, high, **keywords):
    return Input(min_shape=low, opt_shape=opt, max_shape=high, **keywords)


@pytest.fixture(scope="module")
def static():
    return torch.export.export(Double(), (torch.randn(3, 8),))


@pytest.fixture(scope="module")
def dynamic():
    rows = torch.export.Dim("rows", min=2, max=16)
    return torch.export.export(Double(), (torch.randn(3, 8),), dynamic_shapes=({0: rows},))


ENTRIES = [dynamo.compile, dynamo.convert_exported_program_to_serialized_trt_engine]


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([Input((3, 8), dtype=torch.int64)], r"'x' is given as int64\[3, 8\].*takes float32"),
        ([Input((5, 8))], r"'x' is given as float32\[5, 8\].*size 3 only on axis 0"),
        ([Input((3, 8, 1))], r"takes 2 axes, \[3, 8\]"),
        ([ranged((1, 8), (3, 8), (5, 8), name="rows")], r"'x' \(\"rows\"\).*size 3 only on axis 0"),
        ([torch.randn(3, 8), torch.randn(3, 8)], "2 inputs are given .* takes 1"),
        ([torch.randn(3, 8).half()], "takes float32"),
    ],
)
def test_inputs_that_do_not_agree(static, entry, inputs, message):
    with pytest.raises(InputMismatchError, match=message):
        entry(static, inputs=inputs)


@pytest.mark.parametrize(
    "inputs", [None, [torch.randn(3, 8)], [Input((3, 8))], [Input((3, 8), dtype=torch.float32)]]
)
def test_inputs_that_agree(static, inputs):
    x = torch.randn(3, 8)
    torch.testing.assert_close(dynamo.compile(static, inputs=inputs, min_block_size=1)(x), x * 2)


def test_ranges_of_a_dynamic_program(dynamic):
    with pytest.raises(InputMismatchError, match="sizes from 0 to 16 on axis 0"):
        dynamo.compile(dynamic, inputs=[ranged((20, 8), (30, 8), (40, 8))])
    compiled = dynamo.compile(dynamic, inputs=[ranged((2, 8), (3, 8), (5, 8))], min_block_size=1)
    x = torch.randn(4, 8)
    torch.testing.assert_close(compiled(x), x * 2)
    with pytest.raises(DynamicShapeOutOfRangeException):
        compiled(torch.randn(6, 8))


def test_keywords_are_matched_by_name():
    x, scale, shift = torch.randn(3, 8), torch.randn(8), torch.randn(3, 1)
    program = torch.export.export(Affine(), (x,), {"scale": scale, "shift": shift})
    compiled = dynamo.compile(
        program, inputs=[x], kwarg_inputs={"shift": shift, "scale": scale}, min_block_size=1
    )
    torch.testing.assert_close(compiled(x, scale=scale, shift=shift), x * scale + shift)
    with pytest.raises(InputMismatchError, match="by keyword"):
        dynamo.compile(program, inputs=[x], kwarg_inputs={"scale": scale})


def test_dynamic_shapes_win_over_ranges():
    x = torch.randn(3, 8)
    compiled = torch_tensorrt.compile(
        Double().eval(),
        arg_inputs=[ranged((2, 8), (3, 8), (5, 8))],
        dynamic_shapes={"x": None},
        min_block_size=1,
    )
    torch.testing.assert_close(compiled(x), x * 2)


def test_the_name_of_an_input_is_in_messages(tmp_path):
    tokens = ranged((2, 8), (3, 8), (5, 8), name="tokens")
    compiled = torch_tensorrt.compile(Double().eval(), arg_inputs=[tokens], min_block_size=1)
    with pytest.raises(DynamicShapeOutOfRangeException, match=r"'x' \(\"tokens\"\)"):
        compiled(torch.randn(6, 8))
    with pytest.raises(SaveError, match=r"'x' \(\"tokens\"\)"):
        torch_tensorrt.save(compiled, tmp_path / "d.ep", arg_inputs=[Input((9, 8))])
    with pytest.raises(CaptureError, match=r"'input' \(\"tokens\"\): float32\[3, 7\]"):
        torch_tensorrt.compile(nn.Linear(8, 4), arg_inputs=[Input((3, 7), name="tokens")])


@pytest.mark.parametrize(
    ("name", "message"),
    [("stritc", "did you mean 'strict'"), ("dynamic_shape", "did you mean 'dynamic_shapes'")],
)
def test_trace_refuses_unknown_keywords(name, message):
    with pytest.raises(InvalidOptionError, match=message):
        dynamo.trace(Double(), [torch.randn(3)], **{name: True})


def test_trace_takes_the_names_of_options():
    program = dynamo.trace(Double(), [torch.randn(3)], min_block_size=1, truncate_double=True)
    assert isinstance(program, torch.export.ExportedProgram)


def test_ranges_under_torch_compile_warn(caplog):
    from torch_tensorrt.dynamo.runtime._errors import warn_once

    warn_once.cache_clear()
    with caplog.at_level(logging.WARNING, logger="torch_tensorrt"):
        torch_tensorrt.compile(Double(), ir="torch_compile", inputs=[Input((3, 8))])
        assert "ranges" not in caplog.text
        for _ in range(2):
            torch_tensorrt.compile(
                Double(), ir="torch_compile", inputs=[ranged((1, 8), (3, 8), (4, 8))]
            )
    assert caplog.text.count("the ranges of inputs have no effect") == 1
