"""The FakeTensor rule of ``tensorrt::execute_engine``: output shapes from symbolic dims.

It works with SymInts, so a compiled module can be exported, traced and compiled again with
dynamic shapes.
"""

from __future__ import annotations

import ast
import json
import operator
from collections.abc import Callable, Sequence
from typing import Any

import torch

from torch_tensorrt._exceptions import UnsupportedTransformError

#: Element types by their names in plans.
DTYPES = {
    "f32": torch.float32,
    "f16": torch.float16,
    "bf16": torch.bfloat16,
    "f64": torch.float64,
    "i64": torch.int64,
    "i32": torch.int32,
    "i16": torch.int16,
    "i8": torch.int8,
    "u8": torch.uint8,
    "bool": torch.bool,
}
_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}
_FUNCTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "floordiv": operator.floordiv,
    "mod": operator.mod,
    "min": torch.sym_min,
    "max": torch.sym_max,
}


def evaluate(text: str, values: dict[str, Any]) -> Any:
    """Value of a dim expression in the engine's text form (``3*s0+floordiv(s1,2)``).

    ``values`` maps symbols to ints or SymInts. Raises KeyError for a symbol without a value.
    """

    def visit(node: ast.expr) -> Any:
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            return values[node.id]
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -visit(node.operand)
        if isinstance(node, ast.BinOp):
            return _BINARY[type(node.op)](visit(node.left), visit(node.right))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return _FUNCTIONS[node.func.id](*map(visit, node.args))
        raise ValueError(f"not a dim expression: {text!r}")

    return visit(ast.parse(text, mode="eval").body)


def bind_symbols(
    inputs: Sequence[dict[str, Any]], shapes: Sequence[Sequence[Any]]
) -> dict[str, Any]:
    """Symbol values from input shapes: dims that are a symbol alone first, then linear dims."""
    values: dict[str, Any] = {}
    dims = [
        (text, size)
        for spec, shape in zip(inputs, shapes, strict=True)
        for text, size in zip(spec["dims"], shape, strict=True)
        if not text.lstrip("-").isdigit()
    ]
    for text, size in dims:
        if text.isidentifier():
            values.setdefault(text, size)
    for text, size in dims:
        names = {n.id for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Name)}
        unknown = names - set(values) - set(_FUNCTIONS)
        if len(unknown) == 1:
            (name,) = unknown
            base = evaluate(text, {**values, name: 0})
            step = evaluate(text, {**values, name: 1}) - base
            values[name] = (size - base) // step
    return values


def fake_execute_engine(input_tensors: Sequence[torch.Tensor], engine: Any) -> list[torch.Tensor]:
    """Fresh contiguous tensors of the engine's output shapes and dtypes for these inputs.

    Raises ValueError when the inputs do not fit the engine's declaration.
    """
    spec = json.loads(engine.io_spec())
    if len(input_tensors) != len(spec["inputs"]):
        raise ValueError(
            f"[{spec['name']}] takes {len(spec['inputs'])} inputs, got {len(input_tensors)}"
        )
    for declared, tensor in zip(spec["inputs"], input_tensors, strict=True):
        if tensor.dtype != DTYPES[declared["dtype"]] or tensor.dim() != len(declared["dims"]):
            raise ValueError(
                f"[{spec['name']}] input '{declared['name']}' must be {declared['dtype']} of shape "
                f"{declared['dims']}, got {tensor.dtype} of shape {list(tensor.shape)}"
            )
        for axis, (text, size) in enumerate(zip(declared["dims"], tensor.shape, strict=True)):
            if text.isdigit() and isinstance(size, int) and int(text) != size:
                raise ValueError(
                    f"[{spec['name']}] input '{declared['name']}' has shape {list(tensor.shape)} "
                    f"but axis {axis} must be {text}"
                )
    kind = spec.get("target", "cpu")
    for index, tensor in enumerate(input_tensors):
        # A tensor of no device is not of the engine's either; fake ones have the device they stand
        # for.
        if tensor.device.type == "meta":
            raise ValueError(
                f"[{spec['name']}] input {index} is on meta but the engine was built for {kind}; "
                f"move the tensor with .{kind}()"
            )
    values = bind_symbols(spec["inputs"], [t.shape for t in input_tensors])
    values.update(_computed_sizes(spec))
    device = next((t.device for t in input_tensors if t.dim() > 0 or kind == "cpu"), None)
    if device is None:
        device = next((t.device for t in input_tensors if t.device.type == kind), None)
    return [
        torch.empty(
            [evaluate(text, values) for text in output["dims"]],
            dtype=DTYPES[output["dtype"]],
            device=device or torch.device(kind),
        )
        for output in spec["outputs"]
    ]


def _computed_sizes(spec: dict[str, Any]) -> dict[str, Any]:
    """Fresh symbols for the sizes of outputs that the engine computes."""
    texts = {text for output in spec["outputs"] for text in output["dims"]}
    shown = {n.id for text in texts for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Name)}
    return {
        symbol["name"]: torch.library.get_ctx().new_dynamic_size(
            min=max(symbol["min"], 0), max=symbol["max"]
        )
        for symbol in spec["symbols"]
        if symbol.get("computed") and symbol["name"] in shown
    }


