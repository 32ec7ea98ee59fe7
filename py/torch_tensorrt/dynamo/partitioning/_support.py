"""Which nodes can run in an engine, and for every other node: why not."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx

from torch_tensorrt._exceptions import UnsupportedNode
from torch_tensorrt.dynamo._marks import PLACED, REASON
from torch_tensorrt.dynamo._op_names import op_names, operator_text
from torch_tensorrt.dynamo._placement import stays_behind
from torch_tensorrt.dynamo._settings import CompilationSettings
from torch_tensorrt.dynamo._symbols import SIZE_OPERATORS, SYMBOLIC
from torch_tensorrt.dynamo.lowering._own_outputs import runs_after_engines
from torch_tensorrt.dynamo.partitioning._modules import excluded_module

#: None when the node can be converted, else the reason why not.
SupportCheck = Callable[[fx.Node, CompilationSettings], str | None]


@dataclass(frozen=True)
class NodeSupport:
    """Verdict on every computing node of a graph.

    Attributes:
        supported: Nodes that can run in an engine.
        refused: Node to reason, for the others.
        neutral: Nodes that compute sizes, hold constants or make outputs of what engines give; they
            belong wherever they are needed.
        placed: Calls that run in engines already, and their results.
    """

    supported: set[fx.Node] = field(default_factory=set)
    refused: dict[fx.Node, str] = field(default_factory=dict)
    neutral: set[fx.Node] = field(default_factory=set)
    placed: set[fx.Node] = field(default_factory=set)

    def is_apart(self, node: fx.Node) -> bool:
        """Whether the node is no operator to find a place for."""
        return node in self.neutral or node in self.placed


def converter_support(node: fx.Node, settings: CompilationSettings) -> str | None:
    """The converters' own check."""
    from torch_tensorrt.dynamo.conversion import node_support

    reason: str | None = node_support(node, settings)
    return reason


def classify(
    gm: fx.GraphModule, settings: CompilationSettings, support: SupportCheck | None = None
) -> NodeSupport:
    """Check every node of ``gm``. A ``getitem`` shares the verdict of its source."""
    check = support or converter_support
    verdict = NodeSupport()
    names = {operator_text(op) or str(op) for op in settings.torch_executed_ops}
    for node in gm.graph.nodes:
        if (
            node.op in ("placeholder", "output", "get_attr")
            or runs_after_engines(node)
            or _is_size(node, verdict)
        ):
            verdict.neutral.add(node)
            continue
        source = node.args[0] if node.target is operator.getitem else None
        if PLACED in node.meta or source in verdict.placed:
            verdict.placed.add(node)
            continue
        if isinstance(source, fx.Node) and source in verdict.supported:
            verdict.supported.add(node)
            continue
        if isinstance(source, fx.Node) and source in verdict.refused:
            verdict.refused[node] = f"result of {source.name}, which stays in PyTorch"
            continue
        reason = _refusal(node, settings, names) or check(node, settings)
        if reason is None:
            verdict.supported.add(node)
        else:
            verdict.refused[node] = _with_cause(node, reason)
    return verdict


def _with_cause(node: fx.Node, reason: str) -> str:
    """``reason``, or why there is no converter: a result whose size only its values tell."""
    from torch.fx.experimental.symbolic_shapes import free_unbacked_symbols

    values = node.meta.get("val")
    tensors = values if isinstance(values, (list, tuple)) else [values]
    made = {s for t in tensors if isinstance(t, torch.Tensor) for s in free_unbacked_symbols(t)}
    taken = {
        s
        for source in node.all_input_nodes
        if isinstance(source.meta.get("val"), torch.Tensor)
        for s in free_unbacked_symbols(source.meta["val"])
    }
    if not _is_data_dependent(node) or made <= taken or reason.startswith("listed in"):
        return reason
    return (
        "the size of its result depends on values, so PyTorch computes it; what comes after it can "
        f"run in engines, for any size ({reason})"
    )


def _is_size(node: fx.Node, verdict: NodeSupport) -> bool:
    if not isinstance(node.meta.get("val"), (*SYMBOLIC, int, float, bool)):
        return False
    if any(user.op == "output" for user in node.users) and not node.all_input_nodes:
        return True
    if node.target in SIZE_OPERATORS and node.args[0] in verdict.supported:
        return True
    return all(source in verdict.neutral for source in node.all_input_nodes)


def _refusal(
    node: fx.Node, settings: CompilationSettings, executed_in_torch: Collection[str]
) -> str | None:
    if REASON in node.meta:
        return str(node.meta[REASON])
    if isinstance(node.target, torch._ops.HigherOrderOperator):
        return "a higher-order operator: its graphs run in engines, no engine holds all of it"
    if node.op != "call_function":
        return f"a {node.op} node is not an operator"
    if executed_in_torch and op_names(node.target) & set(executed_in_torch):
        return "listed in torch_executed_ops"
    module = excluded_module(node, settings.torch_executed_modules)
    if module is not None:
        return f"inside module {module}, listed in torch_executed_modules"
    schema = getattr(node.target, "_schema", None)
    if schema is not None and schema.is_mutable:
        return "writes to one of its inputs"
    elsewhere = stays_behind(node, settings)
    if elsewhere is not None:
        return elsewhere
    if settings.fallback_data_dependent_ops and _is_data_dependent(node):
        return "its output shape depends on data, and fallback_data_dependent_ops is set"
    return None


def _is_data_dependent(node: fx.Node) -> bool:
    tags = getattr(node.target, "tags", ())
    return torch.Tag.dynamic_output_shape in tags or torch.Tag.data_dependent_output in tags


def describe(node: fx.Node, reason: str) -> UnsupportedNode:
    """``node`` as a report entry."""
    inputs = ", ".join(shape_text(n.meta.get("val")) for n in node.all_input_nodes)
    return UnsupportedNode(
        node=node.name,
        op=op_text(node.target),
        shapes=f"({inputs}) -> {shape_text(node.meta.get('val'))}",
        reason=reason,
        source=source_line(node),
    )


def op_text(target: Any) -> str:
    """Qualified operator name for messages."""
    if isinstance(target, torch._ops.OpOverload):
        return str(target)
    return getattr(target, "__name__", str(target))


def shape_text(value: Any) -> str:
    """``float32[2, s0]`` for a tensor, the number for a size."""
    if isinstance(value, torch.Tensor):
        sizes = ", ".join(str(size) for size in value.shape)
        return f"{str(value.dtype).removeprefix('torch.')}[{sizes}]"
    if isinstance(value, (list, tuple)):
        return f"({', '.join(shape_text(v) for v in value)})"
    return str(value)


def source_line(node: fx.Node) -> str:
    """``file:line in function: code`` of the innermost line recorded for the node that is not
    PyTorch's own; the innermost of all if every line is."""
    trace = node.meta.get("stack_trace") or node.stack_trace
    if not trace:
        return ""
    lines = [line.strip() for line in trace.strip().splitlines()]
    frames = [index for index, line in enumerate(lines) if line.startswith("File ")]
    own = [i for i in frames if not lines[i].startswith(f'File "{_TORCH_FOLDER}')]
    if not frames:
        return ""
    index = (own or frames)[-1]
    code = lines[index + 1] if index + 1 < len(lines) else ""
    where = lines[index].removeprefix("File ").replace('"', "").replace(", line ", ":")
    function = where.replace(", in ", " in ")
    return f"{function}: {code}" if code else function


_TORCH_FOLDER = os.path.dirname(torch.__file__) + os.sep
