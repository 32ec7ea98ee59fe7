"""Converters that users write in Python, by operator."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import torch
from torch import fx

from torch_tensorrt.dynamo._settings import CompilationSettings
from torch_tensorrt.dynamo._symbols import free_symbols
from torch_tensorrt.dynamo.conversion._arguments import target_name

logger = logging.getLogger("torch_tensorrt")

#: ``(ctx, target, args, kwargs, name) -> tensor or sequence of tensors``
Converter = Callable[..., Any]
#: ``(node, settings) -> bool``
Validator = Callable[[fx.Node, CompilationSettings | None], bool]


class ConverterPriority(Enum):
    """When a converter is asked: HIGH before the built-in one, STANDARD after it."""

    STANDARD = auto()
    HIGH = auto()


def _always(node: fx.Node, settings: CompilationSettings | None = None) -> bool:
    return True


@dataclass(frozen=True)
class ConverterSupport:
    """A converter and what it can do.

    Attributes:
        converter_implementation: The function.
        capability_validator: Says whether it takes a node.
        priority: See :class:`ConverterPriority`.
        supports_dynamic_shapes: Whether it takes nodes with symbolic sizes.
        requires_output_allocator: Kept for compatibility; engines have no outputs whose size
            depends on data.
        requires_native_multidevice: Kept for compatibility; such converters are never used.
    """

    converter_implementation: Converter
    capability_validator: Validator = _always
    priority: ConverterPriority = ConverterPriority.STANDARD
    supports_dynamic_shapes: bool = False
    requires_output_allocator: bool = False
    requires_native_multidevice: bool = False


class ConverterRegistry:
    """Converters by operator. Filled at import time; look-ups are thread-safe after that."""

    def __init__(self) -> None:
        self._table: dict[Any, list[ConverterSupport]] = {}
        self._settings: CompilationSettings | None = None
        self._disallowed: frozenset[Any] = frozenset()

    def add(self, key: Any, support: ConverterSupport) -> None:
        """Register; HIGH goes before earlier ones, STANDARD after them."""
        entries = self._table.setdefault(key, [])
        place = 0 if support.priority is ConverterPriority.HIGH else len(entries)
        entries.insert(place, support)

    def remove(self, key: Any, converter: Converter) -> None:
        """Undo the registration of ``converter`` for ``key``."""
        left = [e for e in self._table.get(key, []) if e.converter_implementation is not converter]
        if left:
            self._table[key] = left
        else:
            self._table.pop(key, None)

    def set_compilation_settings(self, settings: CompilationSettings) -> None:
        """Settings given to validators when a look-up brings none."""
        self._settings = settings

    def set_disallowed_targets(self, torch_executed_ops: Collection[Any]) -> None:
        """Operators that always run in PyTorch."""
        self._disallowed = frozenset(torch_executed_ops)

    def find(
        self,
        node: fx.Node,
        settings: CompilationSettings | None = None,
        priority: ConverterPriority | None = None,
    ) -> ConverterSupport | None:
        """The first converter that takes ``node``, or None.

        Args:
            settings: For validators and ``assume_dynamic_shape_support``.
            priority: Only converters of this priority.
        """
        settings = settings or self._settings
        if self._is_disallowed(node.target):
            return None
        for entry in self._entries(node.target):
            if priority is not None and entry.priority is not priority:
                continue
            if entry.requires_native_multidevice or not entry.capability_validator(node, settings):
                continue
            assumed = settings is not None and settings.assume_dynamic_shape_support
            if not (entry.supports_dynamic_shapes or assumed) and has_dynamic_shapes(node):
                logger.debug("converter of %s takes static shapes only", node.name)
                continue
            return entry
        return None

    def _entries(self, target: Any) -> list[ConverterSupport]:
        own = self._table.get(target, [])
        packet = getattr(target, "overloadpacket", None)
        return own if own or packet is None else self._table.get(packet, [])

    def _is_disallowed(self, target: Any) -> bool:
        return target in self._disallowed or self.qualified_name_or_str(target) in self._disallowed

    def get(self, node: fx.Node, value: Any = None) -> Any:
        """``(converter, ConverterSupport)`` for ``node``, or ``value``."""
        found = self.find(node)
        return (found.converter_implementation, found) if found is not None else value

    def __getitem__(self, node: fx.Node) -> tuple[Converter, ConverterSupport]:
        found = self.get(node)
        if found is None:
            raise KeyError(f"no converter for {self.qualified_name_or_str(node.target)}")
        pair: tuple[Converter, ConverterSupport] = found
        return pair

    def __contains__(self, key: Any) -> bool:
        return self.find(key) is not None if isinstance(key, fx.Node) else key in self._table

    def get_unvalidated(self, key: Any, value: Any = None) -> Any:
        """All registrations of an operator without asking their validators, or ``value``."""
        return tuple(self._table[key]) if key in self._table else value

    def get_all_converters_with_target(
        self, key: Any, return_registry_info: bool = False
    ) -> tuple[Any, dict[str, int] | None]:
        """Registrations of an operator; with ``return_registry_info`` also how many there are."""
        entries = list(self._table.get(key, ()))
        return entries, (
            {"Dynamo ATen Converters Registry": len(entries)} if return_registry_info else None
        )

    def get_converter_support_info(self, node: fx.Node) -> dict[str, bool]:
        """What the converter of ``node`` can do; empty without one."""
        found = self.find(node)
        if found is None:
            return {}
        return {
            "supports_dynamic_shapes": found.supports_dynamic_shapes,
            "requires_output_allocator": found.requires_output_allocator,
            "requires_native_multidevice": found.requires_native_multidevice,
        }

    def keys(self) -> Iterator[Any]:
        """Operators with a converter written in Python."""
        return iter(self._table)

    def unique_targets(self) -> set[Any]:
        """Operators with a converter: those registered here, and the built-in ones by name."""
        from torch_tensorrt.dynamo.conversion._support import converter_targets

        return set(self._table) | set(converter_targets())

    def display_all_available_converters(self) -> str:
        """One line an operator, sorted."""
        names = {
            key if isinstance(key, str) else self.qualified_name_or_str(key)
            for key in self.unique_targets()
        }
        return "Available converters:\n" + "\n".join(sorted(names))

    def validate_invariants(self) -> None:
        """Raise AssertionError when an entry is not a ConverterSupport with a callable."""
        for key, entries in self._table.items():
            for entry in entries:
                if not isinstance(entry, ConverterSupport) or not callable(
                    entry.converter_implementation
                ):
                    raise AssertionError(f"registration of {key} is not a converter")

    @staticmethod
    def qualified_name_or_str(target: Any) -> str:
        """``aten.add.Tensor`` style name of an operator."""
        return target_name(target)


#: All converters written in Python.
DYNAMO_CONVERTERS = ConverterRegistry()


def dynamo_tensorrt_converter(
    key: Any,
    *,
    enabled: bool = True,
    capability_validator: Validator | None = None,
    priority: ConverterPriority = ConverterPriority.STANDARD,
    supports_dynamic_shapes: bool = False,
    requires_output_allocator: bool = False,
    requires_native_multidevice: bool = False,
) -> Callable[[Converter], Converter]:
    """Decorator: register a converter, ``(ctx, target, args, kwargs, name) -> tensor(s)``.

    Args:
        key: The operator overload or packet, for example ``torch.ops.my.op.default``.
        enabled: False registers nothing.
        capability_validator: ``(node, settings) -> bool``; by default every node is taken.
        priority: HIGH is asked before the built-in converter, STANDARD where there is none or
            it refuses.
        supports_dynamic_shapes: Whether it handles symbolic sizes; else it gets no such node.
        requires_output_allocator: Accepted for compatibility.
        requires_native_multidevice: Such converters are never used.
    """

    def register(converter: Converter) -> Converter:
        if enabled:
            support = ConverterSupport(
                converter_implementation=converter,
                capability_validator=capability_validator or _always,
                priority=priority,
                supports_dynamic_shapes=supports_dynamic_shapes,
                requires_output_allocator=requires_output_allocator,
                requires_native_multidevice=requires_native_multidevice,
            )
            DYNAMO_CONVERTERS.add(key, support)
        return converter

    return register


def has_dynamic_shapes(node: fx.Node) -> bool:
    """Whether the node or one of its inputs has a symbolic size."""
    return any(free_symbols(n.meta.get("val")) for n in (node, *node.all_input_nodes))


def has_static_shapes(node: fx.Node, settings: CompilationSettings | None = None) -> bool:
    """A validator: no symbolic size in the node or its inputs."""
    return not has_dynamic_shapes(node)


def has_dynamic_shapes_in_args(positions: list[int] | None = None) -> Validator:
    """A validator: an argument at one of ``positions`` (all when None) has a symbolic size."""

    def validate(node: fx.Node, settings: CompilationSettings | None = None) -> bool:
        return any(_is_dynamic(node, i) for i in _positions(node, positions))

    return validate


def has_static_shapes_in_args(positions: list[int] | None = None) -> Validator:
    """A validator: no argument at ``positions`` (all when None) has a symbolic size."""

    def validate(node: fx.Node, settings: CompilationSettings | None = None) -> bool:
        return not any(_is_dynamic(node, i) for i in _positions(node, positions))

    return validate


def _positions(node: fx.Node, positions: list[int] | None) -> range | list[int]:
    return range(len(node.args)) if positions is None else positions


def _is_dynamic(node: fx.Node, position: int) -> bool:
    if position >= len(node.args):
        return False
    values: list[Any] = []
    torch.fx.map_arg(node.args[position], lambda n: values.append(n.meta.get("val")))
    return bool(free_symbols(values))
