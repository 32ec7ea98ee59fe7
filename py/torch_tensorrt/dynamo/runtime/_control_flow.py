"""Modules that run control flow whose branches and bodies are engines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from torch_tensorrt.dynamo.runtime._errors import typed_error, warn_once
from torch_tensorrt.dynamo.runtime._module import TorchTensorRTModule


class ControlFlowModule(torch.nn.Module):
    """Base of the modules below; each calls one operator of ``torch.ops.tensorrt``.

    Attributes:
        op: The operator.
        roles: Names of the children that hold its engines, in the order of its arguments.
    """

    op: Any = None
    roles: tuple[str, ...] = ()

    def __init__(self, engines: Sequence[TorchTensorRTModule]) -> None:
        super().__init__()
        for role, engine in zip(self.roles, engines, strict=True):
            self.add_module(role, engine)

    def engines(self) -> list[TorchTensorRTModule]:
        """The children, in the order of ``roles``."""
        return [self.get_submodule(role) for role in self.roles]  # type: ignore[misc]

    @classmethod
    def arguments(cls, inputs: Sequence[Any], engines: Sequence[Any]) -> tuple[Any, ...]:
        """Arguments of ``op`` from those of :meth:`forward` and the engines."""
        raise NotImplementedError

    def forward(self, *inputs: Any) -> tuple[torch.Tensor, ...]:
        """Runs the operator; inputs are those of ``op`` without the engines.

        Raises:
            InputMismatchError, DynamicShapeOutOfRangeException: as for an engine by itself.
        """
        modules = self.engines()
        arguments = self.arguments(inputs, [module.engine for module in modules])
        try:
            return tuple(self.op(*arguments))
        except (ValueError, TypeError, RuntimeError) as error:
            names = [name for m in modules for name in (m.name, m._engine_name)]
            typed = typed_error(error, names)
            if typed is None:
                raise
            raise typed from error


class CondEngines(ControlFlowModule):
    """``torch.cond``: inputs are the predicate and the inputs of either branch."""

    op = torch.ops.tensorrt.run_cond
    roles = ("then_engine", "else_engine")

    @classmethod
    def arguments(cls, inputs: Sequence[Any], engines: Sequence[Any]) -> tuple[Any, ...]:
        predicate, then_inputs, else_inputs = inputs
        return predicate, list(then_inputs), engines[0], list(else_inputs), engines[1]


class WhileEngines(ControlFlowModule):
    """``while_loop``: inputs are the carried tensors and the constants of condition and body."""

    op = torch.ops.tensorrt.run_while
    roles = ("condition", "body")

    @classmethod
    def arguments(cls, inputs: Sequence[Any], engines: Sequence[Any]) -> tuple[Any, ...]:
        return (*(list(each) for each in inputs), *engines)


class ScanEngines(ControlFlowModule):
    """``scan``, and ``map`` without carried tensors: inputs are those, the tensors to scan over,
    and the constants."""

    op = torch.ops.tensorrt.run_scan
    roles = ("body",)

    @classmethod
    def arguments(cls, inputs: Sequence[Any], engines: Sequence[Any]) -> tuple[Any, ...]:
        return (*(list(each) for each in inputs), *engines)


class MixedBranch(torch.nn.Module):
    """A branch or body that runs partly in engines, called by PyTorch's own operator.

    Args:
        name: For messages.
        compiled: Runs engines.
        plain: The same graph in PyTorch, which stands in for it while an exporter traces: the
            exported form of control flow has no place for engines.
    """

    def __init__(self, name: str, compiled: torch.nn.Module, plain: torch.nn.Module) -> None:
        super().__init__()
        self._name = name
        self.compiled = compiled
        self.plain = plain

    def forward(self, *inputs: Any) -> Any:
        if torch.compiler.is_exporting():
            warn_once(
                f"{self._name} is exported without its engines, it holds operators of PyTorch; "
                "dryrun=True lists them"
            )
            return self.plain(*inputs)
        return self.compiled(*inputs)
