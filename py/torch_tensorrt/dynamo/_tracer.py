"""Capture: a module and its declared inputs to an ExportedProgram."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch.export import Dim, ExportedProgram

from torch_tensorrt._Device import Device
from torch_tensorrt._exceptions import InvalidOptionError
from torch_tensorrt._Input import Input
from torch_tensorrt._interrupts import import_whole
from torch_tensorrt.dynamo._autocast_state import autocast_left_out
from torch_tensorrt.dynamo._capture_errors import capture_errors, check_dtypes
from torch_tensorrt.dynamo._inputs import (
    as_argument_tuple,
    capture_shape,
    dims_tree,
    example_values,
    flat_leaves,
    map_inputs,
    prepare_inputs,
)
from torch_tensorrt.dynamo._placement import disagreement
from torch_tensorrt.dynamo._settings import DEPRECATED, option_names
from torch_tensorrt.dynamo._symbols import any_size


def trace(
    mod: torch.nn.Module | ExportedProgram,
    inputs: Any = None,
    *,
    arg_inputs: Any = None,
    kwarg_inputs: Mapping[str, Any] | None = None,
    device: Any = None,
    strict: bool = False,
    **kwargs: Any,
) -> ExportedProgram:
    """Export ``mod`` with every axis that an :class:`Input` leaves open as a dynamic dimension.

    Axes with the same ``shared_dims`` name become one dimension; relations between other axes
    (equal batch sizes, for example) are found by the exporter.

    Args:
        mod: Module to capture, or a program that is captured already (returned as it is).
        inputs: Positional inputs (same as ``arg_inputs``).
        kwarg_inputs: Keyword inputs.
        device: Device of example tensors; the module's own by default.
        strict: Passed to ``torch.export.export``.
        **kwargs: ``dynamic_shapes`` (wins over the ranges of the inputs) and
            ``prefer_deferred_runtime_asserts_over_guards`` are passed on; names of compilation
            options are ignored.

    Raises:
        ValueError: both ``inputs`` and ``arg_inputs``, or shared dimensions with different ranges.
        CaptureError: the module cannot be captured with these inputs.
        InvalidOptionError: a name that is no option; the message has the nearest one.
    """
    _check_names(kwargs)
    import_whole("torch._dynamo", "torch.export._trace")
    if isinstance(mod, ExportedProgram):
        return mod
    if inputs is not None and arg_inputs is not None:
        raise ValueError("[trace] give inputs or arg_inputs, not both: they mean the same")
    args = prepare_inputs(as_argument_tuple(arg_inputs if arg_inputs is not None else inputs))
    keywords = prepare_inputs(dict(kwarg_inputs or {}))
    given = [list(as_argument_tuple(arg_inputs if arg_inputs is not None else inputs))]
    torch_device = device_of(mod, device, [*given, dict(kwarg_inputs or {})])

    dynamic_shapes = kwargs.get("dynamic_shapes")
    if dynamic_shapes is None:
        dynamic_shapes = infer_dynamic_shapes(mod, args, keywords)
    with autocast_left_out(), capture_errors(mod, args, keywords), torch.no_grad(), any_size():
        program = torch.export.export(
            mod,
            tuple(example_values(args, torch_device)),
            example_values(keywords, torch_device),
            dynamic_shapes=dynamic_shapes,
            strict=strict,
            prefer_deferred_runtime_asserts_over_guards=bool(
                kwargs.get("prefer_deferred_runtime_asserts_over_guards", False)
            ),
        )
    check_dtypes(program, mod, args, keywords)
    return program


def _check_names(kwargs: Mapping[str, Any]) -> None:
    own = ("dynamic_shapes", "prefer_deferred_runtime_asserts_over_guards")
    known = {*own, *option_names(), *DEPRECATED}
    unknown = [name for name in kwargs if name not in known]
    if unknown:
        keywords = [*known, "strict", "device", "inputs", "arg_inputs", "kwarg_inputs"]
        near = difflib.get_close_matches(unknown[0], keywords, n=1, cutoff=0.6)
        hint = f"; did you mean '{near[0]}'?" if near else f"; it takes strict and {', '.join(own)}"
        raise InvalidOptionError(f"[trace] unknown keyword '{unknown[0]}'{hint}")


def infer_dynamic_shapes(
    mod: torch.nn.Module, args: tuple[Any, ...], keywords: Mapping[str, Any]
) -> Any:
    """``dynamic_shapes`` for ``torch.export`` from trees of Inputs; None when all is static."""
    shared: dict[str, tuple[tuple[int, int], Any]] = {}

    def dims_of(leaf: Any) -> Any:
        if not isinstance(leaf, Input):
            return None
        return input_dims(leaf, shared) or None

    arg_dims = dims_tree(dims_of, args)
    keyword_dims = dims_tree(dims_of, dict(keywords))
    found: list[bool] = []
    map_inputs(
        lambda leaf: found.append(isinstance(leaf, Input) and bool(input_dims(leaf, {}))),
        [list(args), dict(keywords)],
    )
    if not any(found):
        return None
    with capture_errors(mod, args, keywords):
        return dict(inspect.signature(mod.forward).bind(*arg_dims, **keyword_dims).arguments)


def input_dims(spec: Input, shared: dict[str, tuple[tuple[int, int], Any]]) -> dict[int, Any]:
    """Axis to dimension for the axes of ``spec`` that vary; ``shared`` collects the named ones.

    Raises:
        ValueError: one shared name with two ranges.
    """
    low, _, high = spec.shape_range()
    sizes = capture_shape(spec)
    dims: dict[int, Any] = {}
    for axis, (a, b) in enumerate(zip(low, high, strict=True)):
        if a == b:
            continue
        name = spec.shared_dims.get(axis)
        if name is None:
            dims[axis] = Dim.DYNAMIC(min=min(a, sizes[axis]), max=b)
            continue
        known = shared.setdefault(name, ((a, b), Dim(name, min=a, max=b)))
        if known[0] != (a, b):
            raise ValueError(
                f"[trace] shared dimension '{name}' has range {known[0]} in one input and "
                f"{(a, b)} in another"
            )
        dims[axis] = known[1]
    return dims


def device_of(mod: torch.nn.Module, device: Any, inputs: Any = None) -> torch.device:
    """``device`` if given, else where the module's parameters are, or its engines run, or the
    tensors among ``inputs`` are.

    Raises:
        InvalidOptionError: ``device`` is of another kind than that of the module's parameters.
    """
    from torch_tensorrt.dynamo.runtime import TorchTensorRTModule

    found = next((tensor.device for tensor in [*mod.parameters(), *mod.buffers()]), None)
    if device is not None:
        wanted: torch.device = Device._from(device).to(torch.device)
        if found is not None and found.type != wanted.type:
            raise disagreement(wanted, found)
        return wanted
    engines = [child.engine for child in mod.modules() if isinstance(child, TorchTensorRTModule)]
    if found is None and engines:
        on_gpu = any(engine is not None and engine.target() == "cuda" for engine in engines)
        found = torch.device("cuda" if on_gpu else "cpu")
    tensors = [leaf for leaf in flat_leaves(inputs) if isinstance(leaf, torch.Tensor)]
    given = [tensor.device for tensor in tensors if tensor.dim() > 0 or tensor.is_cuda]
    return found or next(iter(given), torch.device("cpu"))
