"""Entry points of ``torch.compile(backend="tensorrt")``."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import fx

from torch_tensorrt._exceptions import TorchTensorRTError
from torch_tensorrt.dynamo._settings import CompilationSettings, require_target, validate_options
from torch_tensorrt.dynamo.backend._compile_fx import trace_and_compile
from torch_tensorrt.dynamo.backend._gradients import (
    StaysInPyTorch,
    differentiable,
    input_reason,
    needs_gradients,
)
from torch_tensorrt.dynamo.backend._static_inputs import static_input_positions
from torch_tensorrt.dynamo.partitioning._modules import missing_module, names_in_graph

logger = logging.getLogger("torch_tensorrt")

BACKEND_NAMES = ("tensorrt", "torch_tensorrt", "aot_torch_tensorrt_aten")


def torch_tensorrt_backend(
    gm: fx.GraphModule, sample_inputs: Sequence[Any], **kwargs: Any
) -> Callable[..., Any]:
    """Backend of ``torch.compile``: compile one graph that Dynamo captured.

    Args:
        gm: Dynamo's graph.
        sample_inputs: Its inputs, parameters included.
        **kwargs: ``options``: fields of :class:`CompilationSettings`; ``mode`` is accepted.

    Returns:
        A function with the signature of ``gm``. ``gm`` itself when it must run in PyTorch; the
        reason is logged.

    Raises:
        InvalidOptionError: unknown option or bad value.
        UnsupportedOperatorException: see ``require_full_compilation``.
    """
    settings = parse_options(kwargs)
    require_target(settings)
    missing = missing_module(settings.torch_executed_modules, names_in_graph(gm.graph.nodes))
    if missing is not None:
        logger.warning("%s (in this graph; a model may be captured as several)", missing)
    static = static_input_positions(gm, sample_inputs)
    gradients = needs_gradients(sample_inputs)
    reason = input_reason(sample_inputs, static) if gradients else None
    if reason is not None:
        return _in_pytorch(gm, reason)
    try:
        run = trace_and_compile(gm, sample_inputs, static, settings, repeatable=gradients)
    except (ImportError, torch._dynamo.exc.RestartAnalysis):
        raise  # the latter asks Dynamo to capture the graph again, with what was learnt
    except StaysInPyTorch as found:
        return _in_pytorch(gm, str(found))
    except Exception as error:
        if settings.require_full_compilation or settings.pass_through_build_failures:
            raise
        kind = "" if isinstance(error, TorchTensorRTError) else f"{type(error).__name__}: "
        logger.warning("a graph runs in PyTorch, it could not be compiled: %s%s", kind, error)
        return gm.forward
    run = torch._dynamo.disable(run, recursive=True)
    return differentiable(run, gm) if gradients else run


def _in_pytorch(gm: fx.GraphModule, reason: str) -> Callable[..., Any]:
    logger.warning(
        "a graph runs in PyTorch because gradients may be needed: %s. For inference call the model "
        "under torch.no_grad() and in eval mode.",
        reason,
    )
    return gm.forward


def parse_options(kwargs: dict[str, Any]) -> CompilationSettings:
    """Settings from the keywords that ``torch.compile`` passes to a backend."""
    options = dict(kwargs.pop("options", None) or {})
    kwargs.pop("mode", None)
    options.update(kwargs)
    return validate_options(options)


def register() -> None:
    """Make the backends known to Dynamo; for an installed package entry points do it."""
    from torch._dynamo.backends.registry import _COMPILER_FNS, register_backend

    for name in BACKEND_NAMES:
        if name not in _COMPILER_FNS:
            register_backend(compiler_fn=torch_tensorrt_backend, name=name)
