"""Weights that PyTorch reads in a compiled module: as fixed as those in its engines.

Engines keep the weights they were built with: copies, or the model's own memory where it is large,
which they watch. An operator that stays in PyTorch would follow the model instead, and a write to
its weights would leave a result that is half old and half new. So the module gets copies of the
small ones; large ones it shares, and refuses to run when they changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import fx
from torch._subclasses.fake_tensor import FakeTensor

from torch_tensorrt._exceptions import WeightsChangedError
from torch_tensorrt.dynamo.lowering._output_memory import Roots
from torch_tensorrt.dynamo.lowering.passes.constant_fold import get_attribute

#: Child of a compiled module that checks its weights.
WEIGHTS_MODULE = "_weights_fn"
#: Size from which weights are shared with the model, as engines do it.
SHARED_BYTES = 1 << 20


class FixedWeights(torch.nn.Module):
    """Checks that tensors are what they were; takes and returns nothing.

    Looks at what ``StaticInputs`` looks at. A copy of it watches the copies that were made with it.

    Args:
        tensors: By name.
    """

    def __init__(self, tensors: Mapping[str, torch.Tensor]) -> None:
        super().__init__()
        self._names = tuple(tensors)
        # In a list: no parameters or buffers of this module.
        self._tensors = list(tensors.values())
        self._watch: Any = _watch(self._tensors)
        self._each: list[Any] = [_watch([tensor]) for tensor in self._tensors]

    def forward(self) -> None:
        """Raise if a tensor has changed.

        Raises:
            WeightsChangedError: names it.
        """
        if torch.compiler.is_dynamo_compiling() or self._watch.unchanged(self._tensors):
            return
        for name, tensor, watch in zip(self._names, self._tensors, self._each, strict=True):
            if not watch.unchanged([tensor]):
                raise WeightsChangedError(
                    f"[weights] '{name}' was written to, freed, resized or moved after the module "
                    "was compiled: operators that run in PyTorch read it, and engines have its old "
                    "values; compile the module again when its weights have changed"
                )

    def __getstate__(self) -> dict[str, Any]:
        self.forward()
        return {k: v for k, v in self.__dict__.items() if k not in ("_watch", "_each")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._watch = _watch(self._tensors)
        self._each = [_watch([tensor]) for tensor in self._tensors]


def _watch(tensors: list[torch.Tensor]) -> Any:
    from torch_tensorrt import _C

    return _C.WeightWatch(tensors)


def fix_weights(module: fx.GraphModule) -> None:
    """Give ``module``, a compiled graph, its own weights where they are small, and put a
    :class:`FixedWeights` in front of it, if something in it reads weights outside of engines.

    Attributes that the graph writes to are the model's state and stay the model's. Those that it
    hands out are watched.
    """
    written = _storages(module, _written_arguments)
    handed_out = _storages(module, _results)
    originals: list[torch.Tensor] = []  # alive, so that no id is used twice
    fixed: dict[int, torch.Tensor] = {}
    names: dict[str, torch.Tensor] = {}
    for name in _read_attributes(module):
        value = get_attribute(module, name)
        storage = value.untyped_storage()._cdata if _is_plain(value) else None
        if storage is None or storage in written:
            continue
        if id(value) not in fixed:
            originals.append(value)
            own = names[name] = value if storage in handed_out else _own(value)
            fixed[id(value)] = fixed[id(own)] = own
        owner, _, leaf = name.rpartition(".")
        _replace(module.get_submodule(owner), leaf, fixed[id(value)])
    if not names:
        return
    module.add_submodule(WEIGHTS_MODULE, FixedWeights(names))
    first = next(n for n in module.graph.nodes if n.op != "placeholder")
    with module.graph.inserting_before(first):
        module.graph.call_module(WEIGHTS_MODULE, ())
    module.recompile()


def fixed_weights(module: torch.nn.Module) -> FixedWeights | None:
    """A check of the parameters and buffers of ``module``, which are its own; None without any."""
    written = _storages(module, _written_arguments)
    names = {
        name: value
        for name, value in [*module.named_parameters(), *module.named_buffers()]
        if _is_plain(value) and value.untyped_storage()._cdata not in written
    }
    return FixedWeights(names) if names else None


def check_weights(module: fx.GraphModule) -> None:
    """Raise ``WeightsChangedError`` if weights that PyTorch reads in ``module`` have changed."""
    check = getattr(module, WEIGHTS_MODULE, None)
    if isinstance(check, FixedWeights):
        check()


def _read_attributes(module: fx.GraphModule) -> Iterator[str]:
    """Tensors that graphs read, also those of branches and of engines that could not be built."""
    for path, child in list(module.named_modules()):
        if isinstance(child, fx.GraphModule):
            for node in child.graph.find_nodes(op="get_attr"):
                if node.users and isinstance(get_attribute(child, node.target), torch.Tensor):
                    yield f"{path}.{node.target}".removeprefix(".")


def _storages(module: torch.nn.Module, values: Callable[[fx.Node], Sequence[fx.Node]]) -> set[int]:
    """Memory of the attributes that the graphs' nodes have, themselves or as views, as ``values``
    (what they write to, what they hand out)."""
    found = set()
    for child in module.modules():
        if not isinstance(child, fx.GraphModule):
            continue
        roots = Roots()
        for node in child.graph.nodes:
            for source in (root for value in values(node) for root in roots.of(value)):
                if source.op != "get_attr":
                    continue
                attribute = get_attribute(child, source.target)
                if _is_plain(attribute):
                    found.add(attribute.untyped_storage()._cdata)
    return found


def _results(node: fx.Node) -> list[fx.Node]:
    return node.all_input_nodes if node.op == "output" else []


def _written_arguments(node: fx.Node) -> list[fx.Node]:
    schema = getattr(node.target, "_schema", None) if node.op == "call_function" else None
    found: list[fx.Node] = []
    if schema is None or not schema.is_mutable:
        return found
    for index, argument in enumerate(schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            given = node.args[index] if index < len(node.args) else None
            fx.map_arg(node.kwargs.get(argument.name, given), found.append)
    return found


def _is_plain(value: Any) -> bool:
    """Whether ``value`` is a tensor with memory of its own kind: no subclass but a parameter."""
    return (
        type(value) in (torch.Tensor, torch.nn.Parameter)
        and value.layout is torch.strided
        and value.device.type != "meta"
        and not isinstance(value, FakeTensor)
    )


def _own(value: torch.Tensor) -> torch.Tensor:
    """``value``, or a copy of it where it is small, or where nothing tells of writes to it."""
    if value.numel() * value.element_size() >= SHARED_BYTES and not value.is_inference():
        return value
    with torch.no_grad(), torch.inference_mode(False):
        copied = value.detach().clone()
    return torch.nn.Parameter(copied, False) if isinstance(value, torch.nn.Parameter) else copied


def _replace(owner: torch.nn.Module, name: str, value: torch.Tensor) -> None:
    for held in (owner._parameters, owner._buffers):
        if name in held:
            held[name] = value  # type: ignore[assignment]
            return
    setattr(owner, name, value)
