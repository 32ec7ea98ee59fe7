"""Complex numbers inside of a graph as pairs of real ones, which is what engines compute with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import fx
from torch._subclasses.fake_tensor import FakeTensor

from torch_tensorrt.dynamo._settings import CompilationSettings
from torch_tensorrt.dynamo.lowering import _fourier
from torch_tensorrt.dynamo.lowering._own_outputs import mark_after_engines, runs_after_engines
from torch_tensorrt.dynamo.lowering._real_graph import RealGraph, shape

aten = torch.ops.aten

#: Takes arguments by schema name, complex ones as nodes of ``[..., 2]``; gives a pair or a real.
Rule = Callable[[RealGraph, dict[str, Any], fx.Node], fx.Node]

_REAL_OF = {
    torch.complex32: torch.float16,
    torch.complex64: torch.float32,
    torch.complex128: torch.float64,
}


def pair_complex(gm: fx.GraphModule, settings: CompilationSettings) -> fx.GraphModule:
    """Replace complex operators by real ones on ``[..., 2]``; complex outputs are views of pairs.

    The graph stays as it is when it has complex inputs, or an operator without a rule.
    """
    touched = [node for node in gm.graph.nodes if _is_touched(node)]
    if not touched or not all(_has_rule(node) for node in touched):
        return gm
    mode = touched[0].meta["val"].fake_mode
    pairs: dict[fx.Node, fx.Node] = {}
    for node in touched:
        graph = RealGraph(gm, node, mode)
        arguments = _arguments(node, pairs)
        made = _RULES[node.target](graph, arguments, node)
        if not _is_complex(node):
            node.replace_all_uses_with(made)
            continue
        pairs[node] = made
        _hand_out(gm, node, made, mode)
    for node in reversed(touched):
        gm.graph.erase_node(node)
    return gm


def _hand_out(gm: fx.GraphModule, node: fx.Node, pair: fx.Node, mode: Any) -> None:
    """What leaves the engines is a complex view of the pair, made by PyTorch."""
    outside = [user for user in node.users if user.op == "output" or runs_after_engines(user)]
    if not outside:
        return
    first = next(user for user in gm.graph.nodes if user in outside)
    graph = RealGraph(gm, first, mode)
    if not pair.meta["val"].is_contiguous():
        pair = graph.call(aten.clone.default, pair, memory_format=torch.contiguous_format)
    view = graph.call(aten.view_as_complex.default, pair)
    mark_after_engines(view)
    node.replace_all_uses_with(view, delete_user_cb=lambda user: user in outside)


def _is_complex(node: Any) -> bool:
    value = node.meta.get("val") if isinstance(node, fx.Node) else None
    return isinstance(value, torch.Tensor) and value.is_complex()


def _is_touched(node: fx.Node) -> bool:
    if node.op == "output" or runs_after_engines(node):
        return False
    return _is_complex(node) or any(_is_complex(source) for source in node.all_input_nodes)


def _has_rule(node: fx.Node) -> bool:
    value = node.meta.get("val")
    if node.op != "call_function" or node.target not in _RULES or not isinstance(value, FakeTensor):
        return False
    if any(isinstance(arg, complex) for arg in (*node.args, *node.kwargs.values())):
        return False
    if (
        node.target is aten.complex.default
        and len({_real_dtype(x) for x in node.all_input_nodes}) > 1
    ):
        return False  # PyTorch's own operator raises the error
    sizes = (*value.shape, *(s for n in node.all_input_nodes for s in n.meta["val"].shape))
    if not all(isinstance(size, int) for size in sizes):
        return False
    return "_fft_" not in str(node.target) or _is_transformable(node, 0 in sizes)


def _is_transformable(node: fx.Node, empty: bool) -> bool:
    source = shape(_input(node, "self"))
    axes = node.args[1]
    assert isinstance(axes, (list, tuple))
    sizes = [source[axis] for axis in axes if isinstance(axis, int)]
    if node.target is aten._fft_c2r.default:
        sizes[-1] = node.args[3]
    return not empty and all(_fourier.is_supported(size) for size in sizes)


def _arguments(node: fx.Node, pairs: dict[fx.Node, fx.Node]) -> dict[str, Any]:
    schema = node.target._schema  # type: ignore[union-attr]
    named = {a.name: a.default_value for a in schema.arguments if a.has_default_value()}
    named.update(zip((a.name for a in schema.arguments), node.args, strict=False))
    named.update(node.kwargs)
    return {k: fx.map_arg(v, lambda n: pairs.get(n, n)) for k, v in named.items()}


def _input(node: fx.Node, name: str) -> fx.Node:
    """The argument as it is in the graph, complex or not."""
    names = [a.name for a in node.target._schema.arguments]  # type: ignore[union-attr]
    given = dict(zip(names, node.args, strict=False))
    given.update(node.kwargs)
    found = given[name]
    assert isinstance(found, fx.Node)
    return found


def _real_dtype(node: fx.Node) -> torch.dtype:
    dtype = node.meta["val"].dtype
    return _REAL_OF.get(dtype, dtype)


# ---- making and taking apart ----


def _complex(g: RealGraph, a: dict[str, Any], node: fx.Node) -> fx.Node:
    sizes = shape(node)
    return g.pair(*(g.call(aten.expand.default, a[name], sizes) for name in ("real", "imag")))


def _polar(g: RealGraph, a: dict[str, Any], node: fx.Node) -> fx.Node:
    waves = [g.call(op, a["angle"]) for op in (aten.cos.default, aten.sin.default)]
    return g.pair(*(g.call(aten.mul.Tensor, a["abs"], wave) for wave in waves))


def _to_copy(g: RealGraph, a: dict[str, Any], node: fx.Node) -> fx.Node:
    from_complex = _is_complex(_input(node, "self"))
    x, dtype = a["self"], _real_dtype(node)
    if _is_complex(node):
        if from_complex:
            return g.call(aten._to_copy.default, x, dtype=dtype)
        real = g.cast(x, dtype)
        return g.pair(real, g.call(aten.full_like.default, real, 0.0))
    return g.call(aten._to_copy.default, g.part(x, 0), dtype=dtype)


def _same(g: RealGraph, a: dict[str, Any], node: fx.Node) -> fx.Node:
    return g.call(aten.clone.default, a["self"])


def _conjugate(g: RealGraph, a: dict[str, Any], node: fx.Node) -> fx.Node:
    x = a["self"]
    return g.pair(g.part(x, 0), g.call(aten.neg.default, g.part(x, 1)))


def _abs(g: RealGraph, a: dict[str, Any], node: fx.Node) -> fx.Node:
    return g.call(aten.hypot.default, g.part(a["self"], 0), g.part(a["self"], 1))


def _angle(g: RealGraph, a: dict[str, Any], node: fx.Node) -> fx.Node:
    return g.call(aten.atan2.default, g.part(a["self"], 1), g.part(a["self"], 0))


# ---- arithmetic ----


def _operands(g: RealGraph, a: dict[str, Any], node: fx.Node) -> list[tuple[Any, Any]]:
    """Real and imaginary parts of both; None for the imaginary part of a real operand."""
    parts: list[tuple[Any, Any]] = []
    for name in ("self", "other"):
        value = a[name]
        if isinstance(value, fx.Node) and _is_complex(_input(node, name)):
            parts.append((g.part(value, 0), g.part(value, 1)))
        else:
            parts.append((value, None))
    return parts


def _sum_rule(op: Any) -> Rule:
    def rule(g: RealGraph, a: dict[str, Any], node: fx.Node) -> fx.Node:
        (re1, im1), (re2, im2) = _operands(g, a, node)
        real = g.call(op, re1, re2, alpha=a["alpha"])
        if im2 is None:
            return g.pair(real, g.call(aten.expand.default, im1, shape(node)))
        base = g.call(aten.full_like.default, re1, 0.0) if im1 is None else im1
        return g.pair(real, g.call(op, base, im2, alpha=a["alpha"]))

    return rule


def _product(g: RealGraph, a: dict[str, Any], node: fx.Node) -> fx.Node:
    (re1, im1), (re2, im2) = _operands(g, a, node)
    mul = aten.mul.Tensor
    if im1 is None or im2 is None:
        whole, factor = ((re2, im2), re1) if im1 is None else ((re1, im1), re2)
        return g.pair(*(g.call(mul, part, factor) for part in whole))
    real = g.call(aten.sub.Tensor, g.call(mul, re1, re2), g.call(mul, im1, im2))
    return g.pair(real, g.call(aten.add.Tensor, g.call(mul, re1, im2), g.call(mul, im1, re2)))


# ---- movement: the pair is one more axis at the end ----


def _wrapped(dim: int, node: fx.Node) -> int:
    return dim % max(len(shape(node)), 1)


def _permute(g: RealGraph, a: dict[str, Any], node: fx.Node) -> fx.Node:
    dims = [_wrapped(dim, node) for dim in a["dims"]]
    return g.permuted(a["self"], [*dims, len(dims)])


def _reshape(g: RealGraph, a: dict[str, Any], node: fx.Node) -> fx.Node:
    """Views and expansions whose result has the elements in the same order."""
    return g.reshaped(a["self"], [*shape(node), 2])


def _expand(g: RealGraph, a: dict[str, Any], node: fx.Node) -> fx.Node:
    return g.call(aten.expand.default, a["self"], [*shape(node), 2])


def _slice(g: RealGraph, a: dict[str, Any], node: fx.Node) -> fx.Node:
    dim = _wrapped(a["dim"], node)
    return g.call(aten.slice.Tensor, a["self"], dim, a["start"], a["end"], a["step"])


def _select(g: RealGraph, a: dict[str, Any], node: fx.Node) -> fx.Node:
    dim = a["dim"] % len(shape(_input(node, "self")))
    return g.call(aten.select.int, a["self"], dim, a["index"])


def _flip(g: RealGraph, a: dict[str, Any], node: fx.Node) -> fx.Node:
    return g.call(aten.flip.default, a["self"], [_wrapped(dim, node) for dim in a["dims"]])


def _cat(g: RealGraph, a: dict[str, Any], node: fx.Node) -> fx.Node:
    return g.call(aten.cat.default, a["tensors"], _wrapped(a["dim"], node))


def _pad(g: RealGraph, a: dict[str, Any], node: fx.Node) -> fx.Node:
    if a["value"] == 0:
        return g.call(aten.constant_pad_nd.default, a["self"], [0, 0, *a["pad"]], 0.0)
    parts = [
        g.call(aten.constant_pad_nd.default, g.part(a["self"], i), list(a["pad"]), value)
        for i, value in enumerate((a["value"], 0.0))
    ]
    return g.pair(*parts)


# ---- Fourier transforms ----


def _fft(g: RealGraph, a: dict[str, Any], node: fx.Node, pair: fx.Node) -> fx.Node:
    """Scaled and in the result's dtype."""
    axes = a["dim"]
    source = _input(node, "self")
    sizes = [shape(source)[axis] for axis in axes]
    if "last_dim_size" in a:
        sizes[-1] = a["last_dim_size"]
    scale = _fourier.scale_of(sizes, a["normalization"])
    scaled = pair if scale == 1.0 else g.call(aten.mul.Tensor, pair, scale)
    return g.cast(scaled, _real_dtype(node))


