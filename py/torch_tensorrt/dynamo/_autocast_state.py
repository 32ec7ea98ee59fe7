"""PyTorch's autocast around a compilation: it is not part of the model."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

import torch

logger = logging.getLogger("torch_tensorrt")


@contextlib.contextmanager
def autocast_left_out() -> Iterator[None]:
    """While active, autocast that is on around the caller is off; says so if it was on.

    Capture records the operators without autocast's casts, but with the types of their results:
    such a program fits neither the model nor itself. ``torch.autocast`` inside ``forward`` is
    recorded whole and stays as it is.
    """
    active = [kind for kind in ("cpu", "cuda") if torch.is_autocast_enabled(kind)]
    if active:
        logger.warning(
            "compiling under torch.autocast (%s): it is ignored, the engine computes in the types "
            "of the model and its inputs. Pass enable_autocast=True to compute in half precision, "
            "or enter torch.autocast inside the model's forward",
            ", ".join(active),
        )
    with contextlib.ExitStack() as stack:
        for kind in active:
            stack.enter_context(torch.autocast(kind, enabled=False))
        yield
