"""Inputs of a module that writes to inputs must not share memory.

A captured program is functional: it reads its inputs, computes, and writes last. With two inputs
over the same memory, eager mode would see a write to one in the other; a program cannot.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import fx
from torch._subclasses.fake_tensor import FakeTensor

from torch_tensorrt._exceptions import InputMismatchError

#: Name of the check in a compiled module.
OVERLAPS_MODULE = "_overlaps_fn"
#: Steps that may be spent on telling whether two strided views meet; beyond, they count as doing.
_MAX_WORK = 100_000


class Apart(torch.nn.Module):
    """Raises when an input that is written to shares memory with another one; returns nothing.

    Costs about a microsecond for each tensor while all are tensors of their own.

    Args:
        names: Names of the arguments, for messages.
        written: Positions of those that the program writes to.
    """

    def __init__(self, names: Sequence[str], written: Sequence[int]) -> None:
        super().__init__()
        self._names = tuple(names)
        self._written = tuple(written)

    def forward(self, *arguments: Any) -> None:
        """Raise unless the written arguments lie apart from all others.

        Raises:
            InputMismatchError: names two that do not.
        """
        if torch.compiler.is_compiling() or not _may_overlap(arguments):
            return
        for index in self._written:
            for other, value in enumerate(arguments):
                if other != index and shares_memory(arguments[index], value):
                    first, second = sorted((index, other))
                    raise InputMismatchError(
                        f"inputs '{self._names[first]}' and '{self._names[second]}' overlap in "
                        f"memory, and the module writes to '{self._names[index]}': in eager mode "
                        "the other one would change with it, which a captured program cannot "
                        f"follow. Way out: pass '{self._names[second]}'.clone()"
                    )


def check_apart(module: fx.GraphModule) -> None:
    """Put :class:`Apart` in front of ``module``, a compiled graph, if it writes to inputs."""
    placeholders = module.graph.find_nodes(op="placeholder")
    written = written_inputs(placeholders)
    if not written or len(placeholders) < 2:
        return
    check = Apart([str(node.target) for node in placeholders], written)
    module.add_submodule(OVERLAPS_MODULE, check)
    with module.graph.inserting_after(placeholders[-1]):
        module.graph.call_module(OVERLAPS_MODULE, tuple(placeholders))
    module.recompile()


def written_inputs(placeholders: Sequence[fx.Node]) -> list[int]:
    """Positions of those that operators write to."""
    return [
        index
        for index, node in enumerate(placeholders)
        if any(_writes_first(user) and user.args[0] is node for user in node.users)
    ]


def _writes_first(node: fx.Node) -> bool:
    schema = getattr(node.target, "_schema", None)
    if schema is None or not node.args or not schema.arguments:
        return False
    alias = schema.arguments[0].alias_info
    return alias is not None and alias.is_write


def shares_memory(a: Any, b: Any) -> bool:
    """Whether some element of one lies where an element of the other does."""
    if not _has_memory(a) or not _has_memory(b) or a.device != b.device:
        return False
    import numpy

    first, second = numpy.asarray(_Placed(a)), numpy.asarray(_Placed(b))
    try:
        return numpy.shares_memory(first, second, max_work=_MAX_WORK)  # type: ignore[arg-type]
    except numpy.exceptions.TooHardError:
        return True


def _has_memory(value: Any) -> bool:
    return (
        isinstance(value, torch.Tensor)
        and not isinstance(value, FakeTensor)
        and value.layout is torch.strided
        and value.numel() > 0
    )


def _may_overlap(arguments: Sequence[Any]) -> bool:
    """Whether two tensors have bytes of one stretch of memory."""
    stretches = []
    for value in arguments:
        if _has_memory(value):
            storage = value.untyped_storage()
            stretches.append((storage.data_ptr(), storage.nbytes()))
    stretches.sort()
    end = 0
    for start, size in stretches:
        if start < end:
            return True
        end = start + size
    return False


class _Placed:
    """A tensor's place in memory for numpy, which looks at the addresses only."""

    def __init__(self, tensor: torch.Tensor) -> None:
        size = tensor.element_size()
        self.__array_interface__ = {
            "version": 3,
            "data": (tensor.data_ptr(), True),
            "typestr": f"|V{size}",
            "shape": tuple(tensor.shape),
            "strides": tuple(stride * size for stride in tensor.stride()),
        }
