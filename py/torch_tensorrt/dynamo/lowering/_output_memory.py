"""Whose memory the outputs of a program are.

``self.rows.index_copy_(0, at, x); return self.rows`` gives its caller the buffer, ``new =
torch.index_copy(self.rows, 0, at, x); self.rows.copy_(new); return new`` gives memory that no later
call writes to. In a functional graph both are the same: one value, written to the buffer and
handed out. The program as captured still has its writes, and tells.
"""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Mapping
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, OutputKind

_SHARED = "torch_tensorrt_shared_by_outputs"
_WRITES = (
    OutputKind.BUFFER_MUTATION,
    OutputKind.PARAMETER_MUTATION,
    OutputKind.USER_INPUT_MUTATION,
)
_NOTHING: frozenset[str] = frozenset()


def note_shared_memory(gm: fx.GraphModule, program: ExportedProgram) -> None:
    """Keep with ``gm``, made from ``program``, what :func:`shared_by_output` says."""
    if gm.graph.find_nodes(op="call_function", target=torch.ops.aten.copy_.default):
        gm.meta[_SHARED] = _shared_by_outputs(program)


def shared_by_output(gm: fx.GraphModule, position: int) -> frozenset[str]:
    """Targets of the attributes and inputs whose memory an output may be.

    Nothing where that is not known: an output that is a copy has the right values for good, one
    that is a buffer has others after the next call.
    """
    found: Mapping[int, frozenset[str]] = gm.meta.get(_SHARED, {})
    return found.get(position, _NOTHING)


def _shared_by_outputs(program: ExportedProgram) -> dict[int, frozenset[str]]:
    signature = program.graph_signature
    if any(spec.kind in _WRITES for spec in signature.output_specs):
        return {}  # functional already
    names = {
        spec.arg.name: str(spec.arg.name if spec.kind == InputKind.USER_INPUT else spec.target)
        for spec in signature.input_specs
    }
    roots = Roots()
    results: Any = program.graph.output_node().args[0]
    return {
        position: frozenset(names[root.name] for root in roots.of(node))
        for position, node in enumerate(results)
        if isinstance(node, fx.Node)
    }


class Roots:
    """The placeholders and attributes that values share memory with, by the schemas of the
    operators."""

    def __init__(self) -> None:
        self._known: dict[fx.Node, frozenset[fx.Node]] = {}

    def of(self, node: fx.Node) -> frozenset[fx.Node]:
        """Roots of all results of ``node``."""
        pending = [node]
        while pending:
            current = pending[-1]
            sources = self._sources(current)
            missing = [source for source in sources if source not in self._known]
            if missing:
                pending.extend(missing)
                continue
            own = {current} if current.op in ("placeholder", "get_attr") else set()
            self._known[current] = frozenset(own.union(*(self._known[s] for s in sources)))
            pending.pop()
        return self._known[node]

    def _sources(self, node: fx.Node) -> list[fx.Node]:
        """What ``node`` shares memory with, one step back."""
        if node.op != "call_function":
            return []
        if node.target is operator.getitem:
            source: Any = node.args[0]
            return [source] if _result_may_alias(source, node.args[1]) else []
        if not isinstance(node.target, torch._ops.OpOverload):
            return []  # results of higher-order operators are memory of their own
        if any(result.alias_info for result in node.target._schema.returns):
            return _aliased_arguments(node)
        # The schema of a composite operator like ``reshape`` says nothing about views.
        return _shown_by(node) if node.target._can_decompose() else []


def _result_may_alias(source: fx.Node, index: Any) -> bool:
    schema = getattr(source.target, "_schema", None)
    if schema is None or len(schema.returns) < 2:
        return True
    return schema.returns[index].alias_info is not None


def _aliased_arguments(node: fx.Node) -> list[fx.Node]:
    """Arguments that results share memory with. Schemas do not name that of a list's items."""
    schema: Any = getattr(node.target, "_schema", None)
    sets = [set(result.alias_info.before_set) for result in schema.returns if result.alias_info]
    found: list[fx.Node] = []
    for index, argument in enumerate(schema.arguments):
        info = argument.alias_info
        if info is not None and any(not names or names & set(info.before_set) for names in sets):
            value = node.args[index] if index < len(node.args) else node.kwargs.get(argument.name)
            fx.map_arg(value, found.append)
    return found


def _shown_by(node: fx.Node) -> list[fx.Node]:
    """Inputs of which the result of a composite operator is a view, found by running it."""
    tensors = [n for n in node.all_input_nodes if isinstance(n.meta.get("val"), torch.Tensor)]
    modes = [getattr(n.meta["val"], "fake_mode", None) for n in tensors]
    mode = next((m for m in modes if m is not None), None)
    env = getattr(mode, "shape_env", None)
    guards: Any = env.suppress_guards() if env is not None else contextlib.nullcontext()
    args, kwargs = fx.map_arg((node.args, node.kwargs), lambda n: n.meta["val"])
    try:
        with guards, mode or contextlib.nullcontext(), torch.no_grad():
            result = node.target(*args, **kwargs)  # type: ignore[operator]
    except Exception:
        return []  # unknown: a copy is right too
    leaves = [r for r in _leaves(result) if isinstance(r, torch.Tensor)]
    shown = {leaf.untyped_storage()._cdata for leaf in leaves}
    return [n for n in tensors if n.meta["val"].untyped_storage()._cdata in shown]


def _leaves(result: Any) -> list[Any]:
    return list(result) if isinstance(result, (list, tuple)) else [result]
