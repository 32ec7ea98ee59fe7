"""Spellings of operators in options."""

from __future__ import annotations

import operator
from typing import Any

import torch

#: Where functions that stand for operators are, by what their operators' names begin with.
_OWNERS: dict[str, tuple[Any, ...]] = {
    "": (torch, torch.nn.functional, torch.Tensor),
    "special_": (torch.special,),
    "linalg_": (torch.linalg,),
    "fft_": (torch.fft,),
}
_OPERATORS = (
    torch._ops.OpOverload,
    torch._ops.OpOverloadPacket,
    torch._ops.HigherOrderOperator,
)


def op_names(target: Any) -> set[str]:
    """The spellings by which users name an operator: ``torch.ops.aten.add.Tensor``,
    ``aten.add.Tensor``, ``aten.add``, ``aten::add``, ``torch.ops.aten.add``, ``add``."""
    if not isinstance(target, torch._ops.OpOverload):
        name = getattr(target, "__name__", str(target))
        return {name, f"_operator.{name}", f"operator.{name}", str(target)}
    namespace, _, packet = target._schema.name.partition("::")
    overload = target._overloadname
    short, full = f"{namespace}.{packet}", f"{namespace}.{packet}.{overload}"
    return {
        full,
        f"torch.ops.{full}",
        short,
        f"torch.ops.{short}",
        f"{namespace}::{packet}",
        f"{namespace}::{packet}.{overload}",
        packet,
        str(target),
        str(target.overloadpacket),
    }


def operator_text(op: Any) -> str | None:
    """How an option's value is compared with :func:`op_names`; None when it is no operator.

    Args:
        op: A name, an operator object, or a function that stands for one: ``torch.sigmoid``,
            ``torch.nn.functional.gelu``, ``torch.Tensor.exp``, ``operator.add``.
    """
    if isinstance(op, str):
        return op
    if isinstance(op, _OPERATORS):
        return str(op)
    name = str(getattr(op, "__name__", ""))
    if not name:
        return None
    if getattr(operator, name, None) is op:
        return name
    if name.startswith("sym_") and getattr(torch, name, None) is op:
        return name
    for prefix, owners in _OWNERS.items():
        short = name.removeprefix(prefix)
        if any(getattr(owner, short, None) is op for owner in owners):
            return f"aten.{prefix}{short}" if hasattr(torch.ops.aten, prefix + short) else None
    return None
