"""Rule-based mixed precision: float32 products in a half type, everything delicate in float32.

- Products (matrix products, convolutions, attention) compute in the low type; they accumulate in
  float32 all the same.
- Operators that only move or map values follow: low when all float32 tensors they take are low.
- All others (statistics, norms, softmax, exponentials, sums, and whatever is not listed) take
  float32, as they were written.

Inputs and outputs of the model keep their types. Other types than float32 are left alone.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import fx
from torch.utils import _pytree as pytree

from torch_tensorrt._exceptions import InvalidOptionError
from torch_tensorrt.dynamo._op_names import op_names, operator_text
from torch_tensorrt.dynamo._settings import CompilationSettings
from torch_tensorrt.dynamo.lowering._own_outputs import runs_after_engines
from torch_tensorrt.dynamo.lowering.passes.constant_fold import get_attribute, mutated_attributes

aten = torch.ops.aten

_PRODUCTS = frozenset(
    getattr(aten, name)
    for name in (
        *("linear", "matmul", "mm", "bmm", "addmm", "baddbmm", "mv", "dot"),
        *("convolution", "scaled_dot_product_attention"),
    )
)
_FOLLOWERS = frozenset(
    getattr(aten, name)
    for name in (
        # views and movement
        *("view", "reshape", "_unsafe_view", "permute", "transpose", "t", "unsqueeze", "squeeze"),
        *("expand", "slice", "select", "split", "split_with_sizes", "alias", "unbind", "clone"),
        *("flatten", "cat", "stack", "repeat", "flip", "roll", "constant_pad_nd", "index_select"),
        *("gather", "index", "contiguous", "pixel_shuffle", "pixel_unshuffle"),
        # maps whose result is about as large as what they take
        *("relu", "leaky_relu", "gelu", "silu", "tanh", "sigmoid", "hardtanh", "hardswish"),
        *("hardsigmoid", "elu", "clamp", "neg", "abs", "add", "sub", "mul", "maximum", "minimum"),
        *("where", "max_pool1d", "max_pool2d", "max_pool3d", "upsample_nearest2d"),
    )
)


def autocast(gm: fx.GraphModule, settings: CompilationSettings) -> fx.GraphModule:
    """Insert casts by the rules above, in place. Does nothing without ``enable_autocast``.

    Raises:
        InvalidOptionError: calibration data that do not fit the graph's inputs.
    """
    if not settings.enable_autocast:
        return gm
    low = settings.autocast_low_precision_type or _default_type(gm)
    excluded = _Exclusions(gm, settings)
    _Caster(gm, low, excluded).run()
    gm.graph.eliminate_dead_code()
    return gm


def _default_type(gm: fx.GraphModule) -> torch.dtype:
    """bfloat16 on CPUs, float16 on GPUs: what is fast there."""
    on_gpu = any(tensor.is_cuda for node in gm.graph.nodes for tensor in _tensors(node))
    return torch.float16 if on_gpu else torch.bfloat16


class _Exclusions:
    """Nodes that options keep in float32."""

    def __init__(self, gm: fx.GraphModule, settings: CompilationSettings) -> None:
        self._patterns = [re.compile(text) for text in settings.autocast_excluded_nodes]
        self._ops = {operator_text(op) or str(op) for op in settings.autocast_excluded_ops}
        self._depth = settings.autocast_max_depth_of_reduction
        self._large: set[str] = set()
        if settings.autocast_calibration_dataloader is not None:
            limit = settings.autocast_max_output_threshold
            largest = calibrate(gm, settings.autocast_calibration_dataloader)
            self._large = {name for name, size in largest.items() if not size <= limit}

    def __contains__(self, node: fx.Node) -> bool:
        if node.name in self._large or any(p.search(node.name) for p in self._patterns):
            return True
        if self._ops & op_names(node.target):
            return True
        return self._depth is not None and not _is_shallow(node, self._depth)


def calibrate(gm: fx.GraphModule, batches: Iterable[Any]) -> dict[str, float]:
    """Largest magnitude of every floating-point result, by node name, over all batches.

    Args:
        batches: Each one tensor, or a tuple, list or dict of a call's inputs in their order.

    Raises:
        InvalidOptionError: there are no batches, or one does not fit the graph's inputs.
    """
    largest: dict[str, float] = {}

    class Recorder(fx.Interpreter):
        def run_node(self, n: fx.Node) -> Any:
            value = super().run_node(n)
            for tensor in pytree.tree_leaves(value):
                if isinstance(tensor, torch.Tensor) and tensor.is_floating_point():
                    size = float(tensor.abs().max()) if tensor.numel() else 0.0
                    old = largest.get(n.name, 0.0)
                    largest[n.name] = size if size != size else max(old, size)
            return value

    count = len(gm.graph.find_nodes(op="placeholder"))
    seen = False
    readable = _without_writes(gm)
    for batch in batches:
        inputs = pytree.tree_leaves(batch)
        if len(inputs) != count:
            raise InvalidOptionError(
                f"[settings] autocast_calibration_dataloader gives {len(inputs)} values a batch, "
                f"the graph takes {count}: give the inputs of one call, as a tuple"
            )
        with torch.no_grad():
            Recorder(readable).run(*inputs)
        seen = True
    if not seen:
        raise InvalidOptionError("[settings] autocast_calibration_dataloader gives no batch")
    return largest


def _without_writes(gm: fx.GraphModule) -> fx.GraphModule:
    """The graph without its final writes to buffers: calibrating must not change the model."""
    graph = fx.Graph()
    mapping: dict[fx.Node, Any] = {}
    for node in gm.graph.nodes:
        if node.target is aten.copy_.default and not node.users:
            continue
        if node.op == "output":
            graph.output(fx.map_arg(node.args[0], mapping.__getitem__))
        else:
            mapping[node] = graph.node_copy(node, mapping.__getitem__)
            mapping[node].name = node.name
    return fx.GraphModule(gm, graph)


def _is_shallow(node: fx.Node, most: int) -> bool:
    """Whether each result of a product is a sum of at most ``most`` terms."""
    if getattr(node.target, "overloadpacket", None) not in _PRODUCTS:
        return True
    shapes = [n.meta["val"].shape for n in node.args if isinstance(n, fx.Node)]
    packet = node.target.overloadpacket  # type: ignore[union-attr]
    if packet is aten.convolution:
        weight = shapes[1]
        transposed, groups = node.args[6], node.args[8]
        first: Any = weight[0] // groups if transposed else weight[1]
        depth: Any = first
        for size in weight[2:]:
            depth = depth * size
    elif packet is aten.scaled_dot_product_attention:
        sizes = (shapes[0][-1], shapes[1][-2])
        depth = max(sizes) if all(_is_number(size) for size in sizes) else None
    elif packet in (aten.addmm, aten.baddbmm):
        depth = shapes[1][-1]
    else:
        depth = shapes[0][-1]
    return _is_number(depth) and depth <= most


def _is_number(size: Any) -> bool:
    return isinstance(size, int)


def _tensors(node: fx.Node) -> Iterator[torch.Tensor]:
    for value in pytree.tree_leaves(node.meta.get("val")):
        if isinstance(value, torch.Tensor):
            yield value


def _is_float(node: fx.Node) -> bool:
    value = node.meta.get("val")
    return isinstance(value, torch.Tensor) and value.dtype == torch.float32


class _Caster:
    """One walk over the graph."""

    def __init__(self, gm: fx.GraphModule, low: torch.dtype, excluded: _Exclusions) -> None:
        self._gm = gm
        self._low = low
        self._excluded = excluded
        self._mutated = mutated_attributes(gm)
        self._is_low: set[fx.Node] = set()
        self._casts: dict[tuple[fx.Node, torch.dtype], fx.Node] = {}

    def run(self) -> None:
        for node in list(self._gm.graph.nodes):
            if node.op in ("placeholder", "get_attr"):
                continue
            if node.op == "call_function" and self._takes_low(node):
                self._replace_inputs(node, self._low)
                self._lower(node)
            else:
                self._replace_inputs(node, torch.float32)

    def _takes_low(self, node: fx.Node) -> bool:
        if node.target is operator.getitem:
            return node.args[0] in self._is_low
        if not isinstance(node.target, torch._ops.OpOverload) or runs_after_engines(node):
            return False
        packet = node.target.overloadpacket
        if packet not in _PRODUCTS and packet not in _FOLLOWERS:
            return False
        if not any(t.dtype == torch.float32 for t in _tensors(node)) or node in self._excluded:
            return False
        floats = [n for n in node.all_input_nodes if _is_float(n) or n in self._is_low]
        if packet in _PRODUCTS:
            return bool(floats)
        # A scalar tensor does not decide a type: PyTorch gives that of the other operand.
        deciding = [n for n in floats if n.meta["val"].dim() > 0]
        return bool(deciding) and all(n in self._is_low for n in deciding)

    def _lower(self, node: fx.Node) -> None:
        node.meta["val"] = pytree.tree_map_only(torch.Tensor, self._lowered, node.meta["val"])
        self._is_low.add(node)

    def _lowered(self, value: torch.Tensor) -> torch.Tensor:
        return value.to(self._low) if value.dtype == torch.float32 else value

    def _replace_inputs(self, node: fx.Node, wanted: torch.dtype) -> None:
        for source in node.all_input_nodes:
            if node.target is operator.getitem or not isinstance(
                source.meta.get("val"), torch.Tensor
            ):
                continue
            low = source in self._is_low
            if (wanted == self._low and _is_float(source) and not low) or (
                wanted == torch.float32 and low and source.meta["val"].dtype == self._low
            ):
                node.replace_input_with(source, self._cast(source, wanted))

    def _cast(self, source: fx.Node, wanted: torch.dtype) -> fx.Node:
        key = (source, wanted)
        if key not in self._casts:
            constant = source.op == "get_attr" and source.target not in self._mutated
            self._casts[key] = (
                self._constant(source, wanted) if constant else self._call(source, wanted)
            )
        return self._casts[key]

    def _call(self, source: fx.Node, wanted: torch.dtype) -> fx.Node:
        with self._gm.graph.inserting_after(source):
            made = self._gm.graph.call_function(aten._to_copy.default, (source,), {"dtype": wanted})
        made.meta.update({k: v for k, v in source.meta.items() if k in _KEPT_META})
        made.meta["val"] = source.meta["val"].to(wanted)
        return made

    def _constant(self, source: fx.Node, wanted: torch.dtype) -> fx.Node:
        """Weights are converted now, not in every call."""
        name = f"_autocast_{str(source.target).replace('.', '_')}_{wanted}".replace(".", "_")
        if not hasattr(self._gm, name):  # several nodes may stand for one weight
            tensor = get_attribute(self._gm, source.target)
            self._gm.register_buffer(name, tensor.detach().to(wanted), persistent=False)
        with self._gm.graph.inserting_after(source):
            made = self._gm.graph.get_attr(name)
        made.meta["val"] = source.meta["val"].to(wanted)
        return made


_KEPT_META = ("stack_trace", "nn_module_stack", "source_fn_stack")
