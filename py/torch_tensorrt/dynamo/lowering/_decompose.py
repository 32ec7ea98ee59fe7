"""Decomposition of an exported graph, node by node.

``ExportedProgram.run_decompositions`` traces the whole program again, which takes longer than
everything else in
a build. An exported graph is nearly functional already, so here only the nodes that need it are
traced, each
distinct one once. Programs with anything unusual (writes to buffers or views, higher-order
operators) are reported
as not handled and take the general way.
"""

from __future__ import annotations

import contextlib
import functools
import operator
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import fx
from torch._ops import OpOverload
from torch.utils import _pytree as pytree

from torch_tensorrt.dynamo._capture_errors import is_transform_mark
from torch_tensorrt.dynamo._symbols import free_symbols
from torch_tensorrt.dynamo.lowering._data_sizes import (
    NotHandled,
    rename_symbols,
    symbol_renames,
)
from torch_tensorrt.dynamo.lowering._decompositions import (
    TORCH_TRT_DECOMPOSITIONS,
    DecompositionTable,
    replaced_composite_ops,
)
from torch_tensorrt.dynamo.lowering._direct_rewrites import DIRECT_REWRITES
from torch_tensorrt.dynamo.lowering._own_outputs import mark_fresh_constant


def decompose(gm: fx.GraphModule, table: DecompositionTable, kept: Sequence[OpOverload]) -> None:
    """Rewrite ``gm`` in place: no operator of ``table`` and no composite one is left but the kept.

    Raises:
        NotHandled: the graph is left in a state that must be thrown away.
    """
    remove_inactive_dropout(gm)
    functionalize_fresh_writes(gm)
    _Decomposer(gm, table, kept).run()


def remove_inactive_dropout(gm: fx.GraphModule) -> None:
    """``dropout(x, p, train=False)`` -> ``x``, in its writing forms too."""
    for node in list(gm.graph.nodes):
        packet = getattr(node.target, "overloadpacket", None)
        if packet in _DROPOUTS and len(node.args) == 3 and node.args[2] is False:
            node.replace_all_uses_with(node.args[0])
            gm.graph.erase_node(node)


_DROPOUTS = frozenset(
    getattr(torch.ops.aten, name)
    for name in (
        *("dropout", "dropout_", "feature_dropout", "alpha_dropout", "feature_alpha_dropout"),
    )
)


def functionalize_fresh_writes(gm: fx.GraphModule) -> None:
    """``relu_(x)`` -> ``relu(x)`` where ``x`` is a fresh intermediate that has no views.

    Raises:
        NotHandled: any other write.
    """
    for node in list(gm.graph.nodes):
        if node.op != "call_function" or not isinstance(node.target, OpOverload):
            continue
        if _updates_statistics(node):
            raise NotHandled(f"{node.target} updates its running statistics")
        if not node.target._schema.is_mutable:
            continue
        target = _functional_twin(node.target)
        written = node.args[0] if node.args else None
        if target is None or not isinstance(written, fx.Node) or not _is_fresh(written):
            raise NotHandled(f"{node.target} writes to {written}")
        node.target = target
        written.replace_all_uses_with(node, delete_user_cb=functools.partial(_runs_after, node))


#: Operators that write to their running statistics and do not say so, and the flag that tells when.
_NORMS = {
    torch.ops.aten.batch_norm: "training",
    torch.ops.aten.native_batch_norm: "training",
    torch.ops.aten.instance_norm: "use_input_stats",
}


def _updates_statistics(node: fx.Node) -> bool:
    flag = _NORMS.get(node.target.overloadpacket)  # type: ignore[union-attr]
    if flag is None:
        return False
    names = [argument.name for argument in node.target._schema.arguments]  # type: ignore[union-attr]
    given = {**dict(zip(names, node.args, strict=False)), **node.kwargs}
    return bool(given.get(flag)) and given.get("running_mean") is not None


def _functional_twin(op: OpOverload) -> OpOverload | None:
    namespace, _, name = op._schema.name.partition("::")
    if not name.endswith("_") or name.endswith("__"):
        return None
    packet = getattr(getattr(torch.ops, namespace), name[:-1], None)
    if packet is None or op._overloadname not in packet.overloads():
        return None
    twin: OpOverload = getattr(packet, op._overloadname)
    same = [a.name for a in twin._schema.arguments] == [a.name for a in op._schema.arguments]
    return twin if same else None


