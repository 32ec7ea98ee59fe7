"""Cuts a graph: every engine unit becomes a submodule, the rest stays where it is."""

from __future__ import annotations

import operator
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from torch_tensorrt.dynamo._symbols import (
    SYMBOLIC,
    SymbolBindings,
    computed_symbols,
    free_symbols,
    is_number_node,
)
from torch_tensorrt.dynamo.lowering.passes.constant_fold import get_attribute, mutated_attributes
from torch_tensorrt.dynamo.partitioning._units import Unit


@dataclass(frozen=True)
class EngineSubgraph:
    """One engine to build.

    Attributes:
        name: Name of the submodule in the outer graph, ``_run_on_acc_N``.
        module: The subgraph. Placeholders are tensors; constants are attributes; the output is a
        tuple.
            Every symbol in it is the size of some axis of some placeholder, or computed in it.
        unit: The nodes of the original graph that it holds.
    """

    name: str
    module: fx.GraphModule
    unit: Unit


@dataclass(frozen=True)
class PartitionedGraph:
    """The outer graph and the engines it calls."""

    module: fx.GraphModule
    engines: list[EngineSubgraph]


def split(gm: fx.GraphModule, units: list[Unit]) -> PartitionedGraph:
    """A new graph that runs ``units`` in order. ``gm`` is left as it was, attributes are shared."""
    return _Splitter(gm, units).run()


def in_torch(engine: fx.GraphModule) -> fx.GraphModule:
    """The subgraph of an engine as a module that PyTorch runs; like an engine's module, it gives a
    single
    output as a tensor and several as a tuple."""
    graph = fx.Graph()
    mapping: dict[fx.Node, Any] = {}
    for node in engine.graph.nodes:
        if node.op == "output":
            results = tuple(mapping[n] for n in node.args[0])
            graph.output(results[0] if len(results) == 1 else results)
        else:
            mapping[node] = graph.node_copy(node, mapping.__getitem__)
    return fx.GraphModule(engine, graph)


def subgraph_of(gm: fx.GraphModule, nodes: list[fx.Node], name: str) -> EngineSubgraph:
    """The engine that would hold ``nodes``, without a cut around it: to try a build."""
    unit = Unit(list(nodes), in_engine=True)
    inside = set(nodes)
    builder = _SubgraphBuilder(gm, unit, mutated_attributes(gm))
    _, missing = builder.prepare()
    results = [n for n in nodes if _is_needed_outside(n, inside)]
    tensors = [n for n in results if isinstance(n.meta.get("val"), torch.Tensor)]
    carriers = []
    for symbol in missing:
        with _fake_mode(unit):
            carriers.append(torch.empty([_size_value(gm, symbol), 0]))
    return EngineSubgraph(name, builder.build(name, tensors, carriers), unit)


def whole_subgraph(gm: fx.GraphModule, name: str) -> tuple[EngineSubgraph, list[torch.Tensor]]:
    """All of ``gm`` as one engine.

    Its inputs are the tensors among the placeholders of ``gm``, used or not, and then carriers of
    the sizes that none of them has, whose fake values are given too.
    """
    neutral = ("placeholder", "get_attr", "output")
    numbers = (*SYMBOLIC, int, float, bool)
    unit = Unit(
        [
            node
            for node in gm.graph.nodes
            if node.op not in neutral and not isinstance(node.meta.get("val"), numbers)
        ],
        in_engine=True,
    )
    tensors = [
        node
        for node in gm.graph.nodes
        if node.op == "placeholder" and isinstance(node.meta.get("val"), torch.Tensor)
    ]
    builder = _SubgraphBuilder(gm, unit, mutated_attributes(gm), tensors)
    _, missing = builder.prepare()
    carriers = []
    for symbol in missing:
        with _fake_mode(unit):
            carriers.append(torch.empty([_size_value(gm, symbol), 0]))
    results: Any = gm.graph.output_node().args[0]
    return EngineSubgraph(name, builder.build(name, list(results), carriers), unit), carriers


def _size_value(gm: fx.GraphModule, symbol: Any) -> torch.SymInt:
    for node in gm.graph.nodes:
        value = node.meta.get("val")
        for size in value.shape if isinstance(value, torch.Tensor) else (value,):
            if isinstance(size, torch.SymInt) and size.node.expr == symbol:
                return size
    raise RuntimeError(f"[partition] no value in the graph gives the size {symbol}")


#: These need the strides of capture. A reshape is a view wherever it can be one.
_VIEWS = (torch.ops.aten.view.default, torch.ops.aten._unsafe_view.default)


