"""Errors of the C++ runtime as the classes of this package, and what does not change an engine."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import torch

from torch_tensorrt._exceptions import (
    DynamicShapeOutOfRangeException,
    InputMismatchError,
    TorchTensorRTError,
    UnsupportedTransformError,
    WeightsChangedError,
)

logger = logging.getLogger("torch_tensorrt")

#: How a status of C++ begins when it crosses torch: its code, which the class of the error says to
#: users.
_CODE = re.compile(r"[A-Z][A-Za-z]+: (?=\[)")
_OUT_OF_RANGE = "OutOfRange: ["
_WEIGHTS_CHANGED = "DataLoss: [weights]"
#: Of the engine itself, whatever the inputs.
_FAILED = ("DataLoss: [", "DeviceError: [", "Internal: [", "Unsupported: [")
_NO_MEMORY = "ResourceExhausted: ["
_REFUSED = ("InvalidArgument: [", "[tensorrt] engines do not take")


def typed_error(error: Exception, engines: Iterable[str] = ()) -> Exception | None:
    """The error class of this package for an error of an engine; None for other errors.

    Args:
        engines: Names of the engines that may have refused it.
    """
    text = str(error)
    if isinstance(error, NotImplementedError) and "engines are for inference" in text:
        return UnsupportedTransformError(text)
    if _WEIGHTS_CHANGED in text:  # a failed pickle says more before and after
        first = text[text.index(_WEIGHTS_CHANGED) :].splitlines()[0]
        return WeightsChangedError(without_code(first))
    names = tuple(f"[{name}] " for name in engines)
    kind: type[Exception]
    if text.startswith(_OUT_OF_RANGE):
        kind = DynamicShapeOutOfRangeException
    elif text.startswith(_NO_MEMORY):
        kind = torch.OutOfMemoryError
    elif text.startswith(_FAILED):
        kind = TorchTensorRTError
    elif isinstance(error, (ValueError, TypeError)) and text.startswith((*_REFUSED, *names)):
        kind = InputMismatchError
    else:
        return None
    return kind(without_code(text))


def without_code(text: str) -> str:
    """The message of an error from C++ without the code in front of it: ``DataLoss: [plan] ...``
    is ``[plan] ...``."""
    found = _CODE.match(text)
    return text[found.end() :] if found else text


def with_labels(error: Exception, labels: Mapping[str, str]) -> Exception:
    """``error`` with the user's own names behind those of the engine's inputs."""
    text = str(error)
    for name, label in labels.items():
        text = text.replace(f"input '{name}'", f"input '{name}' (\"{label}\")")
    return error if text == str(error) else type(error)(text)


def not_a_tensor(where: str, value: Any) -> InputMismatchError | None:
    """The error for an input that is no dense tensor; None when it is one."""
    if not isinstance(value, torch.Tensor):
        kind = type(value).__name__
        return InputMismatchError(f"{where} must be a dense tensor, got {kind}; pass a tensor")
    if value.layout is not torch.strided:
        return InputMismatchError(
            f"{where} must be a dense tensor, got {value.layout}; pass it .to_dense()"
        )
    return None


def warn_of_conversion(
    name: str, convert: Callable[[torch.Tensor], torch.Tensor], dtypes: Sequence[torch.dtype]
) -> None:
    """Says, once per engine and conversion, that ``module.to(...)`` leaves an engine as it is.

    Args:
        name: Label of the engine.
        convert: What ``nn.Module`` applies to its tensors.
        dtypes: Of the engine's inputs and outputs.
    """
    dtype = next((d for d in dtypes if d.is_floating_point), torch.float32)
    probe = torch.empty(0, dtype=dtype)
    try:
        after = convert(probe)
        change = str(after.dtype if after.dtype != dtype else after.device)
        if after.dtype == dtype and after.device == probe.device:
            return
    except (RuntimeError, AssertionError):  # the device does not exist
        change = "another device"
    warn_once(
        f"engine '{name}' stays as it was compiled: .to(), .half(), .cuda() and the like cannot "
        f"convert it to {change.removeprefix('torch.')}. Convert the model and compile that: "
        "torch_tensorrt.compile(model.to(...), arg_inputs=...)"
    )


@cache
def warn_once(message: str) -> None:
    """Logs a warning unless this process has logged it already."""
    logger.warning("%s", message)
