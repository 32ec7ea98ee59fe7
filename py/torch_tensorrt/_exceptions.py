"""Typed errors. Each message names the operator, the shapes, the user's source line and the way
out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class UnsupportedNode:
    """Why one graph node cannot run inside an engine.

    Attributes:
        node: Name of the FX node.
        op: Qualified operator name, for example ``aten.nonzero.default``.
        shapes: Text form of the node's inputs and outputs.
        reason: What the converter refused.
        source: ``file.py:12 in forward: code`` of the user's line, or an empty string.
    """

    node: str
    op: str
    shapes: str
    reason: str
    source: str

    def __str__(self) -> str:
        where = f"\n      at {self.source}" if self.source else ""
        return f"{self.op} ({self.node}): {self.reason}\n      {self.shapes}{where}"


class TorchTensorRTError(RuntimeError):
    """Base of the errors this package raises by itself."""


class UnsupportedOperatorException(TorchTensorRTError):
    """An operator has no converter where the whole graph had to be compiled.

    ``nodes`` holds one :class:`UnsupportedNode` for each refused node.
    """

    def __init__(self, message: str, nodes: Sequence[UnsupportedNode] = ()) -> None:
        super().__init__(message)
        self.nodes = tuple(nodes)

    @classmethod
    def from_nodes(cls, nodes: Sequence[UnsupportedNode]) -> UnsupportedOperatorException:
        """The error of ``require_full_compilation``: lists every node that stays in PyTorch."""
        listed = "\n".join(f"  - {n}" for n in nodes[:20])
        more = f"\n  ... and {len(nodes) - 20} more" if len(nodes) > 20 else ""
        return cls(
            f"require_full_compilation=True, but {len(nodes)} operator(s) cannot run in the "
            f"engine:\n"
            f"{listed}{more}\n"
            "Way out: drop require_full_compilation so that they run in PyTorch, rewrite the line "
            "named above, or register a converter (dynamo_tensorrt_converter) or a decomposition "
            "(register_torch_trt_decomposition) for the operator.",
            nodes,
        )


class ConversionError(TorchTensorRTError):
    """A node was accepted by its capability check but its conversion failed.

    Attributes: ``node``, ``op``, ``shapes``, ``reason``, ``source`` as in :class:`UnsupportedNode`.
    """

    def __init__(
        self, node: str, op: str, shapes: str = "", reason: str = "", source: str = ""
    ) -> None:
        self.detail = UnsupportedNode(node, op, shapes, reason, source)
        self.node, self.op, self.shapes = node, op, shapes
        self.reason, self.source = reason, source
        super().__init__(f"conversion failed for {self.detail}")


class EngineBuildError(TorchTensorRTError):
    """The engine of one subgraph could not be built."""


class CaptureError(TorchTensorRTError):
    """A module cannot be captured with the inputs that were given.

    The error of PyTorch, or of the module's own code, is its ``__cause__``.
    """


class InputMismatchError(TorchTensorRTError, ValueError):
    """An input's dtype, device, rank or count is not what the engine was built for."""


class DynamicShapeOutOfRangeException(InputMismatchError):
    """An input's shape lies outside the range declared by its ``Input``."""


class BindingNameMismatchError(TorchTensorRTError, ValueError):
    """Binding names given by the user do not mirror the arguments or outputs of the program."""


class InvalidOptionError(TypeError, ValueError):
    """An unknown compilation option, or a value that the option does not take."""


class WeightsChangedError(TorchTensorRTError):
    """A weight was written to, moved or freed: a large one, which an engine or an operator that
    runs in PyTorch reads where the model has it; or one of the compiled module's own.

    Compile again when weights have changed.
    """


class UnsupportedTransformError(TorchTensorRTError, NotImplementedError):
    """A derivative or a batching rule of an engine is needed: engines have none."""


class SaveError(TorchTensorRTError, ValueError):
    """The object or the format given to ``save`` cannot be written."""


class LoadError(TorchTensorRTError, ValueError):
    """A file or the bytes of a plan are damaged, are something else, or need what is not there."""
