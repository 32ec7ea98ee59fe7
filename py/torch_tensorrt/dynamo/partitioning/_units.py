"""The result of partitioning: units in an order in which they can run."""

from __future__ import annotations

import heapq
import operator
from collections.abc import Container, Sequence
from dataclasses import dataclass, field

import torch
from torch import fx

from torch_tensorrt.dynamo._marks import PLACED
from torch_tensorrt.dynamo.lowering._decompose import returns_alias
from torch_tensorrt.dynamo.partitioning._support import NodeSupport

_VIEWS = frozenset(
    getattr(torch.ops.aten, name)
    for name in (
        *("view", "reshape", "_unsafe_view", "permute", "transpose", "t", "unsqueeze", "squeeze"),
        *("expand", "slice", "select", "split", "split_with_sizes", "alias", "detach", "unbind"),
        *("flatten", "narrow"),
    )
)


class UnitCycleError(RuntimeError):
    """A path of dependencies leaves a group and comes back to it."""


@dataclass
class Unit:
    """Nodes that run together: inside one engine, or (one node) in PyTorch.

    Attributes:
        backend: Part of the submodule's name, where there are several backends.
    """

    nodes: list[fx.Node] = field(default_factory=list)
    in_engine: bool = False
    backend: str = ""

    def op_count(self) -> int:
        """Operators in the unit; ``getitem`` is not one."""
        return sum(1 for node in self.nodes if counts_as_op(node))

    def computes(self) -> bool:
        """Whether anything but views is in the unit."""
        return any(is_computing(node) for node in self.nodes)


def is_computing(node: fx.Node) -> bool:
    """Whether the node is an operator that makes new values, not a view."""
    return counts_as_op(node) and getattr(node.target, "overloadpacket", None) not in _VIEWS


def counts_as_op(node: fx.Node) -> bool:
    """Whether the node counts in coverage figures and block sizes."""
    return node.op == "call_function" and node.target is not operator.getitem


def can_be_ordered(gm: fx.GraphModule, verdict: NodeSupport, groups: list[list[fx.Node]]) -> bool:
    """Whether no path of dependencies leaves a group and comes back to it."""
    try:
        order_units(gm, verdict, groups)
    except UnitCycleError:
        return False
    return True


def cut_before(nodes: Sequence[fx.Node], first: fx.Node) -> tuple[list[fx.Node], list[fx.Node]]:
    """``nodes``, in topological order, as those before ``first`` and the others.

    A ``getitem`` goes with the operator whose result it takes.
    """
    at = list(nodes).index(first)
    before = set(nodes[:at])
    for node in nodes[at:]:
        if node.target is operator.getitem and node.args[0] in before:
            before.add(node)
    return [n for n in nodes if n in before], [n for n in nodes if n not in before]


def order_units(
    gm: fx.GraphModule,
    verdict: NodeSupport,
    groups: list[list[fx.Node]],
    backends: Sequence[str] = (),
) -> list[Unit]:
    """Units in a runnable order: the groups as engines, every other computing node by itself.

    ``backends`` names those of the groups where there are several.

    Operators with side effects (writes, random numbers) keep their order among each other, and a
    write
    comes after everything that read the old value.

    REQUIRES: no path leaves a group and comes back to it.
    """
    unit_of: dict[fx.Node, Unit] = {}
    units: list[Unit] = []
    for index, group in enumerate(groups):
        unit = Unit(list(group), True, backends[index] if backends else "")
        units.append(unit)
        unit_of.update((node, unit) for node in group)
    for node in gm.graph.nodes:
        if node not in unit_of and node not in verdict.neutral:
            unit_of[node] = Unit([node])
            units.append(unit_of[node])
    position = {node: index for index, node in enumerate(gm.graph.nodes)}
    first = {id(unit): min(position[node] for node in unit.nodes) for unit in units}
    return _kahn(units, _edges(gm, unit_of), first)


