"""The Dynamo pipeline: capture, lowering, partitioning, conversion, build."""

from torch_tensorrt.dynamo import backend, lowering, partitioning
from torch_tensorrt.dynamo._compiler import (
    compile,
    convert_exported_program_to_serialized_trt_engine,
)
from torch_tensorrt.dynamo._exporter import export
from torch_tensorrt.dynamo._settings import CompilationSettings, validate_options
from torch_tensorrt.dynamo._source_ir import SourceIR
from torch_tensorrt.dynamo._tracer import trace

__all__ = [
    "CompilationSettings",
    "SourceIR",
    "backend",
    "compile",
    "convert_exported_program_to_serialized_trt_engine",
    "export",
    "lowering",
    "partitioning",
    "trace",
    "validate_options",
]
