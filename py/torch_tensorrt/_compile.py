"""The package's main functions: compile, convert_method_to_trt_engine, save, load."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import torch
from torch.export import ExportedProgram

from torch_tensorrt._exceptions import InvalidOptionError, SaveError
from torch_tensorrt._Input import Input

logger = logging.getLogger("torch_tensorrt")

_IRS = ("default", "dynamo", "torch_compile", "ts", "torchscript", "fx")


def compile(
    module: Any,
    ir: str = "default",
    inputs: Any = None,
    arg_inputs: Any = None,
    kwarg_inputs: Mapping[str, Any] | None = None,
    enabled_precisions: Any = None,
    **kwargs: Any,
) -> Any:
    """Compile a module.

    Args:
        module: ``torch.nn.Module`` or ``torch.export.ExportedProgram``.
        ir: ``"default"`` and ``"dynamo"`` export the module and compile ahead of time;
        ``"torch_compile"``
            compiles at the first call.
        inputs: Positional inputs: tensors, or :class:`Input` to declare ranges of shapes.
        arg_inputs: The same as ``inputs``.
        kwarg_inputs: Keyword inputs.
        enabled_precisions: No effect: an engine computes in the types of the module.
        **kwargs: Fields of :class:`torch_tensorrt.dynamo.CompilationSettings`.

    Returns:
        A ``torch.fx.GraphModule``, or for ``"torch_compile"`` the module wrapped by
        ``torch.compile``.

    Raises:
        InvalidOptionError: unknown option or bad value.
        ValueError: no inputs where they are needed, or an unknown ``ir``.
        NotImplementedError: the TorchScript and FX front ends.
        UnsupportedOperatorException: see ``require_full_compilation``.
    """
    if enabled_precisions is not None:
        kwargs["enabled_precisions"] = enabled_precisions
    if _choose_ir(module, ir) == "torch_compile":
        _warn_of_ranges((inputs, arg_inputs, kwarg_inputs))
        return _compile_just_in_time(module, kwargs)
    from torch_tensorrt import dynamo
    from torch_tensorrt.dynamo._autocast_state import autocast_left_out
    from torch_tensorrt.dynamo._compiler import (
        checked_settings,
        compile_program,
        declared_inputs,
    )

    given: dict[str, Any] = {"arg_inputs": arg_inputs, "kwarg_inputs": kwarg_inputs}
    with autocast_left_out():
        tracing = _pop_tracing_options(kwargs)
        dynamo.require_target(dynamo.validate_options(kwargs))
        _require_inputs(module, inputs, arg_inputs, kwarg_inputs)
        if isinstance(module, ExportedProgram):
            return dynamo.compile(module, inputs, **given, **kwargs)
        program = dynamo.trace(module, inputs, device=kwargs.get("device"), **given, **tracing)
        return compile_program(
            program,
            declared_inputs(inputs, arg_inputs, kwarg_inputs),
            checked_settings(program, kwargs),
        )


def _warn_of_ranges(inputs: Any) -> None:
    """Says that ranges do not reach torch.compile, which learns shapes from calls."""
    from torch_tensorrt.dynamo._inputs import flat_leaves
    from torch_tensorrt.dynamo.runtime._errors import warn_once

    leaves = [leaf for leaf in flat_leaves(inputs) if isinstance(leaf, Input)]
    if any(leaf.shape_mode is Input._ShapeMode.DYNAMIC for leaf in leaves):
        warn_once(
            "ir='torch_compile' learns shapes from the calls: the ranges of inputs have no effect. "
            "Way out: dynamic=True or torch._dynamo.mark_dynamic(tensor, axis, min=, max=), or "
            "ir='dynamo', which compiles for the ranges"
        )


def _compile_just_in_time(module: torch.nn.Module, options: dict[str, Any]) -> Any:
    from torch_tensorrt.dynamo._settings import require_target, validate_options
    from torch_tensorrt.dynamo.backend import torch_tensorrt_backend
    from torch_tensorrt.dynamo.partitioning._modules import names_in_module, require_modules

    dynamic = options.pop("dynamic", None)
    settings = validate_options(options)
    require_target(settings)
    require_modules(settings.torch_executed_modules, names_in_module(module))
    return torch.compile(
        module, backend=torch_tensorrt_backend, dynamic=dynamic, options=options or None
    )


def convert_method_to_trt_engine(
    module: Any,
    method_name: str = "forward",
    inputs: Any = None,
    arg_inputs: Any = None,
    kwarg_inputs: Mapping[str, Any] | None = None,
    ir: str = "default",
    enabled_precisions: Any = None,
    **kwargs: Any,
) -> bytes:
    """One method of a module as one serialized engine.

    Args:
        method_name: The method to convert; the others as in :func:`compile`.

    Raises:
        InvalidOptionError: unknown option or bad value.
        UnsupportedOperatorException: something in the method cannot run in an engine.
        ValueError: the module has no such method.
    """
    if enabled_precisions is not None:
        kwargs["enabled_precisions"] = enabled_precisions
    _choose_ir(module, ir)
    from torch_tensorrt import dynamo
    from torch_tensorrt.dynamo._autocast_state import autocast_left_out

    target = module
    if method_name != "forward" and isinstance(module, torch.nn.Module):
        if not callable(getattr(module, method_name, None)):
            raise ValueError(f"{type(module).__name__} has no method '{method_name}'")
        target = _MethodAsForward(module, method_name)
    with autocast_left_out():
        tracing = _pop_tracing_options(kwargs)
        dynamo.require_target(dynamo.validate_options(kwargs))
        _require_inputs(target, inputs, arg_inputs, kwarg_inputs)
        program = dynamo.trace(
            target, inputs, arg_inputs=arg_inputs, kwarg_inputs=kwarg_inputs, **tracing
        )
        if "dynamic_shapes" in tracing:  # they win over the ranges of the inputs
            inputs = arg_inputs = kwarg_inputs = None
        return dynamo.convert_exported_program_to_serialized_trt_engine(
            program, inputs, arg_inputs=arg_inputs, kwarg_inputs=kwarg_inputs, **kwargs
        )


class _MethodAsForward(torch.nn.Module):
    def __init__(self, module: torch.nn.Module, method_name: str) -> None:
        super().__init__()
        self.module = module
        self._method_name = method_name

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return getattr(self.module, self._method_name)(*args, **kwargs)


def save(
    module: Any,
    file_path: str = "",
    *,
    extra_files: dict[str, Any] | None = None,
    output_format: str = "exported_program",
    inputs: Any = None,
    arg_inputs: Any = None,
    kwarg_inputs: Mapping[str, Any] | None = None,
    retrace: bool = True,
    use_legacy_exporter: bool | None = None,
    pickle_protocol: int = 2,
    dynamic_shapes: Any = None,
    **kwargs: Any,
) -> None:
    """Write a compiled module to a file that a fresh process loads with :func:`load`.

    Args:
        module: Result of :func:`compile`, or an ``ExportedProgram``.
        extra_files: Name to text, stored in the file.
        output_format: ``"exported_program"``.
        inputs: Inputs to capture with; by default those the module was compiled for. Ranges of
        :class:`Input`
            keep their axes dynamic.
        retrace: Capture the module again (default); False writes its graph as it is.
        use_legacy_exporter: Given: the opposite of ``retrace``.
        dynamic_shapes: As in ``torch.export.export``; wins over the ranges of the inputs.

    Raises:
        SaveError: a module or a format that cannot be written.
    """
    from torch_tensorrt.dynamo._exporter import export
    from torch_tensorrt.dynamo._files import write_program

    if kwargs:
        raise InvalidOptionError(f"[save] unknown keyword(s) {sorted(kwargs)}")
    if inputs is not None and arg_inputs is not None:
        raise ValueError("give inputs or arg_inputs, not both: they mean the same")
    _require_saveable(module, file_path, output_format)
    program = module
    if not isinstance(module, ExportedProgram):
        program = export(
            module,
            arg_inputs=arg_inputs if arg_inputs is not None else inputs,
            kwarg_inputs=kwarg_inputs,
            dynamic_shapes=dynamic_shapes,
            use_legacy_exporter=not retrace if use_legacy_exporter is None else use_legacy_exporter,
        )
    write_program(program, file_path, extra_files, pickle_protocol)


def _require_saveable(module: Any, file_path: str, output_format: str) -> None:
    if output_format != "exported_program":
        raise SaveError(
            f"output_format '{output_format}' cannot be written yet; use 'exported_program'"
        )
    if not file_path:
        raise SaveError("a file_path is needed")
    if not isinstance(module, (ExportedProgram, torch.fx.GraphModule)):
        raise SaveError(
            f"a {type(module).__name__} cannot be saved; compile it first with "
            "torch_tensorrt.compile(module, arg_inputs=...)"
            + (" (a torch.compile result cannot be saved)" if hasattr(module, "_orig_mod") else "")
        )


def load(
    file_path: str = "",
    extra_files: dict[str, Any] | None = None,
    *,
    format: str | None = None,
    **kwargs: Any,
) -> Any:
    """Read a file written by :func:`save`.

    Returns:
        An ``ExportedProgram``; its ``module()`` is callable and raises the errors of this package.

    Raises:
        ValueError: a format that is not read here.
        LoadError: a file that is no exported program, or is damaged, or calls operators that no
            package imported here registers.
        OSError: the file cannot be opened.
    """
    if format not in (None, "exported_program"):
        raise ValueError(f"[load] format '{format}' is not supported; files of save() need none")
    from torch_tensorrt.dynamo._files import read_program

    return read_program(file_path, extra_files, **kwargs)


def _choose_ir(module: Any, ir: str) -> str:
    if ir not in _IRS:
        raise ValueError(f"unknown ir '{ir}'; known are {_IRS}")
    scripted = isinstance(module, torch.jit.ScriptModule)
    if ir in ("ts", "torchscript") or (ir == "default" and scripted):
        raise NotImplementedError(
            "the TorchScript front end is not supported yet; pass the nn.Module itself"
        )
    if ir == "fx":
        raise NotImplementedError("the FX front end does not exist here; use ir='dynamo'")
    if not isinstance(module, (torch.nn.Module, ExportedProgram)):
        raise ValueError(
            f"cannot compile a {type(module).__name__}; pass a torch.nn.Module or an "
            f"ExportedProgram"
        )
    if ir == "torch_compile" and isinstance(module, ExportedProgram):
        raise ValueError("ir='torch_compile' needs an nn.Module, not an ExportedProgram")
    return "torch_compile" if ir == "torch_compile" else "dynamo"


def _require_inputs(module: Any, inputs: Any, arg_inputs: Any, kwarg_inputs: Any) -> None:
    if isinstance(module, ExportedProgram):
        return
    if inputs is None and arg_inputs is None and not kwarg_inputs:
        raise ValueError(
            "inputs are needed to capture the module: tensors, or torch_tensorrt.Input to "
            "declare shapes"
        )


def _pop_tracing_options(kwargs: dict[str, Any]) -> dict[str, Any]:
    names = ("strict", "dynamic_shapes", "prefer_deferred_runtime_asserts_over_guards")
    return {name: kwargs.pop(name) for name in names if name in kwargs}
