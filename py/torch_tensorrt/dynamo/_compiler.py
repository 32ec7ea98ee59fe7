"""Ahead-of-time compilation of exported programs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram
from torch.utils import _pytree as pytree

from torch_tensorrt._exceptions import (
    BindingNameMismatchError,
    InvalidOptionError,
    TorchTensorRTError,
    UnsupportedOperatorException,
)
from torch_tensorrt._Input import Input
from torch_tensorrt.dynamo._agreement import require_agreement
from torch_tensorrt.dynamo._autocast_state import autocast_left_out
from torch_tensorrt.dynamo._build import compile_module, input_ranges, must_raise
from torch_tensorrt.dynamo._control_flow import NotOneEngine, own_results
from torch_tensorrt.dynamo._fixed_weights import fix_weights
from torch_tensorrt.dynamo._guards import guard, guards_of
from torch_tensorrt.dynamo._inputs import as_argument_tuple, prepare_inputs
from torch_tensorrt.dynamo._lifted_buffers import lift_mutable_buffers as lift
from torch_tensorrt.dynamo._lifted_buffers import refuse_writes
from torch_tensorrt.dynamo._overlaps import check_apart
from torch_tensorrt.dynamo._placement import place
from torch_tensorrt.dynamo._settings import CompilationSettings, require_target, validate_options
from torch_tensorrt.dynamo._size_needs import SizeNeed, size_needs, with_least_sizes
from torch_tensorrt.dynamo._symbols import Ranges
from torch_tensorrt.dynamo.lowering import lower_exported_program, unlift
from torch_tensorrt.dynamo.partitioning import EngineSubgraph, partition
from torch_tensorrt.dynamo.partitioning._modules import names_in_program, require_modules
from torch_tensorrt.dynamo.partitioning._split import whole_subgraph
from torch_tensorrt.dynamo.runtime import TorchTensorRTModule

logger = logging.getLogger("torch_tensorrt")


def compile(
    exported_program: ExportedProgram,
    inputs: Any = None,
    *,
    arg_inputs: Any = None,
    kwarg_inputs: Mapping[str, Any] | None = None,
    **options: Any,
) -> fx.GraphModule:
    """Compile an exported program.

    Args:
        exported_program: Result of ``torch.export.export`` or :func:`torch_tensorrt.dynamo.trace`.
        inputs: Positional inputs as tensors or :class:`torch_tensorrt.Input` (same as
        ``arg_inputs``).
        kwarg_inputs: Keyword inputs.
        **options: Fields of :class:`CompilationSettings`.

    Returns:
        A module with the program's own signature. Its ``_run_on_acc_N`` children are engines,
        everything else runs
        in PyTorch. With ``dryrun`` the lowered graph itself, after the report.

    Raises:
        InvalidOptionError: unknown option, bad value, or a module that the program has not.
        InputMismatchError: inputs that are not those of the program.
        UnsupportedOperatorException: see ``require_full_compilation``.
    """
    declared = declared_inputs(inputs, arg_inputs, kwarg_inputs)
    settings = checked_settings(exported_program, options)
    require_agreement(exported_program, *declared)
    declared = _in_order_of(exported_program, declared)
    with autocast_left_out():
        return compile_program(exported_program, declared, settings)


def _in_order_of(
    program: ExportedProgram, declared: tuple[tuple[Any, ...], dict[str, Any]]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """``declared`` with its keywords in the order of the program's inputs."""
    args, keywords = declared
    spec: Any = program.call_spec.in_spec
    names = spec.children()[1].context if len(spec.children()) == 2 else ()
    return args, {name: keywords[name] for name in names or () if name in keywords} or keywords


def compile_program(
    exported_program: ExportedProgram,
    declared: tuple[tuple[Any, ...], dict[str, Any]],
    settings: CompilationSettings,
) -> fx.GraphModule:
    """:func:`compile` after its checks.

    Args:
        declared: Positional and keyword inputs, which the program was captured with or agrees with.
    """
    needs: list[SizeNeed] = []
    try:
        gm = lower_exported_program(exported_program, settings)
        ranges = declared_ranges(gm, declared)
        needs = size_needs(exported_program.graph, ranges)
        ranges = with_least_sizes(ranges, needs, exported_program.graph)
        result = compile_module(gm, settings, ranges).module
        check_apart(result)
        _label_inputs(result, declared)
    except (TorchTensorRTError, InvalidOptionError, OSError):
        raise  # these say what the caller asked for and cannot have
    except Exception as error:
        if must_raise(settings):
            raise
        logger.warning(
            "the program runs in PyTorch, it could not be compiled: %s: %s; "
            "pass_through_build_failures=True raises the error",
            *(type(error).__name__, error),
        )
        result = gm = unlift(exported_program)
    if not settings.dryrun:
        fix_weights(result)
    result = guard(result, exported_program, gm, declared_ranges(gm, declared), needs)
    result.meta["torch_tensorrt_inputs"] = declared
    return result


