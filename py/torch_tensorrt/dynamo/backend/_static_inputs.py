"""Module parameters that torch.compile passes as graph inputs: found once, watched on every
call."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import torch
from torch import fx


def static_input_positions(gm: fx.GraphModule, example_inputs: Sequence[Any]) -> list[int]:
    """Positions of graph inputs that are parameters, buffers or tensor attributes of a module."""
    placeholders = [node for node in gm.graph.nodes if node.op == "placeholder"]
    found = []
    for index, (node, example) in enumerate(zip(placeholders, example_inputs, strict=True)):
        if not isinstance(example, torch.Tensor):
            continue
        marks = node.meta.get("tensor_dict") or {}
        if isinstance(example, torch.nn.Parameter) or "_dynamo_static_input_type" in marks:
            found.append(index)
    return found


# C descriptors, mapped without a Python frame per tensor: this runs on every call.
_VERSION_OF = torch._C.TensorBase._version.__get__  # type: ignore[attr-defined]
_ADDRESS_OF = torch._C.TensorBase.data_ptr


class StaticInputs:
    """The tensors one engine holds as constants, and whether they are still what they were.

    A change is seen by the tensor's identity, its version counter and its storage address. (A write
    through ``tensor.data`` that keeps the storage escapes every counter PyTorch has; so does one to
    a tensor made in inference mode, which has no counter.)
    """

    def __init__(self, tensors: Sequence[torch.Tensor]) -> None:
        self._tensors = list(tensors)
        self._counted = [i for i, tensor in enumerate(tensors) if not tensor.is_inference()]
        self._all_counted = len(self._counted) == len(self._tensors)
        self._versions = self._versions_of(tensors)
        self._addresses = list(map(_ADDRESS_OF, tensors))

    def unchanged(self, tensors: Sequence[torch.Tensor]) -> bool:
        """Whether these are the same tensors with the same contents."""
        return (
            self.same_objects(tensors)
            and self._versions_of(tensors) == self._versions
            and list(map(_ADDRESS_OF, tensors)) == self._addresses
        )

    def same_objects(self, tensors: Sequence[torch.Tensor]) -> bool:
        """Whether these are the same tensors, whatever their contents."""
        return all(map(operator.is_, tensors, self._tensors))

    def _versions_of(self, tensors: Sequence[torch.Tensor]) -> list[int]:
        counted = tensors if self._all_counted else [tensors[i] for i in self._counted]
        return list(map(_VERSION_OF, counted))
