"""Which optional parts this build has, and decorators that guard functions by them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple, ParamSpec, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")


class FeatureSet(NamedTuple):
    """One flag an optional part; the names are those of public Torch-TensorRT."""

    torchscript_frontend: bool
    torch_tensorrt_runtime: bool
    dynamo_frontend: bool
    fx_frontend: bool
    refit: bool
    qdp_plugin: bool
    windows_cross_compile: bool
    tensorrt_rtx: bool
    trtllm_for_nccl: bool
    native_trt_collectives: bool
    complex_decomposition: bool


ENABLED_FEATURES = FeatureSet(
    torchscript_frontend=False,
    torch_tensorrt_runtime=True,
    dynamo_frontend=True,
    fx_frontend=False,
    refit=False,
    qdp_plugin=False,
    windows_cross_compile=False,
    tensorrt_rtx=False,
    trtllm_for_nccl=False,
    native_trt_collectives=False,
    complex_decomposition=False,
)


def needs_feature(name: str) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """Decorator: raise NotImplementedError when feature ``name`` is off in this build."""

    def decorate(function: Callable[_P, _R]) -> Callable[_P, _R]:
        @functools.wraps(function)
        def guarded(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            if not getattr(ENABLED_FEATURES, name):
                raise NotImplementedError(
                    f"{function.__name__} needs the feature '{name}', which this build does "
                    f"not have "
                    "(see torch_tensorrt.ENABLED_FEATURES)"
                )
            return function(*args, **kwargs)

        return guarded

    return decorate


needs_torch_tensorrt_runtime = needs_feature("torch_tensorrt_runtime")
needs_torchscript_frontend = needs_feature("torchscript_frontend")
needs_refit = needs_feature("refit")
needs_qdp_plugin = needs_feature("qdp_plugin")
needs_cross_compile = needs_feature("windows_cross_compile")
