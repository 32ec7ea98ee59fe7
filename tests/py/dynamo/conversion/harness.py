"""Runs one operator through conversion and an engine, and compares with PyTorch in float64."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx
from torch._dispatch.python import enable_python_dispatcher
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.symbolic_shapes import (
    DimDynamic,
    ShapeEnv,
    StatelessSymbolicContext,
)
from torch.utils import _pytree as pytree
from torch_tensorrt._Device import Device
from torch_tensorrt.dynamo._settings import CompilationSettings
from torch_tensorrt.dynamo._symbols import UNBOUNDED, free_symbols, shape_env_of, symbol_ranges

TOLERANCE = {
    torch.float64: 1e-9,
    torch.float32: 3e-5,
    torch.float16: 4e-3,
    torch.bfloat16: 3e-2,
}


class Call(torch.nn.Module):
    """One function as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *args):
        return self.function(*args)


@dataclass(frozen=True)
class Size:
    """The size of an axis of the i-th tensor argument: a symbolic number in a dynamic graph."""

    tensor: int
    axis: int


@dataclass(frozen=True)
class Case:
    """One operator call.

    Attributes:
        op: ``aten.add.Tensor``.
        make: Arguments for a size ``n``; called with other sizes to run the same engine on them.
        kwargs: Keyword arguments.
        outputs: Which results to read, of an operator with several.
        label: Tells cases of one operator apart.
        wide: False where the float64 result is another one, by definition of the operator.
    """

    op: str
    make: Callable[[int], tuple[Any, ...]]
    kwargs: dict[str, Any] | None = None
    outputs: tuple[int, ...] = ()
    label: str = ""
    wide: bool = True

    @property
    def name(self) -> str:
        """Test id."""
        return f"{self.op}{'-' + self.label if self.label else ''}"

    @property
    def overload(self) -> Any:
        """The operator overload."""
        namespace, packet, overload = self.op.split(".")
        return getattr(getattr(getattr(torch.ops, namespace), packet), overload)


def tensor(*shape: int, dtype: torch.dtype = torch.float32, positive: bool = False) -> torch.Tensor:
    """Random values; integers of [-9, 9], bool by chance. Call sites seed through pytest."""
    if dtype == torch.bool:
        return torch.rand(shape) > 0.5
    if not dtype.is_floating_point:
        return torch.randint(1 if positive else -9, 10, shape).to(dtype)
    values = torch.rand(shape) + 0.1 if positive else torch.randn(shape)
    return values.to(dtype)


def graph_of(case: Case, n: int, dynamic: bool) -> tuple[fx.GraphModule, fx.Node]:
    """A graph with the one call, tensors as placeholders, ``meta["val"]`` everywhere."""
    leaves, spec = pytree.tree_flatten((case.make(n), case.kwargs or {}))
    others = pytree.tree_leaves((case.make(n + 2), case.kwargs or {}))
    mode = FakeTensorMode(shape_env=ShapeEnv() if dynamic else None)
    graph = fx.Graph()
    inputs: list[fx.Node] = []
    for leaf, other in zip(leaves, others, strict=True):
        if isinstance(leaf, torch.Tensor):
            node = graph.placeholder(f"x{len(inputs)}")
            node.meta["val"] = _fake(mode, leaf, other, dynamic)
            inputs.append(node)
    tensors = iter(inputs)
    nodes = [next(tensors) if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]
    nodes = [_size_node(graph, inputs, leaf) if isinstance(leaf, Size) else leaf for leaf in nodes]
    args, kwargs = pytree.tree_unflatten(nodes, spec)
    call = graph.call_function(case.overload, args, kwargs)
    values = [leaf.meta["val"] if isinstance(leaf, fx.Node) else leaf for leaf in nodes]
    fake_args, fake_kwargs = pytree.tree_unflatten(values, spec)
    with mode, enable_python_dispatcher():
        call.meta["val"] = case.overload(*fake_args, **fake_kwargs)
    results = _results(graph, call, case)
    graph.output(tuple(results))
    return fx.GraphModule({}, graph), call


def _fake(
    mode: FakeTensorMode, value: torch.Tensor, other: torch.Tensor, dynamic: bool
) -> torch.Tensor:
    """Axes that vary with the case's size are symbolic."""
    if not dynamic:
        return mode.from_tensor(value)
    sizes = [
        DimDynamic.STATIC if a == b else DimDynamic.DYNAMIC
        for a, b in zip(value.shape, other.shape, strict=True)
    ]
    return mode.from_tensor(value, symbolic_context=StatelessSymbolicContext(dynamic_sizes=sizes))