def _edges(gm: fx.GraphModule, unit_of: dict[fx.Node, Unit]) -> dict[int, dict[int, Unit]]:
    """Unit id -> units that must run after it."""
    after: dict[int, dict[int, Unit]] = {id(unit): {} for unit in unit_of.values()}
    for node, earlier in dependencies(gm, unit_of).items():
        unit = unit_of[node]
        for before in earlier:
            if unit_of[before] is not unit:
                after[id(unit_of[before])][id(unit)] = unit
    return after


def dependencies(gm: fx.GraphModule, among: Container[fx.Node]) -> dict[fx.Node, set[fx.Node]]:
    """For every node of ``among`` those of them that must run before it: what it reads, the effect
    before it, and for a write all earlier readers of what it writes; reads see the write.

    Who reads a view reads what is viewed.
    """
    before: dict[fx.Node, set[fx.Node]] = {}
    shown: dict[fx.Node, set[fx.Node]] = {}
    readers: dict[fx.Node, list[fx.Node]] = {}
    writer: dict[fx.Node, fx.Node] = {}
    last_effect: fx.Node | None = None
    for node in gm.graph.nodes:
        if node not in among:
            continue
        sources = reached_sources(node, among)
        sources |= {base for source in sources for base in shown.get(source, ())}
        if may_be_view(node):
            shown[node] = sources
        earlier = {source for source in sources if source in among}
        earlier.update(writer[source] for source in sources if source in writer)
        if has_effect(node):
            earlier.update(() if last_effect is None else (last_effect,))
            last_effect = node
            for written in written_nodes(node):
                earlier.update(readers.get(written, ()))
                writer[written] = node
        for source in sources:
            readers.setdefault(source, []).append(node)
        before[node] = earlier
    return before


def may_be_view(node: fx.Node) -> bool:
    """Whether a result of the node may share memory with what it takes."""
    if node.target is operator.getitem:
        return True
    target = node.target
    if not isinstance(target, torch._ops.OpOverload) or target._schema.is_mutable:
        return False
    return returns_alias(target)


def reached_sources(node: fx.Node, unit_of: Container[fx.Node]) -> set[fx.Node]:
    """Input nodes of ``node``, looking through size computations."""
    found: set[fx.Node] = set()
    pending = list(node.all_input_nodes)
    while pending:
        source = pending.pop()
        if source in found:
            continue
        found.add(source)
        if source not in unit_of:
            pending.extend(source.all_input_nodes)
    return found


def has_effect(node: fx.Node) -> bool:
    """Whether the order of this node against others of its kind can be observed."""
    if not isinstance(node.target, torch._ops.OpOverload):
        return node.op == "call_module" and PLACED not in node.meta
    random = torch.Tag.nondeterministic_seeded in node.target.tags
    return bool(node.target._schema.is_mutable) or random or node.is_impure()


def written_nodes(node: fx.Node) -> list[fx.Node]:
    """Inputs that the node writes to."""
    schema = getattr(node.target, "_schema", None)
    if schema is None or not schema.is_mutable:
        return []
    return [
        value
        for value, argument in zip(node.args, schema.arguments, strict=False)
        if isinstance(value, fx.Node)
        and argument.alias_info is not None
        and argument.alias_info.is_write
    ]


def _kahn(
    units: list[Unit], after: dict[int, dict[int, Unit]], first: dict[int, int]
) -> list[Unit]:
    waiting = {id(unit): 0 for unit in units}
    for followers in after.values():
        for key in followers:
            waiting[key] += 1
    by_id = {id(unit): unit for unit in units}
    ready = [(first[key], key) for key, count in waiting.items() if count == 0]
    heapq.heapify(ready)
    ordered: list[Unit] = []
    while ready:
        _, key = heapq.heappop(ready)
        ordered.append(by_id[key])
        for follower in after[key]:
            waiting[follower] -= 1
            if waiting[follower] == 0:
                heapq.heappush(ready, (first[follower], follower))
    if len(ordered) != len(units):
        raise UnitCycleError("[partition] units depend on each other in a cycle")
    return ordered
