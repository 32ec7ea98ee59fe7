"""Evaluates at build time what depends on no input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import fx

from torch_tensorrt.dynamo._settings import CompilationSettings
from torch_tensorrt.dynamo._symbols import free_symbols
from torch_tensorrt.dynamo.lowering._own_outputs import mark_fresh_constant, runs_after_engines

#: Largest result that is stored. Anything larger is cheaper to compute than to keep.
MAX_ELEMENTS = 1 << 16

ExclusionRule = Callable[[fx.Node], bool]
EXCLUSION_RULES: dict[str, ExclusionRule] = {}


def register_constant_fold_exclusion_rule(name: str) -> Callable[[ExclusionRule], ExclusionRule]:
    """Decorator: nodes for which the function gives True are never folded."""

    def register(rule: ExclusionRule) -> ExclusionRule:
        EXCLUSION_RULES[name] = rule
        return rule

    return register


def unregister_constant_fold_exclusion_rule(name: str) -> None:
    """Remove a rule; an unknown name is ignored."""
    EXCLUSION_RULES.pop(name, None)


@register_constant_fold_exclusion_rule("quantization")
def _is_quantization(node: fx.Node) -> bool:
    return "quantize" in str(node.target)


def constant_fold(gm: fx.GraphModule, settings: CompilationSettings) -> fx.GraphModule:
    """Replace small results of constants (masks, position ids, scalars) by constants.

    Views of weights are left to the engine's builder, which folds them without a copy.
    """
    mutated = mutated_attributes(gm)
    known: dict[fx.Node, Any] = {}
    folded: dict[fx.Node, torch.Tensor] = {}
    for node in gm.graph.nodes:
        if node.op == "get_attr" and node.target not in mutated:
            value = get_attribute(gm, node.target)
            if isinstance(value, torch.Tensor) and value.numel() <= MAX_ELEMENTS:
                known[node] = value
        elif _can_fold(node, known, settings):
            with torch.no_grad():
                result = node.target(
                    *fx.map_arg(node.args, known.__getitem__),
                    **fx.map_arg(node.kwargs, known.__getitem__),
                )
            if isinstance(result, torch.Tensor):
                known[node] = result
                folded[node] = result
    _store(gm, folded)
    return gm


def _can_fold(node: fx.Node, known: dict[fx.Node, Any], settings: CompilationSettings) -> bool:
    if node.op != "call_function" or not isinstance(node.target, torch._ops.OpOverload):
        return False
    if runs_after_engines(node):
        return False
    value = node.meta.get("val")
    if not isinstance(value, torch.Tensor) or free_symbols(value) or value.numel() > MAX_ELEMENTS:
        return False
    if any(source not in known for source in node.all_input_nodes):
        return False
    schema = node.target._schema
    if schema.is_mutable or torch.Tag.nondeterministic_seeded in node.target.tags:
        return False
    active = (n for n in EXCLUSION_RULES if n not in settings.disabled_constant_fold_exclusions)
    return not any(EXCLUSION_RULES[name](node) for name in active)


def _store(gm: fx.GraphModule, folded: dict[fx.Node, torch.Tensor]) -> None:
    for index, (node, value) in enumerate(folded.items()):
        if all(user in folded for user in node.users):
            continue
        name = f"_folded_{index}"
        while hasattr(gm, name):
            name += "_"
        # A fresh contiguous copy: a view would keep a larger tensor alive.
        gm.register_buffer(name, value.detach().clone(), persistent=True)
        with gm.graph.inserting_before(node):
            constant = gm.graph.get_attr(name)
        constant.meta.update(node.meta)
        mark_fresh_constant(constant)
        node.replace_all_uses_with(constant)


def mutated_attributes(gm: fx.GraphModule) -> set[str]:
    """Names of parameters and buffers that the graph writes to."""
    return {
        str(node.args[0].target)
        for node in gm.graph.nodes
        if node.op == "call_function"
        and getattr(getattr(node.target, "_schema", None), "is_mutable", False)
        and node.args
        and isinstance(node.args[0], fx.Node)
        and node.args[0].op == "get_attr"
    }


def get_attribute(gm: torch.nn.Module, target: Any) -> Any:
    """The attribute with the dotted name ``target``."""
    found: Any = gm
    for part in str(target).split("."):
        found = getattr(found, part)
    return found
