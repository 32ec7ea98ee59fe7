"""``flex_attention`` as products, the user's score function on index tensors, and a softmax."""

from __future__ import annotations

import logging
import operator
from collections.abc import Iterator
from typing import Any

import torch
from torch import fx
from torch.utils import _pytree as pytree

from torch_tensorrt.dynamo._marks import REASON
from torch_tensorrt.dynamo._settings import CompilationSettings
from torch_tensorrt.dynamo.lowering._data_sizes import NotHandled
from torch_tensorrt.dynamo.lowering._decompose import fake_mode_of, splice
from torch_tensorrt.dynamo.lowering._decompositions import get_decompositions, kept_ops
from torch_tensorrt.dynamo.lowering.passes.constant_fold import get_attribute

logger = logging.getLogger("torch_tensorrt")

_flex_attention = torch.ops.higher_order.flex_attention
#: Results of the operator: output, logarithm of the sum of exponentials, largest scores.
_RESULTS = 3


def expand_flex_attention(gm: fx.GraphModule, settings: CompilationSettings) -> None:
    """Replace every ``flex_attention`` of ``gm`` by what PyTorch's own dense form computes.

    A node that cannot be traced is left to PyTorch.
    """
    nodes = gm.graph.find_nodes(op="call_function", target=_flex_attention)
    for node in nodes:
        try:
            _expand(gm, node, settings)
        except Exception as error:
            logger.debug("%s stays in PyTorch: %s: %s", node.name, type(error).__name__, error)
            node.meta[REASON] = f"flex_attention cannot be traced: {type(error).__name__}: {error}"
    if nodes:
        gm.graph.eliminate_dead_code()


def _expand(gm: fx.GraphModule, node: fx.Node, settings: CompilationSettings) -> None:
    from torch._higher_order_ops.flex_attention import math_attention
    from torch.fx.experimental.proxy_tensor import make_fx

    leaves, spec = pytree.tree_flatten((node.args, node.kwargs))
    inputs = [leaf for leaf in leaves if isinstance(leaf, fx.Node) and not _is_graph(gm, leaf)]
    own: dict[fx.Node, Any] = {
        leaf: get_attribute(gm, leaf.target)
        for leaf in leaves
        if isinstance(leaf, fx.Node) and _is_graph(gm, leaf)
    }
    read = {user.args[1] for user in node.users if user.target is operator.getitem}
    if any(user.target is not operator.getitem for user in node.users):
        raise NotHandled("its results are used all at once")

    def call(*given: Any) -> Any:
        values = iter(given)
        filled = [_fill(x, own, values) for x in leaves]
        args, kwargs = pytree.tree_unflatten(filled, spec)
        results = math_attention(*args, **kwargs)
        return tuple(results[i] if i in read else None for i in range(_RESULTS))

    table = get_decompositions(
        settings.enable_experimental_decompositions, settings.decompose_attention
    )
    kept = set(kept_ops(table))
    plain: dict[Any, Any] = {op: rule for op, rule in table.items() if op not in kept}
    with torch.no_grad(), fake_mode_of(gm):
        traced = make_fx(call, decomposition_table=plain, tracing_mode="real")(
            *(leaf.meta["val"] for leaf in inputs)
        )
    traced.graph.eliminate_dead_code()
    splice(gm, node, traced, inputs, "_flex_attention_constant")


def _fill(leaf: Any, own: dict[fx.Node, Any], values: Iterator[Any]) -> Any:
    if not isinstance(leaf, fx.Node):
        return leaf
    return own[leaf] if leaf in own else next(values)


def _is_graph(gm: fx.GraphModule, node: fx.Node) -> bool:
    return node.op == "get_attr" and isinstance(get_attribute(gm, node.target), torch.nn.Module)
