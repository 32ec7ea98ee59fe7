"""Loads libtorchtrt.so (the torch class ``tensorrt.Engine`` and its op) once per process."""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path

import torch

from torch_tensorrt import _fake_engine
from torch_tensorrt._return_types import name_return_types


@cache
def load_library() -> None:
    """Registers the engine class, ``torch.ops.tensorrt.execute_engine`` and its FakeTensor rule.

    Importing the package does it, so that ``torch.export.load`` and ``torch.load`` know engines.
    Warns when ``TORCHTRT_FORCE_ISA`` cannot be followed.

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
    _answer_torch_function()
    _fake_engine.register()
    name_return_types()
    problem = torch.ops.tensorrt.forced_isa_problem()
    if problem:
        logging.getLogger("torch_tensorrt").warning("%s", problem)


def _answer_torch_function() -> None:
    """Lets script objects say at once that they override no torch function.

    torch asks every non-tensor argument of an operator for ``__torch_function__``. A script object
    looks for a method of that name and raises a C++ exception when it finds none, which is half of
    the cost of calling a small engine. The value set here is torch's own for "no override".
    """
    if "__torch_function__" not in vars(torch.ScriptObject):
        disabled = torch._C._disabled_torch_function_impl
        setattr(torch.ScriptObject, "__torch_function__", disabled)  # noqa: B010
