"""Translation of PyTorch's values: dtypes, symbolic sizes, tensors held as constants."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch

from torch_tensorrt.dynamo._symbols import SYMBOLIC


class UnsupportedValueError(Exception):
    """A value that no converter can take; the message says why."""


@cache
def core() -> Any:
    """The extension module ``torch_tensorrt._C``."""
    from torch_tensorrt import _C

    return _C


@cache
def _dtypes() -> dict[torch.dtype, Any]:
    kinds = core().DataType
    return {
        torch.float32: kinds.f32,
        torch.float16: kinds.f16,
        torch.bfloat16: kinds.bf16,
        torch.float64: kinds.f64,
        torch.int64: kinds.i64,
        torch.int32: kinds.i32,
        torch.int16: kinds.i16,
        torch.int8: kinds.i8,
        torch.uint8: kinds.u8,
        torch.bool: kinds.bool,
    }


def core_dtype(dtype: torch.dtype) -> Any:
    """The ``_C.DataType`` of a torch dtype.

    Raises:
        UnsupportedValueError: engines do not compute in this dtype.
    """
    found = _dtypes().get(dtype)
    if found is None:
        raise UnsupportedValueError(f"dtype {dtype} is not supported in engines")
    return found


def core_size(value: Any) -> Any:
    """An int, or a ``_C.SymInt`` for a symbolic size.

    Raises:
        UnsupportedValueError: the expression uses a function that engines cannot evaluate.
    """
    if isinstance(value, int):
        return value
    if isinstance(value, torch.SymInt):
        return expression(value.node.expr)
    raise UnsupportedValueError(f"{value!r} is no integer size")


def core_sizes(shape: Any) -> list[Any]:
    """The sizes of a shape."""
    return [core_size(size) for size in shape]


def core_number(value: Any) -> Any:
    """A number as converters take it: int, float, bool or ``_C.SymInt``.

    Raises:
        UnsupportedValueError: a symbolic float or bool, or a complex number.
    """
    if isinstance(value, torch.SymInt):
        return core_size(value)
    if isinstance(value, SYMBOLIC):
        if not value.node.expr.free_symbols:
            return bool(value) if isinstance(value, torch.SymBool) else float(value)
        raise UnsupportedValueError(f"{value} is a symbolic {type(value).__name__}")
    if isinstance(value, (bool, int, float)):
        return value
    raise UnsupportedValueError(f"{value!r} is no real number")


def expression(expr: Any) -> Any:
    """A SymPy integer expression as an int or a ``_C.SymInt``.

    Raises:
        UnsupportedValueError: see :func:`core_size`.
    """
    if expr.is_Integer:
        return int(expr)
    if expr.is_Symbol:
        return core().SymInt(str(expr))
    name = type(expr).__name__
    args = expr.args
    if expr.is_Add:
        return _fold(lambda a, b: a + b, args)
    if expr.is_Mul:
        return _fold(lambda a, b: a * b, args)
    if expr.is_Pow or name == "PowByNatural":
        base, exponent = args
        if exponent.is_Integer and 0 < int(exponent) < 16:
            return _fold(lambda a, b: a * b, [base] * int(exponent))
    if name in ("FloorDiv", "CleanDiv"):
        return _call("floordiv", expression(args[0]), expression(args[1]))
    if name in ("Mod", "PythonMod"):
        return _call("mod", expression(args[0]), expression(args[1]))
    if name == "ModularIndexing":
        quotient = _call("floordiv", expression(args[0]), expression(args[1]))
        return _call("mod", quotient, expression(args[2]))
    if name in ("Max", "Min"):
        return _fold(lambda a, b: _call(name.lower(), a, b), args)
    if name == "Identity":
        return expression(args[0])
    raise UnsupportedValueError(f"the size {expr} cannot be evaluated in an engine ({name})")


def _fold(combine: Any, args: Any) -> Any:
    values = [expression(arg) for arg in args]
    result = values[0]
    for value in values[1:]:
        result = combine(result, value)
    return result


def _call(function: str, a: Any, b: Any) -> Any:
    return core().SymInt(f"{function}({a},{b})")


def add_constant(network: Any, tensor: torch.Tensor, name: str) -> Any:
    """A constant of ``network`` that reads the memory of ``tensor``; only strided views and tensors
    of a GPU are copied. What an engine keeps of it and does not pack is copied if it is small, and
    watched otherwise.

    Raises:
        UnsupportedValueError: dtype, layout or device that engines do not hold constants of.
    """
    if tensor.layout != torch.strided or tensor.is_quantized:
        raise UnsupportedValueError(f"constant {name} has layout {tensor.layout}")
    if tensor.device.type not in ("cpu", "cuda"):
        raise UnsupportedValueError(f"constant {name} is on {tensor.device}")
    kind = core_dtype(tensor.dtype)
    owner = tensor.detach().resolve_conj().resolve_neg().contiguous().cpu()
    lent = owner.data_ptr() == tensor.data_ptr()
    return network.add_constant(owner.data_ptr(), kind, list(owner.shape), owner, name, lent)
