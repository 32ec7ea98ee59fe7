"""Partitioning: verdicts, groups, block sizes, and the cut itself."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass, field

from torch import fx

from torch_tensorrt._exceptions import UnsupportedNode, UnsupportedOperatorException
from torch_tensorrt.dynamo._settings import CompilationSettings
from torch_tensorrt.dynamo.partitioning._adjacency_partitioner import adjacency_groups
from torch_tensorrt.dynamo.partitioning._cost import crossing_cost, engine_gain
from torch_tensorrt.dynamo.partitioning._global_partitioner import global_groups
from torch_tensorrt.dynamo.partitioning._split import PartitionedGraph, split
from torch_tensorrt.dynamo.partitioning._support import (
    NodeSupport,
    SupportCheck,
    classify,
    describe,
)
from torch_tensorrt.dynamo.partitioning._units import Unit, counts_as_op, cut_before, order_units

logger = logging.getLogger("torch_tensorrt")


@dataclass(frozen=True)
class Partition:
    """The outcome of partitioning one graph.

    Attributes:
        graph: The cut graph and its engines.
        left_in_torch: Every operator that runs in PyTorch, with the reason.
        total_ops: Operators in the whole graph.
        candidate_sizes: Operator counts of all candidate engines, before ``min_block_size``.
        inner_engines: Engines in branches and bodies of control flow: name to operator count.
    """

    graph: PartitionedGraph
    left_in_torch: list[UnsupportedNode]
    total_ops: int
    candidate_sizes: list[int]
    inner_engines: dict[str, int] = field(default_factory=dict)

    @property
    def engine_ops(self) -> int:
        """Operators that run inside engines."""
        outer = sum(engine.unit.op_count() for engine in self.graph.engines)
        return outer + sum(self.inner_engines.values())


def partition(
    gm: fx.GraphModule,
    settings: CompilationSettings,
    support: SupportCheck | None = None,
    cuts: Collection[str] = (),
) -> Partition:
    """Cut ``gm`` into engines and PyTorch operators as ``settings`` say.

    Args:
        support: Check to use instead of the converters' own.
        cuts: Names of nodes before which no engine goes on.

    Raises:
        UnsupportedOperatorException: something stays in PyTorch and ``require_full_compilation`` is
        set.
    """
    verdict = classify(gm, settings, support)
    refused = [
        describe(n, r)
        for n, r in verdict.refused.items()
        if counts_as_op(n) or n.op == "call_module"
    ]
    if settings.require_full_compilation:
        blocking = [d for d in refused if not _is_epilogue(d)]
        if blocking:
            raise UnsupportedOperatorException.from_nodes(blocking)
    find = adjacency_groups if settings.use_fast_partitioner else global_groups
    groups = [piece for group in find(gm, verdict) for piece in _pieces(group, cuts)]
    candidates = [Unit(group, in_engine=True) for group in groups]
    whole = len(candidates) == 1 and not verdict.placed and all(_is_epilogue(d) for d in refused)
    kept: list[list[fx.Node]] = []
    for unit in candidates:
        reason = _too_small(unit, settings, whole) or _not_worth_it(unit, settings, whole)
        if reason is None:
            kept.append(unit.nodes)
        else:
            refused.extend(describe(n, reason) for n in unit.nodes if counts_as_op(n))
    cut = split(gm, order_units(gm, verdict, kept))
    total = sum(1 for n in gm.graph.nodes if counts_as_op(n) and not verdict.is_apart(n))
    return Partition(cut, refused, total, [unit.op_count() for unit in candidates])


def _pieces(group: list[fx.Node], cuts: Collection[str]) -> list[list[fx.Node]]:
    pieces: list[list[fx.Node]] = []
    rest = group
    for node in group:
        if node.name in cuts and node is not rest[0] and node in rest:
            before, rest = cut_before(rest, node)
            pieces.append(before)
    return [*pieces, rest]


def _is_epilogue(left: UnsupportedNode) -> bool:
    """A write-back of a buffer or input, or an assertion on sizes: by design PyTorch does it after
    the engine."""
    return left.op in ("aten.copy_.default", "aten._assert_scalar.default")


def _too_small(unit: Unit, settings: CompilationSettings, whole: bool) -> str | None:
    if not unit.computes():
        return (
            None
            if settings.require_full_compilation
            else "a block of views only: nothing to compute"
        )
    # Small engines cost by splitting a graph; an engine that is the whole graph splits nothing.
    if whole or settings.require_full_compilation:
        return None
    if unit.op_count() >= settings.min_block_size:
        return None
    return (
        f"its block has {unit.op_count()} operator(s), fewer than min_block_size="
        f"{settings.min_block_size}"
    )


def _not_worth_it(unit: Unit, settings: CompilationSettings, whole: bool) -> str | None:
    """The cost model's verdict. ``min_block_size=1`` asks for every engine, whatever it costs."""
    if whole or settings.require_full_compilation or settings.min_block_size == 1:
        return None
    cost, gain = crossing_cost(unit), engine_gain(unit)
    if cost <= gain:
        return None
    return (
        f"calling an engine for its block would cost more (about {cost:.0f} us) than the engine "
        f"saves (about {gain:.0f} us); min_block_size=1 builds it anyway"
    )


def get_graph_converter_support(
    gm: fx.GraphModule, settings: CompilationSettings, support: SupportCheck | None = None
) -> tuple[int, int]:
    """``(supported, total)`` operator counts of ``gm``."""
    verdict: NodeSupport = classify(gm, settings, support)
    nodes = [n for n in gm.graph.nodes if counts_as_op(n) and not verdict.is_apart(n)]
    return sum(1 for n in nodes if n in verdict.supported), len(nodes)
