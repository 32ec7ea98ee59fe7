"""Layer helpers under TensorRT's names, for converters written in Python."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from torch_tensorrt.dynamo.conversion._values import add_constant, core, core_dtype

#: A tensor of the network: ``name``, ``dtype``, ``shape`` (ints and ``_C.SymInt``), ``rank``.
Tensor = Any
Size = Any

_ELEMENTWISE = {
    "SUM": "Add",
    "SUB": "Sub",
    "PROD": "Mul",
    "DIV": "Div",
    "MAX": "Maximum",
    "MIN": "Minimum",
    "POW": "Pow",
    "FLOOR_DIV": "FloorDiv",
    "AND": "LogicalAnd",
    "OR": "LogicalOr",
    "XOR": "LogicalXor",
    "EQUAL": "Eq",
    "GREATER": "Gt",
    "LESS": "Lt",
}
_UNARY = {
    "RECIP": "Reciprocal",
    "NOT": "LogicalNot",
    "ISNAN": "IsNan",
    "ISINF": "IsInf",
    "CEIL": "Ceil",
}
_ACTIVATIONS = {
    "RELU": "Relu",
    "SIGMOID": "Sigmoid",
    "TANH": "Tanh",
    "LEAKY_RELU": "LeakyRelu",
    "ELU": "Elu",
    "CLIP": "Clamp",
    "SOFTPLUS": "Softplus",
    "GELU_ERF": "GeluErf",
    "GELU_TANH": "GeluTanh",
}


def _op_name(op: Any, table: dict[str, str]) -> str:
    """``SUM``, an enum member called SUM, or our own name ``Add``."""
    name = getattr(op, "name", str(op))
    return table.get(name, name if not name.isupper() else name.capitalize())


class Layer:
    """A layer that was added: gives its outputs."""

    def __init__(self, outputs: list[Tensor]) -> None:
        self._outputs = outputs

    @property
    def num_outputs(self) -> int:
        """How many outputs the layer has."""
        return len(self._outputs)

    def get_output(self, index: int) -> Tensor:
        """Output ``index`` of the layer."""
        return self._outputs[index]


class NetworkDefinition:
    """Adds layers to the network under construction.

    Layers carry the name of the graph node being converted. Every method returns a :class:`Layer`;
    dtypes and shapes are checked when a layer is added.

    Raises:
        torch_tensorrt._C.InvalidArgumentError, torch_tensorrt._C.UnsupportedError: a layer does not
            take these operands; the message names them.
    """

    def __init__(self, network: Any, name: str, source: str = "") -> None:
        self.network = network
        self._name = name
        self._source = source

    def add_layer(self, layer_kind: str, inputs: Sequence[Tensor], /, **attributes: Any) -> Layer:
        """Any layer of the table (``torch_tensorrt._C.layer_kinds()``) with its attributes."""
        return Layer(
            self.network.add_layer(layer_kind, list(inputs), attributes, self._name, self._source)
        )

    def add_constant(self, value: torch.Tensor) -> Layer:
        """A constant. The memory of a contiguous CPU tensor is used, not copied."""
        return Layer([add_constant(self.network, value, self._name)])

    def add_elementwise(self, a: Tensor, b: Tensor, op: Any) -> Layer:
        """``op`` (SUM, PROD, MAX, ..., or Add, Atan2, ...) with broadcasting; one dtype."""
        return self.add_layer("Elementwise", [a, b], op=_op_name(op, _ELEMENTWISE))

    def add_unary(self, x: Tensor, op: Any) -> Layer:
        """``op`` (EXP, LOG, SQRT, NEG, ..., or Exp, Expm1, ...) on every element."""
        return self.add_layer("Unary", [x], op=_op_name(op, _UNARY))

    def add_activation(self, x: Tensor, op: Any, alpha: float = 0.0, beta: float = 0.0) -> Layer:
        """An activation; ``alpha`` and ``beta`` are its parameters, as in the pointwise table."""
        return self.add_layer(
            "Unary", [x], op=_op_name(op, _ACTIVATIONS), p0=float(alpha), p1=float(beta)
        )

    def add_cast(self, x: Tensor, dtype: Any) -> Layer:
        """``x`` in another dtype (a torch dtype or a ``_C.DataType``)."""
        kind = core_dtype(dtype) if isinstance(dtype, torch.dtype) else dtype
        return self.add_layer("Cast", [x], to=kind)

    def add_identity(self, x: Tensor) -> Layer:
        """A copy of ``x``."""
        return self.add_layer("Copy", [x])

    def add_select(self, condition: Tensor, a: Tensor, b: Tensor) -> Layer:
        """``a`` where ``condition`` (bool), else ``b``; broadcasts."""
        return self.add_layer("Select", [condition, a, b])

    def add_shuffle(
        self,
        x: Tensor,
        first_transpose: Sequence[int] | None = None,
        reshape_dims: Sequence[Size] | None = None,
        second_transpose: Sequence[int] | None = None,
    ) -> Layer:
        """Transpose, reshape and transpose again, each if given."""
        if first_transpose is not None:
            x = self.add_layer("Transpose", [x], perm=list(first_transpose)).get_output(0)
        if reshape_dims is not None:
            x = self.add_layer("Reshape", [x], dims=list(reshape_dims)).get_output(0)
        if second_transpose is not None:
            x = self.add_layer("Transpose", [x], perm=list(second_transpose)).get_output(0)
        return Layer([x])

    def add_matrix_multiply(
        self, a: Tensor, b: Tensor, transpose_a: bool = False, transpose_b: bool = False
    ) -> Layer:
        """Batched product of ``[..., m, k]`` and ``[..., k, n]``."""
        return self.add_layer(
            "MatrixMultiply", [a, b], transpose_a=transpose_a, transpose_b=transpose_b
        )

    def add_convolution_nd(
        self,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Sequence[int] | None = None,
        padding: Sequence[int] | None = None,
        dilation: Sequence[int] | None = None,
        groups: int = 1,
    ) -> Layer:
        """Convolution of ``[N, C, spatial...]`` with ``[O, C / groups, spatial...]``."""
        spatial = x.rank - 2
        pads = list(padding or [0] * spatial)
        return self.add_layer(
            "Convolution",
            [x, weight] if bias is None else [x, weight, bias],
            stride=list(stride or [1] * spatial),
            padding=pads + pads,
            dilation=list(dilation or [1] * spatial),
            groups=groups,
            has_bias=bias is not None,
        )

    def add_reduce(self, x: Tensor, kind: str, axes: Sequence[int], keep_dims: bool) -> Layer:
        """``kind`` (sum, mean, max, min, prod, any, all) over ``axes``."""
        wanted = [axis % x.rank for axis in axes]
        return self.add_layer("Reduce", [x], kind=kind.lower(), axes=wanted, keepdim=keep_dims)

    def add_softmax(self, x: Tensor, axis: int) -> Layer:
        """Softmax over one axis."""
        return self.add_layer("Softmax", [x], axis=axis % x.rank)

    def add_slice(
        self, x: Tensor, start: Sequence[Size], shape: Sequence[Size], stride: Sequence[int]
    ) -> Layer:
        """``shape`` elements from ``start`` in steps of ``stride``, one of each per dim."""
        return self.add_layer(
            "Slice", [x], starts=list(start), sizes=list(shape), steps=list(stride)
        )

    def add_concatenation(self, inputs: Sequence[Tensor], axis: int = 0) -> Layer:
        """The inputs one after another along ``axis``."""
        return self.add_layer("Concat", inputs, axis=axis % inputs[0].rank)

    def add_gather(self, data: Tensor, indices: Tensor, axis: int) -> Layer:
        """``data`` at ``indices`` (i64 or i32) along ``axis``."""
        return self.add_layer("Gather", [data, indices], axis=axis % data.rank)

    @staticmethod
    def layer_kinds() -> list[str]:
        """Names of all layer kinds."""
        kinds: list[str] = core().layer_kinds()
        return kinds
