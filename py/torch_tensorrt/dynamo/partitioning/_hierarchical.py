"""Partitioning for several backends: each node goes to the first that takes it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import fx

from torch_tensorrt._exceptions import (
    InvalidOptionError,
    UnsupportedNode,
    UnsupportedOperatorException,
)
from torch_tensorrt.dynamo._op_names import op_names
from torch_tensorrt.dynamo._settings import CompilationSettings, validate_options
from torch_tensorrt.dynamo.partitioning._adjacency_partitioner import backend_groups
from torch_tensorrt.dynamo.partitioning._split import EngineSubgraph, in_torch, split
from torch_tensorrt.dynamo.partitioning._support import (
    NodeSupport,
    SupportCheck,
    classify,
    converter_support,
    describe,
)
from torch_tensorrt.dynamo.partitioning._units import Unit, counts_as_op, has_effect, order_units

ENGINE_BACKEND = "tensorrt"

#: Names or objects of operators that a backend takes, or a check that gives the reason why not.
Takes = Collection[Any] | SupportCheck
#: Makes of a subgraph, whose placeholders have fake tensors in ``meta["val"]``, what runs it.
BackendCompiler = Callable[[fx.GraphModule], Callable[..., Any]]


@dataclass(frozen=True)
class HierarchicalPartition:
    """What went to which backend.

    Attributes:
        subgraphs: The cut-out subgraphs in running order, each a submodule
            ``_run_on_acc_<backend>_<n>``.
        left_in_torch: Operators that no backend took, with the reasons of all.
        total_ops: Operators in the whole graph.
        settings: For building the subgraphs that go to engines.
    """

    subgraphs: list[EngineSubgraph]
    left_in_torch: list[UnsupportedNode]
    total_ops: int
    settings: CompilationSettings

    def of(self, backend: str) -> list[EngineSubgraph]:
        """The subgraphs of one backend."""
        return [s for s in self.subgraphs if s.unit.backend == backend]


def hierarchical_adjacency_partition(
    gm: fx.GraphModule,
    min_block_size: int = 5,
    backend_priority: Sequence[str] = (ENGINE_BACKEND,),
    backend_support_map: Mapping[str, Takes] | None = None,
    torch_executed_ops: Collection[Any] = (),
    require_full_compilation: bool = False,
    skip_fusion: bool = False,
    settings: CompilationSettings | None = None,
) -> tuple[fx.GraphModule, HierarchicalPartition]:
    """Cut a lowered graph into subgraphs of several backends.

    Args:
        gm: A graph after lowering; left as it was.
        min_block_size: Smallest number of operators of a subgraph; what is in a smaller one is
            offered to the next backend, and runs in PyTorch after the last.
        backend_priority: Names of backends, the preferred one first. ``"tensorrt"`` stands for the
            engines of this package.
        backend_support_map: Backend to the operators it takes: objects or names in any spelling of
            ``torch_executed_ops``, or a function of node and settings that returns None or the
            reason why not. Backends that are not listed take what this package's converters take
            (``"tensorrt"``) or every operator without effects (others).
        torch_executed_ops: Operators that stay in PyTorch.
        require_full_compilation: Fail when an operator stays in PyTorch.
        skip_fusion: No effect: nodes are never grouped by pattern here.
        settings: Other options.

    Returns:
        The cut graph, which computes what ``gm`` does, subgraphs in PyTorch at first; see
        :func:`compile_subgraphs`. And what went where.

    Raises:
        InvalidOptionError: no backend, one named twice, or one in the map without a priority.
        UnsupportedOperatorException: see ``require_full_compilation``.
    """
    options = {
        "min_block_size": min_block_size,
        "torch_executed_ops": torch_executed_ops,
        "require_full_compilation": require_full_compilation,
    }
    chosen = validate_options(options, settings)
    supported = dict(backend_support_map or {})
    _check_backends(backend_priority, supported)
    choice = _Choice(gm, chosen, {name: supported.get(name) for name in backend_priority})
    groups = choice.groups()
    if require_full_compilation and choice.left():
        raise UnsupportedOperatorException.from_nodes(choice.left())
    neutral = NodeSupport(neutral=choice.neutral)
    units = order_units(gm, neutral, [nodes for _, nodes in groups], [name for name, _ in groups])
    cut = split(gm, units)
    total = sum(1 for n in gm.graph.nodes if counts_as_op(n) and n not in choice.neutral)
    return cut.module, HierarchicalPartition(cut.engines, choice.left(), total, chosen)


def compile_subgraphs(
    module: fx.GraphModule,
    result: HierarchicalPartition,
    compilers: Mapping[str, BackendCompiler] | None = None,
) -> fx.GraphModule:
    """Replace the subgraphs in ``module`` by what their backends make of them.

    Args:
        compilers: For backends other than ``"tensorrt"``, whose subgraphs become engines, and
            ``"inductor"``, by default ``torch.compile``. What is not listed stays as it is.

    Returns:
        ``module``. An engine that cannot be built stays in PyTorch, as in ``compile``.
    """
    from torch_tensorrt.dynamo._placement import place

    table: dict[str, BackendCompiler] = {"inductor": _inductor, **(compilers or {})}
    settings = replace(place(module, result.settings), min_block_size=1)
    for subgraph in result.subgraphs:
        backend = subgraph.unit.backend
        if backend == ENGINE_BACKEND and backend not in table:
            built: Any = _engine(subgraph, settings)
        elif backend in table:
            built = table[backend](getattr(module, subgraph.name))
        else:
            continue
        setattr(module, subgraph.name, built if _is_module(built) else _Function(built))
    return module


class _Function(torch.nn.Module):
    """A function where a graph calls a module."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Any) -> Any:
        return self.function(*inputs)