def convert_exported_program_to_serialized_trt_engine(
    exported_program: ExportedProgram,
    inputs: Any = None,
    *,
    arg_inputs: Any = None,
    kwarg_inputs: Mapping[str, Any] | None = None,
    lift_mutable_buffers: bool = False,
    arg_input_binding_names: Any = None,
    kwarg_input_binding_names: Any = None,
    output_binding_names: Any = None,
    **options: Any,
) -> bytes:
    """The whole program as one engine, serialized.

    The engine's inputs are the tensors among the program's inputs, and its outputs those of the
    program, in their order.

    Args:
        lift_mutable_buffers: Make buffers that the program writes to inputs of the engine, after
            the program's own, and the new values outputs after the program's own, in the order of
            the writes. Arguments that the program changes come out in the same way.
        arg_input_binding_names: Names of the engine's inputs, a tree that mirrors the positional
            arguments.
        kwarg_input_binding_names: The same for keyword arguments.
        output_binding_names: Names of its outputs, a tree that mirrors the program's outputs.

    Raises:
        UnsupportedOperatorException: something cannot run in the engine, or the program writes to
            something without ``lift_mutable_buffers``.
        BindingNameMismatchError: names that do not mirror the program.
    """
    declared = declared_inputs(inputs, arg_inputs, kwarg_inputs)
    options = {**options, "require_full_compilation": True}
    settings = checked_settings(exported_program, options)
    require_agreement(exported_program, *declared)
    declared = _in_order_of(exported_program, declared)
    with autocast_left_out():
        return _converted(
            exported_program,
            declared,
            settings,
            lift_mutable_buffers,
            ([arg_input_binding_names, kwarg_input_binding_names], output_binding_names),
        )


def _converted(
    exported_program: ExportedProgram,
    declared: tuple[tuple[Any, ...], dict[str, Any]],
    settings: CompilationSettings,
    lift_mutable_buffers: bool,
    names: tuple[list[Any], Any],
) -> bytes:
    """:func:`convert_exported_program_to_serialized_trt_engine` after its checks; ``names`` are
    those of its inputs and outputs."""
    gm = lower_exported_program(exported_program, settings, one_engine=True)
    ranges = declared_ranges(gm, declared)
    needs = size_needs(exported_program.graph, ranges)
    ranges = with_least_sizes(ranges, needs, exported_program.graph)
    placeholders = list(gm.graph.find_nodes(op="placeholder"))
    results: Any = gm.graph.output_node().args[0]
    guards = guards_of(exported_program, gm)
    if lift_mutable_buffers:
        lift(gm)
    else:
        refuse_writes(gm)
    settings = place(gm, settings)
    engine = _as_one_engine(gm, settings)
    _name_inputs(placeholders, engine.module, names[0])
    _name_outputs(len(results), engine.module, names[1])
    engine.module.recompile()
    from torch_tensorrt.dynamo.conversion import convert_module

    if guards is not None:
        logger.warning(
            "the engine holds only for inputs with %s, which it cannot check", guards.summary()
        )
    built = convert_module(
        engine.module, settings, name=engine.name, input_ranges=input_ranges(engine.module, ranges)
    )
    return bytes(built.serialized_engine_tensor().numpy().tobytes())


def _as_one_engine(gm: fx.GraphModule, settings: CompilationSettings) -> EngineSubgraph:
    """All of ``gm`` as one subgraph.

    Raises:
        UnsupportedOperatorException: something in it cannot run in an engine.
    """
    try:
        own_results(gm)
    except NotOneEngine as error:
        raise UnsupportedOperatorException(f"the program cannot be one engine: {error}") from error
    partition(gm, settings)
    engine, carriers = whole_subgraph(gm, "_run_on_acc_0")
    if carriers:
        raise UnsupportedOperatorException(
            "the program takes a number that is the size of none of its tensors: pass a tensor of "
            "that size, or compile it with torch_tensorrt.compile"
        )
    return engine


