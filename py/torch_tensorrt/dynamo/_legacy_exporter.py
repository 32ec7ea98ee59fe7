"""Writes a compiled graph as an ExportedProgram without capturing it again.

Engines are inlined as ``torch.ops.tensorrt.execute_engine`` calls; parameters, buffers and engines
are lifted to
inputs of the graph, and writes to buffers to outputs, as the format demands.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram
from torch.export.exported_program import ModuleCallEntry, ModuleCallSignature
from torch.export.graph_signature import (
    ConstantArgument,
    CustomObjArgument,
    ExportGraphSignature,
    InputKind,
    InputSpec,
    OutputKind,
    OutputSpec,
    SymIntArgument,
    TensorArgument,
)
from torch.utils import _pytree as pytree

from torch_tensorrt._exceptions import SaveError
from torch_tensorrt.dynamo._fixed_weights import WEIGHTS_MODULE
from torch_tensorrt.dynamo._guards import GUARDS_MODULE
from torch_tensorrt.dynamo._inputs import example_values
from torch_tensorrt.dynamo._overlaps import OVERLAPS_MODULE
from torch_tensorrt.dynamo._symbols import SYMBOLIC, shape_env_of
from torch_tensorrt.dynamo._tracer import device_of
from torch_tensorrt.dynamo.lowering._write_in_place import FUNCTIONAL
from torch_tensorrt.dynamo.lowering.passes.constant_fold import get_attribute
from torch_tensorrt.dynamo.runtime._control_flow import ControlFlowModule

_CHECKS = (GUARDS_MODULE, OVERLAPS_MODULE, WEIGHTS_MODULE)
_ENGINE_CLASS = "__torch__.torch.classes.tensorrt.Engine"


def inline_and_lift(
    gm: fx.GraphModule, args: tuple[Any, ...], keywords: Mapping[str, Any]
) -> ExportedProgram:
    """The program of ``gm``; ``args`` and ``keywords`` become its example inputs.

    Raises:
        SaveError: the graph calls a module that is neither an engine nor a graph.
    """
    writer = _Writer(gm)
    writer.run()
    device = device_of(gm, None)
    info = gm.graph._codegen.pytree_info  # type: ignore[attr-defined]
    signature = ModuleCallSignature(
        inputs=[],
        outputs=[],
        in_spec=info.in_spec,
        out_spec=info.out_spec,
        # What the conditions that torch writes from the symbols call the inputs.
        forward_arg_names=[name for name in info.orig_args if name != "self"],
    )
    env = shape_env_of(gm.graph.nodes)
    ranges = {} if env is None else {s: env.var_to_range[s] for s in writer.symbols(env)}
    return ExportedProgram(
        root=torch.nn.Module(),
        graph=writer.graph,
        graph_signature=ExportGraphSignature(writer.inputs, writer.outputs),
        state_dict=writer.state,
        range_constraints=ranges,
        module_call_graph=[ModuleCallEntry("", signature)],
        example_inputs=(
            tuple(example_values(args, device)),
            example_values(dict(keywords), device),
        ),
        constants=writer.constants,
    )


class _Writer:
    """Builds the lifted graph and its signature."""

    def __init__(self, gm: fx.GraphModule) -> None:
        self._gm = gm
        self.graph = fx.Graph()
        self.inputs: list[InputSpec] = []
        self.outputs: list[OutputSpec] = []
        self.state: dict[str, Any] = {}
        self.constants: dict[str, Any] = {}
        self._mapping: dict[fx.Node, Any] = {}
        self._lifted: dict[str, fx.Node] = {}
        self._written: dict[tuple[OutputKind, str], fx.Node] = {}

    def symbols(self, env: Any) -> list[Any]:
        """Symbols in the shapes of inputs, and of results whose sizes depend on values."""
        from torch_tensorrt.dynamo._symbols import free_symbols

        found = {s for n in self.graph.nodes for s in free_symbols(n.meta.get("val"))}
        return sorted((s for s in found if s in env.var_to_range), key=str)

    def run(self) -> None:
        """Fill ``graph``, ``inputs``, ``outputs``, ``state`` and ``constants``."""
        self._lift_all()
        for node in self._gm.graph.nodes:
            if node.op == "placeholder":
                placed = self.graph.node_copy(node)
                self._mapping[node] = placed
                kind = InputKind.USER_INPUT
                self.inputs.append(InputSpec(kind, argument_of(placed), None))
            elif node.op == "get_attr":
                self._mapping[node] = self._lifted[str(node.target)]
            elif node.op == "call_module" and node.target in _CHECKS:
                continue  # the program has the conditions with its symbols, and says what it writes
            elif node.op == "call_module":
                self._inline(node)
            elif node.op == "output":
                self._finish(node)
            elif node.target is torch.ops.aten.copy_.default and _is_state(node.args[0]):
                written, value = node.all_input_nodes
                self._write(written, self._mapping[value])
                self._mapping[node] = self._mapping[value]
            else:
                self._mapping[node] = self.graph.node_copy(node, self._mapping.__getitem__)
                self._undo_write(node)

    def _undo_write(self, node: fx.Node) -> None:
        """A write to a buffer as the buffer's new value: programs in files are functional."""
        functional = FUNCTIONAL.get(node.target)
        if functional is not None and _is_state(node.args[0]):
            self._mapping[node].target = functional
            self._write(node.args[0], self._mapping[node])

    def _write(self, target: Any, value: fx.Node) -> None:
        """Note that the buffer or input ``target`` becomes ``value``."""
        is_input = target.op == "placeholder"
        kind = OutputKind.USER_INPUT_MUTATION if is_input else OutputKind.BUFFER_MUTATION
        self._written[kind, self._mapping[target].name if is_input else str(target.target)] = value

    def _lift_all(self) -> None:
        for node in self._gm.graph.nodes:
            if node.op == "get_attr":
                self._require_tensor(node)
                self._lift(str(node.target), get_attribute(self._gm, node.target), node.meta)
            elif node.op == "call_module" and node.target not in _CHECKS:
                self._lift_module(str(node.target))

    def _lift_module(self, name: str) -> None:
        module = self._gm.get_submodule(name)
        if isinstance(module, ControlFlowModule):
            for role, child in zip(module.roles, module.engines(), strict=True):
                self._lift_engine(f"{name}.{role}", child.engine)
        elif hasattr(module, "engine"):
            self._lift_engine(name, module.engine)
        elif isinstance(module, fx.GraphModule):
            for node in module.graph.nodes:
                if node.op == "get_attr":
                    value = get_attribute(module, node.target)
                    self._lift(f"{name}.{node.target}", value, node.meta)
        else:
            raise SaveError(f"{name} is a {type(module).__name__}, which cannot be saved")

    def _lift(self, name: str, value: torch.Tensor, meta: dict[str, Any]) -> None:
        if name in self._lifted:
            return
        is_parameter = isinstance(value, torch.nn.Parameter)
        placed = self.graph.placeholder(("p_" if is_parameter else "b_") + name.replace(".", "_"))
        placed.meta.update(meta)
        self._lifted[name] = placed
        kind = InputKind.PARAMETER if is_parameter else InputKind.BUFFER
        persistent = None if is_parameter else True
        self.inputs.append(InputSpec(kind, TensorArgument(placed.name), name, persistent))
        self.state[name] = value

    def _require_tensor(self, node: fx.Node) -> None:
        if isinstance(get_attribute(self._gm, node.target), torch.nn.Module):
            raise SaveError(
                f"{node.name} belongs to control flow that runs in PyTorch, which only a second "
                "capture can write: save with retrace=True"
            )

    def _lift_engine(self, name: str, engine: Any) -> None:
        placed = self.graph.placeholder(f"obj_{name.replace('.', '_')}_engine")
        argument = CustomObjArgument(placed.name, _ENGINE_CLASS)
        placed.meta["val"] = argument
        self._lifted[name] = placed
        self.inputs.append(InputSpec(InputKind.CUSTOM_OBJ, argument, f"{name}_engine"))
        self.constants[f"{name}_engine"] = engine

    def _inline(self, node: fx.Node) -> None:
        module = self._gm.get_submodule(str(node.target))
        if isinstance(module, ControlFlowModule):
            self._mapping[node] = self._inline_control_flow(node, module)
            return
        inputs = [self._mapping[n] for n in _nodes(node.args)]
        if isinstance(module, fx.GraphModule):
            self._mapping[node] = self._inline_graph(str(node.target), module, inputs)
            return
        engine = self._lifted[str(node.target)]
        op = torch.ops.tensorrt.execute_engine.default
        call = self.graph.call_function(op, (inputs, engine))
        value = node.meta["val"]
        single = isinstance(value, torch.Tensor)
        call.meta["val"] = [value] if single else list(value)
        if single:
            item = self.graph.call_function(operator.getitem, (call, 0))
            item.meta.update(node.meta)
            self._mapping[node] = item
        else:
            self._mapping[node] = call

    def _inline_control_flow(self, node: fx.Node, module: ControlFlowModule) -> fx.Node:
        inputs: Any = fx.map_arg(node.args, self._mapping.__getitem__)
        engines = [self._lifted[f"{node.target}.{role}"] for role in module.roles]
        arguments = module.arguments(inputs, engines)
        call = self.graph.call_function(module.op.default, arguments)
        call.meta["val"] = list(node.meta["val"])
        return call

    def _inline_graph(self, name: str, module: fx.GraphModule, inputs: list[Any]) -> Any:
        inner: dict[fx.Node, Any] = {}
        supply = iter(inputs)
        for node in module.graph.nodes:
            if node.op == "placeholder":
                inner[node] = next(supply)
            elif node.op == "get_attr":
                inner[node] = self._lifted[f"{name}.{node.target}"]
            elif node.op == "output":
                return fx.map_arg(node.args[0], inner.__getitem__)
            else:
                inner[node] = self.graph.node_copy(node, inner.__getitem__)
        raise SaveError(f"{name} has no output")

    def _finish(self, node: fx.Node) -> None:
        results: list[Any] = []
        arguments: Any = fx.map_arg(node.args[0], self._mapping.__getitem__)
        handed_out = set(pytree.tree_leaves(arguments))
        for (kind, target), value in self._written.items():
            # PyTorch hands out the buffer for a value that is written to one.
            written = self._copied(value) if value in handed_out else value
            argument = argument_of(written)
            self.outputs.append(OutputSpec(kind, argument, target))
            results.append(written)
        for value in arguments:
            argument = argument_of(value)
            self.outputs.append(OutputSpec(OutputKind.USER_OUTPUT, argument, None))
            results.append(value)
        self.graph.output(tuple(results))

    def _copied(self, value: fx.Node) -> fx.Node:
        copied = self.graph.call_function(torch.ops.aten.clone.default, (value,))
        copied.meta.update(value.meta)
        return copied


def _is_state(node: Any) -> bool:
    return isinstance(node, fx.Node) and node.op in ("get_attr", "placeholder")


def _nodes(arguments: Any) -> list[fx.Node]:
    return list(arguments)


def argument_of(value: Any) -> Any:
    """The signature entry of a node or constant."""
    if not isinstance(value, fx.Node):
        return ConstantArgument("", value)
    known = value.meta.get("val")
    if isinstance(known, torch.Tensor):
        return TensorArgument(value.name)
    if isinstance(known, SYMBOLIC):
        return SymIntArgument(value.name)
    return ConstantArgument(value.name, known)
