"""Losses that PyTorch computes in chunks to save memory, in one piece."""

from __future__ import annotations

import contextlib
import importlib
from typing import Any

from torch.nn import functional

from torch_tensorrt.dynamo.lowering._decompositions import (
    register_torch_trt_decomposition,
    resolve_overloads,
)

with contextlib.suppress(ImportError):  # it defines the operators; older PyTorch has neither
    importlib.import_module("torch.nn.modules.linear_cross_entropy")

_CHUNKED = tuple(
    f"torch_nn._linear_cross_entropy_batch_chunked{suffix}.default"
    for suffix in ("", "_no_reduction")
)


def _linear_cross_entropy(op: Any) -> Any:
    """The loss alone: a call that asks for gradients too is left as it is."""
    names = [argument.name for argument in op._schema.arguments]

    def decomposition(*args: Any, **kwargs: Any) -> Any:
        a = {**dict(zip(names, args, strict=False)), **kwargs}
        if any(a.get(f"compute_{what}_grad") for what in ("input", "linear_weight", "linear_bias")):
            return NotImplemented
        x, dtype = a["input"], a["acc_dtype"]
        bias = a["linear_bias"]
        logits = functional.linear(
            x.to(dtype), a["linear_weight"].to(dtype), None if bias is None else bias.to(dtype)
        )
        loss = functional.cross_entropy(
            logits,
            a["target"],
            weight=None if a["weight"] is None else a["weight"].to(dtype),
            ignore_index=a["ignore_index"],
            reduction=a.get("reduction", "none"),
            label_smoothing=a.get("label_smoothing", 0.0),
        ).to(x.dtype)
        if len(op._schema.returns) == 1:
            return loss
        return loss, x.new_zeros(0, 0), x.new_zeros(0, 0), x.new_zeros(0)

    return decomposition


for _op in resolve_overloads(_CHUNKED):
    register_torch_trt_decomposition(_op)(_linear_cross_entropy(_op))
