"""Loaded programs: calls that do not fit are refused with the errors of this package."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind

from torch_tensorrt._exceptions import InputMismatchError, LoadError
from torch_tensorrt.dynamo._call_trees import checked_leaves
from torch_tensorrt.dynamo._fixed_weights import FixedWeights, fixed_weights
from torch_tensorrt.dynamo._overlaps import Apart, written_inputs
from torch_tensorrt.dynamo._symbols import own_inputs, stated_range
from torch_tensorrt.dynamo._tensor_checks import InputLeaf, TensorChecks
from torch_tensorrt.dynamo.runtime._errors import typed_error, warn_of_conversion

_GUARD = "Guard failed: "
_ops = torch.ops.tensorrt


class LoadedProgram(ExportedProgram):
    """An ``ExportedProgram`` whose :meth:`module` raises the errors of this package."""

    @classmethod
    def of(cls, program: ExportedProgram) -> LoadedProgram:
        """``program`` itself, as one of this class."""
        program.__class__ = cls
        assert isinstance(program, cls)
        return program

    def module(self, check_guards: bool = True) -> fx.GraphModule:
        """The program as a module; ``check_guards`` as in PyTorch.

        Raises:
            LoadError: the file's text is damaged in a way that only shows here.
        """
        try:
            module = super().module(check_guards)
        except SyntaxError as error:
            raise LoadError(f"the program's graph is damaged ({error}): write it again") from error
        # Ours replace torch's checks of ranks and ranges, and come before those of its guards.
        setattr(module, "validate_inputs", False)  # noqa: B010
        checks = _InputChecks(self, _fixed_weights(self, module))
        module.register_forward_pre_hook(checks, prepend=True, with_kwargs=True)
        parent = type(module)
        module.__class__ = type(parent.__name__, (_TypedModule, parent), {"__call__": _typed_call})
        return module


class _TypedModule:
    """What the modules of loaded programs have beside what torch gives them."""

    def _apply(self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> Any:
        from torch_tensorrt.dynamo.runtime._module import engine_dtypes

        for engine in _engines(self):
            warn_of_conversion(engine.name(), fn, engine_dtypes(engine))
        return super()._apply(fn, recurse)  # type: ignore[misc]


def _typed_call(self: fx.GraphModule, *args: Any, **kwargs: Any) -> Any:
    # Not through fx, whose own __call__ prints the source of the graph with every error.
    try:
        return torch.nn.Module.__call__(self, *args, **kwargs)
    except (ValueError, TypeError, RuntimeError) as error:
        typed = typed_error(error, [engine.name() for engine in _engines(self)])
        if typed is None:
            raise
        raise typed from error
    except AssertionError as error:
        if not str(error).startswith(_GUARD):
            raise
        raise InputMismatchError(
            "the sizes of the inputs do not satisfy what the model was captured with: "
            f"{str(error).removeprefix(_GUARD)}"
        ) from error


def _engines(module: Any) -> list[Any]:
    return [
        value
        for child in module.modules()
        for value in vars(child).values()
        if isinstance(value, torch.ScriptObject) and hasattr(value, "io_spec")
    ]


def _fixed_weights(program: ExportedProgram, module: fx.GraphModule) -> FixedWeights | None:
    """A check of the weights that PyTorch reads beside engines."""
    if not any(_engine_calls(node) for node in program.graph.nodes):
        return None
    return fixed_weights(module)


class _InputChecks:
    """A forward pre-hook: the arguments, the ranks and sizes of tensors, and the weights."""

    def __init__(self, program: ExportedProgram, weights: FixedWeights | None) -> None:
        self._weights = weights
        spec: Any = program.call_spec.in_spec
        self._spec = spec
        signature = program.module_call_graph[0].signature
        self._names = list((signature.forward_arg_names if signature else None) or [])
        self._tensors = TensorChecks(_ranges(program))
        own = own_inputs(program)
        self._leaves = [InputLeaf.of(node) for node in own]
        self._apart = self._apart_of(program, own)
        positional, keywords = spec.children()
        self._flat = keywords.num_children == 0 and all(
            child.is_leaf() for child in positional.children()
        )

    def __call__(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if torch.compiler.is_dynamo_compiling():
            return
        seen: dict[str, tuple[int, str]] = {}
        values = self._flatten(args, kwargs)
        for leaf, value in zip(self._leaves, values, strict=True):
            if leaf.dims is not None:
                self._tensors.check(leaf, leaf.dims, value, seen)
            elif leaf.is_constant:
                leaf.check_constant(value)
        if self._apart is not None:
            self._apart(*values)
        if self._weights is not None:
            self._weights.forward()

    def _apart_of(self, program: ExportedProgram, own: list[fx.Node]) -> Apart | None:
        """The check of a compiled module that writes to inputs. (What runs in PyTorch alone does
        what eager mode does.)"""
        if not any(_engine_calls(node) for node in program.graph.nodes):
            return None
        by_name = set(program.graph_signature.user_inputs_to_mutate.values())
        written = {index for index, node in enumerate(own) if node.name in by_name}
        written.update(written_inputs(own))
        if not written or len(own) < 2:
            return None
        return Apart([leaf.label for leaf in self._leaves], sorted(written))

    def _flatten(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        if self._flat and not kwargs and len(args) == len(self._leaves):
            return list(args)
        from torch.export._unlift import _check_inputs_match

        try:
            return [value for _, value in _check_inputs_match(args, kwargs, self._spec)]
        except ValueError as error:
            positional, keywords = self._spec.children()
            if len(args) == positional.num_children and set(kwargs) == set(keywords.context):
                checked_leaves((args, kwargs), self._spec, self._names)
            takes = ", ".join(self._names) or f"{self._spec.num_leaves} values"
            given = [_kind(value) for value in args]
            given += [f"{name}={_kind(value)}" for name, value in kwargs.items()]
            raise InputMismatchError(
                f"the module takes ({takes}), positional, by keyword and nested as it was "
                f"captured; got ({', '.join(given)})"
            ) from error


def _ranges(program: ExportedProgram) -> dict[str, tuple[int, int]]:
    """What every symbol may be: as the program says, or more exactly an engine that reads it."""
    ranges: dict[str, tuple[int, int]] = {}
    for symbol, known in program.range_constraints.items():
        ranges[str(symbol)] = stated_range(known)
    objects = {
        spec.arg.name: program.constants.get(str(spec.target))
        for spec in program.graph_signature.input_specs
        if spec.kind == InputKind.CUSTOM_OBJ
    }
    for call in program.graph.nodes:
        for values, holder in _engine_calls(call):
            engine = objects.get(holder.name)
            if engine is not None:
                _narrow(ranges, json.loads(engine.io_spec()), values)
    return ranges


def _engine_calls(call: fx.Node) -> list[tuple[list[fx.Node], fx.Node]]:
    """Inputs and engine of every call of one that the node makes; of a scan those that have the
    engine's own shapes: its rows are smaller."""
    arguments: Any = call.args
    if call.target is _ops.execute_engine.default:
        return [(arguments[0], arguments[1])]
    if call.target is _ops.run_cond.default:
        return [(arguments[1], arguments[2]), (arguments[3], arguments[4])]
    if call.target is _ops.run_while.default:
        carried, for_condition, for_body, condition, body = arguments
        return [([*carried, *for_condition], condition), ([*carried, *for_body], body)]
    if call.target is _ops.run_scan.default:
        return [(arguments[0], arguments[3])]
    return []


def _narrow(
    ranges: dict[str, tuple[int, int]], spec: dict[str, Any], values: Sequence[fx.Node]
) -> None:
    known = {symbol["name"]: (symbol["min"], symbol["max"]) for symbol in spec["symbols"]}
    for declared, node in zip(spec["inputs"], values, strict=False):
        for dim, size in zip(declared["dims"], node.meta["val"].shape, strict=True):
            name = str(size)
            if dim in known and name in ranges:
                low, high = ranges[name]
                ranges[name] = (max(low, known[dim][0]), min(high, known[dim][1]))


def _kind(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}"
    return type(value).__name__
