"""Writes of a few rows to a large buffer, in place instead of through a copy of all of it.

A functional graph has for ``cache.index_copy_(0, position, rows)`` a new cache, which is computed,
read, and copied back at the end: three passes over memory that the model never asked for. Here
PyTorch writes the rows between two engines, and the second one reads the buffer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import fx

from torch_tensorrt.dynamo._marks import REASON
from torch_tensorrt.dynamo._symbols import free_symbols
from torch_tensorrt.dynamo.lowering._decompose import returns_alias

aten = torch.ops.aten

#: Smallest buffer, in bytes. Cutting an engine costs about 10 us, in which a core copies 80 KB;
#: a copy that is not made saves three passes.
MIN_BYTES = 64 * 1024
#: Functional operator to the one that writes to its first argument.
_WRITES: dict[Any, Any] = {
    aten.index_copy.default: aten.index_copy_.default,
    aten.index_put.default: aten.index_put_.default,
    aten.scatter.src: aten.scatter_.src,
    aten.scatter.value: aten.scatter_.value,
}
#: And back.
FUNCTIONAL: dict[Any, Any] = {writes: functional for functional, writes in _WRITES.items()}


def write_in_place(gm: fx.GraphModule) -> None:
    """Rewrite final writes of ``gm`` to large buffers and inputs, in place, where that is exact."""
    for copy in gm.graph.find_nodes(op="call_function", target=aten.copy_.default):
        target, value = copy.args[0], copy.args[1]
        if copy.users or not isinstance(target, fx.Node) or not isinstance(value, fx.Node):
            continue
        if _is_worth_it(target, value) and _is_exact(gm, target, value, copy):
            _rewrite(gm, target, value, copy)
    gm.graph.lint()


def _is_worth_it(target: fx.Node, value: fx.Node) -> bool:
    tensor = target.meta.get("val")
    if value.target not in _WRITES or not isinstance(tensor, torch.Tensor):
        return False
    if free_symbols(tensor):
        return False
    return math.prod(tensor.shape) * tensor.element_size() >= MIN_BYTES


def _is_exact(gm: fx.GraphModule, target: fx.Node, value: fx.Node, copy: fx.Node) -> bool:
    """Whether nobody can tell that the buffer is written early, and that readers of the new value
    read the buffer."""
    written = value.args[0]
    if not isinstance(written, fx.Node) or not _is_same(written, target):
        return False
    others = [n for n in gm.graph.nodes if _is_same(n, target)]
    writers = [u for n in others for u in n.users if _writes_to(u, n)]
    if writers != [copy]:
        return False
    old = target.meta["val"]
    if (old.dtype, old.device) != (value.meta["val"].dtype, value.meta["val"].device):
        return False
    # The new value must not be handed out as the buffer itself, nor may views of the old one be:
    # the caller of a functional graph gets tensors of its own.
    output = gm.graph.output_node()
    readers = _readers(others)
    if output in readers or output in _readers([value]):
        return False
    # Whoever reads the old value does so before; rows that are views of it would change meanwhile.
    late = [n for n in readers - {value, copy} if not n < value]
    return not late and not any(_may_show(n, others) for n in value.all_input_nodes if n != written)


def _is_same(node: fx.Node, target: fx.Node) -> bool:
    if target.op == "get_attr":
        return node.op == "get_attr" and node.target == target.target
    return node is target


def _writes_to(user: fx.Node, node: fx.Node) -> bool:
    schema = getattr(user.target, "_schema", None)
    return schema is not None and schema.is_mutable and bool(user.args) and user.args[0] is node


def _readers(nodes: Sequence[fx.Node]) -> set[fx.Node]:
    """Nodes that read one of ``nodes`` or a view of one."""
    pending, found = list(nodes), set()
    while pending:
        for user in pending.pop().users:
            if user not in found:
                found.add(user)
                pending.extend([user] if _may_be_view(user) else [])
    return found


def _may_show(node: fx.Node, bases: Sequence[fx.Node]) -> bool:
    """Whether ``node`` may be a view of one of ``bases``."""
    pending, seen = [node], set()
    while pending:
        current = pending.pop()
        if current in bases:
            return True
        if current not in seen and _may_be_view(current):
            pending.extend(current.all_input_nodes)
        seen.add(current)
    return False


def _may_be_view(node: fx.Node) -> bool:
    target: Any = node.target
    if node.op in ("placeholder", "get_attr", "output"):
        return False
    if not isinstance(target, torch._ops.OpOverload):
        return True
    return not target._schema.is_mutable and returns_alias(target)


def _rewrite(gm: fx.GraphModule, target: fx.Node, value: fx.Node, copy: fx.Node) -> None:
    value.target = _WRITES[value.target]
    name = str(target.target)
    value.meta[REASON] = f"writes rows of '{name}' in place, instead of copying all of it"
    gm.graph.erase_node(copy)
