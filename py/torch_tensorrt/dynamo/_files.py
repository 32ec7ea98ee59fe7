"""Exported programs on disk."""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.export import ExportedProgram

_TORCH_LOGGER = logging.getLogger("torch.export")


def write_program(
    program: ExportedProgram,
    path: str | os.PathLike[str],
    extra_files: dict[str, Any] | None,
    pickle_protocol: int,
) -> None:
    """Write ``program`` to ``path``, which afterwards holds all of it or what it held before.

    Raises:
        OSError: the file cannot be written.
    """
    target = Path(path)
    scratch = target.with_name(f".{target.name}.{os.getpid()}.{secrets.token_hex(4)}")
    # torch takes a path only when it ends in ".pt2"; a file object may be called anything.
    with open(scratch, "x+b") as file:
        try:
            torch.export.save(
                program, file, extra_files=extra_files, pickle_protocol=pickle_protocol
            )
            file.flush()
            os.fsync(file.fileno())
            os.replace(scratch, target)
        except BaseException:
            os.unlink(scratch)
            raise


def read_program(
    path: str | os.PathLike[str], extra_files: dict[str, Any] | None, **kwargs: Any
) -> ExportedProgram:
    """The program that :func:`write_program` wrote; ``kwargs`` as in ``torch.export.load``.

    Raises:
        OSError: the file cannot be opened.
        ValueError: the file is no exported program, or is damaged; says what was found.
    """
    with open(path, "rb") as file, _torch_reasons() as reasons:
        try:
            return torch.export.load(file, extra_files=extra_files, **kwargs)
        except Exception as error:
            reason = reasons[-1] if reasons else error
            raise ValueError(
                f"[load] {path} cannot be read as an exported program: "
                f"{_first_line(reason)}. It is damaged or was not written by "
                "torch_tensorrt.save or torch.export.save: write it again"
            ) from reason


@contextmanager
def _torch_reasons() -> Iterator[list[BaseException]]:
    """Errors that torch logs, with a traceback, before it raises another that refers to the log."""
    found: list[BaseException] = []

    def keep(record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            found.append(error)
        return error is None

    _TORCH_LOGGER.addFilter(keep)
    try:
        yield found
    finally:
        _TORCH_LOGGER.removeFilter(keep)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__).rstrip(".")
