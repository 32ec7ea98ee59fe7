"""Loads libtorchtrt.so (the torch class ``tensorrt.Engine`` and its op) once per process."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch

from torch_tensorrt import _fake_engine


@cache
def load_library() -> None:
    """Registers the engine class, ``torch.ops.tensorrt.execute_engine`` and its FakeTensor rule.

    Importing the package does it, so that ``torch.export.load`` and ``torch.load`` know engines.

    Raises:
        ImportError: the compiled library is missing or does not fit this torch.
    """
    path = Path(__file__).parent / "libtorchtrt.so"
    try:
        torch.ops.load_library(str(path))
    except OSError as error:
        raise ImportError(
            f"torch_tensorrt cannot load its compiled library ({error}). It was built against "
            f"another torch than the installed {torch.__version__}, or not built: run `make "
            "build`, or reinstall the package."
        ) from error
    _fake_engine.register()
