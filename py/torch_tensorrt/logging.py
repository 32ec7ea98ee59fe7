"""Logging of the package: one logger, named ``torch_tensorrt``.

Quiet on success but for one summary line a build, at INFO.
"""

from __future__ import annotations

import logging
import sys
from types import TracebackType
from typing import TextIO

GRAPHS = 5
"""Level below DEBUG: graphs are printed too."""

LOGGER_NAME = "torch_tensorrt"

logging.addLevelName(GRAPHS, "GRAPHS")
_LOGGER = logging.getLogger(LOGGER_NAME)


class _StderrHandler(logging.StreamHandler[TextIO]):
    """Writes to what ``sys.stderr`` is at that moment, unless the user has set up logging since."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self.setFormatter(logging.Formatter("%(levelname)s: [torch_tensorrt] %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        if logging.getLogger().handlers or _LOGGER.handlers != [self]:
            return
        self.stream = sys.stderr
        super().emit(record)


def _ensure_output() -> None:
    """Messages below WARNING go nowhere when nobody has set up logging: give them stderr."""
    if not _LOGGER.hasHandlers():
        _LOGGER.addHandler(_StderrHandler())


def set_level(level: int | str, logger: logging.Logger | None = None) -> None:
    """Set the level of the package's logger (``logging.INFO``, ``"DEBUG"``, ``GRAPHS`` ...).

    Where logging has no handlers yet, the package's messages go to stderr from now on.
    """
    if logger is None:
        _ensure_output()
    (logger or _LOGGER).setLevel(level)


class _LevelContext:
    """Context manager that sets the logger's level and restores the earlier one on exit."""

    level: int

    def __enter__(self) -> None:
        _ensure_output()
        self._saved = _LOGGER.level
        _LOGGER.setLevel(self.level)

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _LOGGER.setLevel(self._saved)


class internal_errors(_LevelContext):  # noqa: N801
    """Only messages about failures inside the package."""

    level = logging.CRITICAL


class errors(_LevelContext):  # noqa: N801
    """Errors."""

    level = logging.ERROR


class warnings(_LevelContext):  # noqa: N801
    """Warnings and errors."""

    level = logging.WARNING


class info(_LevelContext):  # noqa: N801
    """The summary line of every build, and all above."""

    level = logging.INFO


class debug(_LevelContext):  # noqa: N801
    """Every stage's decisions."""

    level = logging.DEBUG


class graphs(_LevelContext):  # noqa: N801
    """Graphs before and after each stage."""

    level = GRAPHS
