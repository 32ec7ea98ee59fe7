"""The decomposition table: which ATen operators are rewritten before conversion.

The base is PyTorch's own table to Core ATen. Operators the engine has a converter for are taken out
of it, so that they reach conversion whole: a fused kernel can only be chosen for something that
is still one node.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import torch
from torch._ops import OperatorBase, OpOverload

aten = torch.ops.aten

DecompositionTable = dict[OperatorBase, Callable[..., Any]]
_F = TypeVar("_F", bound=Callable[..., Any])

#: Operators kept whole, by schema name. A name that this PyTorch does not have is skipped.
KEPT_WHOLE: tuple[str, ...] = (
    # attention and normalisation
    "aten.scaled_dot_product_attention.default",
    "aten.layer_norm.default",
    "aten.native_layer_norm.default",
    "aten.rms_norm.default",
    "aten._fused_rms_norm.default",
    "aten.group_norm.default",
    "aten.native_group_norm.default",
    "aten._native_batch_norm_legit_no_training.default",
    "aten._softmax.default",
    "aten._log_softmax.default",
    # statistics: the root of a variance that f32 cannot hold
    "aten.std.correction",
    "aten.std_mean.correction",
    # matrix products and convolution
    "aten.linear.default",
    "aten.matmul.default",
    "aten.mm.default",
    "aten.bmm.default",
    "aten.addmm.default",
    "aten.baddbmm.default",
    "aten.convolution.default",
    # activations with a kernel of their own
    "aten.gelu.default",
    "aten.silu.default",
    "aten.hardswish.default",
    "aten.hardsigmoid.default",
    "aten.mish.default",
    "aten.softplus.default",
    # pooling and resizing
    "aten.max_pool1d.default",
    "aten.max_pool2d.default",
    "aten.max_pool3d.default",
    "aten.avg_pool1d.default",
    "aten.adaptive_avg_pool1d.default",
    "aten.adaptive_avg_pool2d.default",
    "aten.adaptive_avg_pool3d.default",
    "aten.upsample_nearest1d.vec",
    "aten.upsample_nearest2d.vec",
    "aten.upsample_nearest3d.vec",
    "aten._upsample_nearest_exact1d.vec",
    "aten._upsample_nearest_exact2d.vec",
    "aten._upsample_nearest_exact3d.vec",
    "aten.upsample_linear1d.vec",
    "aten.upsample_bilinear2d.vec",
    "aten.upsample_trilinear3d.vec",
    "aten.upsample_bicubic2d.vec",
    "aten.pixel_shuffle.default",
    "aten.pixel_unshuffle.default",
    # data movement
    "aten.embedding.default",
    "aten.one_hot.default",
    "aten.repeat.default",
    "aten.split_with_sizes.default",
    "aten.take.default",
    "aten.reflection_pad1d.default",
    "aten.reflection_pad2d.default",
    "aten.reflection_pad3d.default",
    "aten.replication_pad1d.default",
    "aten.replication_pad2d.default",
    "aten.replication_pad3d.default",
)

#: Operators outside of Core ATen that PyTorch's own decompositions take apart.
ALSO_DECOMPOSED: tuple[str, ...] = (
    "aten._addmm_activation.default",
    "aten._batch_norm_with_update_functional.default",
    "aten._native_batch_norm_legit.default",
    "aten._native_batch_norm_legit_functional.default",
    "aten.dist.default",
    "aten.grid_sampler_2d.default",
    "aten.ldexp.Tensor",
    "aten.special_zeta.other_scalar",
    "aten.special_zeta.self_scalar",
    "aten.tril_indices.default",
    "aten.triu_indices.default",
)

#: SDPA is decomposed to matmul and softmax when ``decompose_attention`` is set.
ATTENTION_OPS: tuple[str, ...] = ("aten.scaled_dot_product_attention.default",)

#: Decompositions of our own or of the user, added by ``register_torch_trt_decomposition``.
TORCH_TRT_DECOMPOSITIONS: DecompositionTable = {}


def resolve_overloads(names: tuple[str, ...]) -> Iterator[OpOverload]:
    """Yield the overloads of ``names`` ("aten.add.Tensor") that this PyTorch defines."""
    for name in names:
        namespace, packet, overload = name.split(".")
        found = getattr(getattr(torch.ops, namespace), packet, None)
        if found is not None and overload in found.overloads():
            yield getattr(found, overload)


def register_torch_trt_decomposition(
    aten_op: OperatorBase, registry: DecompositionTable | None = None
) -> Callable[[_F], _F]:
    """Decorator: use the function as the decomposition of ``aten_op`` before conversion.

    Args:
        aten_op: An operator overload, for example ``torch.ops.aten.roll.default``.
        registry: Where to register; by default the table every compilation uses.
    """
    table = TORCH_TRT_DECOMPOSITIONS if registry is None else registry

    def register(function: _F) -> _F:
        ops = aten_op if isinstance(aten_op, (list, tuple)) else [aten_op]
        for op in ops:
            table[op] = function
        return function

    return register


def get_decompositions(
    enable_experimental_decompositions: bool = False,
    decompose_attention: bool = False,
) -> DecompositionTable:
    """The table for ``ExportedProgram.run_decompositions`` under the given options.

    ``enable_experimental_decompositions`` uses PyTorch's whole Core ATen table: nothing is kept
    whole
    but what has no decomposition.
    """
    table = dict(_base_table(enable_experimental_decompositions))
    if decompose_attention:
        table.update(_attention_decompositions())
    from torch_tensorrt.dynamo.lowering.decompositions.vision import vision_decompositions

    table.update(vision_decompositions())
    table.update(TORCH_TRT_DECOMPOSITIONS)
    return table


@functools.cache
def _base_table(everything: bool) -> DecompositionTable:
    from torch._decomp import decomposition_table

    table: DecompositionTable = dict(torch.export.default_decompositions().items())
    for op in resolve_overloads(ALSO_DECOMPOSED):
        if op in decomposition_table:
            table[op] = decomposition_table[op]
    if not everything:
        for op in resolve_overloads(KEPT_WHOLE):
            table.pop(op, None)
    return table


def kept_ops(table: DecompositionTable) -> list[OpOverload]:
    """The operators that ``table`` keeps whole."""
    return [op for op in resolve_overloads(KEPT_WHOLE) if op not in table]


def kept_composite_ops(table: DecompositionTable) -> list[OpOverload]:
    """The CompositeImplicitAutograd operators that ``table`` keeps whole."""
    return [op for op in kept_ops(table) if op._can_decompose()]


def replaced_composite_ops(table: DecompositionTable) -> dict[Any, Callable[..., Any]]:
    """The decompositions of this package and of users for CompositeImplicitAutograd operators,
    which tracing must be told of: it takes such operators apart before it looks into a table."""
    has_kernel = torch._C._dispatch_has_kernel_for_dispatch_key
    return {
        op: function
        for op, function in table.items()
        if op in TORCH_TRT_DECOMPOSITIONS
        and isinstance(op, OpOverload)
        and has_kernel(op.name(), "CompositeImplicitAutograd")
    }


def _attention_decompositions() -> DecompositionTable:
    from torch._export.utils import _get_decomp_for_cia

    return {op: _get_decomp_for_cia(op) for op in resolve_overloads(ATTENTION_OPS)}


@register_torch_trt_decomposition(aten.roll.default)
def _roll(x: torch.Tensor, shifts: list[int], dims: list[int] | None = None) -> Any:
    """Two slices and a concatenation an axis: no index tensor, no gather."""
    if not dims:
        flat = x.reshape(-1)
        return _roll_axis(flat, shifts[0], 0).reshape(x.shape)
    for shift, dim in zip(shifts, dims, strict=True):
        x = _roll_axis(x, shift, dim)
    return x


def _roll_axis(x: torch.Tensor, shift: int, dim: int) -> torch.Tensor:
    size = x.shape[dim]
    if isinstance(size, int) and size == 0:
        return x.clone()
    start = (-shift) % size
    if isinstance(start, int) and start == 0:
        return x.clone()
    head = torch.ops.aten.slice.Tensor(x, dim, start, size)
    tail = torch.ops.aten.slice.Tensor(x, dim, 0, start)
    return torch.cat([head, tail], dim)


@register_torch_trt_decomposition(aten.instance_norm.default)
def _instance_norm(
    x: torch.Tensor,
    weight: torch.Tensor | None,
    bias: torch.Tensor | None,
    mean: torch.Tensor | None,
    variance: torch.Tensor | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Any:
    """Statistics of each [n, c]: a group norm with a group a channel; fixed ones: a batch norm."""
    channels = x.shape[1]
    if not use_input_stats:
        return aten.batch_norm.default(
            x, weight, bias, mean, variance, False, momentum, eps, cudnn_enabled
        )
    if mean is None and isinstance(channels, int):
        return aten.group_norm.default(x, channels, weight, bias, eps, cudnn_enabled)
    composite = torch._C.DispatchKey.CompositeImplicitAutograd
    return aten.instance_norm.default._op_dk(
        composite,
        *(x, weight, bias, mean, variance, use_input_stats, momentum, eps, cudnn_enabled),
    )


@register_torch_trt_decomposition(aten._native_batch_norm_legit.no_stats)
def _batch_statistics_norm(
    x: torch.Tensor,
    weight: torch.Tensor | None,
    bias: torch.Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> Any:
    """Batch norm by the batch's own statistics; computed in f32 for half types."""
    whole = torch._decomp.decomposition_table[aten._native_batch_norm_legit.no_stats]
    return whole(x, weight, bias, training, momentum, eps)


@register_torch_trt_decomposition(aten.native_batch_norm.default)
def _native_batch_norm(
    x: torch.Tensor,
    weight: torch.Tensor | None,
    bias: torch.Tensor | None,
    mean: torch.Tensor | None,
    variance: torch.Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> Any:
    if not training or mean is not None or variance is not None:
        return NotImplemented
    return _batch_statistics_norm(x, weight, bias, training, momentum, eps)