def _is_module(built: Any) -> bool:
    return isinstance(built, torch.nn.Module)


def _inductor(subgraph: fx.GraphModule) -> Callable[..., Any]:
    compiled: Callable[..., Any] = torch.compile(subgraph, backend="inductor")
    return compiled


def _engine(subgraph: EngineSubgraph, settings: CompilationSettings) -> torch.nn.Module:
    from torch_tensorrt.dynamo._build import compile_module, input_ranges, must_raise
    from torch_tensorrt.dynamo.conversion import convert_module

    ranges = input_ranges(subgraph.module)
    try:
        built: torch.nn.Module = convert_module(
            subgraph.module, settings, name=subgraph.name, input_ranges=ranges
        )
    except Exception:
        if must_raise(settings):
            raise
        return compile_module(in_torch(subgraph.module), settings).module
    return built


def _check_backends(priority: Sequence[str], supported: Mapping[str, Any]) -> None:
    if isinstance(priority, str) or not priority or len(set(priority)) != len(priority):
        raise InvalidOptionError(
            f"[partition] backend_priority is a list of different names, not {priority!r}"
        )
    unknown = sorted(set(supported) - set(priority))
    if unknown:
        raise InvalidOptionError(
            f"[partition] backend_support_map has {unknown}, which backend_priority "
            f"{list(priority)} does not list"
        )


class _Choice:
    """Which backend takes which node."""

    def __init__(
        self, gm: fx.GraphModule, settings: CompilationSettings, takes: Mapping[str, Any]
    ) -> None:
        self._gm = gm
        self._settings = settings
        verdicts = {
            name: classify(gm, settings, _check(name, taken)) for name, taken in takes.items()
        }
        self.neutral = next(iter(verdicts.values())).neutral
        self._verdicts = verdicts
        self._too_small: dict[fx.Node, list[str]] = {}

    def groups(self) -> list[tuple[str, list[fx.Node]]]:
        """Backend and nodes of every subgraph that is large enough."""
        excluded: dict[str, set[fx.Node]] = {name: set() for name in self._verdicts}
        while True:
            backends = self._assign(excluded)
            found = backend_groups(self._gm, backends, list(self._verdicts))
            ops = sum(1 for node in backends if counts_as_op(node))
            small = [group for group in found if self._is_small(group[1], ops)]
            if not small:
                self._backends = backends
                return found
            for name, nodes in small:
                excluded[name].update(nodes)
                for node in nodes:
                    self._too_small.setdefault(node, []).append(name)

    def left(self) -> list[UnsupportedNode]:
        """Operators that no backend took."""
        return [
            describe(node, self._reason(node))
            for node, backend in self._backends.items()
            if backend is None and counts_as_op(node) and not _is_final_write(node)
        ]

    def _reason(self, node: fx.Node) -> str:
        smallest = self._settings.min_block_size
        small = self._too_small.get(node, [])
        reasons = []
        for name, verdict in self._verdicts.items():
            if name in small:
                reasons.append(f"{name}: its block is smaller than min_block_size={smallest}")
            elif node in verdict.refused:
                reasons.append(f"{name}: {verdict.refused[node]}")
        return "; ".join(reasons)

    def _assign(self, excluded: Mapping[str, set[fx.Node]]) -> dict[fx.Node, str | None]:
        return {
            node: next(
                (
                    name
                    for name, verdict in self._verdicts.items()
                    if node in verdict.supported and node not in excluded[name]
                ),
                None,
            )
            for node in self._gm.graph.nodes
            if node not in self.neutral
        }

    def _is_small(self, nodes: list[fx.Node], ops: int) -> bool:
        unit = Unit(nodes, in_engine=True)
        if not unit.computes():
            return True
        whole = unit.op_count() == ops or self._settings.require_full_compilation
        return not whole and unit.op_count() < self._settings.min_block_size


def _is_final_write(node: fx.Node) -> bool:
    """A write-back of a buffer or input: PyTorch does it after everything else, by design."""
    return node.target is torch.ops.aten.copy_.default


def _check(name: str, taken: Takes | None) -> SupportCheck:
    if taken is None:
        return converter_support if name == ENGINE_BACKEND else _any_without_effects
    if callable(taken):
        return taken
    names = {str(op) for op in taken}
    return lambda node, settings: (
        None if op_names(node.target) & names else f"{name} does not take it"
    )


def _any_without_effects(node: fx.Node, settings: CompilationSettings) -> str | None:
    if not isinstance(node.target, torch._ops.OpOverload):
        return "it is no operator"
    return "it has effects" if has_effect(node) else None
