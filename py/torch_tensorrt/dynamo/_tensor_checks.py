"""What tensors given to a program must be, checked in Python."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from torch_tensorrt._enums import dtype as dtype_of
from torch_tensorrt._exceptions import DynamicShapeOutOfRangeException, InputMismatchError
from torch_tensorrt.dynamo._symbols import UNBOUNDED, is_symbolic
from torch_tensorrt.dynamo.runtime._errors import not_a_tensor


@dataclass(frozen=True)
class InputLeaf:
    """What one input must be: ``value`` for constants, ``dims`` (sizes or symbols) for tensors.

    Neither a constant nor a tensor is a number that is a size, which may be any.
    """

    label: str
    dims: tuple[int | str, ...] | None
    value: Any = None
    dtype: torch.dtype | None = None
    is_constant: bool = False

    @classmethod
    def of(cls, node: fx.Node) -> InputLeaf:
        """What the captured placeholder ``node`` stands for."""
        value = node.meta.get("val")
        if isinstance(value, torch.Tensor):
            dims = tuple(str(size) if is_symbolic(size) else int(size) for size in value.shape)
            return cls(str(node.target), dims, dtype=value.dtype)
        if "val" in node.meta and isinstance(value, (bool, int, float, str, type(None))):
            return cls(str(node.target), None, value, is_constant=True)
        return cls(str(node.target), None)

    def check_constant(self, given: Any) -> None:
        """Raise ``InputMismatchError`` unless ``given`` is the constant :attr:`value`."""
        if type(given) is type(self.value) and _same(given, self.value):
            return
        is_tensor = isinstance(given, torch.Tensor)
        text = f"a tensor of shape {list(given.shape)}" if is_tensor else repr(given)
        raise InputMismatchError(
            f"input '{self.label}' must be {self.value!r}, with which the model was captured, got "
            f"{text}; compile again with that value, or make it a tensor when the model is compiled"
        )


def _same(given: Any, value: Any) -> bool:
    """Whether two values of one type are the same constant: NaN is, -0.0 is not 0.0."""
    if isinstance(value, float) and (value == 0 or math.isnan(value)):
        return repr(given) == repr(value)
    return bool(given == value)


class TensorChecks:
    """Checks dtypes, ranks and sizes.

    Args:
        ranges: Smallest and largest value of every symbol.
    """

    def __init__(self, ranges: Mapping[str, tuple[int, int]]) -> None:
        self._ranges = dict(ranges)

    def check(
        self,
        leaf: InputLeaf,
        dims: tuple[int | str, ...],
        value: Any,
        seen: dict[str, tuple[int, str]],
    ) -> None:
        """Raise unless ``value`` is what ``leaf`` says.

        Args:
            dims: ``leaf.dims``.
            seen: Sizes that symbols have in this call, and where; shared by all its inputs.

        Raises:
            InputMismatchError: no dense tensor, or of another dtype, rank or size.
            DynamicShapeOutOfRangeException: a size outside the range of its symbol.
        """
        where = f"input '{leaf.label}'"
        refused = not_a_tensor(where, value)
        if refused is not None:
            raise refused
        if leaf.dtype is not None and value.dtype is not leaf.dtype:
            raise InputMismatchError(
                f"{where} must be {_name(leaf.dtype)}, got {_name(value.dtype)} of shape "
                f"{list(value.shape)}; cast it, or compile with an input of that type"
            )
        if value.dim() != len(dims):
            axes = "axis" if len(dims) == 1 else "axes"
            raise InputMismatchError(
                f"{where} must have {len(dims)} {axes} of sizes {self._text(dims)}, got shape "
                f"{list(value.shape)}"
            )
        for axis, (size, wanted) in enumerate(zip(value.shape, dims, strict=True)):
            if isinstance(wanted, int):
                if size != wanted:
                    raise InputMismatchError(
                        f"{where} has shape {list(value.shape)} but axis {axis} must be {wanted}; "
                        "compile with Input(min_shape=, opt_shape=, max_shape=) or pass that size"
                    )
                continue
            low, high = self._ranges.get(wanted, (0, UNBOUNDED))
            if not low <= size <= high:
                raise DynamicShapeOutOfRangeException(
                    f"{where} has size {size} on axis {axis}, outside the range [{low}, {high}] it "
                    f"was compiled for (shape {list(value.shape)}, compiled for "
                    f"{self._text(dims)}); compile again with a wider min_shape/max_shape"
                )
            first, source = seen.setdefault(wanted, (size, f"axis {axis} of '{leaf.label}'"))
            if size != first:
                raise InputMismatchError(
                    f"{where} has shape {list(value.shape)} but axis {axis} must be {first}, the "
                    f"size of {source}"
                )

    def _text(self, dims: tuple[int | str, ...]) -> str:
        parts = []
        for dim in dims:
            low, high = self._ranges.get(str(dim), (0, UNBOUNDED))
            upper = "any size" if high >= UNBOUNDED else f"{low} to {high}"
            parts.append(str(dim) if isinstance(dim, int) else upper)
        return f"[{', '.join(parts)}]"


def _name(dtype: torch.dtype) -> str:
    try:
        return dtype_of._from(dtype).name
    except TypeError:
        return str(dtype).removeprefix("torch.")
