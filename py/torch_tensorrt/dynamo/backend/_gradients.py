"""Compiled graphs whose gradients may be asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import fx


def needs_gradients(example_inputs: Sequence[Any]) -> bool:
    """Whether autograd would record the graph."""
    return torch.is_grad_enabled() and any(
        isinstance(value, torch.Tensor) and value.requires_grad for value in example_inputs
    )


def training_reason(
    gm: fx.GraphModule, example_inputs: Sequence[Any], static: Sequence[int]
) -> str | None:
    """Why a graph that autograd records must stay in PyTorch; None when an engine can run it.

    An engine can, when only weights need gradients (a model in eval mode, without ``no_grad``) and
    the forward
    pass can be repeated: it is run again in PyTorch if ``backward`` is ever called.
    """
    weights = set(static)
    for index, value in enumerate(example_inputs):
        if index not in weights and isinstance(value, torch.Tensor) and value.requires_grad:
            return "an input requires gradients"
    for node in gm.graph.nodes:
        if node.op not in ("call_function", "call_method"):
            continue
        name = getattr(node.target, "__name__", str(node.target))
        if name in ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout"):
            training = node.kwargs.get("training", node.args[2] if len(node.args) > 2 else True)
            if training is not False and node.args[1:2] != (0.0,):
                return "it contains dropout in training mode"
        if name == "batch_norm" and (node.args[5:6] == (True,) or node.kwargs.get("training")):
            return "it contains batch normalisation in training mode"
        if name.endswith("_") and not name.startswith("_") and not name.endswith("__"):
            return f"it writes to a tensor in place ({name})"
    return None


class _EngineCall(torch.autograd.Function):
    """Forward in the engine; backward repeats the forward in PyTorch to get exact gradients."""

    @staticmethod
    def forward(
        ctx: Any, run: Callable[..., Any], gm: fx.GraphModule, *args: Any
    ) -> tuple[Any, ...]:
        outputs = run(*args)
        ctx.gm = gm
        ctx.numbers = [None if isinstance(a, torch.Tensor) else a for a in args]
        ctx.save_for_backward(*(a if isinstance(a, torch.Tensor) else None for a in args))
        return tuple(outputs)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Any, ...]:
        args = [
            number if tensor is None else tensor.detach().requires_grad_(tensor.requires_grad)
            for tensor, number in zip(ctx.saved_tensors, ctx.numbers, strict=True)
        ]
        with torch.enable_grad():
            outputs = ctx.gm(*args)
        pairs = [
            (out, grad)
            for out, grad in zip(outputs, grads, strict=True)
            if isinstance(out, torch.Tensor) and out.requires_grad and grad is not None
        ]
        wanted = [i for i, a in enumerate(args) if isinstance(a, torch.Tensor) and a.requires_grad]
        found = torch.autograd.grad(
            [p[0] for p in pairs],
            [args[i] for i in wanted],
            [p[1] for p in pairs],
            allow_unused=True,
        )
        result: list[Any] = [None] * len(args)
        for index, grad in zip(wanted, found, strict=True):
            result[index] = grad
        return (None, None, *result)


def differentiable(run: Callable[..., Any], gm: fx.GraphModule) -> Callable[..., Any]:
    """``run`` with outputs that autograd can differentiate, through ``gm``."""

    def call(*args: Any) -> tuple[Any, ...]:
        outputs: tuple[Any, ...] = _EngineCall.apply(run, gm, *args)
        return outputs

    return call
