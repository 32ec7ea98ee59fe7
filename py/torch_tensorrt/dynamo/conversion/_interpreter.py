"""Walks an FX subgraph and builds the network."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import fx

from torch_tensorrt._exceptions import ConversionError
from torch_tensorrt.dynamo._settings import CompilationSettings
from torch_tensorrt.dynamo._symbols import is_number_node
from torch_tensorrt.dynamo.conversion._arguments import bind_arguments, convert_value, target_name
from torch_tensorrt.dynamo.conversion._computed_sizes import computed_ranges
from torch_tensorrt.dynamo.conversion._context import ConversionContext
from torch_tensorrt.dynamo.conversion._network import NetworkDefinition
from torch_tensorrt.dynamo.conversion._registry import (
    DYNAMO_CONVERTERS,
    ConverterPriority,
    ConverterSupport,
)
from torch_tensorrt.dynamo.conversion._values import (
    UnsupportedValueError,
    add_constant,
    core,
    core_dtype,
    core_sizes,
)
from torch_tensorrt.dynamo.lowering.passes.constant_fold import get_attribute
from torch_tensorrt.dynamo.partitioning._support import describe, source_line


class NetworkInterpreter:
    """Builds one network from one subgraph. Single use.

    Args:
        module: Placeholders are tensors, constants are attributes, the output is a tensor or a
            tuple of them. Every node carries ``meta["val"]``.
        settings: For validators of converters written in Python.
        input_ranges: ``(min, opt, max)`` of every symbol in the inputs.
    """

    def __init__(
        self,
        module: fx.GraphModule,
        settings: CompilationSettings,
        input_ranges: dict[str, tuple[int, int, int]] | None = None,
    ) -> None:
        self._module = module
        self._settings = settings
        self._network = core().Network()
        self._values: dict[fx.Node, Any] = {}
        self._constants: dict[Any, Any] = {}
        self._symbols: set[str] = set()
        self._add_symbols(input_ranges or {})

    def run(self) -> Any:
        """The finished ``_C.Network``.

        Raises:
            ConversionError: a node cannot be converted, or its conversion has another dtype or
                shape than PyTorch says; names the operator, the shapes and the user's source line.
        """
        for node in self._module.graph.nodes:
            try:
                self._visit(node)
            except (UnsupportedValueError, core().StatusError) as error:
                raise self._error(node, str(error)) from error
        self._network.remove_dead()
        return self._network

    def _add_symbols(self, ranges: dict[str, tuple[int, int, int]]) -> None:
        for name, (low, opt, high) in ranges.items():
            if name not in self._symbols:
                self._network.add_symbol(name, low, opt, high)
                self._symbols.add(name)

    def _visit(self, node: fx.Node) -> None:
        if node.op == "placeholder":
            self._values[node] = self._input(node)
        elif node.op == "get_attr":
            self._values[node] = self._constant(node)
        elif node.op == "output":
            self._mark_outputs(node)
        elif node.op != "call_function":
            raise self._error(node, f"a {node.op} node has no place in an engine")
        elif not is_number_node(node):  # numbers are read from their meta value where they are used
            self._values[node] = self._call(node)
            self._check(node)

    def _input(self, node: fx.Node) -> Any:
        value = node.meta.get("val")
        if not isinstance(value, torch.Tensor):
            if is_number_node(node):
                raise self._error(node, "sizes enter an engine as shapes of tensors, not as inputs")
            raise self._error(node, f"an input must be a tensor, is {type(value).__name__}")
        return self._network.add_input(
            str(node.target), core_dtype(value.dtype), core_sizes(value.shape)
        )

    def _constant(self, node: fx.Node) -> Any:
        tensor = get_attribute(self._module, str(node.target))
        if not isinstance(tensor, torch.Tensor):
            raise self._error(node, f"attribute {node.target} is a {type(tensor).__name__}")
        key = (tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride())
        if tensor.numel() == 0 or key not in self._constants:
            self._constants[key] = add_constant(self._network, tensor, str(node.target))
        return self._constants[key]

    def _mark_outputs(self, node: fx.Node) -> None:
        results = node.args[0]
        used: set[str] = set()
        for result in results if isinstance(results, (list, tuple)) else [results]:
            if not isinstance(result, fx.Node) or is_number_node(result):
                raise self._error(node, f"output {result} is no tensor")
            name = result.name
            while name in used:
                name += "_again"
            used.add(name)
            self._network.mark_output(self._values[result], name)

    def _call(self, node: fx.Node) -> Any:
        if node.target is operator.getitem:
            return self._item(node)
        user = self._python_converter(node)
        if user is not None:
            return self._call_python(node, user)
        name = target_name(node.target)
        if not isinstance(node.target, torch._ops.OpOverload):
            raise self._error(node, f"no converter for the function {name}")
        arguments = bind_arguments(node, self._value)
        self._add_symbols(computed_ranges(node))
        results = core().convert(self._network, name, arguments, node.name, source_line(node))
        single = len(node.target._schema.returns) == 1
        return results[0] if single else results

    def _python_converter(self, node: fx.Node) -> ConverterSupport | None:
        first = DYNAMO_CONVERTERS.find(node, self._settings, ConverterPriority.HIGH)
        if first is not None:
            return first
        other = DYNAMO_CONVERTERS.find(node, self._settings)
        if other is None:
            return None
        from torch_tensorrt.dynamo.conversion._support import _built_in_support

        return None if _built_in_support(node) is None else other

    def _call_python(self, node: fx.Node, support: ConverterSupport) -> Any:
        args = tuple(convert_value(arg, self._value) for arg in node.args)
        kwargs = {key: convert_value(arg, self._value) for key, arg in node.kwargs.items()}
        helpers = NetworkDefinition(self._network, node.name, source_line(node))
        context = ConversionContext(helpers, self._settings)
        made = support.converter_implementation(context, node.target, args, kwargs, node.name)
        made = list(made) if isinstance(made, tuple) else made
        self._check_returned(node, made)
        return made

    def _check_returned(self, node: fx.Node, made: Any) -> None:
        """Refuses what is no tensor of a network, or not as many as the operator has results."""
        expected: Any = node.meta.get("val")
        if not isinstance(expected, (list, tuple)):
            fits, wanted = isinstance(made, core().Tensor), "one tensor"
        else:
            wanted = f"a tuple of {len(expected)} tensors"
            fits = isinstance(made, list) and len(made) == len(expected)
            fits = fits and all(t is None or isinstance(t, core().Tensor) for t in made)
        if fits:
            return
        kinds = [type(value).__name__ for value in (made if isinstance(made, list) else [made])]
        got = f"({', '.join(kinds)})" if isinstance(made, list) else kinds[0]
        hint = "; a Layer's first one is layer.get_output(0)" if "Layer" in kinds else ""
        raise self._error(
            node, f"its converter must return {wanted} of the network, got {got}{hint}"
        )

    def _item(self, node: fx.Node) -> Any:
        source, index = node.args[0], node.args[1]
        assert isinstance(source, fx.Node)
        assert isinstance(index, int)
        item = self._values[source][index]
        if item is None and node.users:
            raise self._error(node, f"engines do not compute result {index} of {source.name}")
        return item

    def _value(self, node: fx.Node) -> Any:
        value = self._values[node]
        if value is None:
            raise self._error(node, "its value is not computed by engines")
        return value

    def _check(self, node: fx.Node) -> None:
        expected: Any = node.meta.get("val")
        made = self._values[node]
        pairs = zip(made, expected, strict=False) if isinstance(made, list) else [(made, expected)]
        for tensor, wanted in pairs:
            if tensor is None or not isinstance(wanted, torch.Tensor):
                continue
            sizes = core_sizes(wanted.shape)
            if not tensor.agrees(core_dtype(wanted.dtype), sizes):
                theirs = f"{core_dtype(wanted.dtype).name}{sizes}"
                raise self._error(node, f"the converter gives {tensor!r}, PyTorch {theirs}")

    def _error(self, node: fx.Node, reason: str) -> ConversionError:
        detail = describe(node, reason)
        return ConversionError(detail.node, detail.op, detail.shapes, reason, detail.source)
