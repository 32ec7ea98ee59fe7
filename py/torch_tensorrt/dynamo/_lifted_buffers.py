"""Buffers that a program writes to, as inputs and outputs of its engine.

An engine keeps no state between calls. What a program writes to (a key-value cache, running
statistics, an argument that it changes in place) goes in as an input and comes out as an output:
whoever runs the engine passes the new value to the next call, or copies it back.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import fx

from torch_tensorrt._exceptions import UnsupportedNode, UnsupportedOperatorException
from torch_tensorrt.dynamo.partitioning._support import describe

_COPY = torch.ops.aten.copy_.default


@dataclass(frozen=True)
class LiftedBuffers:
    """What became inputs and outputs.

    Attributes:
        inputs: Names of the new inputs, after the program's own, in the order of the writes.
        outputs: Names of what is written: buffers, and arguments that the program changes. Their
            new values are the outputs after the program's own.
    """

    inputs: list[str]
    outputs: list[str]


def lift_mutable_buffers(gm: fx.GraphModule) -> LiftedBuffers:
    """Make final writes of ``gm`` outputs, and the buffers they write to inputs, in place."""
    writes = _final_writes(gm)
    output = gm.graph.output_node()
    placeholders = gm.graph.find_nodes(op="placeholder")
    last = placeholders[-1] if placeholders else None
    inputs: list[str] = []
    results = list(output.args[0])  # type: ignore[arg-type]
    written: list[str] = []
    for write in writes:
        target, value = write.args[0], write.args[1]
        assert isinstance(target, fx.Node)
        written.append(str(target.target))
        if target.op == "get_attr":
            last = _as_input(gm, str(target.target), last)
            inputs.append(str(last.target))
        results.append(value)
        write.replace_all_uses_with(value)  # type: ignore[arg-type]
        gm.graph.erase_node(write)
    output.args = (tuple(results),)
    gm.graph._codegen = fx.graph.CodeGen()
    gm.graph.eliminate_dead_code()
    gm.graph.lint()
    gm.recompile()
    return LiftedBuffers(inputs, written)


def refuse_writes(gm: fx.GraphModule) -> None:
    """Raise when the program writes to something, which an engine alone would leave undone.

    Raises:
        UnsupportedOperatorException: names what is written, and the way out.
    """
    writes = _final_writes(gm)
    if not writes:
        return
    names = ", ".join(str(w.args[0].target) for w in writes)  # type: ignore[union-attr]
    left: list[UnsupportedNode] = [describe(w, "writes to one of its inputs") for w in writes]
    raise UnsupportedOperatorException(
        f"the program writes to {names}, and an engine keeps no state. Way out: "
        "lift_mutable_buffers=True makes what is written inputs and outputs of the engine, or "
        "torch_tensorrt.compile, whose module writes after its engines",
        left,
    )


def _final_writes(gm: fx.GraphModule) -> list[fx.Node]:
    return [n for n in gm.graph.find_nodes(op="call_function", target=_COPY) if not n.users]


def _as_input(gm: fx.GraphModule, name: str, last: fx.Node | None) -> fx.Node:
    uses = [n for n in gm.graph.nodes if n.op == "get_attr" and n.target == name]
    before = next(iter(gm.graph.nodes)) if last is None else last.next
    with gm.graph.inserting_before(before):
        made = gm.graph.placeholder(name.replace(".", "_"))
    made.meta.update(uses[0].meta)
    for use in uses:
        use.replace_all_uses_with(made)
        gm.graph.erase_node(use)
    return made
