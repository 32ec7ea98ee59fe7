"""Outputs that share memory in PyTorch: made after the engines, by PyTorch's own view operators.

An engine writes each of its outputs into new, packed memory. A view of an input, of a parameter or
of another output would lose what it shares, and a view like ``y.t()`` its strides; AOTAutograd
even rebuilds outputs from these strides. A constant on the other hand must not be handed out: the
caller may write to it.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import fx

from torch_tensorrt.dynamo.lowering._output_memory import shared_by_output

aten = torch.ops.aten

_AFTER_ENGINES = "torch_tensorrt_after_engines"
_FRESH_CONSTANT = "torch_tensorrt_fresh_constant"
_LIFTED = (aten.lift_fresh.default, aten.lift_fresh_copy.default)
#: Views whose strides are arguments: they fit a base only as it lay in memory at capture.
_BY_STRIDES = (aten.as_strided.default, aten._reshape_alias.default)


def runs_after_engines(node: fx.Node) -> bool:
    """Whether the node only makes outputs of what engines and inputs give: no engine holds it."""
    return _AFTER_ENGINES in node.meta


def mark_after_engines(node: fx.Node) -> None:
    """Keep ``node`` out of engines: PyTorch computes it where it is needed."""
    node.meta[_AFTER_ENGINES] = True


def mark_fresh_constant(node: fx.Node) -> None:
    """Note that PyTorch computes the attribute ``node`` anew in every call."""
    node.meta[_FRESH_CONSTANT] = True


def separate_output_views(gm: fx.GraphModule) -> None:
    """Give outputs that are views a chain of view operators of their own, after everything else.

    That is done for views of inputs, of attributes and of what another output shows too, and where
    the traced output is not contiguous. Other uses of the same views are left as they are. A value
    that is written to an input or an attribute is that input or attribute for the outputs that are
    its memory in PyTorch, and a new tensor for the others.
    """
    output = gm.graph.output_node()
    results: Any = output.args[0]
    positions: list[Any] = list(results) if isinstance(results, (list, tuple)) else [results]
    written = _written(gm)
    owners: dict[int, tuple[fx.Node, fx.Node | None]] = {
        position: _owner(base_of(node), written, shared_by_output(gm, position))
        for position, node in enumerate(positions)
        if isinstance(node, fx.Node) and _is_tensor(node)
    }
    # A node that is handed out twice shows its base once.
    shown = Counter(owner for _, owner in {(positions[i], owner) for i, owner in owners.items()})
    separate = _Separator(gm.graph, output).copy
    for position, (base, target) in owners.items():
        node = positions[position]
        if (
            base.target in _LIFTED
            or target is not None
            or (node is not base and _is_observable(node, base, shown[base, target] > 1))
        ):
            positions[position] = separate(node, base, target)
    output.args = (
        type(results)(positions) if isinstance(results, (list, tuple)) else positions[0],
    )


def _written(gm: fx.GraphModule) -> dict[fx.Node, list[fx.Node]]:
    """Value to the inputs and attributes that a ``copy_`` writes it to."""
    found: dict[fx.Node, list[fx.Node]] = {}
    for node in gm.graph.find_nodes(op="call_function", target=aten.copy_.default):
        target, value = node.args[:2]
        if isinstance(value, fx.Node) and target.op in ("placeholder", "get_attr"):
            found.setdefault(value, []).append(target)
    return found


def _owner(
    base: fx.Node, written: dict[fx.Node, list[fx.Node]], shared: frozenset[str]
) -> tuple[fx.Node, fx.Node | None]:
    """``base``, and what it is written to that the output is memory of."""
    targets = [target for target in written.get(base, []) if str(target.target) in shared]
    return base, targets[0] if targets else None


def copy_fresh_constants(gm: fx.GraphModule) -> None:
    """Hand out copies of constants that PyTorch computes anew in every call."""
    for node in list(gm.graph.nodes):
        if node.op != "get_attr" or _FRESH_CONSTANT not in node.meta:
            continue
        handed_out = {u for u in node.users if u.op == "output" or runs_after_engines(u)}
        if not handed_out:
            continue
        with gm.graph.inserting_after(node):
            copied = gm.graph.call_function(aten.clone.default, (node,))
        copied.meta.update(node.meta)
        copied.meta[_AFTER_ENGINES] = True
        node.replace_all_uses_with(copied, delete_user_cb=_among(handed_out))


def _among(nodes: set[fx.Node]) -> Callable[[fx.Node], bool]:
    return lambda user: user in nodes


def _is_tensor(node: fx.Node) -> bool:
    return isinstance(node.meta.get("val"), torch.Tensor)


def _viewed(node: fx.Node) -> fx.Node | None:
    """What ``node`` is a view of, one step back."""
    if node.op != "call_function" or node.target in _LIFTED:
        return None
    if isinstance(node.target, torch._ops.OpOverload):
        # A composite operator like ``to`` may return a view or not: its schema does not tell.
        if not node.target.is_view or node.target._can_decompose():
            return None
    elif not _is_item_of_view(node):
        return None
    source = node.args[0] if node.args else None
    return source if isinstance(source, fx.Node) else None


def _is_item_of_view(node: fx.Node) -> bool:
    source = node.args[0]
    return (
        node.target is operator.getitem
        and isinstance(source, fx.Node)
        and _viewed(source) is not None
    )


def base_of(node: fx.Node) -> fx.Node:
    """What ``node`` is a view of in the end; itself when it is no view."""
    source = _viewed(node)
    while source is not None:
        node, source = source, _viewed(source)
    return node


def _is_observable(node: fx.Node, base: fx.Node, shared: bool) -> bool:
    if base.op in ("placeholder", "get_attr"):
        return True
    if not shared and is_contiguous(node.meta["val"]):
        return False
    return is_contiguous(base.meta.get("val")) or not _has_strides_as_arguments(node)


def _has_strides_as_arguments(node: fx.Node) -> bool:
    step: fx.Node | None = node
    while step is not None:
        if step.target in _BY_STRIDES:
            return True
        step = _viewed(step)
    return False


def is_contiguous(value: Any) -> bool:
    """Whether a fake tensor is packed in row-major order for all values of its symbols."""
    if not isinstance(value, torch.Tensor) or value.layout is not torch.strided:
        return False
    expected: Any = 1
    for size, stride in zip(reversed(value.shape), reversed(value.stride()), strict=True):
        if _expression(size) == 1:
            continue
        if _expression(stride) != expected:
            return False
        expected = expected * _expression(size)
    return True


def _expression(size: Any) -> Any:
    return size.node.expr if isinstance(size, torch.SymInt) else size


class _Separator:
    """Copies chains of views to the end of a graph, each step once."""

    def __init__(self, graph: fx.Graph, output: fx.Node) -> None:
        self._graph = graph
        self._output = output
        self._copies: dict[tuple[fx.Node, fx.Node | None], fx.Node] = {}

    def copy(self, node: fx.Node, base: fx.Node, target: fx.Node | None) -> fx.Node:
        """``node``, made by view operators that no engine holds from ``base``, or from what
        ``base`` is written to."""
        if node is base and target is not None:
            return target
        if node is base and base.target not in _LIFTED:
            return base
        if (node, target) not in self._copies:
            self._copies[node, target] = self._copy_step(node, base, target)
        return self._copies[node, target]

    def _copy_step(self, node: fx.Node, base: fx.Node, target: fx.Node | None) -> fx.Node:
        source = _viewed(node)
        if source is None:  # a literal: PyTorch makes it anew in every call
            with self._graph.inserting_before(self._output):
                copied = self._graph.call_function(aten.clone.default, (node.args[0],))
            copied.meta.update(node.meta)
        else:
            made = self.copy(source, base, target)
            with self._graph.inserting_before(self._output):
                copied = self._graph.node_copy(node, lambda n: made if n is source else n)
            if copied.target is aten.view.default and (target or base).op == "placeholder":
                # An input may lie in memory in another way than at capture.
                copied.target = aten.reshape.default
        copied.meta[_AFTER_ENGINES] = True
        return copied
