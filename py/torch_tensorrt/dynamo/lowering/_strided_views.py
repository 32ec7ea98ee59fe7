"""``as_strided`` reads memory: of a view it reads what the view's base has, in the base's order.

Engines know elements and no memory. So ``as_strided`` is taken of the base of its operand, or of a
packed copy in the order in which eager has the base in memory.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import fx

from torch_tensorrt.dynamo.lowering._own_outputs import base_of, is_contiguous

aten = torch.ops.aten


def anchor_strided_views(gm: fx.GraphModule) -> None:
    """Make every ``as_strided`` of ``gm`` one of a tensor that is packed, with offset 0.

    Those of tensors whose memory has gaps, repeats or symbolic strides are left as they are.
    """
    for node in gm.graph.find_nodes(op="call_function", target=aten.as_strided.default):
        source = node.args[0]
        base = base_of(source)
        if source is base and is_contiguous(base.meta.get("val")):
            continue
        value = base.meta.get("val")
        offset = _offset(node, source)
        if not isinstance(value, torch.Tensor) or offset is None or value.storage_offset() != 0:
            continue
        packed = base if is_contiguous(value) else _packed(gm.graph, node, base)
        if packed is not None:
            node.args = (packed, *node.args[1:3], offset)


def _offset(node: fx.Node, source: fx.Node) -> int | None:
    given = node.args[3] if len(node.args) > 3 else node.kwargs.get("storage_offset")
    offset: Any = source.meta["val"].storage_offset() if given is None else given
    if not isinstance(offset, int):
        return None
    node.kwargs = {}
    return offset


def _packed(graph: fx.Graph, before: fx.Node, base: fx.Node) -> fx.Node | None:
    """A copy of ``base`` whose row-major order is the order of its memory."""
    value = base.meta["val"]
    sizes, strides = tuple(value.shape), tuple(value.stride())
    if not all(isinstance(number, int) for number in (*sizes, *strides)):
        return None
    order = sorted(range(len(sizes)), key=lambda axis: (-strides[axis], -sizes[axis]))
    for place, axis in enumerate(order):
        behind = math.prod(sizes[later] for later in order[place + 1 :])
        if sizes[axis] != 1 and strides[axis] != behind:
            return None
    with graph.inserting_before(before):
        turned = graph.call_function(aten.permute.default, (base, order))
        packed = graph.call_function(
            aten.clone.default, (turned,), {"memory_format": torch.contiguous_format}
        )
    turned.meta["val"] = value.permute(order)
    packed.meta["val"] = turned.meta["val"].clone(memory_format=torch.contiguous_format)
    for made in (turned, packed):
        made.meta.update({k: v for k, v in before.meta.items() if k != "val"})
    return packed


__all__ = ["anchor_strided_views"]
