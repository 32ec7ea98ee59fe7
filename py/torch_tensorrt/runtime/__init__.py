"""Run-time controls of compiled modules.

CUDA graphs of GPU engines can be switched. The other switches are not needed: shapes never need a
profile, contexts are made on demand, outputs are allocated per call. Those names are accepted, so
that code written for the public project runs, and say once that they change nothing here.
"""

from torch_tensorrt.dynamo.runtime import TorchTensorRTModule
from torch_tensorrt.runtime._controls import (
    enable_cudagraphs,
    enable_output_allocator,
    enable_pre_allocated_outputs,
    get_cudagraphs_mode,
    get_whole_cudagraphs_mode,
    optimization_profile,
    set_cudagraphs_mode,
    set_multi_device_safe_mode,
    weight_streaming,
)

__all__ = [
    "TorchTensorRTModule",
    "enable_cudagraphs",
    "enable_output_allocator",
    "enable_pre_allocated_outputs",
    "get_cudagraphs_mode",
    "get_whole_cudagraphs_mode",
    "optimization_profile",
    "set_cudagraphs_mode",
    "set_multi_device_safe_mode",
    "weight_streaming",
]
