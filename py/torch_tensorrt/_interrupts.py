"""Ctrl-C while modules are imported.

A package whose import is cut off leaves some of its modules behind, loaded but no attributes of
their parent, and cannot be imported again in that process: ``module 'torch._dynamo' has no
attribute 'exc'``. Compiling imports much of PyTorch late, for a second or so.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from importlib import import_module
from types import FrameType
from typing import Any


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Keeps an interrupt (SIGINT) back until the end of the block.

    A second one comes through at once: whoever is in a hurry may break something. Does nothing
    outside of the main thread, where no interrupt arrives, and where none is handled in Python.
    """
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    arrived: list[FrameType | None] = []

    def keep_back(number: int, frame: FrameType | None) -> None:
        arrived.append(frame)
        if len(arrived) > 1:
            arrived.clear()
            handler(number, frame)

    signal.signal(signal.SIGINT, keep_back)
    try:
        yield
    finally:
        # Unless somebody else has set another one meanwhile.
        if signal.getsignal(signal.SIGINT) is keep_back:
            signal.signal(signal.SIGINT, handler)
        if arrived:
            handler(signal.SIGINT, arrived[-1])


def import_whole(*names: str) -> None:
    """Imports modules so that an interrupt comes before or after, not in between."""
    if all(_is_whole(sys.modules.get(name)) for name in names):
        return
    with uninterrupted():
        for name in names:
            import_module(name)


def _is_whole(module: Any) -> bool:
    spec = getattr(module, "__spec__", None)
    return module is not None and not getattr(spec, "_initializing", False)
