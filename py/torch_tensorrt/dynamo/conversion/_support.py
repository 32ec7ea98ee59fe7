"""Whether a node can be converted: its converter is run on a scratch network."""

from __future__ import annotations

import operator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from torch import fx
from torch._subclasses.fake_tensor import FakeTensor

from torch_tensorrt.dynamo._settings import CompilationSettings
from torch_tensorrt.dynamo._symbols import free_symbols, shape_env_of, symbol_ranges
from torch_tensorrt.dynamo.conversion import _computed_sizes
from torch_tensorrt.dynamo.conversion._arguments import bind_arguments, target_name
from torch_tensorrt.dynamo.conversion._left_in_torch import LEFT_IN_TORCH
from torch_tensorrt.dynamo.conversion._registry import DYNAMO_CONVERTERS, ConverterPriority
from torch_tensorrt.dynamo.conversion._values import (
    UnsupportedValueError,
    core,
    core_dtype,
    core_sizes,
)
from torch_tensorrt.dynamo.lowering.passes.constant_fold import get_attribute

#: Integer constants above this many elements are not searched for zeros.
MAX_SCANNED = 1 << 16


@dataclass(frozen=True)
class TensorSpec:
    """Stands for a tensor: dtype and sizes as converters see them.

    Attributes:
        nonzero: Whether it is an integer constant without a zero, by which one may divide.
    """

    dtype: Any
    sizes: tuple[Any, ...]
    nonzero: bool = False


@dataclass(frozen=True)
class Probe:
    """One operator call, reduced to what its conversion depends on.

    Attributes:
        target: Qualified operator name.
        arguments: Schema name and value; lists are tuples, tensors are :class:`TensorSpec`.
        results: What PyTorch says the results are; None for one that is not a tensor or not read.
        symbols: ``(name, min, opt, max)`` of every symbol.
    """

    target: str
    arguments: tuple[tuple[str, Any], ...]
    results: tuple[TensorSpec | None, ...]
    symbols: tuple[tuple[str, int, int, int], ...]


def converter_targets() -> list[str]:
    """Qualified names of all operators with a built-in converter, sorted."""
    targets: list[str] = core().converter_targets()
    return targets


def node_support(node: fx.Node, settings: CompilationSettings) -> str | None:
    """None when ``node`` can be converted, else the reason why not."""
    if DYNAMO_CONVERTERS.find(node, settings, ConverterPriority.HIGH) is not None:
        return None
    reason = _computed_sizes.refusal(node, settings) or _built_in_support(node)
    if reason is None or DYNAMO_CONVERTERS.find(node, settings) is not None:
        return None
    return reason


def _built_in_support(node: fx.Node) -> str | None:
    if not isinstance(node.target, torch._ops.OpOverload):
        return f"no converter for the function {target_name(node.target)}"
    name = target_name(node.target)
    if name.startswith("tensorrt."):
        return f"{name} runs engines: this part of the model is compiled already"
    if not core().has_converter(name):
        why = LEFT_IN_TORCH.get(name)
        return f"no converter for {name}" + (f": {why}" if why else "")
    try:
        return run_probe(probe_of(node))
    except UnsupportedValueError as error:
        return str(error)


def probe_of(node: fx.Node) -> Probe:
    """The call of an operator node.

    Raises:
        UnsupportedValueError: an argument or a result has a value that engines do not know.
    """
    arguments = bind_arguments(node, _argument_spec)
    symbols = {s for n in (node, *node.all_input_nodes) for s in free_symbols(n.meta.get("val"))}
    ranges = symbol_ranges(sorted(symbols, key=str), shape_env_of([node, *node.all_input_nodes]))
    return Probe(
        target=target_name(node.target),
        arguments=tuple((name, _freeze(value)) for name, value in arguments.items()),
        results=_result_specs(node),
        symbols=tuple((name, *bounds) for name, bounds in ranges.items()),
    )


def _argument_spec(source: fx.Node) -> Any:
    spec = _spec(source.meta.get("val"))
    if isinstance(spec, TensorSpec) and _is_nonzero_constant(source):
        return replace(spec, nonzero=True)
    return spec


def _is_nonzero_constant(source: fx.Node) -> bool:
    owner = source.graph.owning_module
    if source.op != "get_attr" or owner is None:
        return False
    value = get_attribute(owner, str(source.target))
    if not isinstance(value, torch.Tensor) or isinstance(value, FakeTensor) or value.is_meta:
        return False
    if value.is_floating_point() or value.is_complex() or value.layout != torch.strided:
        return False
    return value.numel() <= MAX_SCANNED and bool(value.all())


def _spec(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        if value.layout != torch.strided:
            raise UnsupportedValueError(f"layout {value.layout} is not supported in engines")
        return TensorSpec(core_dtype(value.dtype), tuple(core_sizes(value.shape)))
    if isinstance(value, (list, tuple)):
        return [_spec(item) for item in value]
    raise UnsupportedValueError(f"an operand is a {type(value).__name__}, not a tensor")


def _freeze(value: Any) -> Any:
    return tuple(_freeze(item) for item in value) if isinstance(value, list) else value


def _result_specs(node: fx.Node) -> tuple[TensorSpec | None, ...]:
    value = node.meta.get("val")
    if not isinstance(value, (list, tuple)):
        return (_spec(value),)
    read = {
        user.args[1]
        for user in node.users
        if user.target is operator.getitem and len(user.users) > 0
    }
    return tuple(
        _spec(item) if isinstance(item, torch.Tensor) and index in read else None
        for index, item in enumerate(value)
    )


@lru_cache(maxsize=4096)
def run_probe(probe: Probe) -> str | None:
    """None when the built-in converter takes the call, else its reason."""
    network = core().Network()
    for symbol in probe.symbols:
        network.add_symbol(*symbol)
    arguments = {name: _thaw(value, network) for name, value in probe.arguments}
    try:
        converted = core().convert(network, probe.target, arguments, "probe")
    except core().StatusError as error:
        return str(error)
    return _check_results(probe, converted)


def _thaw(value: Any, network: Any) -> Any:
    if isinstance(value, TensorSpec):
        if value.nonzero:
            fill = {"dims": list(value.sizes), "dtype": value.dtype, "ivalue": 1}
            return network.add_layer("Fill", [], fill)[0]
        return network.add_input("x", value.dtype, list(value.sizes))
    if isinstance(value, tuple):
        return [_thaw(item, network) for item in value]
    return value


def _check_results(probe: Probe, converted: list[Any]) -> str | None:
    results = converted[0] if len(converted) == 1 and isinstance(converted[0], list) else converted
    for index, spec in enumerate(probe.results):
        if spec is None:
            continue
        if index >= len(results) or results[index] is None:
            return f"[{probe.target}] engines do not compute result {index}, which is read"
        if not results[index].agrees(spec.dtype, list(spec.sizes)):
            return (
                f"[{probe.target}] the converter gives {results[index]!r}, PyTorch "
                f"{spec.dtype.name}{list(spec.sizes)}"
            )
    return None
