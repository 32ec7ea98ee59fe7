"""Which modules a node comes from, and whether the modules that options name exist."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram

from torch_tensorrt._exceptions import InvalidOptionError
from torch_tensorrt.dynamo._option_checks import unknown_name

_DECORATION = re.compile(r"L\['self'\]\.?|_modules\.|@\d+")


def modules_of(node: fx.Node) -> Iterator[tuple[str, str]]:
    """``(qualified path, class name with its module)`` of the modules ``node`` was called in,
    outermost first. The path of the whole model is empty."""
    for path, kind in (node.meta.get("nn_module_stack") or {}).values():
        name = kind if isinstance(kind, str) else _class_name(kind)
        yield clean_path(path), name


def clean_path(path: str) -> str:
    """A recorded path as users write it: ``L['self']._modules.first@1`` is ``first``."""
    return _DECORATION.sub("", path).removeprefix("self.")


def excluded_module(node: fx.Node, wanted: Collection[Any]) -> str | None:
    """The module of ``node`` that ``torch_executed_modules`` lists, as text; None without one."""
    if not wanted:
        return None
    for path, name in modules_of(node):
        for module in wanted:
            by_class = isinstance(module, type) and _class_name(module) == name
            if by_class or module in _spellings(path, name):
                return f"{path or 'self'} ({name})"
    return None


def missing_module(wanted: Collection[Any], known: Collection[str]) -> str | None:
    """What to say about the first name that is not ``known``; None if all are. Classes are not
    looked up: a list of them may serve several models."""
    for module in sorted(m for m in wanted if isinstance(m, str)):
        if module not in known:
            return f"torch_executed_modules {unknown_name('the module', module, known)}"
    return None


def require_modules(wanted: Collection[Any], known: Collection[str]) -> None:
    """Refuse names that the model does not have.

    Raises:
        InvalidOptionError: names those that are near.
    """
    problem = missing_module(wanted, known)
    if problem is not None:
        raise InvalidOptionError(f"[settings] {problem}")


def names_in_graph(nodes: Iterable[fx.Node]) -> set[str]:
    """Every name by which a module of these nodes may be listed."""
    found: set[str] = set()
    for node in nodes:
        for path, name in modules_of(node):
            found.update(_spellings(path, name))
    return found


def names_in_program(program: ExportedProgram) -> set[str]:
    """Names of modules of a program: those of its operators and of owners of its weights."""
    found = names_in_graph(program.graph.nodes)
    for key in (*program.state_dict, *program.constants):
        parts = key.split(".")[:-1]
        found.update(".".join(parts[: i + 1]) for i in range(len(parts)))
    return found


def names_in_module(model: torch.nn.Module) -> set[str]:
    """Names of a module and of all its submodules."""
    found: set[str] = set()
    for path, module in model.named_modules():
        found.update(_spellings(path, _class_name(type(module))))
    return found


def _spellings(path: str, name: str) -> set[str]:
    # Lists of modules are never called themselves, only what is in them.
    parts = path.split(".")
    owners = {".".join(parts[: i + 1]) for i in range(len(parts))}
    return {text for text in (*owners, name, name.rsplit(".", 1)[-1]) if text}


def _class_name(kind: Any) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