def _size_node(graph: fx.Graph, inputs: list[fx.Node], size: Size) -> fx.Node:
    source = inputs[size.tensor]
    node = graph.call_function(torch.ops.aten.sym_size.int, (source, size.axis))
    node.meta["val"] = source.meta["val"].shape[size.axis]
    return node


def _results(graph: fx.Graph, call: fx.Node, case: Case) -> list[fx.Node]:
    value = call.meta["val"]
    if isinstance(value, torch.Tensor):
        return [call]
    items = []
    for index in case.outputs or range(len(value)):
        item = graph.call_function(operator.getitem, (call, index))
        item.meta["val"] = value[index]
        items.append(item)
    return items


def ranges_of(module: fx.GraphModule) -> dict[str, tuple[int, int, int]]:
    """Symbol ranges of the placeholders, from 0."""
    holders = [n for n in module.graph.nodes if n.op == "placeholder"]
    symbols = sorted({s for n in holders for s in free_symbols(n.meta["val"])}, key=str)
    known = symbol_ranges(symbols, shape_env_of(holders))
    # PyTorch bounds the batch of some convolutions for the sake of its own kernels' choice.
    return {name: (0, opt, UNBOUNDED) for name, (_, opt, _) in known.items()}


def run_eager(case: Case, args: tuple[Any, ...], wide: bool) -> list[torch.Tensor]:
    """PyTorch's results, floats computed in float64 when ``wide``."""
    leaves, spec = pytree.tree_flatten((args, case.kwargs or {}))
    tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
    leaves = [tensors[x.tensor].shape[x.axis] if isinstance(x, Size) else x for x in leaves]
    if wide:
        leaves = [
            x.double() if isinstance(x, torch.Tensor) and x.dtype.is_floating_point else x
            for x in leaves
        ]
    final_args, final_kwargs = pytree.tree_unflatten(leaves, spec)
    value = case.overload(*final_args, **final_kwargs)
    if isinstance(value, torch.Tensor):
        return [value]
    return [value[i] for i in (case.outputs or range(len(value)))]


def check(
    case: Case, n: int, dynamic: bool, sizes: tuple[int, ...] = (), device: str = "cpu"
) -> None:
    """Convert and build at size ``n``; compare at ``n`` and, with one engine, at ``sizes``.

    Args:
        device: where the engine runs; the expected values are always computed on the CPU.
    """
    from torch_tensorrt.dynamo.conversion import convert_module, node_support

    torch.manual_seed(n)
    module, call = graph_of(case, n, dynamic)
    settings = CompilationSettings(device=Device(device))
    assert node_support(call, settings) is None
    engine = convert_module(module, settings, name="case", input_ranges=ranges_of(module))
    for size in (n, *sizes):
        args = case.make(size)
        leaves = pytree.tree_leaves((args, case.kwargs or {}))
        inputs = [x.to(device) for x in leaves if isinstance(x, torch.Tensor)]
        got = engine(*inputs)
        got = list(got) if isinstance(got, (list, tuple)) else [got]
        compare(case, args, [value.cpu() for value in got])


def compile_for(case: Case, n: int, dynamic: bool, arch: str) -> None:
    """Convert, choose kernels and compile them for a GPU that need not be there."""
    from torch_tensorrt import _C
    from torch_tensorrt.dynamo.conversion import network_from_module
    from torch_tensorrt.dynamo.runtime._build import _builder_config

    torch.manual_seed(n)
    module, _ = graph_of(case, n, dynamic)
    settings = CompilationSettings(device=Device("cuda"))
    network = network_from_module(module, settings, ranges_of(module))
    engine, _ = _C.build(network, _builder_config(settings, "case"))
    assert engine.target() == "cuda"
    engine.compile_for(arch)


def compare(case: Case, args: tuple[Any, ...], got: list[torch.Tensor]) -> None:
    """Shapes and dtypes as eager; integers equal; floats near the float64 result."""
    eager = run_eager(case, args, wide=False)
    try:
        wide = run_eager(case, args, wide=case.wide)
    except RuntimeError:  # an operator that takes no float64
        wide = eager
    assert len(got) == len(eager)
    for ours, theirs, exact in zip(got, eager, wide, strict=True):
        assert ours.dtype == theirs.dtype
        assert ours.shape == theirs.shape
        if not theirs.dtype.is_floating_point:
            assert torch.equal(ours, theirs)
            continue
        tolerance = TOLERANCE[theirs.dtype]
        torch.testing.assert_close(
            ours.double(), exact.double(), rtol=tolerance, atol=tolerance, equal_nan=True
        )
