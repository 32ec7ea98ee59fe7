"""Samples of PyTorch's operator database as modules with tensor inputs."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy
import torch
from torch import nn
from torch.testing._internal.common_methods_invocations import op_db
from torch.utils import _pytree as pytree

DTYPES: dict[str, torch.dtype] = {
    "f32": torch.float32,
    "f16": torch.float16,
    "bf16": torch.bfloat16,
    "i64": torch.int64,
    "bool": torch.bool,
}
#: Stands where a dtype does, for the calls that eager PyTorch refuses.
ERRORS = "errors"
OPS: dict[str, Any] = {op.full_name: op for op in op_db}
#: Samples beyond this one are never looked at: a few operators have more than a thousand.
MOST_SAMPLES = 200


class Call(nn.Module):
    """One operator call whose tensor arguments are inputs and whose other arguments are fixed.

    The result is the tuple of all leaves of the operator's result.
    """

    def __init__(self, function: Callable[..., Any], leaves: list[Any], spec: Any) -> None:
        super().__init__()
        self._function = function
        self._leaves = [None if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]
        self._is_tensor = [isinstance(leaf, torch.Tensor) for leaf in leaves]
        self._spec = spec

    def arguments(self, tensors: Sequence[torch.Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and keyword arguments of the operator."""
        supply = iter(tensors)
        leaves = [
            next(supply) if given else leaf
            for given, leaf in zip(self._is_tensor, self._leaves, strict=True)
        ]
        args, kwargs = pytree.tree_unflatten(leaves, self._spec)
        return args, kwargs

    def forward(self, *tensors: torch.Tensor) -> tuple[Any, ...]:
        args, kwargs = self.arguments(tensors)
        return tuple(pytree.tree_leaves(self._function(*args, **kwargs)))

    def double(self) -> Call:
        """The same call with floating dtypes among its arguments widened."""
        leaves = [_widened(leaf) for leaf in self._leaves]
        wide = Call(self._function, leaves, self._spec)
        wide._is_tensor = self._is_tensor
        return wide


@dataclass(frozen=True)
class Case:
    """One call of one operator.

    Attributes:
        op: Name in the database, with the variant.
        dtype: Key of :data:`DTYPES`.
        index: Position of the sample among the operator's.
        variant: How the tensors lie in memory, or ``empty``.
    """

    op: str
    dtype: str
    index: int
    variant: str
    module: Call
    tensors: tuple[torch.Tensor, ...]

    @property
    def name(self) -> str:
        """``3`` or ``0:transposed``."""
        return str(self.index) if self.variant == "plain" else f"{self.index}:{self.variant}"

    def inputs(self) -> list[torch.Tensor]:
        """Fresh tensors with the same values and strides."""
        return [_copied(tensor) for tensor in self.tensors]


def supported(op: str, dtype: str) -> bool:
    """Whether eager PyTorch has the operator on the CPU in ``dtype``, or refuses something."""
    if dtype == ERRORS:
        return OPS[op].error_inputs_func is not None
    return DTYPES[dtype] in OPS[op].supported_dtypes("cpu")


def cases(op: str, dtype: str, most: int, variants: bool = True) -> Iterator[Case]:
    """The variants of the first sample, then up to ``most`` samples spread over all of them.

    The same arguments give the same cases in every process.
    """
    _seed()
    samples = OPS[op].sample_inputs("cpu", DTYPES[dtype], requires_grad=False)
    found = list(itertools.islice(samples, MOST_SAMPLES if most > 1 else 1))
    chosen = _spread(len(found), most)
    for index in chosen:
        sample = found[index]
        leaves, spec = pytree.tree_flatten(((sample.input, *sample.args), sample.kwargs))
        tensors = tuple(x.detach() for x in leaves if isinstance(x, torch.Tensor))
        module = Call(OPS[op].op, leaves, spec)
        plain = Case(op, dtype, index, "plain", module, tensors)
        yield plain
        if index == 0 and variants and all(_is_dense(tensor) for tensor in tensors):
            yield from _variants(plain)


def case_named(op: str, dtype: str, name: str, most: int) -> Case | None:
    """The case with that name among ``cases(op, dtype, most)``."""
    listed = error_cases(op) if dtype == ERRORS else cases(op, dtype, most)
    return next((case for case in listed if case.name == name), None)


def error_cases(op: str) -> Iterator[Case]:
    """Calls that eager PyTorch refuses."""
    _seed()
    if OPS[op].error_inputs_func is None:
        return
    for index, wrong in enumerate(OPS[op].error_inputs("cpu")):
        sample = wrong.sample_input
        leaves, spec = pytree.tree_flatten(((sample.input, *sample.args), sample.kwargs))
        tensors = tuple(x.detach() for x in leaves if isinstance(x, torch.Tensor))
        module = Call(OPS[op].op, leaves, spec)
        yield Case(op, ERRORS, index, "plain", module, tensors)


def _seed() -> None:
    torch.manual_seed(0)
    random.seed(0)
    numpy.random.seed(0)


def _spread(count: int, most: int) -> list[int]:
    if count <= most:
        return list(range(count))
    return sorted({round(i * (count - 1) / max(most - 1, 1)) for i in range(most)})


def _variants(plain: Case) -> Iterator[Case]:
    for name, change in _CHANGES.items():
        changed = tuple(change(tensor) for tensor in plain.tensors)
        same = all(
            a.shape == b.shape
            and a.stride() == b.stride()
            and a.storage_offset() == b.storage_offset()
            for a, b in zip(changed, plain.tensors, strict=True)
        )
        if not same:
            yield replace(plain, variant=name, tensors=changed)


def _transposed(x: torch.Tensor) -> torch.Tensor:
    return x.transpose(-1, -2).contiguous().transpose(-1, -2) if _is_dense(x) and x.dim() > 1 else x


def _expanded(x: torch.Tensor) -> torch.Tensor:
    if not _is_dense(x) or x.dim() == 0 or x.shape[0] < 2:
        return x
    return x[:1].clone().expand(x.shape)


def _offset(x: torch.Tensor) -> torch.Tensor:
    if not _is_dense(x) or x.dim() == 0 or x.numel() == 0:
        return x
    held = x.new_zeros(x.numel() + 3)
    held[3:] = x.reshape(-1)
    return held[3:].view(x.shape)


def _empty(x: torch.Tensor) -> torch.Tensor:
    return x[:0].clone() if _is_dense(x) and x.dim() > 0 else x


_CHANGES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "transposed": _transposed,
    "expanded": _expanded,
    "offset": _offset,
    "empty": _empty,
}


def _is_dense(x: torch.Tensor) -> bool:
    return x.layout == torch.strided and not x.is_quantized and not x.is_nested


def _copied(x: torch.Tensor) -> torch.Tensor:
    if not _is_dense(x) or x.numel() == 0 or x.is_conj() or x.is_neg():
        return x.clone()
    span = 1 + sum((size - 1) * stride for size, stride in zip(x.shape, x.stride(), strict=True))
    offset = x.storage_offset()
    held = x.as_strided((offset + span,), (1,), 0).clone()
    return held.as_strided(x.shape, x.stride(), offset)


_FLOATS = (torch.float16, torch.bfloat16, torch.float32)


def _widened(leaf: Any) -> Any:
    return torch.float64 if leaf in _FLOATS and isinstance(leaf, torch.dtype) else leaf


def widened(tensor: torch.Tensor) -> torch.Tensor:
    """Floats as float64, complex numbers as complex128, everything else as it is."""
    if tensor.is_complex():
        return tensor.to(torch.complex128)
    return tensor.double() if tensor.is_floating_point() else tensor
