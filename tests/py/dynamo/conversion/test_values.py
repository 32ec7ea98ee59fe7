"""Symbolic sizes and argument binding."""

from __future__ import annotations

import pytest
import sympy
import torch
from torch import fx
from torch.utils._sympy.functions import CleanDiv, FloorDiv, ModularIndexing, PythonMod
from torch_tensorrt.dynamo.conversion._arguments import bind_arguments, target_name
from torch_tensorrt.dynamo.conversion._values import (
    UnsupportedValueError,
    add_constant,
    core,
    core_dtype,
    expression,
)

S = sympy.Symbol("s0", integer=True, positive=True)
T = sympy.Symbol("s1", integer=True, positive=True)


@pytest.mark.parametrize(
    "expr",
    [
        S + 3,
        2 * S * T - 1,
        S**2 + T,
        FloorDiv(S + 1, 2),
        CleanDiv(S * 6, 3),
        PythonMod(S, 5),
        ModularIndexing(S, 2, 3),
        sympy.Max(S, T, 7),
        sympy.Min(S, 9) * 4,
    ],
    ids=str,
)
@pytest.mark.parametrize("values", [(1, 31), (7, 2), (33, 257)])
def test_expressions_keep_their_value(expr: sympy.Expr, values: tuple[int, int]) -> None:
    made = expression(expr)
    got = made.evaluate({"s0": values[0], "s1": values[1]})
    assert got == int(expr.subs({S: values[0], T: values[1]}))


def test_unknown_functions_are_named() -> None:
    with pytest.raises(UnsupportedValueError, match="sin"):
        expression(sympy.sin(S))


def test_known_sizes_are_ints() -> None:
    assert expression(sympy.Integer(5)) == 5
    assert isinstance(expression(sympy.Integer(5)), int)


@pytest.mark.parametrize("dtype", [torch.complex64, torch.float8_e4m3fn, torch.quint8])
def test_unsupported_dtypes_are_named(dtype: torch.dtype) -> None:
    with pytest.raises(UnsupportedValueError, match=str(dtype)):
        core_dtype(dtype)


def test_arguments_get_schema_names_and_defaults() -> None:
    graph = fx.Graph()
    x = graph.placeholder("x")
    x.meta["val"] = torch.empty(2, 3)
    node = graph.call_function(torch.ops.aten.slice.Tensor, (x, 1), {"end": 2})
    bound = bind_arguments(node, lambda source: source.name)
    assert bound == {"self": "x", "dim": 1, "start": None, "end": 2, "step": 1}
    assert target_name(node.target) == "aten.slice.Tensor"


def test_constants_share_memory_and_keep_their_owner() -> None:
    import gc
    import weakref

    weight = torch.arange(32.0)
    alive = weakref.ref(weight)
    network = core().Network()
    made = add_constant(network, weight, "w")
    assert made.shape == (32,)
    del weight
    gc.collect()
    assert alive() is not None or "w" in network.to_string(64)
    assert "0x1.f" in network.to_string(64)


def test_empty_and_strided_constants() -> None:
    network = core().Network()
    assert add_constant(network, torch.empty(0, 3), "e").shape == (0, 3)
    x = torch.arange(6).reshape(2, 3)
    assert add_constant(network, x.t(), "t").shape == (3, 2)


def test_symint_arithmetic() -> None:
    size = core().SymInt("s0")
    assert str((size + 1) * 2 - 2) == "2*s0"
    assert size // size == 1
    assert (3 - size).evaluate({"s0": 5}) == -2
    with pytest.raises(core().InvalidArgumentError):
        core().SymInt("s0+")
