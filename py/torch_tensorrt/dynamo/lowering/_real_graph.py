"""Builds nodes of real tensors into a graph, each with its fake value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import fx
from torch._dispatch.python import enable_python_dispatcher

aten = torch.ops.aten


class RealGraph:
    """Calls operators on nodes before the node ``at``; the sizes of what is made are known.

    Args:
        mode: The fake mode of the graph's values.
    """

    def __init__(self, gm: fx.GraphModule, at: fx.Node, mode: Any) -> None:
        self._gm = gm
        self._at = at
        self._mode = mode

    def call(self, op: Any, *args: Any, **kwargs: Any) -> fx.Node:
        """A node ``op(*args, **kwargs)``; nodes among the arguments hold tensors."""
        with self._gm.graph.inserting_before(self._at):
            node = self._gm.graph.call_function(op, args, kwargs)
        values = fx.map_arg((args, kwargs), lambda n: n.meta["val"])
        with self._mode, enable_python_dispatcher(), torch.no_grad():
            node.meta["val"] = op(*values[0], **values[1])
        for name in ("stack_trace", "nn_module_stack"):
            if name in self._at.meta:
                node.meta[name] = self._at.meta[name]
        return node

    def constant(self, value: torch.Tensor) -> fx.Node:
        """``value`` as an attribute of the module."""
        index = 0
        while hasattr(self._gm, f"_real_constant_{index}"):
            index += 1
        name = f"_real_constant_{index}"
        self._gm.register_buffer(name, value, persistent=False)
        with self._gm.graph.inserting_before(self._at):
            node = self._gm.graph.get_attr(name)
        node.meta["val"] = self._mode.from_tensor(value, static_shapes=True)
        return node

    def cast(self, x: fx.Node, dtype: torch.dtype) -> fx.Node:
        """``x`` in ``dtype``."""
        if x.meta["val"].dtype == dtype:
            return x
        return self.call(aten._to_copy.default, x, dtype=dtype)

    def part(self, pair: fx.Node, index: int) -> fx.Node:
        """The real (0) or imaginary (1) parts of ``[..., 2]``."""
        return self.call(aten.select.int, pair, rank(pair) - 1, index)

    def pair(self, real: fx.Node, imaginary: fx.Node) -> fx.Node:
        """``[..., 2]`` from two tensors of one shape."""
        return self.call(aten.stack.default, [real, imaginary], rank(real))

    def permuted(self, x: fx.Node, perm: Sequence[int]) -> fx.Node:
        """``x`` with its axes in the order ``perm``."""
        if list(perm) == list(range(rank(x))):
            return x
        return self.call(aten.permute.default, x, list(perm))

    def reshaped(self, x: fx.Node, shape: Sequence[Any]) -> fx.Node:
        """``x`` in another shape."""
        return self.call(aten.reshape.default, x, list(shape))


def rank(node: fx.Node) -> int:
    """Number of axes of a node's tensor."""
    dims: int = node.meta["val"].dim()
    return dims


def shape(node: fx.Node) -> list[Any]:
    """Sizes of a node's tensor."""
    return list(node.meta["val"].shape)