class _Splitter:
    """State of one cut."""

    def __init__(self, gm: fx.GraphModule, units: list[Unit]) -> None:
        self._gm = gm
        self._units = units
        self._graph = fx.Graph()
        self._graph._codegen = gm.graph._codegen
        self._outer: dict[fx.Node, Any] = {}
        self._mutated = mutated_attributes(gm)
        self._attributes: dict[str, Any] = {}
        self._engines: list[EngineSubgraph] = []
        self._carriers: dict[Any, fx.Node] = {}

    def run(self) -> PartitionedGraph:
        for node in self._gm.graph.nodes:
            if node.op == "placeholder":
                self._copy(node)
        for unit in self._units:
            if unit.in_engine:
                self._call_engine(unit)
            else:
                self._copy_with_sources(unit.nodes[0])
        output = next(iter(reversed(self._gm.graph.nodes)))
        self._copy_with_sources(output)
        root: dict[str, Any] = {e.name: in_torch(e.module) for e in self._engines}
        module = fx.GraphModule(self._collect_attributes(root), self._graph)
        module.meta.update(self._gm.meta)
        return PartitionedGraph(module, self._engines)

    def _collect_attributes(self, root: dict[str, Any]) -> dict[str, Any]:
        for node in self._graph.nodes:
            if node.op in ("get_attr", "call_module") and node.target not in root:
                root[node.target] = get_attribute(self._gm, node.target)
        return root

    def _copy(self, node: fx.Node) -> None:
        copied = self._graph.node_copy(node, lambda n: self._outer[n])
        if copied.target in _VIEWS:
            # What an engine made is packed, also where eager's result is not.
            copied.target = torch.ops.aten.reshape.default
        self._outer[node] = copied

    def _copy_with_sources(self, node: fx.Node) -> None:
        """Copies ``node`` after the constants and sizes it needs."""
        pending = [node]
        while pending:
            current = pending[-1]
            if current in self._outer:  # may be an engine's result: its sources are in there
                pending.pop()
                continue
            missing = [n for n in current.all_input_nodes if n not in self._outer]
            pending.extend(missing)
            if not missing:
                self._copy(current)

    def _call_engine(self, unit: Unit) -> None:
        inside = set(unit.nodes)
        results = [n for n in unit.nodes if _is_needed_outside(n, inside)]
        tensors = [n for n in results if isinstance(n.meta.get("val"), torch.Tensor)]
        prefix = f"_run_on_acc_{unit.backend}_" if unit.backend else "_run_on_acc_"
        name = f"{prefix}{len(self._engines)}"
        builder = _SubgraphBuilder(self._gm, unit, self._mutated)
        inputs, missing = builder.prepare()
        for source in inputs:
            self._copy_with_sources(source)
        carriers = [self._carrier(symbol, unit) for symbol in missing]
        module = builder.build(name, tensors, [c.meta["val"] for c in carriers])
        arguments = tuple(self._outer[source] for source in inputs) + tuple(carriers)
        call = self._graph.call_module(name, arguments)
        if len(tensors) == 1:
            call.meta.update(tensors[0].meta)
            self._outer[tensors[0]] = call
        else:
            call.meta["val"] = tuple(n.meta["val"] for n in tensors)
            for index, node in enumerate(tensors):
                item = self._graph.call_function(operator.getitem, (call, index))
                item.meta.update(node.meta)
                self._outer[node] = item
        self._engines.append(EngineSubgraph(name, module, unit))

    def _carrier(self, symbol: Any, unit: Unit) -> fx.Node:
        """A tensor of shape ``[symbol, 0]``: how a size enters an engine, whose inputs are
        tensors."""
        if symbol not in self._carriers:
            size = self._size_node(symbol, unit)
            made = self._graph.call_function(torch.ops.aten.empty.memory_format, ([size, 0],))
            with _fake_mode(unit):
                made.meta["val"] = torch.empty([size.meta["val"], 0])
            self._carriers[symbol] = made
        return self._carriers[symbol]

    def _size_node(self, symbol: Any, unit: Unit) -> Any:
        for node in self._gm.graph.nodes:
            value = node.meta.get("val")
            if isinstance(value, torch.SymInt) and value.node.expr == symbol:
                self._copy_with_sources(node)
                return self._outer[node]
            if isinstance(value, torch.Tensor) and node in self._outer:
                for axis, size in enumerate(value.shape):
                    if isinstance(size, torch.SymInt) and size.node.expr == symbol:
                        made = self._graph.call_function(
                            torch.ops.aten.sym_size.int, (self._outer[node], axis)
                        )
                        made.meta["val"] = size
                        return made
        raise RuntimeError(f"[partition] no value in the graph gives the size {symbol}")


