"""Partitioning: which nodes run in engines, which in PyTorch and why."""

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
    "Partition",
    "PartitionedGraph",
    "build_report",
    "get_graph_converter_support",
    "partition",
    "split",
    "write_report",
]