def _is_fresh(node: fx.Node) -> bool:
    if node.op != "call_function" or not isinstance(node.target, OpOverload):
        return False
    if returns_alias(node.target):
        return False
    targets = [user.target for user in node.users if isinstance(user.target, OpOverload)]
    return not any(returns_alias(op) for op in targets if not op._schema.is_mutable)


def returns_alias(op: OpOverload) -> bool:
    """Whether a result of ``op`` may share memory with what it takes."""
    # A composite operator's schema says nothing about views: reshape and friends may return one.
    composite = op._can_decompose() and op._schema.name not in _NEVER_ALIAS
    return composite or any(result.alias_info is not None for result in op._schema.returns)


_NEVER_ALIAS = frozenset(
    f"aten::{name}"
    for name in (
        *("linear", "matmul", "conv1d", "conv2d", "conv3d", "batch_norm", "layer_norm", "silu"),
        *("group_norm", "rms_norm", "gelu", "scaled_dot_product_attention", "max_pool2d"),
        *("adaptive_avg_pool2d", "softmax", "relu6", "hardtanh"),
    )
)


def _runs_after(node: fx.Node, user: fx.Node) -> bool:
    return user is not node and node < user


class _Decomposer:
    def __init__(
        self, gm: fx.GraphModule, table: DecompositionTable, kept: Sequence[OpOverload]
    ) -> None:
        self._gm = gm
        self._kept = set(kept)
        self._table: Any = {op: f for op, f in table.items() if op not in self._kept}
        self._cache: dict[Any, fx.GraphModule] = {}
        self._mode = fake_mode_of(gm)

    def run(self) -> None:
        for node in list(self._gm.graph.nodes):
            if node.op == "call_module" or (
                node.op == "call_function"
                and (
                    isinstance(node.target, torch._ops.HigherOrderOperator)
                    or is_transform_mark(node.target)
                )
            ):
                raise NotHandled(f"{node.op} {node.target}")
            if self._must_expand(node):
                self._expand(node)

    def _must_expand(self, node: fx.Node) -> bool:
        op = node.target
        if node.op != "call_function" or not isinstance(op, OpOverload) or op in self._kept:
            return False
        if not isinstance(node.meta.get("val"), (torch.Tensor, list, tuple)):
            return False
        return op in self._table or op._can_decompose()

    def _expand(self, node: fx.Node) -> None:
        rewrite = DIRECT_REWRITES.get(node.target)
        if rewrite is not None and node.target not in TORCH_TRT_DECOMPOSITIONS:
            with self._gm.graph.inserting_before(node):
                made = rewrite(self._gm.graph, node)
            if made is not None:
                _replace(self._gm, node, made)
                return
        leaves, spec = pytree.tree_flatten((node.args, node.kwargs))
        inputs = [leaf for leaf in leaves if isinstance(leaf, fx.Node)]
        values = [
            self._value(leaf.meta["val"]) if isinstance(leaf, fx.Node) else leaf for leaf in leaves
        ]
        key = (node.target, spec, tuple(_key_of(value) for value in values))
        traced = self._cache.get(key)
        if traced is None:
            dynamic = [isinstance(leaf, fx.Node) for leaf in leaves]
            traced = self._trace(node.target, values, dynamic, spec)
            self._cache[key] = traced
        renames = symbol_renames(traced, inputs, node)
        prefix = f"_decomposed_constant_{len(self._cache)}"
        splice(self._gm, node, traced, inputs, prefix, renames)

    def _value(self, value: Any) -> Any:
        """``value`` as a tensor of this graph's fake mode; constants may come with one of their
        own."""
        if not isinstance(value, torch.Tensor) or getattr(value, "fake_mode", None) is self._mode:
            return value
        if any(isinstance(size, torch.SymInt) for size in value.shape):
            raise NotHandled("symbolic values of two captures in one graph")
        with self._mode:
            return torch.empty_strided(
                value.shape, value.stride(), dtype=value.dtype, device=value.device
            )

    def _distinct(self, values: list[Any]) -> list[Any]:
        """``values`` without a tensor that comes twice: tracing tells its inputs apart by identity,
        and nodes made from one traced graph have one fake tensor."""
        seen: set[int] = set()
        result: list[Any] = []
        for value in values:
            if isinstance(value, torch.Tensor) and id(value) in seen:
                with self._mode:
                    value = torch.empty_strided(
                        value.shape, value.stride(), dtype=value.dtype, device=value.device
                    )
            seen.add(id(value))
            result.append(value)
        return result

    def _trace(self, op: Any, values: list[Any], dynamic: list[bool], spec: Any) -> fx.GraphModule:
        from torch._dispatch.python import enable_python_dispatcher
        from torch.fx.experimental.proxy_tensor import make_fx

        run = replaced_composite_ops(self._table).get(op, op)

        def call(*given: Any) -> Any:
            supply = iter(given)
            leaves = [next(supply) if d else v for d, v in zip(dynamic, values, strict=True)]
            args, kwargs = pytree.tree_unflatten(leaves, spec)
            return run(*args, **kwargs)

        given = self._distinct([v for v, d in zip(values, dynamic, strict=True) if d])
        # Without the Python dispatcher some kernels ask a symbolic size for its number, which
        # fixes it.
        symbolic = any(free_symbols(value) for value in given)
        dispatcher: Any = enable_python_dispatcher() if symbolic else contextlib.nullcontext()
        with self._mode, dispatcher:
            traced = make_fx(call, decomposition_table=self._table, tracing_mode="real")(*given)
        for inner in traced.graph.nodes:
            schema = getattr(inner.target, "_schema", None)
            if schema is not None and schema.is_mutable:
                raise NotHandled(f"the decomposition of {op} writes in place ({inner.target})")
        return traced


