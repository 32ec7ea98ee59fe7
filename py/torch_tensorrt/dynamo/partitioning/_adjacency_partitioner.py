"""The default partitioner: one pass in topological order, engines as long as they can be."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence

from torch import fx

from torch_tensorrt.dynamo.partitioning._support import NodeSupport
from torch_tensorrt.dynamo.partitioning._units import dependencies

#: What runs a node: the name of a backend, or None for PyTorch.
Backend = str | None
_ENGINE = "tensorrt"


def adjacency_groups(gm: fx.GraphModule, verdict: NodeSupport) -> list[list[fx.Node]]:
    """Groups of supported nodes, each a contiguous stretch of one topological order.

    The order runs everything supported that is ready, then everything else that is ready, and so
    on; of the two possible starts the one with fewer groups is taken.
    """
    backends: dict[fx.Node, Backend] = {
        node: _ENGINE if node in verdict.supported else None
        for node in gm.graph.nodes
        if node not in verdict.neutral
    }
    return [nodes for _, nodes in backend_groups(gm, backends, (_ENGINE,))]


def backend_groups(
    gm: fx.GraphModule, backends: Mapping[fx.Node, Backend], priority: Sequence[str]
) -> list[tuple[str, list[fx.Node]]]:
    """The same for several backends: stretches of nodes of one backend, without those of PyTorch.

    Args:
        backends: Backend of every node that has a place in the order.
        priority: Backends, in the order in which they take their turns.
    """
    turns: list[Backend] = [*priority, None]
    starts = [turns[i:] + turns[:i] for i in range(len(turns))]
    return min((_take_turns(gm, backends, turn) for turn in starts), key=len)


def _take_turns(
    gm: fx.GraphModule, backends: Mapping[fx.Node, Backend], turns: Sequence[Backend]
) -> list[tuple[str, list[fx.Node]]]:
    nodes = [node for node in gm.graph.nodes if node in backends]
    position = {node: index for index, node in enumerate(nodes)}
    users: dict[fx.Node, list[fx.Node]] = {node: [] for node in nodes}
    waiting: dict[fx.Node, int] = {}
    for node, sources in dependencies(gm, position).items():
        waiting[node] = len(sources)
        for source in sources:
            users[source].append(node)
    ready: dict[Backend, list[int]] = {backend: [] for backend in turns}
    for node in nodes:
        if waiting[node] == 0:
            ready[backends[node]].append(position[node])
    groups: list[tuple[str, list[fx.Node]]] = []
    turn = 0
    while any(ready.values()):
        backend = turns[turn % len(turns)]
        group: list[fx.Node] = []
        while ready[backend]:
            node = nodes[heapq.heappop(ready[backend])]
            group.append(node)
            for user in users[node]:
                waiting[user] -= 1
                if waiting[user] == 0:
                    heapq.heappush(ready[backends[user]], position[user])
        if backend is not None and group:
            groups.append((backend, group))
        turn += 1
    return groups
