"""Networks from subgraphs, refusals and converters written in Python."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import fx
from torch_tensorrt._exceptions import ConversionError
from torch_tensorrt.dynamo._settings import CompilationSettings
from torch_tensorrt.dynamo.conversion import (
    DYNAMO_CONVERTERS,
    ConverterPriority,
    convert_module,
    converter_targets,
    dynamo_tensorrt_converter,
    has_static_shapes_in_args,
    network_from_module,
    node_support,
)
from torch_tensorrt.dynamo.conversion._values import core

aten = torch.ops.aten
SETTINGS = CompilationSettings()


def single(op: Any, *args: Any, **kwargs: Any) -> tuple[fx.GraphModule, fx.Node]:
    """A graph of one call; tensor arguments become placeholders."""
    graph = fx.Graph()
    nodes = []
    for i, arg in enumerate(args):
        if isinstance(arg, torch.Tensor):
            node = graph.placeholder(f"x{i}")
            node.meta["val"] = arg
            nodes.append(node)
        else:
            nodes.append(arg)
    call = graph.call_function(op, tuple(nodes), kwargs)
    call.meta["val"] = op(*args, **kwargs)
    graph.output((call,))
    return fx.GraphModule({}, graph), call


def read(graph: fx.Graph, call: fx.Node, index: int) -> fx.Node:
    """Make the graph's output result ``index`` of ``call``."""
    output = next(iter(reversed(graph.nodes)))
    with graph.inserting_before(output):
        item = graph.call_function(operator.getitem, (call, index))
    item.meta["val"] = call.meta["val"][index]
    output.args = ((item,),)
    return item


def test_constants_enter_once() -> None:
    weight = torch.randn(4, 4)
    graph = fx.Graph()
    x = graph.placeholder("x")
    x.meta["val"] = torch.empty(2, 4)
    a, b = graph.get_attr("w"), graph.get_attr("v")
    a.meta["val"] = b.meta["val"] = weight
    first = graph.call_function(aten.mm.default, (x, a))
    second = graph.call_function(aten.mm.default, (first, b))
    first.meta["val"] = second.meta["val"] = torch.empty(2, 4)
    graph.output((second,))
    module = fx.GraphModule({"w": weight, "v": weight}, graph)
    network = network_from_module(module)
    network.verify()
    assert network.to_string().count("= Constant") == 1
    assert network.output_names == [second.name]


def test_unused_layers_are_dropped() -> None:
    module, _ = single(aten.pow.Tensor_Scalar, torch.randn(3), 2)
    network = network_from_module(module)
    assert network.num_layers == 1


def test_refusals_name_the_operator_and_the_reason() -> None:
    _, call = single(aten.randperm.default, 3)
    assert node_support(call, SETTINGS) == (
        "no converter for aten.randperm.default: its numbers must come from PyTorch's own "
        "generator, so that seeds mean the same"
    )
    _, call = single(aten.mul.Tensor, torch.ones(3, dtype=torch.complex64), 2)
    reason = node_support(call, SETTINGS)
    assert reason is not None
    assert "torch.complex64" in reason


def test_results_that_engines_do_not_compute() -> None:
    op = aten._scaled_dot_product_flash_attention_for_cpu.default
    args = (torch.randn(2, 3, 5, 8),) * 3
    module, call = single(op, *args)
    read(module.graph, call, 0).graph.lint()
    assert node_support(call, SETTINGS) is None
    module, call = single(op, *args)
    item = read(module.graph, call, 1)
    reason = node_support(call, SETTINGS)
    assert reason is not None
    assert "result 1" in reason
    with pytest.raises(ConversionError, match="result 1") as caught:
        network_from_module(module)
    assert caught.value.node == item.name


def test_a_wrong_shape_is_an_error_with_both_shapes() -> None:
    module, call = single(aten.relu.default, torch.randn(2, 3))
    call.meta["val"] = torch.empty(3, 2)
    call.meta["stack_trace"] = '  File "model.py", line 12, in forward\n    y = x.relu()\n'
    with pytest.raises(ConversionError) as caught:
        network_from_module(module)
    message = str(caught.value)
    for part in ("f32[2, 3]", "[3, 2]", "model.py:12 in forward", "y = x.relu()", "aten.relu"):
        assert part in message


