"""Inputs that are given together with a captured program: do they say what it was captured for?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.export import ExportedProgram

from torch_tensorrt._exceptions import InputMismatchError
from torch_tensorrt._Input import Input
from torch_tensorrt.dynamo._call_trees import checked_leaves
from torch_tensorrt.dynamo._capture_errors import called, leaf_text
from torch_tensorrt.dynamo._symbols import is_symbolic, own_inputs, stated_range

_WAY_OUT = (
    "Way out: leave the inputs out, or capture the module for them: torch_tensorrt.compile(module, "
    "arg_inputs=...), torch_tensorrt.dynamo.trace, or torch.export.export with dynamic_shapes"
)


def require_agreement(program: ExportedProgram, args: Any, keywords: Mapping[str, Any]) -> None:
    """Compare declared inputs with those of ``program``; nothing declared agrees with all.

    Args:
        args: Positional inputs as :class:`Input` and plain values, nested as in a call.
        keywords: Keyword inputs.

    Raises:
        InputMismatchError: their number, a rank, a dtype or a size differ; names the input.
    """
    if not args and not keywords:
        return
    own = own_inputs(program)
    spec: Any = program.call_spec.in_spec
    arg_spec, keyword_spec = spec.children()
    if len(args) != arg_spec.num_children or set(keywords) != set(keyword_spec.context or ()):
        names = ", ".join(f"'{node.target}'" for node in own)
        by_keyword = f" and by keyword {list(keywords)}" if keywords else ""
        raise InputMismatchError(
            f"{len(args)} inputs are given{by_keyword} for a program that takes "
            f"{arg_spec.num_children} and by keyword {list(keyword_spec.context or ())}: {names}. "
            f"{_WAY_OUT}"
        )
    leaves = checked_leaves((args, keywords), spec, [str(node.target) for node in own])
    for leaf, node in zip(leaves, own, strict=True):
        value = node.meta.get("val")
        if isinstance(leaf, Input) and isinstance(value, torch.Tensor):
            problem = _disagreement(leaf, value)
            if problem is not None:
                raise InputMismatchError(
                    f"input {called(str(node.target), leaf)} is given as {leaf_text(leaf)}, but "
                    f"{problem}. {_WAY_OUT}"
                )


def _disagreement(leaf: Input, value: torch.Tensor) -> str | None:
    low, _, high = leaf.shape_range()
    if len(low) != value.dim():
        return f"the program takes {value.dim()} axes, {_shape_text(value)}"
    if leaf._explicit_set_dtype and leaf.torch_dtype != value.dtype:
        return f"the program takes {str(value.dtype).removeprefix('torch.')}"
    for axis, (least, most, size) in enumerate(zip(low, high, value.shape, strict=True)):
        first, last = _range_of(size)
        if not is_symbolic(size) and (least, most) != (first, last):
            return f"the program takes the size {first} only on axis {axis}"
        if most < first or least > last:
            return f"the program takes sizes from {first} to {last} on axis {axis}"
    return None


def _range_of(size: Any) -> tuple[int, int]:
    if not is_symbolic(size):
        return int(size), int(size)
    return stated_range(size.node.shape_env.bound_sympy(size.node.expr))


def _shape_text(value: torch.Tensor) -> str:
    return f"[{', '.join('any' if is_symbolic(size) else str(size) for size in value.shape)}]"
