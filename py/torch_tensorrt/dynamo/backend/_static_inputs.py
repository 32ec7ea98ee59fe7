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


class StaticInputs:
    """The tensors one engine holds as constants, and whether they are still what they were.

    A change is seen by the tensor's identity, its version counter and its storage address. (A write
    through
    ``tensor.data`` that keeps the storage escapes every counter PyTorch has.)
    """

    def __init__(self, tensors: Sequence[torch.Tensor]) -> None:
        self._tensors = list(tensors)
        self._stamp = _stamp(tensors)

    def unchanged(self, tensors: Sequence[torch.Tensor]) -> bool:
        """Whether these are the same tensors with the same contents."""
        return all(map(operator.is_, tensors, self._tensors)) and _stamp(tensors) == self._stamp

    def same_objects(self, tensors: Sequence[torch.Tensor]) -> bool:
        """Whether these are the same tensors, whatever their contents."""
        return all(map(operator.is_, tensors, self._tensors))


def _stamp(tensors: Sequence[torch.Tensor]) -> list[tuple[int, int]]:
    return [
        (-1 if tensor.is_inference() else tensor._version, tensor.data_ptr()) for tensor in tensors
    ]
