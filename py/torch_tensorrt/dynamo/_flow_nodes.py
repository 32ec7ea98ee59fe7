"""Nodes of control flow, taken apart: their graphs, and what these are called with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from torch_tensorrt.dynamo.runtime._control_flow import (
    CondEngines,
    ControlFlowModule,
    ScanEngines,
    WhileEngines,
)

_hop = torch.ops.higher_order


@dataclass(frozen=True)
class Branch:
    """One graph of a control-flow node.

    Attributes:
        role: For the engine's name.
        graph: Node of the attribute that holds it.
        operands: What its placeholders are called with, in order.
        fixed: How many of them, from the first, are an engine's inputs even when they are
            constants.
    """

    role: str
    graph: fx.Node
    operands: list[Any]
    fixed: int = 0


@dataclass(frozen=True)
class Flow:
    """A control-flow node, taken apart.

    Attributes:
        kind: Module that runs it.
        branches: Its graphs, in the order of the module's engines.
        inputs: Arguments of the module, from the inputs of each branch's engine.
    """

    kind: type[ControlFlowModule]
    branches: list[Branch]
    inputs: Callable[[list[list[Any]]], tuple[Any, ...]]


def take_apart(node: fx.Node) -> Flow | None:
    """The parts of a control-flow node; None for other nodes."""
    if node.op != "call_function":
        return None
    taken = _TAKES.get(node.target)
    return None if taken is None else taken(node)


def _cond(node: fx.Node) -> Flow:
    arguments: Any = node.args
    predicate, then_graph, else_graph, *rest = arguments
    operands = list(rest[0] if rest else node.kwargs.get("operands", ()))  # type: ignore[arg-type]
    branches = [Branch("then", then_graph, operands), Branch("else", else_graph, operands)]
    return Flow(CondEngines, branches, lambda own: (predicate, own[0], own[1]))


def _while(node: fx.Node) -> Flow:
    arguments: Any = node.args
    condition, body, carried, constants = arguments[:4]
    carried = list(carried)
    operands = [*carried, *constants]
    branches = [
        Branch("condition", condition, operands, len(carried)),
        Branch("body", body, operands, len(carried)),
    ]
    return Flow(
        WhileEngines,
        branches,
        lambda own: (carried, own[0][len(carried) :], own[1][len(carried) :]),
    )


def _scan(node: fx.Node) -> Flow:
    arguments: Any = node.args
    body, carried, xs, constants = arguments[:4]
    return _scan_of(body, list(carried), list(xs), list(constants))


def _map(node: fx.Node) -> Flow:
    arguments: Any = node.args
    body, xs, constants = arguments[:3]
    return _scan_of(body, [], list(xs), list(constants))


def _scan_of(body: Any, carried: list[Any], xs: list[Any], constants: list[Any]) -> Flow:
    fixed = len(carried) + len(xs)
    branch = Branch("body", body, [*carried, *xs, *constants], fixed)
    return Flow(ScanEngines, [branch], lambda own: (carried, xs, own[0][fixed:]))


_TAKES: dict[Any, Callable[[fx.Node], Flow]] = {
    _hop.cond: _cond,
    _hop.while_loop: _while,
    _hop.scan: _scan,
    _hop.map_impl: _map,
}
