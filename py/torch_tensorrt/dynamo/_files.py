"""Exported programs on disk."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import secrets
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import torch
from torch.export import ExportedProgram

from torch_tensorrt._exceptions import LoadError, SaveError
from torch_tensorrt.dynamo._loaded import LoadedProgram
from torch_tensorrt.dynamo.runtime._errors import typed_error, without_code

logger = logging.getLogger("torch_tensorrt")
_TORCH_LOGGER = logging.getLogger("torch.export")

_OPERATOR = "torch.ops."
#: ``namespace.name.overload``, as operators print themselves.
_OVERLOAD = re.compile(r"\w+\.\w+\.\w+")
#: Namespaces that importing PyTorch and this package registers.
_OWN = ("aten", "prims", "prim", "quantized", "tensorrt", "inductor", "higher_order")


def write_program(
    program: ExportedProgram,
    path: str | os.PathLike[str],
    extra_files: dict[str, Any] | None,
    pickle_protocol: int,
) -> None:
    """Write ``program`` to ``path``, which afterwards holds all of it or what it held before.

    Raises:
        SaveError: the program returns or takes a type that has no form in a file, or the folder is
            missing, or ``path`` is a folder or no path.
        WeightsChangedError: an engine shares a weight with a model, where it has changed.
        OSError: the file cannot be written.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise SaveError(
            f"a path is needed, not a {type(path).__name__}; write to a path and read its bytes"
        )
    target = Path(path)
    if target.is_dir():
        raise SaveError(f"{target} is a folder; pass the name of a file in it")
    if not target.parent.is_dir():
        raise SaveError(f"the folder '{target.parent}' of '{target}' does not exist; make it first")
    foreign = sorted(_foreign_operators(str(node.target) for node in _calls(program)))
    if foreign:
        logger.warning(
            "%s calls %s: a process that loads it must first import the package that registers "
            "the namespace%s %s",
            target,
            ", ".join(foreign),
            "" if len(_namespaces(foreign)) == 1 else "s",
            ", ".join(_namespaces(foreign)),
        )
    scratch = target.with_name(f".{target.name}.{os.getpid()}.{secrets.token_hex(4)}")
    # torch takes a path only when it ends in ".pt2"; a file object may be called anything.
    with open(scratch, "x+b") as file:
        try:
            with _plain_examples(program):
                torch.export.save(
                    program, file, extra_files=extra_files, pickle_protocol=pickle_protocol
                )
            file.flush()
            os.fsync(file.fileno())
            os.replace(scratch, target)
        except NotImplementedError as error:
            os.unlink(scratch)
            if "serializ" not in str(error).lower():
                raise
            raise SaveError(
                f"{target} cannot be written: {_first_line(error)}. Way out: take and return "
                "tensors, tuples, lists or dicts; or register the type with a "
                "serialized_type_name (torch.export.register_dataclass for dataclasses)"
            ) from error
        except RuntimeError as error:
            os.unlink(scratch)
            typed = typed_error(error)
            if typed is None:
                raise
            raise typed from error
        except BaseException:
            os.unlink(scratch)
            raise


@contextlib.contextmanager
def _plain_examples(program: ExportedProgram) -> Iterator[None]:
    """Leaves example inputs out of the file when they hold objects of a user's class: PyTorch
    pickles examples, and reading a pickle of such an object runs code."""
    examples = program._example_inputs
    kinds = (tuple, list, dict, torch.Tensor, int, float, bool, str, type(None))
    leaves: list[Any] = [examples]
    while leaves:
        value = leaves.pop()
        if type(value) in (tuple, list):
            leaves += value
        elif type(value) is dict:
            leaves += value.values()
        elif type(value) not in kinds:
            program._example_inputs = None
            break
    try:
        yield
    finally:
        program._example_inputs = examples


def read_program(
    path: str | os.PathLike[str], extra_files: dict[str, Any] | None, **kwargs: Any
) -> LoadedProgram:
    """The program that :func:`write_program` wrote; ``kwargs`` as in ``torch.export.load``.

    Raises:
        OSError: the file cannot be opened.
        LoadError: ``path`` is a folder or no path; or the file is no exported program, or is
            damaged, or calls operators that are not registered in this process; says what was
            found.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise LoadError(
            f"[load] a path is needed, not a {type(path).__name__}; torch.export.load reads file "
            "objects"
        )
    if os.path.isdir(path):
        raise LoadError(f"[load] {path} is a folder; pass the file in it that save wrote")
    with open(path, "rb") as file, _torch_reasons() as reasons:
        texts: list[bytes] = []
        try:
            texts = _texts(file)
            file.seek(0)
            return LoadedProgram.of(torch.export.load(file, extra_files=extra_files, **kwargs))
        except Exception as error:
            reason = reasons[-1] if reasons else error
            missing = _missing_operators(texts)
            if missing:
                names = _namespaces(missing)
                raise LoadError(
                    f"[load] {path} calls {', '.join(missing)}, which no package imported here "
                    f"registers: import the package that defines the operators of "
                    f"{', '.join(names)} (for example `import {names[0]}`), then load again"
                ) from reason
            raise LoadError(
                f"[load] {path} cannot be read as an exported program: "
                f"{_first_line(reason)}. It is damaged or was not written by "
                "torch_tensorrt.save or torch.export.save: write it again"
            ) from reason


def _texts(file: IO[bytes]) -> list[bytes]:
    """The descriptions of graphs in an archive; reading them checks their checksums."""
    with zipfile.ZipFile(file) as archive:
        names = [name for name in archive.namelist() if name.endswith(".json")]
        return [archive.read(name) for name in names]


def _missing_operators(texts: list[bytes]) -> list[str]:
    """Operators that the graphs call and this process does not have."""
    targets: set[str] = set()
    for text in texts:
        # A damaged description names no operator.
        with contextlib.suppress(ValueError, RecursionError):
            _collect_targets(json.loads(text), targets)
    return sorted(_qualified(target) for target in targets if not _is_registered(target))


def _collect_targets(value: Any, targets: set[str]) -> None:
    if isinstance(value, dict):
        target = value.get("target")
        if isinstance(target, str) and target.startswith(_OPERATOR):
            targets.add(target)
        for item in value.values():
            _collect_targets(item, targets)
    elif isinstance(value, list):
        for item in value:
            _collect_targets(item, targets)


def _is_registered(target: str) -> bool:
    found: Any = torch.ops
    for part in target.removeprefix(_OPERATOR).split("."):
        found = getattr(found, part, None)
        if found is None:
            return False
    return True


def _calls(program: ExportedProgram) -> Iterator[torch.fx.Node]:
    for module in program.graph_module.modules():
        if isinstance(module, torch.fx.GraphModule):
            yield from (node for node in module.graph.nodes if node.op == "call_function")


def _foreign_operators(targets: Iterable[str]) -> set[str]:
    """Of operators' names, those that neither PyTorch nor this package registers."""
    names = {t for t in targets if _OVERLOAD.fullmatch(t) and t.split(".")[0] not in _OWN}
    return {"::".join(name.split(".")[:2]) for name in names}


def _qualified(target: str) -> str:
    return "::".join(target.removeprefix(_OPERATOR).split(".")[:2])


def _namespaces(operators: Iterable[str]) -> list[str]:
    return sorted({name.split("::")[0] for name in operators})


@contextlib.contextmanager
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
    lines = without_code(str(error)).strip().splitlines()
    return (lines[0] if lines else type(error).__name__).rstrip(".")
