"""Conversion of FX subgraphs to networks, and converters that users write."""

from torch_tensorrt.dynamo.conversion._context import ConversionContext
from torch_tensorrt.dynamo.conversion._convert import convert_module, network_from_module
from torch_tensorrt.dynamo.conversion._network import NetworkDefinition
from torch_tensorrt.dynamo.conversion._registry import (
    DYNAMO_CONVERTERS,
    ConverterPriority,
    ConverterRegistry,
    ConverterSupport,
    dynamo_tensorrt_converter,
    has_dynamic_shapes_in_args,
    has_static_shapes,
    has_static_shapes_in_args,
)
from torch_tensorrt.dynamo.conversion._support import converter_targets, node_support

__all__ = [
    "DYNAMO_CONVERTERS",
    "ConversionContext",
    "ConverterPriority",
    "ConverterRegistry",
    "ConverterSupport",
    "NetworkDefinition",
    "convert_module",
    "converter_targets",
    "dynamo_tensorrt_converter",
    "has_dynamic_shapes_in_args",
    "has_static_shapes",
    "has_static_shapes_in_args",
    "network_from_module",
    "node_support",
]
