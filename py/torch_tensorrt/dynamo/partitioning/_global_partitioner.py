"""The global partitioner: the fewest, largest engines that the dependencies allow."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import fx

from torch_tensorrt.dynamo.partitioning._adjacency_partitioner import adjacency_groups
from torch_tensorrt.dynamo.partitioning._support import NodeSupport
from torch_tensorrt.dynamo.partitioning._units import can_be_ordered


def global_groups(gm: fx.GraphModule, verdict: NodeSupport) -> list[list[fx.Node]]:
    """Groups of supported nodes that need not be neighbours; slower than adjacency to find."""
    from torch.fx.passes.infra.partitioner import CapabilityBasedPartitioner
    from torch.fx.passes.operator_support import OperatorSupportBase

    class Supported(OperatorSupportBase):
        def is_node_supported(
            self, submodules: Mapping[str, torch.nn.Module], node: fx.Node
        ) -> bool:
            return node in verdict.supported

    partitioner = CapabilityBasedPartitioner(gm, Supported(), allows_single_node_partition=True)
    position = {node: index for index, node in enumerate(gm.graph.nodes)}
    groups = [sorted(p.nodes, key=position.__getitem__) for p in partitioner.propose_partitions()]
    groups.sort(key=lambda group: position[group[0]])
    # It looks at what nodes read, not at the order of effects.
    return groups if can_be_ordered(gm, verdict, groups) else adjacency_groups(gm, verdict)
