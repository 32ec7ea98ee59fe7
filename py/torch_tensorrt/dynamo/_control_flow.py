"""``torch.cond``, ``while_loop``, ``scan`` and ``map``: branches and bodies as engines.

The node stays in the graph. Each of its graphs goes through the same pipeline as a model: lowering,
partitioning, building. When all of them are one engine each, the node becomes a module that calls
one operator of this package (``tensorrt::run_cond`` and so on), which runs the engines without
Python in between, can be saved and has dynamic shapes. Otherwise PyTorch's operator stays, with
graphs that run in engines as far as they can.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import fx
from torch.fx.experimental.symbolic_shapes import free_unbacked_symbols

from torch_tensorrt._exceptions import UnsupportedNode, UnsupportedOperatorException
from torch_tensorrt.dynamo._flow_nodes import Branch, Flow, take_apart
from torch_tensorrt.dynamo._marks import PLACED, REASON
from torch_tensorrt.dynamo._settings import CompilationSettings
from torch_tensorrt.dynamo._symbols import SymbolBindings, free_symbols, is_number_node
from torch_tensorrt.dynamo.lowering import lower_subgraph
from torch_tensorrt.dynamo.lowering._own_outputs import mark_after_engines
from torch_tensorrt.dynamo.lowering.passes.constant_fold import get_attribute, mutated_attributes
from torch_tensorrt.dynamo.partitioning import EngineSubgraph, Partition, partition
from torch_tensorrt.dynamo.partitioning._split import whole_subgraph
from torch_tensorrt.dynamo.partitioning._units import counts_as_op
from torch_tensorrt.dynamo.runtime._control_flow import CondEngines, MixedBranch

logger = logging.getLogger("torch_tensorrt")

#: Builds the engine of one subgraph.
Build = Callable[[EngineSubgraph], torch.nn.Module]
#: Compiles one graph: engines and PyTorch.
Compile = Callable[[fx.GraphModule], tuple[fx.GraphModule, Partition]]


@dataclass
class Ready:
    """A branch that is one engine."""

    subgraph: EngineSubgraph
    operands: list[Any]
    carriers: list[Any]
    ops: int


@dataclass
class Placed:
    """What became of the control flow of one graph.

    Attributes:
        engines: Engines in branches and bodies: name to number of operators.
        left: Operators in branches that run in PyTorch.
        total_ops: Operators in all branches.
    """

    engines: dict[str, int] = field(default_factory=dict)
    left: list[UnsupportedNode] = field(default_factory=list)
    total_ops: int = 0


class NotOneEngine(Exception):
    """A branch that cannot run wholly in one engine; says why."""


def place_control_flow(
    gm: fx.GraphModule, settings: CompilationSettings, build: Build, compile_graph: Compile
) -> Placed:
    """Put engines into the branches and bodies of ``gm``, in place.

    Raises:
        UnsupportedOperatorException: something in them runs in PyTorch, and
            ``require_full_compilation`` is set.
    """
    placed = Placed()
    for index, node in enumerate(n for n in list(gm.graph.nodes) if take_apart(n) is not None):
        flow = take_apart(node)
        assert flow is not None
        name = f"_{node.target.__name__!s}_{index}"
        try:
            _replace(gm, node, flow, name, settings, build, placed)
        except NotOneEngine as reason:
            logger.debug("%s keeps PyTorch's operator: %s", node.name, reason)
            _compile_graphs(gm, node, flow, name, str(reason), compile_graph, placed)
    if placed.left and settings.require_full_compilation:
        raise UnsupportedOperatorException.from_nodes(placed.left)
    gm.graph.lint()
    gm.recompile()
    return placed


def _replace(
    gm: fx.GraphModule,
    node: fx.Node,
    flow: Flow,
    name: str,
    settings: CompilationSettings,
    build: Build,
    placed: Placed,
) -> None:
    """The node by a module of engines.

    Raises:
        NotOneEngine: a graph is not one engine, or that engine cannot be built.
    """
    _check_values(node)
    ready = [_prepare(gm, branch, f"{name}_{branch.role}", settings) for branch in flow.branches]
    predicate = flow.inputs([[] for _ in ready])[0]
    if flow.kind is CondEngines and (
        not isinstance(predicate, fx.Node) or is_number_node(predicate)
    ):
        raise NotOneEngine("its condition is a size, not a tensor")
    engines: list[Any] = []
    for each in ready:
        try:
            engines.append(build(each.subgraph))
        except Exception as error:
            if settings.pass_through_build_failures:
                raise
            raise NotOneEngine(f"{type(error).__name__}: {error}") from error
    gm.add_submodule(name, flow.kind(engines))
    with gm.graph.inserting_before(node):
        own = [[*each.operands, *(_carrier(gm, node, c) for c in each.carriers)] for each in ready]
        call = gm.graph.call_module(name, flow.inputs(own))
    call.meta.update(node.meta)
    call.meta[PLACED] = True
    node.replace_all_uses_with(call)
    gm.graph.erase_node(node)
    for each in ready:
        placed.engines[each.subgraph.name] = each.ops
        placed.total_ops += each.ops


def _check_values(node: fx.Node) -> None:
    values = node.meta.get("val")
    listed = values if isinstance(values, (list, tuple)) else [values]
    if not all(isinstance(value, torch.Tensor) for value in listed):
        raise NotOneEngine("it gives or carries numbers, engines give tensors")
    known = {s for n in node.all_input_nodes for s in free_symbols(n.meta.get("val"))}
    if any(symbol not in known for symbol in free_unbacked_symbols(listed)):
        raise NotOneEngine("the sizes of its results depend on the branch that is taken")


def _prepare(gm: fx.GraphModule, branch: Branch, name: str, settings: CompilationSettings) -> Ready:
    graph, operands = _specialised(gm, branch, settings)
    full = partition(graph, replace(settings, require_full_compilation=False))
    left = [entry for entry in full.left_in_torch if not _is_block(entry)]
    if left:
        raise NotOneEngine(f"{left[0].op} runs in PyTorch: {left[0].reason}")
    subgraph, carriers = whole_subgraph(graph, name)
    ops = sum(1 for n in graph.graph.nodes if counts_as_op(n))
    return Ready(subgraph, operands, carriers, ops)


def _is_block(entry: UnsupportedNode) -> bool:
    """A block left out for its size only: the whole branch is built as one engine."""
    return entry.reason.startswith(("its block has", "a block of views", "calling an engine"))


def _specialised(
    gm: fx.GraphModule, branch: Branch, settings: CompilationSettings
) -> tuple[fx.GraphModule, list[Any]]:
    """A lowered copy of a branch's graph, and the tensors it takes. Constants of ``gm`` are its
    own, sizes are placeholders."""
    inner = get_attribute(gm, branch.graph.target)
    copied = fx.GraphModule(inner, _copy(inner.graph))
    written = mutated_attributes(gm)
    placeholders = [n for n in copied.graph.nodes if n.op == "placeholder"]
    if len(placeholders) != len(branch.operands):
        raise NotOneEngine(f"{len(placeholders)} inputs for {len(branch.operands)} operands")
    tensors: list[Any] = []
    for index, (node, operand) in enumerate(zip(placeholders, branch.operands, strict=True)):
        if not isinstance(operand, fx.Node):
            _use_number(copied, node, operand, branch, index)
        elif is_number_node(operand):
            _check_symbol(node, operand, index < branch.fixed)
        elif index >= branch.fixed and operand.op == "get_attr" and operand.target not in written:
            _use_constant(copied, node, get_attribute(gm, operand.target))
        else:
            tensors.append(operand)
    lowered = lower_subgraph(copied, settings, one_engine=True)
    own_results(lowered)
    return lowered, tensors


def _use_number(
    graph: fx.GraphModule, node: fx.Node, value: Any, branch: Branch, index: int
) -> None:
    if index < branch.fixed or not isinstance(value, (int, float, bool)):
        raise NotOneEngine(f"it carries the number {value!r}, engines carry tensors")
    node.replace_all_uses_with(value)  # type: ignore[arg-type]
    graph.graph.erase_node(node)


def _check_symbol(node: fx.Node, operand: fx.Node, carried: bool) -> None:
    inside, outside = node.meta.get("val"), operand.meta["val"]
    same = (
        isinstance(inside, torch.SymInt)
        and isinstance(outside, torch.SymInt)
        and inside.node.expr == outside.node.expr
    )
    if carried or not same:
        raise NotOneEngine("a size that changes goes into it, engines take tensors")


def _use_constant(graph: fx.GraphModule, node: fx.Node, tensor: torch.Tensor) -> None:
    name = f"_operand_{node.name}"
    graph.register_buffer(name, tensor.detach(), persistent=False)
    with graph.graph.inserting_before(node):
        made = graph.graph.get_attr(name)
    made.meta.update(node.meta)
    node.replace_all_uses_with(made)
    graph.graph.erase_node(node)


def own_results(graph: fx.GraphModule) -> None:
    """Copies results that are inputs, constants or given twice: an engine writes each result.

    Raises:
        NotOneEngine: a result is no tensor.
    """
    output = graph.graph.output_node()
    results: Any = output.args[0]
    listed: list[Any] = list(results) if isinstance(results, (list, tuple)) else [results]
    if not all(isinstance(value, fx.Node) and _is_tensor(value) for value in listed):
        raise NotOneEngine("it gives numbers, engines give tensors")
    seen: set[fx.Node] = set()
    for position, value in enumerate(listed):
        if value in seen or value.op in ("placeholder", "get_attr"):
            with graph.graph.inserting_before(output):
                made = graph.graph.call_function(torch.ops.aten.clone.default, (value,))
            made.meta.update(value.meta)
            listed[position] = made
        seen.add(value)
    output.args = (tuple(listed),)


def _is_tensor(node: fx.Node) -> bool:
    return isinstance(node.meta.get("val"), torch.Tensor)


def _copy(graph: fx.Graph) -> fx.Graph:
    copied = fx.Graph()
    mapping: dict[fx.Node, fx.Node] = {}
    for node in graph.nodes:
        mapping[node] = copied.node_copy(node, mapping.__getitem__)
    return copied


def _carrier(gm: fx.GraphModule, before: fx.Node, value: torch.Tensor) -> fx.Node:
    """A tensor of shape ``[size, 0]``: how a size enters an engine."""
    size: Any = value.shape[0]
    bindings = SymbolBindings(gm.graph)
    known = bindings.known(size.node.expr.free_symbols)
    source = bindings.node_for(size) if known else _earlier(gm, before, size)
    with gm.graph.inserting_before(before):
        made = gm.graph.call_function(torch.ops.aten.empty.memory_format, ([source, 0],))
    made.meta["val"] = value
    mark_after_engines(made)
    return made


def _earlier(gm: fx.GraphModule, before: fx.Node, size: Any) -> fx.Node:
    for node in gm.graph.nodes:
        if node is before:
            break
        value = node.meta.get("val")
        if isinstance(value, torch.SymInt) and value.node.expr == size.node.expr:
            found: fx.Node = node
            return found
    raise NotOneEngine(f"no value in the graph gives the size {size}")


def _compile_graphs(
    gm: fx.GraphModule,
    node: fx.Node,
    flow: Flow,
    name: str,
    reason: str,
    compile_graph: Compile,
    placed: Placed,
) -> None:
    """PyTorch's operator with compiled graphs; it counts as placed when nothing of them is left."""
    left: list[UnsupportedNode] = []
    for branch in flow.branches:
        inner = get_attribute(gm, branch.graph.target)
        built, result = compile_graph(fx.GraphModule(inner, _copy(inner.graph)))
        label = f"{name}_{branch.role}"
        gm.add_submodule(label, MixedBranch(label, built, inner))
        with gm.graph.inserting_before(node):
            attribute = gm.graph.get_attr(label)
        node.replace_input_with(branch.graph, attribute)
        for engine in result.graph.engines:
            placed.engines[f"{label}.{engine.name}"] = engine.unit.op_count()
        left.extend(result.left_in_torch)
        placed.total_ops += result.total_ops
    if left:
        node.meta[REASON] = f"control flow in PyTorch: {reason}"
        placed.left.extend(left)
    else:
        node.meta[PLACED] = True


def with_control_flow(result: Partition, flow: Placed) -> Partition:
    """``result`` with what is in branches and bodies."""
    if not flow.total_ops:
        return result
    return replace(
        result,
        left_in_torch=[*result.left_in_torch, *flow.left],
        total_ops=result.total_ops + flow.total_ops,
        inner_engines=dict(flow.engines),
    )


def copy_of(gm: fx.GraphModule) -> fx.GraphModule:
    """A module with a graph of its own; attributes are shared."""
    graph = _copy(gm.graph)
    graph._codegen = gm.graph._codegen
    copied = fx.GraphModule(gm, graph)
    copied.meta.update(gm.meta)
    return copied
