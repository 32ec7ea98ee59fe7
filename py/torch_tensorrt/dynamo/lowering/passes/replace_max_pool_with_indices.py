"""Uses the pooling operator without indices where nobody reads them."""

from __future__ import annotations

import operator

import torch
from torch import fx

from torch_tensorrt.dynamo._settings import CompilationSettings

_WITHOUT_INDICES = {
    torch.ops.aten.max_pool2d_with_indices.default: torch.ops.aten.max_pool2d.default,
    torch.ops.aten.max_pool3d_with_indices.default: torch.ops.aten.max_pool3d.default,
}


def replace_max_pool_with_indices(
    gm: fx.GraphModule, settings: CompilationSettings
) -> fx.GraphModule:
    """``max_poolNd_with_indices(x)[0]`` -> ``max_poolNd(x)`` when the indices are unused."""
    for node in list(gm.graph.nodes):
        if node.op != "call_function" or node.target not in _WITHOUT_INDICES:
            continue
        live = [user for user in node.users if user.users or user.op == "output"]
        if not live or any(u.target is not operator.getitem or u.args[1] != 0 for u in live):
            continue
        with gm.graph.inserting_before(node):
            target = _WITHOUT_INDICES[node.target]
            pooled = gm.graph.call_function(target, node.args, node.kwargs)
        pooled.meta.update({k: v for k, v in node.meta.items() if k != "val"})
        pooled.meta["val"] = node.meta["val"][0]
        for user in live:
            user.replace_all_uses_with(pooled)
    return gm
