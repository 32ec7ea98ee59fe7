"""Engines while tracing: shapes from symbolic dims, and methods that say they need the engine."""

import json

import pytest
import torch
import torch_tensorrt
from torch_tensorrt._fake_engine import FakeEngine, bind_symbols, evaluate, fake_execute_engine

SPEC = {
    "name": "net",
    "symbols": [{"name": "s0", "min": 1, "opt": 4, "max": 16}],
    "inputs": [{"name": "x", "dtype": "f32", "dims": ["2*s0", "8"]}],
    "outputs": [
        {"name": "y", "dtype": "bf16", "dims": ["s0", "floordiv(s0+7,8)"]},
        {"name": "z", "dtype": "i64", "dims": []},
    ],
}


@pytest.fixture
def engine():
    return FakeEngine(json.dumps(SPEC))


@pytest.mark.parametrize(
    ("text", "value"),
    [("7", 7), ("-s", -5), ("3*s+floordiv(t,2)", 16), ("mod(t,2)-min(s,9)", -4), ("max(s,9)", 9)],
)
def test_dim_expressions(text, value):
    assert evaluate(text, {"s": 5, "t": 3}) == value


def test_dim_expressions_are_data():
    with pytest.raises((ValueError, KeyError)):
        evaluate("__import__('os')", {})
    with pytest.raises(ValueError, match="not a dim"):
        evaluate("s.real", {"s": 1})


def test_symbols_of_linear_dims():
    inputs = [{"dims": ["2*s0+s1", "4"]}, {"dims": ["s1"]}]
    assert bind_symbols(inputs, [(13, 4), (3,)]) == {"s0": 5, "s1": 3}


def test_outputs(engine):
    y, z = fake_execute_engine([torch.empty(18, 8)], engine)
    assert (y.shape, y.dtype) == ((9, 2), torch.bfloat16)
    assert (z.shape, z.dtype) == ((), torch.int64)


@pytest.mark.parametrize(
    "inputs",
    [[], [torch.empty(2, 8, dtype=torch.float64)], [torch.empty(2, 8, 1)]],
    ids=["count", "dtype", "rank"],
)
def test_inputs_that_do_not_fit(engine, inputs):
    with pytest.raises(ValueError, match=r"\[net\]"):
        fake_execute_engine(inputs, engine)


def test_every_method_of_the_engine_is_there(engine):
    compiled = torch_tensorrt.compile(
        torch.nn.Linear(3, 2).eval(), arg_inputs=[torch.ones(1, 3)], min_block_size=1
    )
    real = compiled.get_submodule("_run_on_acc_0").engine
    names = {name for name in real._method_names() if not name.startswith("__")}
    assert {"io_spec", "name", "serialize", "stats"} <= names
    assert names <= set(dir(engine))
    assert engine.name() == "net"
    assert engine.target() == "cpu"
    arguments = {"metadata": ["key"], "prepare_on": [0], "compile_for": ["sm_90a"]}
    arguments["set_cuda_graphs"] = [True]
    for name in names - {"io_spec", "name", "target"}:
        with pytest.raises(RuntimeError, match=rf"Engine\.{name}.*while tracing"):
            getattr(engine, name)(*arguments.get(name, []))