class _SubgraphBuilder:
    """Builds the graph of one engine."""

    def __init__(
        self, gm: fx.GraphModule, unit: Unit, mutated: set[str], inputs: Sequence[fx.Node] = ()
    ) -> None:
        self._gm = gm
        self._unit = unit
        self._mutated = mutated
        self._inside = set(unit.nodes)
        self._inputs: list[fx.Node] = list(inputs)
        self._numbers: list[fx.Node] = []
        self._computed: set[Any] = set()

    def prepare(self) -> tuple[list[fx.Node], list[Any]]:
        """Tensor inputs, and the symbols that no axis of them gives."""
        seen: set[fx.Node] = set(self._inputs)
        for node in self._unit.nodes:
            for source in node.all_input_nodes:
                if source in self._inside or source in seen:
                    continue
                seen.add(source)
                if isinstance(source.meta.get("val"), (*SYMBOLIC, int, float, bool)):
                    self._numbers.append(source)
                elif not self._is_constant(source):
                    self._inputs.append(source)
        computed = {symbol for node in self._unit.nodes for symbol in computed_symbols(node)}
        self._add_sized(seen, computed)
        readable = {
            size.node.expr
            for node in self._inputs
            for size in node.meta["val"].shape
            if isinstance(size, torch.SymInt) and size.node.expr.is_symbol
        }
        needed = _symbols(n.meta["val"] for n in [*self._inputs, *self._numbers])
        self._computed = computed - _symbols(n.meta["val"] for n in self._inputs)
        needed -= self._computed
        return self._inputs, sorted(needed - readable, key=str)

    def _add_sized(self, seen: set[fx.Node], computed: set[Any]) -> None:
        """Tensors of PyTorch whose sizes the engine computes too, if they are read: as inputs they
        give them."""
        pending = list(self._numbers)
        while pending:
            for source in pending.pop().all_input_nodes:
                if is_number_node(source):
                    pending.append(source)
                elif source not in self._inside and source not in seen:
                    seen.add(source)
                    if free_symbols(source.meta.get("val")) & computed:
                        self._inputs.append(source)

    def _is_constant(self, node: fx.Node) -> bool:
        return node.op == "get_attr" and node.target not in self._mutated

    def build(self, name: str, results: list[fx.Node], carriers: list[Any]) -> fx.GraphModule:
        """The subgraph; ``carriers`` are the values of the extra inputs."""
        graph = fx.Graph()
        inner: dict[fx.Node, Any] = {}
        for source in self._inputs:
            # A graph input keeps the user's name (an argument "input" has the node "input_1").
            label = str(source.target) if source.op == "placeholder" else source.name
            placeholder = graph.placeholder(label)
            placeholder.meta.update(source.meta)
            inner[source] = placeholder
        for index, value in enumerate(carriers):
            graph.placeholder(f"size_carrier_{index}").meta["val"] = value
        output = graph.output(())
        bindings = SymbolBindings(graph)
        for number in self._numbers:
            value = number.meta["val"]
            if free_symbols(value) & self._computed:
                continue
            inner[number] = bindings.node_for(value) if free_symbols(value) else _plain(value)
        root: dict[str, Any] = {}
        with graph.inserting_before(output):
            for node in self._unit.nodes:
                for source in node.all_input_nodes:
                    if source not in inner and self._is_constant(source):
                        root[str(source.target)] = get_attribute(self._gm, source.target)
                        inner[source] = graph.node_copy(source)
                    self._copy_size(graph, source, inner, bindings)
                inner[node] = graph.node_copy(node, lambda n: inner[n])
        output.args = (tuple(inner[n] for n in results),)
        return fx.GraphModule(root, graph, class_name=name)

    def _copy_size(
        self, graph: fx.Graph, node: fx.Node, inner: dict[fx.Node, Any], bindings: SymbolBindings
    ) -> None:
        """A size that the engine computes, from the tensors that have it there."""
        if node in inner:
            return
        value = node.meta["val"]
        if not free_symbols(value) & self._computed:
            inner[node] = bindings.node_for(value) if free_symbols(value) else _plain(value)
            return
        for source in node.all_input_nodes:
            self._copy_size(graph, source, inner, bindings)
        inner[node] = graph.node_copy(node, lambda n: inner[n])


def _is_needed_outside(node: fx.Node, inside: Container[fx.Node]) -> bool:
    """Whether something outside reads the node, or a size of it."""
    pending = [user for user in node.users if user not in inside]
    seen = set(pending)
    while pending:
        user = pending.pop()
        if not is_number_node(user):
            return True
        new = {u for u in user.users if u not in inside} - seen
        seen |= new
        pending.extend(new)
    return False


def _plain(value: Any) -> Any:
    for symbolic, plain in ((torch.SymBool, bool), (torch.SymInt, int), (torch.SymFloat, float)):
        if isinstance(value, symbolic):
            return plain(value.node.expr)
    return value


def _fake_mode(unit: Unit) -> Any:
    for node in unit.nodes:
        mode = getattr(node.meta.get("val"), "fake_mode", None)
        if mode is not None:
            return mode
    raise RuntimeError("[partition] no fake tensor in the subgraph")


def _symbols(values: Iterable[Any]) -> set[Any]:
    return {symbol for value in values for symbol in free_symbols(value)}
