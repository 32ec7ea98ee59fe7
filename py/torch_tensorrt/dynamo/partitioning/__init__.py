"""Partitioning: which nodes run in engines, which in PyTorch and why."""

from torch_tensorrt.dynamo.partitioning._hierarchical import (
    HierarchicalPartition,
    compile_subgraphs,
    hierarchical_adjacency_partition,
)
from torch_tensorrt.dynamo.partitioning._partition import (
    Partition,
    get_graph_converter_support,
    partition,
)
from torch_tensorrt.dynamo.partitioning._report import DryRunReport, build_report, write_report
from torch_tensorrt.dynamo.partitioning._split import EngineSubgraph, PartitionedGraph, split

__all__ = [
    "DryRunReport",
    "EngineSubgraph",
    "HierarchicalPartition",
    "Partition",
    "PartitionedGraph",
    "build_report",
    "compile_subgraphs",
    "get_graph_converter_support",
    "hierarchical_adjacency_partition",
    "partition",
    "split",
    "write_report",
]
