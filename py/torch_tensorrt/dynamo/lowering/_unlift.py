"""An exported program as a stateful graph: parameters as attributes, writes as ``copy_`` at the
end."""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, InputSpec, OutputKind
from torch.fx.graph import _PyTreeCodeGen

from torch_tensorrt.dynamo._call_trees import CheckedCodeGen

_ATTRIBUTES = (
    InputKind.PARAMETER,
    InputKind.BUFFER,
    InputKind.CONSTANT_TENSOR,
    InputKind.CUSTOM_OBJ,
)
_WRITES = (
    OutputKind.BUFFER_MUTATION,
    OutputKind.PARAMETER_MUTATION,
    OutputKind.USER_INPUT_MUTATION,
)


def unlift(program: ExportedProgram) -> fx.GraphModule:
    """A new module with the program's signature and graph. Tensors are shared with the program.

    Every node has ``meta["val"]``. Unlike ``program.module()`` this copies no graph twice and
    checks no guards.
    """
    root: dict[str, Any] = {}
    known: dict[int, Any] = {}  # tied weights stay one object
    graph = fx.Graph()
    mapping: dict[fx.Node, fx.Node] = {}
    inputs = {spec.arg.name: spec for spec in program.graph_signature.input_specs}
    for node in program.graph.nodes:
        if node.op == "placeholder" and inputs[node.name].kind in _ATTRIBUTES:
            spec = inputs[node.name]
            value = attribute_value(program, spec)
            root[str(spec.target)] = known.setdefault(id(value), _for_inference(value))
            mapping[node] = graph.get_attr(str(spec.target))
            mapping[node].meta.update(node.meta)
        elif node.op == "output":
            _write_outputs(program, graph, mapping, node)
        else:
            mapping[node] = graph.node_copy(node, mapping.__getitem__)
    for node in graph.nodes:
        if node.op in ("get_attr", "call_module") and node.target not in root:
            root[node.target] = program.graph_module.get_submodule(node.target)
    graph._codegen = _codegen(program)
    module = fx.GraphModule(root, graph)
    module.meta.update(program.graph_module.meta)
    return module


def attribute_value(program: ExportedProgram, spec: InputSpec) -> Any:
    """The tensor (or object) behind a lifted input."""
    target = str(spec.target)
    if target in program.state_dict and spec.persistent is not False:
        return program.state_dict[target]
    return program.constants.get(target, program.state_dict.get(target))


def _for_inference(value: Any) -> Any:
    """A parameter that needs no gradient, on the same memory. What PyTorch computes from one that
    does would need a gradient as well, and engines have none."""
    if isinstance(value, torch.nn.Parameter) and value.requires_grad:
        return torch.nn.Parameter(value.detach(), requires_grad=False)
    return value


def _write_outputs(
    program: ExportedProgram, graph: fx.Graph, mapping: dict[fx.Node, fx.Node], output: fx.Node
) -> None:
    by_name = {node.name: mapping[node] for node in mapping}
    by_target = {
        str(spec.target): mapping[node]
        for node in mapping
        if node.op == "placeholder"
        for spec in program.graph_signature.input_specs
        if spec.arg.name == node.name and spec.target is not None
    }
    results = []
    for spec, value in zip(
        program.graph_signature.output_specs, _as_tuple(output.args[0]), strict=True
    ):
        if spec.kind in _WRITES:
            target = by_target.get(str(spec.target)) or by_name[str(spec.target)]
            written = graph.call_function(torch.ops.aten.copy_.default, (target, mapping[value]))
            written.meta["val"] = target.meta["val"]
        else:
            results.append(mapping[value] if isinstance(value, fx.Node) else value)
    graph.output(tuple(results))


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


def _codegen(program: ExportedProgram) -> Any:
    from torch.export._unlift import _get_codegen

    signature = program.module_call_graph[0].signature
    names = signature.forward_arg_names if signature is not None else None
    spec: Any = program.call_spec.in_spec
    codegen = _get_codegen(spec, program.call_spec.out_spec, forward_arg_names=names)
    codegen.__class__ = _FlatCodeGen if _is_flat(program.call_spec) else CheckedCodeGen
    return codegen


def _is_flat(call_spec: Any) -> bool:
    """Tensors as positional arguments, a tensor or a tuple of tensors as the result?"""
    if len(call_spec.in_spec.children()) != 2:
        return False
    positional, keywords = call_spec.in_spec.children()
    out = call_spec.out_spec
    trees = [positional] if out.is_leaf() else [positional, out]
    return keywords.num_children == 0 and all(
        tree.type is tuple and all(child.is_leaf() for child in tree.children()) for tree in trees
    )


class _FlatCodeGen(_PyTreeCodeGen):
    """Signatures that need no flattening: it costs a microsecond an argument in every call."""

    _FLATTEN = re.compile(r"fx_pytree\.tree_flatten_spec\(\(\[(.*)\], \{\}\), self\._in_spec\)")
    _UNFLATTEN = re.compile(r"return pytree\.tree_unflatten\((.*), self\._out_spec\)", re.DOTALL)

    def gen_fn_def(self, *args: Any, **kwargs: Any) -> str:
        return self._FLATTEN.sub(r"(\1,)", super().gen_fn_def(*args, **kwargs))

    def generate_output(self, *args: Any, **kwargs: Any) -> str:
        one = self.pytree_info.out_spec is not None and self.pytree_info.out_spec.is_leaf()
        text = super().generate_output(*args, **kwargs)
        return self._UNFLATTEN.sub(r"return (\1)[0]" if one else r"return \1", text)
