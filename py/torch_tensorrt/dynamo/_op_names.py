"""Spellings of operators in options."""

from __future__ import annotations

from typing import Any

import torch


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
