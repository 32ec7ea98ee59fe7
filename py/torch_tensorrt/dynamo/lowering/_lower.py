"""Lowering: an exported program, or the graph of torch.compile, to the graph that is
partitioned."""

from __future__ import annotations

import logging
from dataclasses import replace

import torch
from torch import fx
from torch.export import ExportedProgram

from torch_tensorrt.dynamo._autocast_state import types_are_autocasts
from torch_tensorrt.dynamo._capture_errors import decomposition_error
from torch_tensorrt.dynamo._settings import CompilationSettings
from torch_tensorrt.dynamo._symbols import any_size
from torch_tensorrt.dynamo.lowering._data_sizes import NotHandled
from torch_tensorrt.dynamo.lowering._decompose import decompose
from torch_tensorrt.dynamo.lowering._decompositions import (
    DecompositionTable,
    get_decompositions,
    kept_ops,
)
from torch_tensorrt.dynamo.lowering._flex_attention import expand_flex_attention
from torch_tensorrt.dynamo.lowering._output_memory import note_shared_memory
from torch_tensorrt.dynamo.lowering._own_outputs import (
    copy_fresh_constants,
    separate_output_views,
)
from torch_tensorrt.dynamo.lowering._strided_views import anchor_strided_views
from torch_tensorrt.dynamo.lowering._unlift import unlift
from torch_tensorrt.dynamo.lowering._write_in_place import write_in_place
from torch_tensorrt.dynamo.lowering.passes import POST_LOWERING_PASSES

logger = logging.getLogger("torch_tensorrt")


def post_lowering(
    gm: fx.GraphModule, settings: CompilationSettings, *, one_engine: bool = False
) -> fx.GraphModule:
    """Run the post-lowering passes on ``gm``, in place.

    Args:
        one_engine: Everything goes into one engine, outputs that are views too.
    """
    expand_flex_attention(gm, settings)
    anchor_strided_views(gm)
    if not one_engine:
        separate_output_views(gm)
    gm = POST_LOWERING_PASSES.run(gm, settings)
    if not one_engine:
        copy_fresh_constants(gm)
    if not one_engine and not settings.require_full_compilation:
        write_in_place(gm)
    gm.recompile()
    return gm


def lower_exported_program(
    program: ExportedProgram, settings: CompilationSettings, *, one_engine: bool = False
) -> fx.GraphModule:
    """The decomposed graph of ``program`` with parameters as attributes, after all passes.

    The program itself is not changed; parameters are shared with it, not copied.

    Raises:
        CaptureError: PyTorch cannot decompose the program.
    """
    table = get_decompositions(
        settings.enable_experimental_decompositions, settings.decompose_attention
    )
    with any_size():
        gm = _decomposed(program, table)
        note_shared_memory(gm, program)
        return post_lowering(gm, settings, one_engine=one_engine)


def lower_subgraph(
    gm: fx.GraphModule, settings: CompilationSettings, *, one_engine: bool = False
) -> fx.GraphModule:
    """The same for the graph of a branch or a loop's body, in place. It is decomposed already,
    together with the graph around it, and its inputs are not those of the model."""
    settings = replace(settings, autocast_calibration_dataloader=None)
    return post_lowering(gm, settings, one_engine=one_engine)


def _decomposed(program: ExportedProgram, table: DecompositionTable) -> fx.GraphModule:
    try:
        if types_are_autocasts(program):
            raise NotHandled("it was captured under autocast, the types of its results are wrong")
        gm = unlift(program)
        with torch.no_grad():
            decompose(gm, table, kept_ops(table))
    except NotHandled as reason:
        logger.debug("decomposition traces the whole program: %s", reason)
    except Exception as error:
        # The general way below is the reference; an operator that cannot be traced alone is no
        # error.
        logger.debug("decomposition traces the whole program: %s: %s", type(error).__name__, error)
    else:
        return gm
    try:
        return unlift(program.run_decompositions(table))
    except RuntimeError as error:
        raise decomposition_error(program, error) from error
