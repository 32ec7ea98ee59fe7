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
from torch_tensorrt.dynamo._autocast_state import without_autocast
from torch_tensorrt.dynamo._capture_errors import called, labelled, leaf_text
from torch_tensorrt.dynamo._fixed_weights import check_weights
from torch_tensorrt.dynamo._inputs import flat_leaves
from torch_tensorrt.dynamo._symbols import UNBOUNDED, expr_of, finite, is_symbolic, own_inputs
from torch_tensorrt.dynamo._tracer import trace

logger = logging.getLogger("torch_tensorrt")

#: Positional inputs and keyword inputs.
Inputs = tuple[tuple[Any, ...], Mapping[str, Any]]

_WAY_OUT = (
    "Way out: save without arg_inputs, which takes those of the compilation; or compile again for "
    "what you want to save, with torch_tensorrt.Input(min_shape=, opt_shape=, max_shape=)"
)


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
        WeightsChangedError: a weight that PyTorch reads has changed since the compilation.
        NotImplementedError: ``cross_compile_module``.
    """
    if cross_compile_module:
        raise NotImplementedError("cross-compilation is not supported")
    if not isinstance(gm, fx.GraphModule):
        raise SaveError(f"a {type(gm).__name__} cannot be exported; compile it first")
    check_weights(gm)
    args, keywords = capture_inputs(gm, arg_inputs, kwarg_inputs)
    if use_legacy_exporter:
        from torch_tensorrt.dynamo._legacy_exporter import inline_and_lift

        return inline_and_lift(gm, args, keywords)
    with torch.no_grad(), without_autocast():
        program = trace(gm, arg_inputs=args, kwarg_inputs=keywords, dynamic_shapes=dynamic_shapes)
    compiled = gm.meta.get("torch_tensorrt_inputs")
    if dynamic_shapes is not None and compiled is not None:
        _check_ranges(program, gm, compiled)
    return program


def capture_inputs(
    gm: fx.GraphModule, arg_inputs: Any, kwarg_inputs: Mapping[str, Any] | None
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Inputs to export with: the given ones, with the ranges the module was compiled for.

    Raises:
        SaveError: none are known, or some do not fit what the module was compiled for.
    """
    compiled = gm.meta.get("torch_tensorrt_inputs")
    if arg_inputs is None and not kwarg_inputs:
        if compiled is None or (not any(compiled) and gm.graph.find_nodes(op="placeholder")):
            raise SaveError("arg_inputs are needed to save this module: it was compiled without")
        return compiled[0], compiled[1]
    if isinstance(arg_inputs, (Input, torch.Tensor)):
        arg_inputs = (arg_inputs,)
    args, keywords = tuple(arg_inputs or ()), dict(kwarg_inputs or {})
    if compiled is not None and (compiled[0] or compiled[1]):
        _check_inputs(gm, (args, keywords), compiled)
    given = flat_leaves([list(args), keywords])
    if any(isinstance(leaf, Input) for leaf in given):
        if any(isinstance(leaf, torch.Tensor) for leaf in given):
            logger.warning("inputs mix Input and tensors: axes of the tensors are taken as static")
        return args, keywords
    if compiled is not None and len(given) == len(flat_leaves([list(compiled[0]), compiled[1]])):
        return compiled[0], compiled[1]
    return args, keywords


def _check_inputs(gm: fx.GraphModule, given: Inputs, compiled: Inputs) -> None:
    """Refuses inputs of which the module would refuse some.

    Raises:
        SaveError: names the input, what was given and what the module was compiled for.
    """
    declared = dict(labelled(gm, *compiled))
    found = dict(labelled(gm, *given))
    if _tensors(found) != _tensors(declared):
        raise SaveError(
            f"the inputs given are ({', '.join(found)}), but the module was compiled for "
            f"({', '.join(declared)}). {_WAY_OUT}"
        )
    for name, leaf in found.items():
        wanted = declared.get(name)
        if isinstance(wanted, Input) and not _inside(leaf, wanted):
            raise SaveError(
                f"input {called(name, wanted)} is given as {leaf_text(leaf)}, but the "
                f"module was compiled for {leaf_text(wanted)}. {_WAY_OUT}"
            )


def _tensors(leaves: Mapping[str, Any]) -> set[str]:
    return {name for name, leaf in leaves.items() if isinstance(leaf, (torch.Tensor, Input))}


def _inside(leaf: Any, wanted: Input) -> bool:
    if isinstance(leaf, torch.Tensor):
        leaf = Input.from_tensor(leaf, disable_memory_format_check=True)
    if not isinstance(leaf, Input) or leaf.torch_dtype != wanted.torch_dtype:
        return False
    (low, _, high), (least, _, most) = leaf.shape_range(), wanted.shape_range()
    if len(low) != len(least):
        return False
    return all(a <= b and c <= d for a, b, c, d in zip(least, low, high, most, strict=True))


def _check_ranges(program: ExportedProgram, gm: fx.GraphModule, compiled: Inputs) -> None:
    """The same for sizes declared by ``dynamic_shapes``, which the captured program holds.

    Axes whose sizes nothing bounds declare no range.
    """
    user = own_inputs(program)
    leaves = labelled(gm, *compiled)
    if len(user) != len(leaves):
        return
    for node, (name, wanted) in zip(user, leaves, strict=True):
        value = node.meta.get("val")
        if not isinstance(wanted, Input) or not isinstance(value, torch.Tensor):
            continue
        most_declared = wanted.shape_range()[2]
        for axis, size in enumerate(value.shape):
            known = program.range_constraints.get(expr_of(size)) if is_symbolic(size) else None
            most = UNBOUNDED if known is None else finite(known.upper, UNBOUNDED)
            if known is not None and most_declared[axis] < most < UNBOUNDED:
                least = finite(known.lower, 0)
                raise SaveError(
                    f"axis {axis} of input '{name}' is given as {least} to {most} by "
                    f"dynamic_shapes, but the module was compiled for {leaf_text(wanted)}. "
                    f"{_WAY_OUT}"
                )
