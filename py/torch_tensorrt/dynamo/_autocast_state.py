"""PyTorch's autocast around a compilation: it is not part of the model."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

import torch
from torch.export import ExportedProgram

logger = logging.getLogger("torch_tensorrt")

_aten = torch.ops.aten
#: Operators that autocast runs in its own type, and whose results otherwise have their operands'.
_PRODUCTS = (
    _aten.linear.default,
    _aten.matmul.default,
    _aten.mm.default,
    _aten.bmm.default,
    _aten.addmm.default,
    _aten.baddbmm.default,
    _aten.conv1d.default,
    _aten.conv2d.default,
    _aten.conv3d.default,
    _aten.conv1d.padding,
    _aten.conv2d.padding,
    _aten.conv3d.padding,
    _aten.convolution.default,
    _aten.scaled_dot_product_attention.default,
)


@contextlib.contextmanager
def autocast_left_out() -> Iterator[None]:
    """While active, autocast that is on around the caller is off; says so if it was on.

    Capture records the operators without autocast's casts, but with the types of their results:
    such a program fits neither the model nor itself. ``torch.autocast`` inside ``forward`` is
    recorded whole and stays as it is.
    """
    active = _active()
    if active:
        logger.warning(
            "compiling under torch.autocast (%s): it is ignored, the engine computes in the types "
            "of the model and its inputs. Pass enable_autocast=True to compute in half precision, "
            "or enter torch.autocast inside the model's forward",
            ", ".join(active),
        )
    with without_autocast():
        yield


@contextlib.contextmanager
def without_autocast() -> Iterator[None]:
    """The same without a word, for a module that is compiled already."""
    with contextlib.ExitStack() as stack:
        for kind in _active():
            stack.enter_context(torch.autocast(kind, enabled=False))
        yield


def _active() -> list[str]:
    return [kind for kind in ("cpu", "cuda") if torch.is_autocast_enabled(kind)]


def types_are_autocasts(program: ExportedProgram) -> bool:
    """Whether ``program`` was captured under autocast: products of one type are recorded as having
    results of another, without the casts that autocast made."""
    for node in program.graph.nodes:
        if node.op != "call_function" or node.target not in _PRODUCTS:
            continue
        result = node.meta.get("val")
        operands = [source.meta.get("val") for source in node.all_input_nodes]
        types = {value.dtype for value in operands if isinstance(value, torch.Tensor)}
        if isinstance(result, torch.Tensor) and types != {result.dtype}:
            return True
    return False
