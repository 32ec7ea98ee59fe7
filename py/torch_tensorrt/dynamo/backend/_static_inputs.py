"""Module parameters that torch.compile passes as graph inputs: found once, watched on every
call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import fx

from torch_tensorrt.dynamo.conversion._values import core


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

    Runs on every call, so it looks at: which tensors they are, their version counters, where their
    memory is, sizes and strides, and two words of each tensor on the CPU. The words find what no
    counter does: writes through ``tensor.data``, and writes to tensors made in inference mode. Such
    a write that leaves both words as they were is not seen.
    """

    def __init__(self, tensors: Sequence[torch.Tensor]) -> None:
        self._watch = core().WeightWatch(list(tensors))

    def unchanged(self, tensors: list[torch.Tensor]) -> bool:
        """Whether these are the same tensors with, as far as is looked, the same contents."""
        return bool(self._watch.unchanged(tensors))

    def same_objects(self, tensors: list[torch.Tensor]) -> bool:
        """Whether these are the same tensors, whatever their contents."""
        return bool(self._watch.same_objects(tensors))