def declared_ranges(gm: fx.GraphModule, declared: Any) -> Ranges:
    """Ranges of symbols from the user's Inputs, matched with the placeholders by position."""
    leaves = pytree.tree_leaves(declared, is_leaf=lambda leaf: isinstance(leaf, Input))
    placeholders = [n for n in gm.graph.nodes if n.op == "placeholder"]
    ranges = Ranges()
    if len(leaves) != len(placeholders):
        return ranges
    points: list[dict[str, int]] = []
    for leaf, node in zip(leaves, placeholders, strict=True):
        value = node.meta.get("val")
        if not isinstance(leaf, Input) or not isinstance(value, torch.Tensor):
            continue
        for axis, (low, opt, high) in enumerate(zip(*leaf.shape_range(), strict=True)):
            size = value.shape[axis]
            if isinstance(size, torch.SymInt) and size.node.expr.is_symbol and low != high:
                old = ranges.get(str(size), (low, opt, high))
                ranges[str(size)] = (max(old[0], low), old[1], min(old[2], high))
                for number, profile in enumerate(leaf.profiles[1:]):
                    points += [{}] * (number + 1 - len(points))
                    points[number] = {str(size): profile["opt"][axis]} | points[number]
    ranges.points = tuple(points)
    return ranges


def checked_settings(program: ExportedProgram, options: Mapping[str, Any]) -> CompilationSettings:
    """The settings, after every check that needs no graph."""
    settings = validate_options(options)
    require_target(settings)
    _require_program(program)
    require_modules(settings.torch_executed_modules, names_in_program(program))
    return settings


def _label_inputs(module: fx.GraphModule, declared: Any) -> None:
    """Tell the engines what the user's Inputs are called, for their messages."""
    leaves = pytree.tree_leaves(declared, is_leaf=lambda leaf: isinstance(leaf, Input))
    placeholders = module.graph.find_nodes(op="placeholder")
    if len(leaves) != len(placeholders):
        return
    labels = {
        str(node.target): leaf.name
        for leaf, node in zip(leaves, placeholders, strict=True)
        if isinstance(leaf, Input) and leaf.name
    }
    for engine in module.children():
        if labels and isinstance(engine, TorchTensorRTModule):
            engine.input_labels = labels


def _require_program(program: Any) -> None:
    if not isinstance(program, ExportedProgram):
        raise TypeError(
            f"torch_tensorrt.dynamo takes an ExportedProgram, not {type(program).__name__}; use "
            "torch_tensorrt.compile(module, arg_inputs=...) or torch_tensorrt.dynamo.trace first"
        )


def declared_inputs(
    inputs: Any, arg_inputs: Any, kwarg_inputs: Mapping[str, Any] | None
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and keyword inputs as trees of :class:`Input` and plain values.

    Raises:
        ValueError: both ``inputs`` and ``arg_inputs``.
    """
    if inputs is not None and arg_inputs is not None:
        raise ValueError("give inputs or arg_inputs, not both: they mean the same")
    args = as_argument_tuple(arg_inputs if arg_inputs is not None else inputs)
    return prepare_inputs(args), prepare_inputs(dict(kwarg_inputs or {}))


def _name_inputs(placeholders: list[fx.Node], engine: fx.GraphModule, trees: list[Any]) -> None:
    """Name the inputs that the program's own ``placeholders`` are in the engine."""
    names = [name for tree in trees if tree is not None for name in pytree.tree_leaves(tree)]
    if not names:
        return
    _check_names(names, len(placeholders), "input")
    renamed = dict(zip((str(p.target) for p in placeholders), names, strict=True))
    for node in engine.graph.find_nodes(op="placeholder"):
        if node.target in renamed:
            node._rename(renamed[node.target])
            node.target = node.name


def _name_outputs(own: int, engine: fx.GraphModule, tree: Any) -> None:
    """Name the first ``own`` outputs, those of the program."""
    if tree is None:
        return
    results: Any = engine.graph.output_node().args[0]
    wanted = pytree.tree_leaves(tree)
    _check_names(wanted, own, "output")
    for node, name in zip(results[:own], wanted, strict=True):
        node._rename(name)


def _check_names(names: list[Any], count: int, kind: str) -> None:
    if len(names) != count or not all(isinstance(n, str) and n for n in names):
        raise BindingNameMismatchError(
            f"{len(names)} {kind} binding names {names} for {count} {kind}(s); the names must "
            f"be non-empty "
            f"strings in a tree that mirrors the program's {kind}s"
        )
    if len(set(names)) != len(names):
        raise BindingNameMismatchError(f"{kind} binding names {names} are not all different")


__all__ = [
    "CompilationSettings",
    "compile",
    "convert_exported_program_to_serialized_trt_engine",
    "declared_ranges",
]
