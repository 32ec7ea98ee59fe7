"""From a compiled module to an ExportedProgram that can be saved."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram

from torch_tensorrt._exceptions import SaveError
from torch_tensorrt._Input import Input
from torch_tensorrt.dynamo._inputs import flat_leaves
from torch_tensorrt.dynamo._tracer import trace

logger = logging.getLogger("torch_tensorrt")


def export(
    gm: fx.GraphModule,
    *,
    arg_inputs: Any = None,
    kwarg_inputs: Mapping[str, Any] | None = None,
    dynamic_shapes: Any = None,
    cross_compile_module: bool = False,
    use_legacy_exporter: bool = False,
) -> ExportedProgram:
    """Export a compiled module; engines become calls of ``torch.ops.tensorrt.execute_engine``.

    Args:
        gm: Result of ``compile``.
        arg_inputs: Inputs to capture with, by default those the module was compiled for. When these
        are plain
            tensors, axes that were compiled as dynamic stay dynamic.
        dynamic_shapes: As in ``torch.export.export``; wins over everything else.
        use_legacy_exporter: Write the graph as it is instead of capturing it again.

    Raises:
        SaveError: inputs are missing or do not fit, or the module is no compiled module.
        NotImplementedError: ``cross_compile_module``.
    """
    if cross_compile_module:
        raise NotImplementedError("cross-compilation is not supported")
    if not isinstance(gm, fx.GraphModule):
        raise SaveError(f"a {type(gm).__name__} cannot be exported; compile it first")
    args, keywords = capture_inputs(gm, arg_inputs, kwarg_inputs)
    if use_legacy_exporter:
        from torch_tensorrt.dynamo._legacy_exporter import inline_and_lift

        return inline_and_lift(gm, args, keywords)
    with torch.no_grad():
        return trace(gm, arg_inputs=args, kwarg_inputs=keywords, dynamic_shapes=dynamic_shapes)


def capture_inputs(
    gm: fx.GraphModule, arg_inputs: Any, kwarg_inputs: Mapping[str, Any] | None
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Inputs to export with: the given ones, with the ranges the module was compiled for.

    Raises:
        SaveError: none are known.
    """
    compiled = gm.meta.get("torch_tensorrt_inputs")
    if arg_inputs is None and not kwarg_inputs:
        if compiled is None:
            raise SaveError("arg_inputs are needed to save this module")
        return compiled[0], compiled[1]
    if isinstance(arg_inputs, (Input, torch.Tensor)):
        arg_inputs = (arg_inputs,)
    args, keywords = tuple(arg_inputs or ()), dict(kwarg_inputs or {})
    given = flat_leaves([list(args), keywords])
    if any(isinstance(leaf, Input) for leaf in given):
        if any(isinstance(leaf, torch.Tensor) for leaf in given):
            logger.warning("inputs mix Input and tensors: axes of the tensors are taken as static")
        return args, keywords
    if compiled is not None and _fits(given, flat_leaves([list(compiled[0]), compiled[1]])):
        return compiled[0], compiled[1]
    return args, keywords


def _fits(given: list[Any], compiled: list[Any]) -> bool:
    """Whether plain tensors lie inside the ranges of the Inputs a module was compiled for."""
    if len(given) != len(compiled):
        return False
    for tensor, spec in zip(given, compiled, strict=True):
        if not isinstance(spec, Input) or not isinstance(tensor, torch.Tensor):
            continue
        low, _, high = spec.shape_range()
        if tensor.dim() != len(low) or tensor.dtype != spec.torch_dtype:
            return False
        if not all(a <= n <= b for a, n, b in zip(low, tensor.shape, high, strict=True)):
            return False
    return True
