"""The public project's context managers and switches."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import nn

from torch_tensorrt.dynamo.runtime import TorchTensorRTModule

_logger = logging.getLogger("torch_tensorrt")


@cache
def _say_once(name: str, reason: str) -> None:
    _logger.warning("%s has no effect on CPU engines: %s", name, reason)


@contextmanager
def enable_cudagraphs(module: nn.Module, *, cuda_graph_strategy: Any = None) -> Iterator[nn.Module]:
    """Yields ``module`` with CUDA graphs on in its GPU engines, and sets them back at the end.

    They are on from the start; see :func:`set_cudagraphs_mode`. CPU engines run their steps
    directly: there is no launch cost to save.
    """
    del cuda_graph_strategy
    engines = _gpu_engines(module)
    if not engines:
        _say_once("enable_cudagraphs", "their steps are called directly")
    before = [engine.cuda_graphs() for engine in engines]
    for engine in engines:
        engine.set_cuda_graphs(True)
    try:
        yield module
    finally:
        for engine, on in zip(engines, before, strict=True):
            engine.set_cuda_graphs(on)


def set_cudagraphs_mode(mode: bool) -> None:
    """Whether GPU engines may run as CUDA graphs, for all engines of the process. On at the start.

    A call whose addresses were seen before is then one launch. An engine switched off by itself
    stays off. CPU engines have no CUDA graphs.
    """
    if not torch.cuda.is_available() and mode:
        _say_once("set_cudagraphs_mode", "their steps are called directly")
    torch.ops.tensorrt.set_cudagraphs_mode(mode)


def get_cudagraphs_mode() -> bool:
    """Whether GPU engines may run as CUDA graphs; False where there is no GPU."""
    return torch.cuda.is_available() and bool(torch.ops.tensorrt.get_cudagraphs_mode())


def get_whole_cudagraphs_mode() -> bool:
    """False: each engine has graphs of its own, operators between engines are not recorded."""
    return False


def _gpu_engines(module: nn.Module) -> list[Any]:
    engines = [m.engine for m in module.modules() if isinstance(m, TorchTensorRTModule)]
    return [engine for engine in engines if engine is not None and engine.target() == "cuda"]


@contextmanager
def enable_pre_allocated_outputs(module: nn.Module) -> Iterator[nn.Module]:
    """Yields ``module``: outputs on the CPU come from torch's allocator in about a microsecond."""
    _say_once("enable_pre_allocated_outputs", "allocating an output takes about a microsecond")
    yield module


@contextmanager
def enable_output_allocator(module: nn.Module) -> Iterator[nn.Module]:
    """Yields ``module``: output sizes are always known before an engine runs."""
    _say_once("enable_output_allocator", "output sizes are known before the engine runs")
    yield module


class _WeightStreaming:
    """What ``weight_streaming`` yields: the whole of the weights stays in memory."""

    def __init__(self, module: nn.Module) -> None:
        engines = [m for m in module.modules() if isinstance(m, TorchTensorRTModule)]
        self.total_device_budget = sum(engine.stats()["constant_bytes"] for engine in engines)
        self.device_budget = self.total_device_budget

    def get_automatic_weight_streaming_budget(self) -> int:
        """Bytes of all weights: nothing has to be streamed."""
        return self.total_device_budget


@contextmanager
def weight_streaming(module: nn.Module) -> Iterator[_WeightStreaming]:
    """Yields an object with the weights' size in bytes; on the CPU they are never streamed."""
    _say_once("weight_streaming", "their weights already are in host memory")
    yield _WeightStreaming(module)


@contextmanager
def optimization_profile(
    module: nn.Module, profile: int | str | None = None
) -> Iterator[nn.Module]:
    """Yields ``module``: one engine serves all profiles of its inputs without choosing one."""
    del profile
    _say_once("optimization_profile", "one engine serves all profiles and is tuned for each")
    yield module


def set_multi_device_safe_mode(mode: bool) -> None:
    """Accepted for compatibility: an engine checks the device of its inputs on every call."""
    if mode:
        _say_once("set_multi_device_safe_mode", "every call checks the device of its inputs")
