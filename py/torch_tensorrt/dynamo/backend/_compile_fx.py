"""The torch.compile backend: Dynamo's graph, through AOTAutograd, to engines."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import fx

from torch_tensorrt._exceptions import WeightsChangedError
from torch_tensorrt.dynamo._build import compile_module
from torch_tensorrt.dynamo._settings import CompilationSettings
from torch_tensorrt.dynamo.backend._gradients import refuse_what_cannot_be_repeated
from torch_tensorrt.dynamo.backend._static_inputs import StaticInputs
from torch_tensorrt.dynamo.lowering import (
    get_decompositions,
    kept_composite_ops,
    post_lowering,
    replaced_composite_ops,
)

logger = logging.getLogger("torch_tensorrt")

#: Engines kept for one graph: code shared by several modules (layers of one class) runs with
#: several
#: sets of parameters.
MAX_VARIANTS = 64
#: Rebuilds after which weights count as "changing all the time".
MAX_REBUILDS = 4


def trace_and_compile(
    gm: fx.GraphModule,
    example_inputs: Sequence[Any],
    static: Sequence[int],
    settings: CompilationSettings,
    *,
    repeatable: bool = False,
) -> Callable[..., Any]:
    """A function with the signature of ``gm``, without gradients.

    AOTAutograd makes the graph functional and puts writes to inputs, aliased outputs and non-tensor
    outputs back around it.

    Raises:
        StaysInPyTorch: ``repeatable`` is asked for and a second run would not do what the first
            did.
    """
    from torch._functorch.aot_autograd import aot_module_simplified

    table = get_decompositions(
        settings.enable_experimental_decompositions, settings.decompose_attention
    )

    captured: list[FrozenGraph] = []

    def inner(graph: fx.GraphModule, fake_inputs: Sequence[Any]) -> Callable[..., Any]:
        if repeatable:
            refuse_what_cannot_be_repeated(graph, bool(_written_inputs()))
        captured.append(FrozenGraph(graph, len(example_inputs), static, settings))
        return captured[-1]

    compiler: Any = inner
    rules = _composite_rules(table)
    with torch.no_grad(), _with_rules(rules):
        compiled: Callable[..., Any] = aot_module_simplified(
            gm,
            list(example_inputs),
            fw_compiler=compiler,
            decompositions=_plain_table(table, rules),
        )
    # Outside of tracing: engines are built from real tensors.
    for graph in captured:
        graph.build(example_inputs)
    return compiled


def _plain_table(table: Any, handled: Iterable[Any]) -> dict[Any, Callable[..., Any]]:
    plain = dict(table.items())
    for op in handled:
        plain.pop(op, None)
    return plain


def _composite_rules(table: Any) -> dict[Any, Callable[..., Any]]:
    """What tracing does with composite operators that it should not take apart as always."""
    from torch._export.utils import _special_op_to_preserve_cia

    kept = dict.fromkeys(kept_composite_ops(table), _special_op_to_preserve_cia)
    return {**kept, **replaced_composite_ops(table)}


def _with_rules(rules: dict[Any, Callable[..., Any]]) -> Any:
    """While active, tracing follows the rules for composite operators."""
    from torch.export.exported_program import _override_composite_implicit_decomp

    return _override_composite_implicit_decomp(rules)


class FrozenGraph:
    """The functional graph with its static inputs as constants; rebuilt when they change.

    Called with the list of all graph inputs. One variant is built for each set of parameters seen.
    """

    _boxed_call = True

    def __init__(
        self,
        graph: fx.GraphModule,
        input_count: int,
        static: Sequence[int],
        settings: CompilationSettings,
    ) -> None:
        placeholders = [node for node in graph.graph.nodes if node.op == "placeholder"]
        same_order = len(placeholders) == input_count
        written = _written_inputs()
        self._graph = graph
        self._settings = settings
        self._static = [i for i in static if i not in written] if same_order else []
        chosen = set(self._static)
        self._dynamic = [i for i in range(len(placeholders)) if i not in chosen]
        self._variants: list[tuple[StaticInputs, Callable[..., Any]]] = []
        self._rebuilds = 0

    def build(self, example_inputs: Sequence[Any]) -> None:
        """Build the engines for the parameters among ``example_inputs``."""
        self._build([example_inputs[i] for i in self._static])

    def __call__(self, args: list[Any]) -> Any:
        values = [args[i] for i in self._static]
        inputs = [args[i] for i in self._dynamic]
        for known, run in self._variants:
            if known.unchanged(values):
                args.clear()
                try:
                    return run(*inputs)
                except WeightsChangedError:  # an engine looks more closely at its large constants
                    break
        if self._rebuilds >= MAX_REBUILDS:
            return self._graph(*self._arguments(values, inputs))
        return self._renew(values)(*inputs)

    def _arguments(self, values: list[Any], inputs: list[Any]) -> list[Any]:
        """All arguments of the graph, in its order."""
        given = dict(zip([*self._static, *self._dynamic], [*values, *inputs], strict=True))
        return [given[i] for i in range(len(given))]

    def _renew(self, values: list[torch.Tensor]) -> Callable[..., Any]:
        outdated = [v for v in self._variants if v[0].same_objects(values)]
        if outdated:
            self._variants = [v for v in self._variants if v not in outdated]
            self._rebuilds += 1
            logger.warning("weights of a compiled graph have changed: its engine is rebuilt")
            if self._rebuilds == MAX_REBUILDS:
                logger.warning(
                    "weights change again and again: the graph runs in PyTorch from the next "
                    "change on"
                )
        return self._build(values)

    def _build(self, values: list[torch.Tensor]) -> Callable[..., Any]:
        frozen = freeze(self._graph, dict(zip(self._static, values, strict=True)))
        lowered = post_lowering(frozen, self._settings)
        built = compile_module(lowered, self._settings, one_of_several=True)
        run = built.module.forward
        self._variants.insert(0, (StaticInputs(values), run))
        del self._variants[MAX_VARIANTS:]
        return run


def _written_inputs() -> set[int]:
    context = torch._guards.TracingContext.try_get()
    metadata = getattr(context, "fw_metadata", None)
    if metadata is None:
        return set()
    return {
        index
        for index, info in enumerate(metadata.input_info)
        if info.mutates_data or info.mutates_metadata
    }


def freeze(graph: fx.GraphModule, constants: dict[int, torch.Tensor]) -> fx.GraphModule:
    """A copy of ``graph`` with the placeholders at the given positions replaced by attributes.

    The tensors are shared, not copied.
    """
    copied = fx.GraphModule(graph, _copy_graph(graph.graph))
    placeholders = [node for node in copied.graph.nodes if node.op == "placeholder"]
    for index, tensor in constants.items():
        node = placeholders[index]
        name = f"_static_{index}"
        copied.register_buffer(name, tensor.detach(), persistent=False)
        with copied.graph.inserting_after(placeholders[-1]):
            attribute = copied.graph.get_attr(name)
        attribute.meta.update(node.meta)
        node.replace_all_uses_with(attribute)
        copied.graph.erase_node(node)
        if node is placeholders[-1]:
            placeholders[-1] = attribute
    copied.recompile()
    return copied


def _copy_graph(graph: fx.Graph) -> fx.Graph:
    copied = fx.Graph()
    mapping: dict[fx.Node, fx.Node] = {}
    for node in graph.nodes:
        mapping[node] = copied.node_copy(node, mapping.__getitem__)
    return copied