def _axes(a: dict[str, Any], node: fx.Node) -> list[int]:
    dims = len(shape(_input(node, "self")))
    return [axis % dims for axis in a["dim"]]


def _real_to_complex(g: RealGraph, a: dict[str, Any], node: fx.Node) -> fx.Node:
    """The last one of the dims first; only it may be onesided."""
    *others, last = _axes(a, node)
    x = g.cast(a["self"], torch.float64)
    pair = _fourier.real_transform(g, x, last, a["onesided"])
    return _fft(g, a, node, _fourier.transform(g, pair, others, forward=True))


def _complex_to_complex(g: RealGraph, a: dict[str, Any], node: fx.Node) -> fx.Node:
    pair = g.cast(a["self"], torch.float64)
    return _fft(g, a, node, _fourier.transform(g, pair, _axes(a, node), a["forward"]))


def _complex_to_real(g: RealGraph, a: dict[str, Any], node: fx.Node) -> fx.Node:
    *others, last = _axes(a, node)
    pair = g.cast(a["self"], torch.float64)
    pair = _fourier.transform(g, pair, others, forward=False)
    return _fft(g, a, node, _fourier.inverse_real_transform(g, pair, last, a["last_dim_size"]))


_RULES: dict[Any, Rule] = {
    aten.complex.default: _complex,
    aten.polar.default: _polar,
    aten._to_copy.default: _to_copy,
    aten.view_as_complex.default: _same,
    aten.view_as_real.default: _same,
    aten.clone.default: _same,
    aten.alias.default: _same,
    aten._conj.default: _conjugate,
    aten._conj_physical.default: _conjugate,
    aten.resolve_conj.default: _same,
    aten.abs.default: _abs,
    aten.angle.default: _angle,
    aten.add.Tensor: _sum_rule(aten.add.Tensor),
    aten.sub.Tensor: _sum_rule(aten.sub.Tensor),
    aten.mul.Tensor: _product,
    aten.permute.default: _permute,
    aten.view.default: _reshape,
    aten.reshape.default: _reshape,
    aten.squeeze.dim: _reshape,
    aten.squeeze.dims: _reshape,
    aten.unsqueeze.default: _reshape,
    aten.expand.default: _expand,
    aten.slice.Tensor: _slice,
    aten.select.int: _select,
    aten.flip.default: _flip,
    aten.cat.default: _cat,
    aten.constant_pad_nd.default: _pad,
    aten._fft_r2c.default: _real_to_complex,
    aten._fft_c2c.default: _complex_to_complex,
    aten._fft_c2r.default: _complex_to_real,
}
