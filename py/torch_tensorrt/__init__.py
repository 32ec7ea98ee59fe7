"""An inference compiler for PyTorch with the interface of Torch-TensorRT and an engine of its own.

fast = torch.compile(model, backend="tensorrt")
compiled = torch_tensorrt.compile(model, arg_inputs=inputs)
torch_tensorrt.save(compiled, "model.ep", arg_inputs=inputs)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from torch_tensorrt import logging
from torch_tensorrt._compile import compile, convert_method_to_trt_engine, load, save
from torch_tensorrt._Device import Device
from torch_tensorrt._enums import DeviceType, EngineCapability, Platform, dtype, memory_format
from torch_tensorrt._features import ENABLED_FEATURES
from torch_tensorrt._Input import Input
from torch_tensorrt._library import load_library as _load_library
from torch_tensorrt._version import __version__

if TYPE_CHECKING:
    from torch_tensorrt import dynamo, runtime

_LAZY_MODULES = ("dynamo", "runtime")

__all__ = [
    "ENABLED_FEATURES",
    "Device",
    "DeviceType",
    "EngineCapability",
    "Input",
    "Platform",
    "__version__",
    "compile",
    "convert_method_to_trt_engine",
    "dtype",
    "dynamo",
    "load",
    "logging",
    "memory_format",
    "runtime",
    "save",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY_MODULES:
        return importlib.import_module(f"torch_tensorrt.{name}")
    runtime_module = importlib.import_module("torch_tensorrt.runtime")
    if not name.startswith("_") and name in getattr(runtime_module, "__all__", ()):
        return getattr(runtime_module, name)
    raise AttributeError(f"module 'torch_tensorrt' has no attribute '{name}'")


def _register_backends() -> None:
    """For a package that is on the path but not installed; else entry points name the backends."""
    from importlib.metadata import entry_points

    if "tensorrt" in entry_points(group="torch_dynamo_backends").names:
        return
    from torch_tensorrt.dynamo.backend import register

    register()


_load_library()
_register_backends()
