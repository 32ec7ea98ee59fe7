"""TorchTensorRTModule: an engine as an ``nn.Module``."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import torch

from torch_tensorrt._exceptions import BindingNameMismatchError, LoadError, TorchTensorRTError
from torch_tensorrt._fake_engine import DTYPES
from torch_tensorrt.dynamo.runtime._errors import (
    not_a_tensor,
    typed_error,
    warn_of_conversion,
    with_labels,
    without_code,
)


class TorchTensorRTModule(torch.nn.Module):
    """Runs one engine on tensors.

    Inputs and outputs are those of the engine, in order; a single output is returned as a tensor,
    several as a tuple. Safe to call from many threads at once. Its state (``state_dict``, pickle)
    is the plan file's bytes.

    Args:
        serialized_engine: bytes of a plan file, a uint8 tensor of them, or an engine object.
        input_binding_names: expected input names; checked against the engine when given.
        output_binding_names: expected output names; checked against the engine when given.
        name: label used in messages.
        settings: the compilation settings the engine was built with, for reports.

    Raises:
        LoadError: the bytes are no plan file, or damaged.
        TypeError: ``serialized_engine`` is something else.
        BindingNameMismatchError: binding names that differ from the engine's.
    """

    def __init__(
        self,
        serialized_engine: bytes | torch.Tensor | torch.ScriptObject | None = None,
        input_binding_names: Sequence[str] | None = None,
        output_binding_names: Sequence[str] | None = None,
        *,
        name: str = "",
        settings: Any = None,
    ) -> None:
        super().__init__()
        self.name = name
        self.settings = settings
        self.report: Any = None
        #: Binding name to what the user's Input is called, for messages.
        self.input_labels: dict[str, str] = {}
        self.engine: Any = None
        if serialized_engine is not None:
            self._set_engine(to_engine(serialized_engine))
            _check_names("input", input_binding_names, self.input_binding_names)
            _check_names("output", output_binding_names, self.output_binding_names)

    def _set_engine(self, engine: Any) -> None:
        self.engine = engine
        spec = json.loads(engine.io_spec())
        self._engine_name = spec["name"]
        self.input_binding_names = [i["name"] for i in spec["inputs"]]
        self.output_binding_names = [o["name"] for o in spec["outputs"]]

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        """Runs the engine.

        Raises:
            InputMismatchError: an input that is no dense tensor, or of a wrong dtype, device, rank
                or size, or a wrong number of inputs.
            DynamicShapeOutOfRangeException: a size outside the range declared by its ``Input``.
            UnsupportedTransformError: under ``torch.vmap``, ``torch.func.jvp``, or where a gradient
                is needed.
            WeightsChangedError: a weight that the engine shares with the model it was built from
                has changed.
        """
        if self.engine is None:
            raise TorchTensorRTError("the module holds no engine: load a state first")
        try:
            outputs = torch.ops.tensorrt.execute_engine.default(list(inputs), self.engine)
        except (ValueError, TypeError, RuntimeError) as error:
            typed = self._typed_error(error, inputs)
            if typed is None:
                raise
            raise typed from error
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def _typed_error(self, error: Exception, inputs: Sequence[Any]) -> Exception | None:
        """The error class of this package for a refused input; None for other errors."""
        for name, value in zip(self.input_binding_names, inputs, strict=False):
            refused = not_a_tensor(f"[{self.name}] input '{name}'", value)
            if refused is not None:
                return refused
        typed = typed_error(error, (self.name, self._engine_name))
        return typed and with_labels(typed, self.input_labels)

    def _apply(
        self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True
    ) -> TorchTensorRTModule:
        if self.engine is not None:
            warn_of_conversion(self.name, fn, engine_dtypes(self.engine))
        super()._apply(fn, recurse)
        return self

    def __getstate__(self) -> dict[str, Any]:
        if self.engine is not None:
            try:
                self.engine.check_weights()
            except RuntimeError as error:
                typed = typed_error(error)
                if typed is None:
                    raise
                raise typed from error
        return self.__dict__

    def get_extra_state(self) -> dict[str, Any]:
        """The plan file as a uint8 tensor, and the module's name."""
        return {"plan": self.serialized_engine_tensor(), "name": self.name}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Takes the plan of another module's ``get_extra_state``."""
        self.name = state["name"]
        self._set_engine(to_engine(state["plan"]))

    def serialized_engine_tensor(self) -> torch.Tensor:
        """The plan file as a 1-d uint8 tensor.

        Raises:
            WeightsChangedError: as :meth:`forward`.
        """
        try:
            plan: torch.Tensor = self.engine.serialize()
        except RuntimeError as error:
            typed = typed_error(error)
            if typed is None:
                raise
            raise typed from error
        return plan

    def get_layer_info(self) -> str:
        """JSON of the engine's layers: kernels, shapes, source lines."""
        return str(self.engine.get_engine_layer_info())

    def stats(self) -> dict[str, int]:
        """Memory figures in bytes for the last run, and the number of steps and contexts."""
        stats: dict[str, int] = json.loads(self.engine.stats())
        return stats

    def enable_profiling(self) -> None:
        """Times each layer of the following calls (each context times its own calls)."""
        self.engine.enable_profiling()

    def disable_profiling(self) -> None:
        """Stops timing and forgets what was measured."""
        self.engine.disable_profiling()

    def profile(self) -> list[dict[str, Any]]:
        """Time per layer since :meth:`enable_profiling`, in microseconds summed over calls."""
        layers: list[dict[str, Any]] = json.loads(self.engine.profile())
        return layers

    def extra_repr(self) -> str:
        if self.engine is None:
            return "empty"
        return (
            f"name={self.name!r}, inputs={self.input_binding_names}, steps={self.stats()['steps']}"
        )


def to_engine(source: bytes | torch.Tensor | torch.ScriptObject) -> Any:
    """The engine object of a plan file's bytes.

    Raises:
        LoadError: the bytes are no plan file, or damaged.
        TypeError: ``source`` is something else.
    """
    if isinstance(source, torch.ScriptObject):
        return source
    if isinstance(source, (bytes, bytearray)) and not source:
        source = torch.empty(0, dtype=torch.uint8)
    elif isinstance(source, (bytes, bytearray)):
        # Into PyTorch's memory, which is aligned: the engine then uses it as it is.
        plan = torch.empty(len(source), dtype=torch.uint8)
        plan.numpy().data[:] = source
        source = plan
    if not isinstance(source, torch.Tensor):
        raise TypeError(
            "an engine is made from the bytes of a plan file, a uint8 tensor of them, or an engine "
            f"object, not from {type(source).__name__}; "
            "torch_tensorrt.convert_method_to_trt_engine gives such bytes"
        )
    try:
        return torch.classes.tensorrt.Engine(source)
    except torch.OutOfMemoryError as error:
        raise torch.OutOfMemoryError(without_code(str(error))) from error
    except (RuntimeError, ValueError) as error:
        raise LoadError(without_code(str(error))) from error


def engine_dtypes(engine: Any) -> list[torch.dtype]:
    """Element types of the engine's inputs and outputs."""
    spec = json.loads(engine.io_spec())
    return [DTYPES[binding["dtype"]] for binding in [*spec["inputs"], *spec["outputs"]]]


def _check_names(kind: str, given: Sequence[str] | None, actual: Sequence[str]) -> None:
    if given is not None and list(given) != list(actual):
        raise BindingNameMismatchError(
            f"{kind} binding names {list(given)} are not the engine's {list(actual)}"
        )
