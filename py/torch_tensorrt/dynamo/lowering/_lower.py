"""Lowering: an exported program, or the graph of torch.compile, to the graph that is partitioned."""

from __future__ import annotations

import logging
from typing import Any

from torch import fx
from torch.export import ExportedProgram

from torch_tensorrt.dynamo._settings import CompilationSettings
from torch_tensorrt.dynamo.lowering._decompositions import get_decompositions
from torch_tensorrt.dynamo.lowering.passes import POST_LOWERING_PASSES, PRE_EXPORT_PASSES

logger = logging.getLogger("torch_tensorrt")


def pre_export_lowering(program: ExportedProgram, settings: CompilationSettings) -> ExportedProgram:
    """Run the pre-export passes on the program's graph, in place."""
    PRE_EXPORT_PASSES.run(program.graph_module, settings)
    return program


def post_lowering(gm: fx.GraphModule, settings: CompilationSettings) -> fx.GraphModule:
    """Run the post-lowering passes on ``gm``, in place."""
    return POST_LOWERING_PASSES.run(gm, settings)


def lower_exported_program(program: ExportedProgram, settings: CompilationSettings) -> fx.GraphModule:
    """The decomposed graph of ``program`` with parameters as attributes, after all passes.

    The program itself is not changed; parameters are shared with it, not copied.
    """
    decomposed = program.run_decompositions(
        get_decompositions(
            settings.enable_experimental_decompositions, settings.decompose_attention
        )
    )
    gm = unlift(decomposed)
    return post_lowering(gm, settings)


def unlift(program: ExportedProgram) -> fx.GraphModule:
    """``program.module()`` with values on attribute nodes and without the guard module."""
    gm: Any = program.module(check_guards=False)
    by_target = {}
    for spec in program.graph_signature.input_specs:
        if spec.target is not None:
            by_target[spec.target] = spec.arg.name
    placeholders = {n.name: n for n in program.graph.nodes if n.op == "placeholder"}
    for node in gm.graph.nodes:
        if node.op == "get_attr" and "val" not in node.meta:
            source = placeholders.get(by_target.get(node.target, ""))
            if source is not None:
                node.meta.update(source.meta)
    return gm
