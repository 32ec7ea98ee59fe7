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


class StaysInPyTorch(Exception):
    """A graph that autograd records must run in PyTorch; the message says why."""


def input_reason(example_inputs: Sequence[Any], static: Sequence[int]) -> str | None:
    """Why a graph with these inputs cannot have its gradients from weights alone; None if it can.

    ``static`` are the positions of the weights.
    """
    weights = set(static)
    for index, value in enumerate(example_inputs):
        if index not in weights and isinstance(value, torch.Tensor) and value.requires_grad:
            return "an input requires gradients"
    return None


def refuse_what_cannot_be_repeated(graph: fx.GraphModule, writes: bool) -> None:
    """An engine runs the forward pass, and ``backward`` repeats it in PyTorch. That is exact only
    when a second run does what the first did and nothing else.

    Args:
        graph: The functional graph.
        writes: Whether the function that it was made from writes to an input or a buffer.

    Raises:
        StaysInPyTorch: ``graph`` writes to something or draws random numbers.
    """
    if writes:
        raise StaysInPyTorch(
            "it writes to a tensor in place: to an input, or to a buffer such as the statistics "
            "of a normalisation in training mode"
        )
    for module in graph.modules():
        for node in module.graph.nodes if isinstance(module, fx.GraphModule) else ():
            if draws_random_numbers(node):
                raise StaysInPyTorch(
                    f"it draws random numbers ({node.target}), as dropout in training mode does"
                )


def draws_random_numbers(node: fx.Node) -> bool:
    """Whether two runs of ``node`` may differ. Operators that can drop values out but do not, by
    their arguments, are not random."""
    if torch.Tag.nondeterministic_seeded not in getattr(node.target, "tags", ()):
        return False
    values: dict[str, Any] = {}
    for index, argument in enumerate(node.target._schema.arguments):  # type: ignore[union-attr]
        given = node.args[index] if index < len(node.args) else argument.default_value
        values[argument.name] = node.kwargs.get(argument.name, given)
    names = ("dropout_p", "dropout", "p")
    rates = [values[name] for name in names if isinstance(values.get(name), (int, float))]
    trains = values.get("train", values.get("training", True))
    return trains is not False and (not rates or any(rate != 0 for rate in rates))


class _EngineCall(torch.autograd.Function):
    """Forward in the engine; backward repeats the forward in PyTorch to get exact gradients."""

    @staticmethod
    def forward(
        ctx: Any, run: Callable[..., Any], gm: fx.GraphModule, *args: Any
    ) -> tuple[Any, ...]:
        outputs = tuple(run(*args))
        ctx.gm = gm
        ctx.numbers = [None if isinstance(a, torch.Tensor) else a for a in args]
        ctx.save_for_backward(*(a if isinstance(a, torch.Tensor) else None for a in args))
        constant = zip(outputs, _without_gradient(gm), strict=True)
        ctx.mark_non_differentiable(
            *(out for out, is_constant in constant if is_constant and _is_tensor(out))
        )
        return outputs

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Any, ...]:
        again = torch.is_grad_enabled()  # the gradients are to be differentiated too
        args = [
            number if tensor is None else tensor if again else _cut_off(tensor)
            for tensor, number in zip(ctx.saved_tensors, ctx.numbers, strict=True)
        ]
        with torch.enable_grad():
            outputs = ctx.gm(*args)
        pairs = [
            (out, grad)
            for out, grad in zip(outputs, grads, strict=True)
            if _is_tensor(out) and out.requires_grad and grad is not None
        ]
        wanted = [i for i, a in enumerate(args) if _is_tensor(a) and a.requires_grad]
        found = torch.autograd.grad(
            [p[0] for p in pairs],
            [args[i] for i in wanted],
            [p[1] for p in pairs],
            allow_unused=True,
            create_graph=again,
        )
        result: list[Any] = [None] * len(args)
        for index, grad in zip(wanted, found, strict=True):
            result[index] = grad
        return (None, None, *result)


def _is_tensor(value: Any) -> bool:
    return isinstance(value, torch.Tensor)


def _cut_off(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().requires_grad_(tensor.requires_grad)


def _without_gradient(gm: fx.GraphModule) -> list[bool]:
    """For each output whether it has no gradient in PyTorch, as Dynamo saw it (``detach``)."""
    results: Any = gm.graph.output_node().args[0]
    examples = [r.meta.get("example_value") if isinstance(r, fx.Node) else None for r in results]
    return [isinstance(e, torch.Tensor) and not e.requires_grad for e in examples]


def differentiable(run: Callable[..., Any], gm: fx.GraphModule) -> Callable[..., Any]:
    """``run`` with outputs that autograd can differentiate, through ``gm``."""

    def call(*args: Any) -> tuple[Any, ...]:
        outputs: tuple[Any, ...] = _EngineCall.apply(run, gm, *args)
        return outputs

    return call