def splice(
    gm: fx.GraphModule,
    node: fx.Node,
    traced: fx.GraphModule,
    inputs: list[fx.Node],
    prefix: str,
    renames: Mapping[Any, Any] | None = None,
) -> None:
    """Put ``traced`` called with ``inputs`` in the place of ``node``.

    Args:
        prefix: Of the names of constants that come with it.
        renames: Of symbols, see :func:`symbol_renames`.

    Raises:
        NotHandled: ``node`` has several results that something uses all at once.
    """
    mapping: dict[fx.Node, Any] = {}
    supply = iter(inputs)
    result: Any = None
    with gm.graph.inserting_before(node):
        for inner in traced.graph.nodes:
            if inner.op == "placeholder":
                mapping[inner] = next(supply)
            elif inner.op == "output":
                result = fx.map_arg(inner.args[0], mapping.__getitem__)
            elif inner.op == "get_attr":
                mapping[inner] = _constant(gm, traced, inner, prefix)
            else:
                mapping[inner] = _copy_into(gm, node, inner, mapping)
                if renames:
                    rename_symbols(mapping[inner], renames)
    _replace(gm, node, result)


def _copy_into(
    gm: fx.GraphModule, node: fx.Node, inner: fx.Node, mapping: dict[fx.Node, Any]
) -> fx.Node:
    copied = gm.graph.node_copy(inner, mapping.__getitem__)
    for name in ("stack_trace", "nn_module_stack", "source_fn_stack", "from_node"):
        if name in node.meta:
            copied.meta[name] = node.meta[name]
    return copied


def _constant(gm: fx.GraphModule, traced: fx.GraphModule, inner: fx.Node, prefix: str) -> fx.Node:
    name = f"{prefix}_{inner.name}"
    while hasattr(gm, name):
        name += "_"
    gm.register_buffer(name, getattr(traced, str(inner.target)), persistent=False)
    made = gm.graph.get_attr(name)
    made.meta.update(inner.meta)
    mark_fresh_constant(made)
    return made


def _replace(gm: fx.GraphModule, node: fx.Node, result: Any) -> None:
    if isinstance(result, fx.Node):
        node.replace_all_uses_with(result)
    else:
        for user in list(node.users):
            if user.target is not operator.getitem:
                raise NotHandled(f"{user} uses all results of {node.target} at once")
            user.replace_all_uses_with(result[user.args[1]])
            gm.graph.erase_node(user)
    gm.graph.erase_node(node)


def fake_mode_of(gm: fx.GraphModule) -> Any:
    """The mode of the fake tensors in ``gm``.

    Raises:
        NotHandled: there are none.
    """
    for op in ("placeholder", "call_function"):
        for node in gm.graph.nodes:
            mode = getattr(node.meta.get("val"), "fake_mode", None)
            if node.op == op and mode is not None:
                return mode
    raise NotHandled("no fake tensor in the graph")


def _key_of(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return (
            value.dtype,
            value.device,
            tuple(_size_key(s) for s in value.shape),
            tuple(_size_key(s) for s in value.stride()),
        )
    return _size_key(value)


def _size_key(value: Any) -> Any:
    if isinstance(value, (torch.SymInt, torch.SymFloat, torch.SymBool)):
        return value.node.expr
    if isinstance(value, float):  # 0.0 == -0.0
        return (float, value.hex())
    return (type(value), value)
