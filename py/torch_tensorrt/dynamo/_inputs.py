"""From what users pass as inputs to trees of :class:`Input` and of example values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.utils import _pytree as pytree

from torch_tensorrt._Input import Input

#: Values that are part of the graph's structure rather than tensors.
SCALARS = (int, float, bool, str, type(None), torch.dtype, torch.device)


def map_inputs(function: Callable[[Any], Any], tree: Any) -> Any:
    """``function`` over the leaves of nested containers: those that PyTorch's trees know, which
    keep their types (dataclasses after ``torch.export.register_dataclass``), and other mappings,
    which become dicts."""

    def leaf(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: map_inputs(function, item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(map_inputs(function, item) for item in value)
        return function(value)

    return pytree.tree_map(leaf, tree, is_leaf=lambda value: isinstance(value, Input))


def dims_tree(dims_of: Callable[[Any], Any], tree: Any) -> Any:
    """``dims_of`` every leaf, in the form ``torch.export`` wants: containers that are registered
    with PyTorch's trees become the lists of their children, Python's own stay what they are."""
    if isinstance(tree, dict) and type(tree) in pytree.BUILTIN_TYPES:
        items = {key: dims_tree(dims_of, value) for key, value in tree.items()}
        return items if type(tree) is dict else type(tree)(items)
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(dims_tree(dims_of, value) for value in tree))
    if isinstance(tree, (list, tuple)):
        return type(tree)(dims_tree(dims_of, value) for value in tree)
    if type(tree) in pytree.SUPPORTED_NODES:
        children = pytree.SUPPORTED_NODES[type(tree)].flatten_fn(tree)[0]
        return [dims_tree(dims_of, child) for child in children]
    if isinstance(tree, Mapping):
        return {key: dims_tree(dims_of, value) for key, value in tree.items()}
    return dims_of(tree)


def prepare_inputs(tree: Any, disable_memory_format_check: bool = True) -> Any:
    """The same tree with every tensor replaced by its static :class:`Input`.

    Raises:
        ValueError: a leaf that is neither an Input, a tensor nor a plain value.
    """

    def prepare(leaf: Any) -> Any:
        if isinstance(leaf, (Input, *SCALARS)):
            return leaf
        if isinstance(leaf, torch.Tensor):
            return Input.from_tensor(leaf, disable_memory_format_check)
        raise ValueError(
            f"[input] cannot use a value of type {type(leaf).__name__} as an input; use "
            f"torch_tensorrt.Input, "
            "a tensor, int, float, bool, None, or a list, tuple or dict of them, or a dataclass of "
            "them that torch.export.register_dataclass knows"
        )

    return map_inputs(prepare, tree)


def example_values(tree: Any, device: torch.device) -> Any:
    """The same tree with every :class:`Input` replaced by a tensor to capture with,
    each its own."""

    taken: set[int] = set()

    def example(leaf: Any) -> Any:
        if not isinstance(leaf, Input):
            return leaf
        if leaf.shape_mode is Input._ShapeMode.STATIC:
            tensor = leaf.torch_tensor.to(device)
            # Capture takes one tensor at two places for one input.
            tensor = tensor.detach().clone() if id(tensor) in taken else tensor
            taken.add(id(tensor))
            return tensor
        return leaf.make_example(capture_shape(leaf), device)

    return map_inputs(example, tree)


def capture_shape(spec: Input) -> tuple[int, ...]:
    """The shape a dynamic input is captured with.

    That is ``opt``, but a varying axis is never captured at 0 or 1: PyTorch treats those sizes as
    constants.
    """
    low, opt, high = spec.shape_range()
    return tuple(
        size if a == b or size >= 2 else min(2, b)
        for a, size, b in zip(low, opt, high, strict=True)
    )


def as_argument_tuple(inputs: Any) -> tuple[Any, ...]:
    """Positional arguments from what the user passed as ``inputs`` (one value, or a sequence)."""
    if inputs is None:
        return ()
    if isinstance(inputs, (Input, torch.Tensor)) or not isinstance(inputs, Sequence):
        return (inputs,)
    return tuple(inputs)


def flat_leaves(tree: Any) -> list[Any]:
    """Leaves in the order in which capture makes placeholders of them."""
    found: list[Any] = []
    map_inputs(found.append, tree)
    return found