def fake_run_cond(
    predicate: torch.Tensor,
    then_inputs: Sequence[torch.Tensor],
    then_engine: Any,
    else_inputs: Sequence[torch.Tensor],
    else_engine: Any,
) -> list[torch.Tensor]:
    """Outputs of either branch, which are alike: nothing else is built."""
    return fake_execute_engine(then_inputs, then_engine)


def fake_run_while(
    carried: Sequence[torch.Tensor],
    condition_constants: Sequence[torch.Tensor],
    body_constants: Sequence[torch.Tensor],
    condition: Any,
    body: Any,
) -> list[torch.Tensor]:
    """Fresh tensors like the carried ones."""
    return [torch.empty(t.shape, dtype=t.dtype, device=t.device) for t in carried]


def fake_run_scan(
    carried: Sequence[torch.Tensor],
    xs: Sequence[torch.Tensor],
    constants: Sequence[torch.Tensor],
    body: Any,
) -> list[torch.Tensor]:
    """The body's outputs for one row; those after the carried tensors with all rows."""
    rows = xs[0].shape[0]
    # Not a view of the first row: there need not be one while sizes are symbols.
    row = [torch.empty(x.shape[1:], dtype=x.dtype, device=x.device) for x in xs]
    one = fake_execute_engine([*carried, *row, *constants], body)
    made = one[len(carried) :]
    stacked = [torch.empty([rows, *t.shape], dtype=t.dtype, device=t.device) for t in made]
    return [*one[: len(carried)], *stacked]


class FakeEngine:
    """Stands for an engine while tracing: knows its inputs and outputs, holds no weights."""

    def __init__(self, spec: str) -> None:
        self._spec = spec

    @classmethod
    def __obj_unflatten__(cls, flattened: Any) -> FakeEngine:
        return cls(dict(flattened)["io_spec"])

    def io_spec(self) -> str:
        """JSON of names, dtypes and symbolic dims of the inputs and outputs."""
        return self._spec

    def name(self) -> str:
        """The engine's label in messages."""
        return str(json.loads(self._spec)["name"])

    def target(self) -> str:
        """The kind of device it runs on: ``"cpu"`` or ``"cuda"``."""
        return str(json.loads(self._spec).get("target", "cpu"))

    def serialize(self) -> torch.Tensor:
        """Not while tracing, as everything below."""
        raise _needs_the_engine("serialize")

    def check_weights(self) -> None:
        raise _needs_the_engine("check_weights")

    def get_engine_layer_info(self) -> str:
        raise _needs_the_engine("get_engine_layer_info")

    def stats(self) -> str:
        raise _needs_the_engine("stats")

    def enable_profiling(self) -> None:
        raise _needs_the_engine("enable_profiling")

    def disable_profiling(self) -> None:
        raise _needs_the_engine("disable_profiling")

    def profile(self) -> str:
        raise _needs_the_engine("profile")

    def prepare_on(self, ordinal: int) -> None:
        raise _needs_the_engine("prepare_on")

    def compile_for(self, arch: str) -> str:
        raise _needs_the_engine("compile_for")

    def cuda_graphs(self) -> bool:
        raise _needs_the_engine("cuda_graphs")

    def set_cuda_graphs(self, on: bool) -> None:
        raise _needs_the_engine("set_cuda_graphs")

    def metadata(self, key: str) -> str:
        raise _needs_the_engine("metadata")


def _needs_the_engine(method: str) -> RuntimeError:
    return RuntimeError(
        f"[tensorrt] Engine.{method}() does not work while tracing: only the engine's inputs and "
        "outputs are known then. Call it on the engine itself, outside of torch.compile and "
        "torch.export."
    )


def register() -> None:
    """Registers the fake class, the op's meta kernel and its refusal of ``vmap``.

    Called once, after loading the library.
    """
    torch._library.fake_class_registry.register_fake_class("tensorrt::Engine")(FakeEngine)
    for name, fake in _FAKES.items():
        torch.library.register_fake(f"tensorrt::{name}")(fake)
        torch.library.register_vmap(f"tensorrt::{name}", _refuse_vmap)


_FAKES: dict[str, Callable[..., Any]] = {
    "execute_engine": fake_execute_engine,
    "run_cond": fake_run_cond,
    "run_while": fake_run_while,
    "run_scan": fake_run_scan,
}


def _refuse_vmap(info: Any, in_dims: Any, *arguments: Any) -> Any:
    engine = next(a for a in arguments if hasattr(a, "io_spec"))
    raise UnsupportedTransformError(
        f"[{engine.name()}] engines have no batching rule for torch.vmap. Transform the model and "
        'compile that: torch.compile(torch.vmap(model), backend="tensorrt"); or declare the batch '
        "as an axis of the inputs with Input(min_shape=, opt_shape=, max_shape=)"
    )
