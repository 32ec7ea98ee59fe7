"""The Dynamo pipeline: capture, lowering, partitioning, conversion, build."""

from torch_tensorrt._interrupts import uninterrupted

with uninterrupted():
    from torch_tensorrt.dynamo import backend, conversion, lowering, partitioning, runtime
    from torch_tensorrt.dynamo._compiler import (
        compile,
        convert_exported_program_to_serialized_trt_engine,
    )
    from torch_tensorrt.dynamo._exporter import export
    from torch_tensorrt.dynamo._settings import (
        CompilationSettings,
        require_target,
        validate_options,
    )
    from torch_tensorrt.dynamo._source_ir import SourceIR
    from torch_tensorrt.dynamo._tracer import trace

__all__ = [
    "CompilationSettings",
    "SourceIR",
    "backend",
    "compile",
    "conversion",
    "convert_exported_program_to_serialized_trt_engine",
    "export",
    "lowering",
    "partitioning",
    "require_target",
    "runtime",
    "trace",
    "validate_options",
]
