"""What values the options take: kinds of values, and names that must exist.

A check takes a value and returns what is wrong with it, or None.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import operator
import re
from collections.abc import Callable, Collection, Iterable
from typing import Any

import torch

from torch_tensorrt.dynamo._op_names import operator_text

Check = Callable[[Any], str | None]


def kind(text: str, holds: Callable[[Any], bool]) -> Check:
    """Values for which ``holds`` is true; ``text`` describes them."""
    return lambda value: None if holds(value) else f"is {text}, not {value!r}"


def optional(check: Check) -> Check:
    """None, or what ``check`` takes."""
    return lambda value: None if value is None else check(value)


def integer(low: int, high: int | None = None) -> Check:
    """An integer of a range, both ends included."""
    return kind(
        f"an integer of at least {low}" + ("" if high is None else f" and at most {high}"),
        lambda value: (
            isinstance(value, int)
            and not isinstance(value, bool)
            and value >= low
            and (high is None or value <= high)
        ),
    )


def one_of(*values: str) -> Check:
    """One of a few texts."""
    return kind(f"one of {', '.join(values)}", lambda v: isinstance(v, str) and v in values)


def instance(wanted: type, text: str) -> Check:
    """An object of a class."""
    return kind(text, lambda value: isinstance(value, wanted))


def each(text: str, holds: Callable[[Any], bool]) -> Check:
    """A collection (not a text) whose elements all satisfy ``holds``."""
    return kind(
        f"a collection of {text}",
        lambda value: (
            isinstance(value, Collection)
            and not isinstance(value, (str, bytes))
            and all(holds(element) for element in value)
        ),
    )


def names(what: str, known: Callable[[], Collection[str]]) -> Check:
    """A collection of names that all exist, by ``known`` at the time of the check."""
    texts = each("names", _is_text)

    def check(value: Any) -> str | None:
        problem = texts(value)
        if problem is not None or not value:
            return problem
        existing = known()
        unknown = [name for name in value if name not in existing]
        return unknown_name(what, unknown[0], existing) if unknown else None

    return check


def unknown_name(what: str, name: str, known: Collection[str]) -> str:
    """Says that there is no such name, and what is near to it."""
    near = difflib.get_close_matches(name, sorted(known), n=3, cutoff=0.6)
    if near:
        return f"names {what} '{name}', which does not exist; did you mean {_quoted(near)}?"
    some = f"; known are {', '.join(sorted(known))}" if 0 < len(known) <= 40 else ""
    return f"names {what} '{name}', which does not exist{some}"


def _quoted(near: list[str]) -> str:
    return " or ".join(f"'{name}'" for name in near)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _core() -> Any:
    return importlib.import_module("torch_tensorrt._C")


def lowering_pass_names() -> set[str]:
    """Passes on the FX graph, those of users included."""
    from torch_tensorrt.dynamo.lowering.passes import POST_LOWERING_PASSES

    return set(POST_LOWERING_PASSES.names())


@functools.cache
def optimizer_pass_names() -> frozenset[str]:
    """Passes of the engine's optimiser."""
    return frozenset(_core().pass_names())


def _fold_rules() -> Collection[str]:
    from torch_tensorrt.dynamo.lowering.passes.constant_fold import EXCLUSION_RULES

    return EXCLUSION_RULES


def operators(value: Any) -> str | None:
    """Operator objects, functions that stand for one (``torch.sigmoid``), or names in any
    spelling of ``partitioning._support.op_names``."""
    problem = _OPERATORS(value)
    if problem is not None or not value:
        return problem
    known = _operator_names()
    for function in value:
        if operator_text(function) is None:
            name = str(getattr(function, "__name__", function))
            return unknown_name("the operator", name, _like(name, known))
    given = [op for op in value if isinstance(op, str)]
    for name in given:
        if name not in known and not _is_function(name):
            return unknown_name("the operator", name, _like(name, known))
    return None


def _operator_names() -> set[str]:
    """Spellings of all operators that are registered now."""
    found: set[str] = set()
    for registered in torch._C._dispatch_get_all_op_names():
        packet, _, overload = registered.partition(".")
        namespace, _, short = packet.partition("::")
        dotted = f"{namespace}.{short}"
        full = f".{overload or 'default'}"
        found.update((short, packet, packet + full, dotted, dotted + full))
        found.update((f"torch.ops.{dotted}", f"torch.ops.{dotted}{full}"))
        found.add(f"{packet}.{overload}")
    return found


def _is_function(name: str) -> bool:
    """Whether the name is that of a Python function a graph may call (``operator.add``)."""
    short = name.rpartition(".")[2]
    return hasattr(operator, short) or (short.startswith("sym_") and hasattr(torch, short))


def _like(name: str, known: Iterable[str]) -> set[str]:
    """The names written in the same way: near ones are looked for among few."""
    parts, colons, prefixed = name.count("."), "::" in name, name.startswith("torch.ops.")
    return {
        other
        for other in known
        if other.count(".") == parts
        and ("::" in other) == colons
        and other.startswith("torch.ops.") == prefixed
    }


def _is_cache(value: Any) -> bool:
    return all(hasattr(value, method) for method in ("get_hash", "check", "insert"))


def _is_regex(text: Any) -> bool:
    try:
        return _is_text(text) and bool(re.compile(text))
    except re.error:
        return False


_OPERATORS = each("operators or their names", lambda op: _is_text(op) or callable(op))
BOOLEAN = kind("True or False", lambda value: isinstance(value, bool))
BYTES = integer(0)
POSITIVE = integer(1)
PATH = instance(str, "a path")
REGEXES = each("regular expressions", _is_regex)
HALF_TYPE = kind("torch.float16 or torch.bfloat16", lambda v: v in (torch.float16, torch.bfloat16))
LIMIT = kind(
    "a number above 0",
    lambda v: isinstance(v, (int, float)) and not isinstance(v, bool) and v > 0,
)
MODULES = each(
    "module classes, class names or qualified paths",
    lambda module: _is_text(module) or isinstance(module, type),
)
PASSES = names("the pass", lambda: lowering_pass_names() | optimizer_pass_names())
TACTICS = names("the tactic", lambda: _core().tactic_names())
FOLD_RULES = names("the exclusion rule", _fold_rules)
ITERABLE = kind("an iterable", lambda value: hasattr(value, "__iter__"))
BOOL_OR_PATH = kind("a bool or a path", lambda value: isinstance(value, (bool, str)))
CACHE = kind(
    "derived from torch_tensorrt.dynamo._engine_cache.BaseEngineCache (get_hash, check, insert)",
    _is_cache,
)