@pytest.fixture
def custom_op() -> Iterator[Any]:
    with torch.library._scoped_library("trt_conversion_test", "FRAGMENT") as library:
        library.define("twice(Tensor x) -> Tensor")
        library.impl("twice", lambda x: x * 2, "CompositeExplicitAutograd")
        yield torch.ops.trt_conversion_test.twice.default


def test_a_converter_written_in_python(custom_op: Any) -> None:
    seen: list[Any] = []

    @dynamo_tensorrt_converter(custom_op)
    def twice(ctx: Any, target: Any, args: Any, kwargs: Any, name: str) -> Any:
        seen.append((target, name))
        two = ctx.net.add_constant(torch.tensor(2.0)).get_output(0)
        return ctx.net.add_elementwise(args[0], two, "PROD").get_output(0)

    try:
        module, call = single(custom_op, torch.randn(5))
        assert node_support(call, SETTINGS) is None
        x = torch.randn(5)
        got = convert_module(module, SETTINGS)(x)
        torch.testing.assert_close(got if isinstance(got, torch.Tensor) else got[0], x * 2)
        assert seen == [(custom_op, call.name)]
    finally:
        DYNAMO_CONVERTERS.remove(custom_op, twice)
    assert node_support(call, SETTINGS) is not None


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (lambda layer: layer, r"must return one tensor .*got Layer; .*get_output\(0\)"),
        (lambda layer: None, "must return one tensor .*got NoneType"),
        (lambda layer: (layer.get_output(0), 3), r"must return one tensor .*got \(Tensor, int\)"),
    ],
)
def test_a_converter_that_returns_something_else(
    custom_op: Any, returned: Any, message: str
) -> None:
    def twice(ctx: Any, target: Any, args: Any, kwargs: Any, name: str) -> Any:
        return returned(ctx.net.add_unary(args[0], "NEG"))

    dynamo_tensorrt_converter(custom_op)(twice)
    try:
        module, call = single(custom_op, torch.randn(5))
        call.meta["stack_trace"] = '  File "model.py", line 12, in forward\n    y = twice(x)\n'
        with pytest.raises(ConversionError, match=message) as caught:
            convert_module(module, SETTINGS)
    finally:
        DYNAMO_CONVERTERS.remove(custom_op, twice)
    for part in ("trt_conversion_test.twice", "float32[5]", "model.py:12"):
        assert part in str(caught.value)


def test_priority_and_validators() -> None:
    op = aten.relu.default

    def replacement(ctx: Any, target: Any, args: Any, kwargs: Any, name: str) -> Any:
        return ctx.net.add_unary(args[0], "NEG").get_output(0)

    module, call = single(op, torch.randn(4))
    kinds = {}
    for priority in ConverterPriority:
        dynamo_tensorrt_converter(op, priority=priority)(replacement)
        kinds[priority] = network_from_module(module).to_string()
        DYNAMO_CONVERTERS.remove(op, replacement)
    assert "op:Neg" in kinds[ConverterPriority.HIGH]
    assert "op:Relu" in kinds[ConverterPriority.STANDARD]
    dynamo_tensorrt_converter(
        op, priority=ConverterPriority.HIGH, capability_validator=lambda node, settings: False
    )(replacement)
    try:
        assert "op:Relu" in network_from_module(module).to_string()
        assert has_static_shapes_in_args([0])(call, None)
    finally:
        DYNAMO_CONVERTERS.remove(op, replacement)
    assert op not in DYNAMO_CONVERTERS


def test_the_list_of_converters() -> None:
    targets = converter_targets()
    assert targets == sorted(set(targets))
    assert "aten.convolution.default" in targets
    missing = []
    for target in targets:
        namespace, packet, overload = target.split(".")
        found = getattr(getattr(torch.ops, namespace), packet, None)
        if found is None or overload not in found.overloads():
            missing.append(target)
    assert not missing


def test_status_codes_are_typed() -> None:
    network = core().Network()
    with pytest.raises(core().InvalidArgumentError) as caught:
        network.add_layer("NoSuchKind", [])
    assert caught.value.code == "InvalidArgument"
    assert issubclass(core().UnsupportedError, core().StatusError)
