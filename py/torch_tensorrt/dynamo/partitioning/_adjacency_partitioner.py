"""The default partitioner: one pass in topological order, engines as long as they can be."""

from __future__ import annotations

import heapq

from torch import fx

from torch_tensorrt.dynamo.partitioning._support import NodeSupport
from torch_tensorrt.dynamo.partitioning._units import dependencies


def adjacency_groups(gm: fx.GraphModule, verdict: NodeSupport) -> list[list[fx.Node]]:
    """Groups of supported nodes, each a contiguous stretch of one topological order.

    The order runs everything supported that is ready, then everything else that is ready, and so
    on; of
    the two possible starts the one with fewer groups is taken.
    """
    candidates = [_alternate(gm, verdict, start) for start in (True, False)]
    return min(candidates, key=len)


def _alternate(gm: fx.GraphModule, verdict: NodeSupport, engine_first: bool) -> list[list[fx.Node]]:
    nodes = [node for node in gm.graph.nodes if node not in verdict.neutral]
    position = {node: index for index, node in enumerate(nodes)}
    users: dict[fx.Node, list[fx.Node]] = {node: [] for node in nodes}
    waiting: dict[fx.Node, int] = {}
    for node, sources in dependencies(gm, position).items():
        waiting[node] = len(sources)
        for source in sources:
            users[source].append(node)
    ready: dict[bool, list[int]] = {True: [], False: []}
    for node in nodes:
        if waiting[node] == 0:
            ready[node in verdict.supported].append(position[node])
    groups: list[list[fx.Node]] = []
    in_engine = engine_first
    while ready[True] or ready[False]:
        group: list[fx.Node] = []
        while ready[in_engine]:
            node = nodes[heapq.heappop(ready[in_engine])]
            group.append(node)
            for user in users[node]:
                waiting[user] -= 1
                if waiting[user] == 0:
                    heapq.heappush(ready[user in verdict.supported], position[user])
        if in_engine and group:
            groups.append(group)
        in_engine = not in_engine
    return groups
