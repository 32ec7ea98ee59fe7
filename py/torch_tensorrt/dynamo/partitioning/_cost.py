"""Whether an engine saves more than calling it costs.

The model is deliberately simple: it decides about small blocks between PyTorch operators, where
calls are what counts. Time of large tensors is left out, except for what fusing saves. Constants
were measured on one core of a server, with tensors of four floats, best of seven: a call of an
engine with one input and one output took 6.3 us whether it held 3 or 24 operators, each further
pair of input and output 0.9 us; PyTorch took 3.0 us for each operator.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from torch_tensorrt.dynamo._symbols import free_symbols
from torch_tensorrt.dynamo.partitioning._units import Unit, is_computing

#: Microseconds of one call, and of each of its inputs and outputs.
CALL = 5.4
BINDING = 0.45
#: Microseconds that an operator costs more in PyTorch than in an engine, whatever its size.
OPERATOR = 2.9
#: Bytes that a core reads and writes in a microsecond.
BYTES = 8000.0


def crossing_cost(unit: Unit) -> float:
    """Microseconds of calling an engine of these nodes."""
    inside = set(unit.nodes)
    inputs = {
        source
        for node in unit.nodes
        for source in node.all_input_nodes
        if source not in inside and source.op != "get_attr" and _is_tensor(source)
    }
    outputs = [node for node in unit.nodes if _is_tensor(node) and _leaves(node, inside)]
    return CALL + BINDING * (len(inputs) + len(outputs))


def engine_gain(unit: Unit) -> float:
    """Microseconds that PyTorch takes longer for these nodes: dispatching every operator, and
    writing and reading again the results that the next operators take."""
    inside = set(unit.nodes)
    computing = [node for node in unit.nodes if is_computing(node)]
    kept = sum(_bytes(node.meta.get("val")) for node in computing if not _leaves(node, inside))
    return OPERATOR * len(computing) + 2 * kept / BYTES


def _leaves(node: fx.Node, inside: set[fx.Node]) -> bool:
    return any(user not in inside for user in node.users)


def _is_tensor(node: fx.Node) -> bool:
    return isinstance(node.meta.get("val"), torch.Tensor)


def _bytes(value: Any) -> float:
    """Size of a tensor; one whose size varies counts as large, so that it never speaks against an
    engine."""
    if not isinstance(value, torch.Tensor):
        return 0.0
    if free_symbols(value):
        return float("inf")
    return float(value.numel() * value.element_size())
