"""Running engines: the module that wraps one, building one from a network, its FakeTensor rule."""

from torch_tensorrt._library import load_library
from torch_tensorrt.dynamo.runtime._build import BuildReport, build_engine
from torch_tensorrt.dynamo.runtime._module import TorchTensorRTModule

__all__ = ["BuildReport", "TorchTensorRTModule", "build_engine", "load_library"]
