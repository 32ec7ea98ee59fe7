"""The public project's context managers and switches, with their effect on CPU engines."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from torch import nn

from torch_tensorrt.dynamo.runtime import TorchTensorRTModule

_logger = logging.getLogger("torch_tensorrt")


@cache
def _say_once(name: str, reason: str) -> None:
    _logger.warning("%s has no effect on CPU engines: %s", name, reason)


@contextmanager
def enable_cudagraphs(module: nn.Module, *, cuda_graph_strategy: Any = None) -> Iterator[nn.Module]:
    """Yields ``module``: CPU engines run their steps directly, there is no launch cost to save."""
    del cuda_graph_strategy
    _say_once("enable_cudagraphs", "their steps are called directly")
    yield module


def set_cudagraphs_mode(mode: bool) -> None:
    """Accepted for compatibility; CUDA graphs do not apply to CPU engines."""
    if mode:
        _say_once("set_cudagraphs_mode", "their steps are called directly")


def get_cudagraphs_mode() -> bool:
    """False: no engine of this build records CUDA graphs."""
    return False


def get_whole_cudagraphs_mode() -> bool:
    """False: no engine of this build records CUDA graphs."""
    return False


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
    """Yields ``module``: one engine serves every shape in its range without choosing a profile."""
    del profile
    _say_once("optimization_profile", "one engine serves every shape in its range")
    yield module


def set_multi_device_safe_mode(mode: bool) -> None:
    """Accepted for compatibility: an engine checks the device of its inputs on every call."""
    if mode:
        _say_once("set_multi_device_safe_mode", "every call checks the device of its inputs")
