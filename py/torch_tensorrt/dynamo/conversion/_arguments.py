"""A node's arguments by schema name, defaults filled, in the values that converters take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import fx

from torch_tensorrt.dynamo._symbols import has_size_of_data, is_number_node
from torch_tensorrt.dynamo.conversion._values import (
    UnsupportedValueError,
    core_dtype,
    core_number,
    core_sizes,
)

#: Maps a tensor-valued (or list-of-tensors-valued) node to what stands for it.
NodeMap = Callable[[fx.Node], Any]


def target_name(target: Any) -> str:
    """``aten.add.Tensor`` for an operator overload, else the function's name."""
    if isinstance(target, torch._ops.OpOverload):
        namespace, _, packet = target._schema.name.partition("::")
        return f"{namespace}.{packet}.{target._overloadname}"
    return getattr(target, "__name__", str(target))


def bind_arguments(node: fx.Node, of_node: NodeMap) -> dict[str, Any]:
    """Arguments of an operator node by schema name; and as ``result`` the sizes of its result, when
    these depend on values.

    Args:
        node: A call of an :class:`torch._ops.OpOverload`.
        of_node: What stands for a node whose value is not a number.

    Raises:
        UnsupportedValueError: an argument has a value that no converter takes.
    """
    schema = node.target._schema  # type: ignore[union-attr]
    given = dict(zip((argument.name for argument in schema.arguments), node.args, strict=False))
    given.update(node.kwargs)
    bound: dict[str, Any] = {}
    for argument in schema.arguments:
        if argument.name in given:
            bound[argument.name] = convert_value(given[argument.name], of_node)
        elif argument.has_default_value():
            bound[argument.name] = convert_value(argument.default_value, of_node)
    if has_size_of_data(node):
        bound["result"] = core_sizes(node.meta["val"].shape)
    return bound


def convert_value(value: Any, of_node: NodeMap) -> Any:
    """One argument, lists included. Device, layout and memory format do not matter to an engine.

    Raises:
        UnsupportedValueError: see :func:`bind_arguments`.
    """
    if isinstance(value, fx.Node):
        if is_number_node(value):
            return core_number(value.meta["val"])
        return of_node(value)
    if isinstance(value, (list, tuple)):
        return [convert_value(item, of_node) for item in value]
    if isinstance(value, torch.dtype):
        return core_dtype(value)
    if isinstance(value, torch.layout):
        if value is not torch.strided:
            raise UnsupportedValueError(f"layout {value} is not supported in engines")
        return None
    if value is None or isinstance(value, (torch.device, torch.memory_format, torch.Generator)):
        return None
    if isinstance(value, str):
        return value
    return core_number(value)
