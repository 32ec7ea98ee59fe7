"""What goes wrong in capture, in terms of the user's module and inputs."""

from __future__ import annotations

import inspect
import linecache
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch._dynamo.exc import TorchRuntimeError
from torch.export import ExportedProgram
from torch.fx.experimental.symbolic_shapes import (
    ConstraintViolationError,
    GuardOnDataDependentSymNode,
)

from torch_tensorrt._exceptions import CaptureError, InvalidOptionError, TorchTensorRTError
from torch_tensorrt._Input import Input

#: These log, with tracebacks, what they then raise.
_TORCH_LOGGERS = [
    logging.getLogger(name)
    for name in ("torch._subclasses.fake_tensor", "torch.export._trace", "torch.export")
]
_TORCH = str(Path(torch.__file__).parent)
_LIBRARIES = (_TORCH, str(Path(__file__).parents[1]), str(Path(inspect.__file__).parent))
_FIXED_AXIS = re.compile(
    r"marked (.+?) as dynamic but your code specialized it to be a constant \((\d+)\)"
)
_AXIS_OF = re.compile(r"L\['(\w+)'\](.*)\.size\(\)\[(\d+)\]")
_FRAME = re.compile(r'File "([^"]+)", line (\d+), in (\S+)\n\s*(.*)')
_JIT = 'torch.compile(model, backend="tensorrt") runs in Python what cannot be captured'

#: Operators whose tensors must have one dtype in eager mode, which capture does not check.
_ONE_DTYPE = {
    getattr(torch.ops.aten, name)
    for name in (
        "linear",
        "matmul",
        "mm",
        "addmm",
        "bmm",
        "baddbmm",
        "conv1d",
        "conv2d",
        "conv3d",
        "conv_transpose1d",
        "conv_transpose2d",
        "conv_transpose3d",
        "convolution",
    )
}


@contextmanager
def capture_errors(
    module: torch.nn.Module, args: tuple[Any, ...], keywords: Mapping[str, Any]
) -> Iterator[None]:
    """Turns errors of the block into :class:`CaptureError`, except those of this package.

    Args:
        args: Positional inputs as :class:`Input` and plain values.
        keywords: Keyword inputs.
    """
    for logger in _TORCH_LOGGERS:
        logger.addFilter(_is_no_error)
    try:
        yield
    except (TorchTensorRTError, InvalidOptionError):
        raise
    except Exception as error:
        raise CaptureError(_message(error, module, args, keywords)) from error
    finally:
        for logger in _TORCH_LOGGERS:
            logger.removeFilter(_is_no_error)


def check_dtypes(
    program: ExportedProgram,
    module: torch.nn.Module,
    args: tuple[Any, ...],
    keywords: Mapping[str, Any],
) -> None:
    """Refuses products of tensors of two dtypes: capture lets them pass, running them does not.

    Raises:
        CaptureError: names the operator, the dtypes and the user's line.
    """
    if any(torch.is_autocast_enabled(kind) for kind in ("cpu", "cuda")):
        return
    for node in program.graph.nodes:
        if getattr(node.target, "overloadpacket", None) not in _ONE_DTYPE:
            continue
        values = [n.meta.get("val") for n in node.all_input_nodes]
        tensors = [value for value in values if isinstance(value, torch.Tensor)]
        if len({tensor.dtype for tensor in tensors}) > 1:
            found = " and ".join(_tensor_text(tensor) for tensor in tensors)
            raise CaptureError(
                _text(
                    module,
                    f"{node.target} takes tensors of one dtype, got {found}",
                    _node_places(node),
                    input_lines(module, args, keywords),
                    "give inputs of the model's dtype, Input(..., dtype=...); or convert the "
                    "model, for example model.to(torch.float16)",
                )
            )


def decomposition_error(program: ExportedProgram, error: Exception) -> CaptureError:
    """For a captured program that PyTorch cannot decompose into its core operators."""
    graphs = [
        m.graph for m in program.graph_module.modules() if isinstance(m, torch.fx.GraphModule)
    ]
    marks = [node for graph in graphs for node in graph.nodes if is_transform_mark(node.target)]
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    what = f"PyTorch cannot decompose the captured program ({lines[0] if lines else error!r})"
    if marks:
        what = "its forward holds a transform of torch.func, and " + what
    places = "".join(f"\n  {place}" for node in marks[:1] for place in _node_places(node))
    return CaptureError(
        f"the module cannot be captured: {what}{places}\n"
        "Way out: take the transform (grad, vjp, jacrev ...) outside of the module, or write its "
        f"formula; or {_JIT}."
    )


#: Modules of the functions that ``torch.vmap`` and its kin leave in an exported graph.
_OF_TRANSFORMS = ("torch._C._functorch", "torch._functorch.predispatch", "torch._functorch.vmap")


def is_transform_mark(target: Any) -> bool:
    """Whether a node of a captured graph marks where torch.vmap or its kin begins or ends."""
    return getattr(target, "__module__", None) in _OF_TRANSFORMS


def input_lines(
    module: torch.nn.Module, args: tuple[Any, ...], keywords: Mapping[str, Any]
) -> list[str]:
    """``'name': dtype[sizes]`` of every tensor among the inputs."""
    leaves = labelled(module, args, keywords)
    return [f"{called(name, leaf)}: {leaf_text(leaf)}" for name, leaf in leaves]


def called(name: str, leaf: Any) -> str:
    """``'x'``, or ``'x' ("tokens")`` for an Input with a name of its own."""
    own = leaf.name if isinstance(leaf, Input) else ""
    return f"'{name}' (\"{own}\")" if own and own != name else f"'{name}'"


def labelled(
    module: torch.nn.Module, args: tuple[Any, ...], keywords: Mapping[str, Any]
) -> list[tuple[str, Any]]:
    """Every leaf of the inputs with how the user calls it: ``x``, ``batch['ids']``, ``pair[0]``."""
    found: list[tuple[str, Any]] = []

    def walk(name: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for key, item in value.items():
                walk(f"{name}[{key!r}]", item)
        elif isinstance(value, (list, tuple)):
            for index, item in enumerate(value):
                walk(f"{name}[{index}]", item)
        else:
            found.append((name, value))

    for name, value in _by_argument(module, args, keywords):
        walk(name, value)
    return found


def _by_argument(
    module: torch.nn.Module, args: tuple[Any, ...], keywords: Mapping[str, Any]
) -> list[tuple[str, Any]]:
    names: list[str] = []
    for parameter in inspect.signature(module.forward).parameters.values():
        if parameter.kind == inspect.Parameter.VAR_POSITIONAL:
            names += [f"{parameter.name}[{index}]" for index in range(len(args) - len(names))]
        elif parameter.kind in (
            inspect.Parameter.POSITIONAL_ONLY,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
        ):
            names.append(parameter.name)
    names += [f"argument {index}" for index in range(len(names), len(args))]
    return [*zip(names, args, strict=False), *keywords.items()]


def _message(
    error: Exception, module: torch.nn.Module, args: tuple[Any, ...], keywords: Mapping[str, Any]
) -> str:
    places = _places(error, module)
    inputs = input_lines(module, args, keywords)
    if "__obj_flatten__" in str(error) or "ScriptObject" in str(error):
        what = "it holds objects that torch.export cannot capture" + _packed_modules(module)
        way_out = f"compile the model before it is quantised; or {_JIT}"
        return _text(module, what, places, inputs, way_out)
    fixed = _FIXED_AXIS.search(str(error))
    if fixed is not None:
        return _fixed_axis(fixed, module, args, keywords)
    lines = [line.strip() for line in str(_root(error)).strip().splitlines() if line.strip()]
    what = lines[0] if lines else type(error).__name__
    if isinstance(error, ConstraintViolationError) or what.startswith("Constraints violated"):
        what = " ".join(_without_advice(lines[1:]) or lines[:1])
        way_out = (
            "declare a range that the model takes as a whole, or the axis as fixed: the same size "
            "in min_shape, opt_shape and max_shape; axes that are always equal share a name in "
            "shared_dims"
        )
        return _text(module, what, places, inputs, way_out)
    if isinstance(error, TypeError) and "argument" in what:
        way_out = f"give the inputs of forward{inspect.signature(module.forward)}"
        way_out += _shapes_among(args, keywords)
        return _text(module, what, places, inputs, way_out)
    root = _root(error)
    if _is_dynamos(root) or isinstance(root, GuardOnDataDependentSymNode):
        way_out = f"rewrite the line so that it does not depend on values of tensors; or {_JIT}"
    else:
        way_out = (
            "call the model itself with tensors of these shapes and dtypes, and correct the "
            f"inputs, torch_tensorrt.Input(shape, dtype=...), until it runs; if it does: {_JIT}"
        )
    way_out += _shapes_among(args, keywords)
    if not isinstance(error, RuntimeError):
        what = f"{type(error).__name__}: {what}"
    return _text(module, what, places, inputs, way_out)


def _shapes_among(args: tuple[Any, ...], keywords: Mapping[str, Any]) -> str:
    """A hint where an input looks like the shape of one."""
    for value in (args, *args, *keywords.values()):
        numbers = isinstance(value, (list, tuple)) and bool(value)
        if numbers and all(type(size) is int for size in value):
            text = tuple(value)
            return f"; {text} is a {type(value).__name__} of numbers, a shape is Input({text})"
    return ""


def _root(error: BaseException) -> BaseException:
    """What Dynamo reports in its own words, or ``error``."""
    while _is_dynamos(error):
        inner = error.__cause__
        # These are raised `from None`; what they report is still their context.
        context = error.__context__
        if inner is None and (
            isinstance(error, TorchRuntimeError) or isinstance(context, GuardOnDataDependentSymNode)
        ):
            inner = context
        if inner is None:
            break
        error = inner
    return error


def _is_dynamos(error: BaseException) -> bool:
    return type(error).__module__ == "torch._dynamo.exc"


def _text(
    module: torch.nn.Module, what: str, places: list[str], inputs: list[str], way_out: str
) -> str:
    lines = [f"{type(module).__name__} cannot be captured: {what.rstrip('.')}"]
    lines += [f"  {place}" for place in places]
    lines += [f"  input {line}" for line in inputs]
    return "\n".join([*lines, f"Way out: {way_out}."])


def _fixed_axis(
    match: re.Match[str],
    module: torch.nn.Module,
    args: tuple[Any, ...],
    keywords: Mapping[str, Any],
) -> str:
    source, size = match.groups()
    leaves = labelled(module, args, keywords)
    axis_of = _AXIS_OF.fullmatch(source)
    if axis_of is not None:
        found = [(axis_of.group(1) + axis_of.group(2), int(axis_of.group(3)))]
    else:  # the name of a shared dimension
        found = [
            (name, axis)
            for name, leaf in leaves
            if isinstance(leaf, Input)
            for axis, shared in leaf.shared_dims.items()
            if shared == source
        ]
    name, axis = found[0] if found else (source, 0)
    leaf = dict(leaves).get(name)
    declared = ""
    if isinstance(leaf, Input):
        low, _, high = leaf.shape_range()
        declared = f" is declared as {low[axis]} to {high[axis]}, but"
    what = f"axis {axis} of input {called(name, leaf)}{declared} is always {size} in this model"
    recurrent = _recurrent_modules(module)
    if recurrent:
        way_out = (
            f"if axis {axis} is the sequence of {recurrent}, which is captured step by step for "
            f"one length: give it the size {size} in min_shape, opt_shape and max_shape of its "
            "Input (other axes, the batch too, may be ranges), pad shorter sequences to it, and "
            "compile once for each length; or use "
            'torch.compile(model, backend="tensorrt"), which does that by itself. '
            "If it is another axis, look in the model for a number or a weight of that size"
        )
        return _text(module, what, [], input_lines(module, args, keywords), way_out)
    way_out = (
        f"give axis {axis} the size {size} in min_shape, opt_shape and max_shape of its Input; or, "
        "if the model is meant to take other sizes there, look in it for a number or a weight of "
        "that size"
    )
    return _text(module, what, [], input_lines(module, args, keywords), way_out)


def _recurrent_modules(module: torch.nn.Module) -> str:
    """The first layer that steps through a sequence, and how many more there are."""
    found = [
        f"'{name}': {type(child).__name__}({child.extra_repr()})"
        if name
        else f"this {type(child).__name__}"
        for name, child in module.named_modules()
        if isinstance(child, torch.nn.RNNBase)
    ]
    return (found[0] + (f" and {len(found) - 1} more" if len(found) > 1 else "")) if found else ""


def _without_advice(lines: list[str]) -> list[str]:
    kept = []
    for line in lines:
        if line.startswith(("Suggested fixes", "User stack", "If you're using")):
            break
        kept.append(line.removeprefix("- "))
    return kept


def _packed_modules(module: torch.nn.Module) -> str:
    for name, child in module.named_modules():
        if type(child).__module__.startswith("torch.ao.nn.quantized"):
            return f" (quantised weights, '{name}' is a {type(child).__name__})"
    return ""


def _places(error: BaseException, module: torch.nn.Module) -> list[str]:
    """The innermost line of the user's code, and the innermost module whose forward ran."""
    frames = list(_frames(error))
    traced = getattr(error, "real_stack", None)
    if traced:  # Dynamo interprets the user's code: no frame of it runs
        written = [f for f in traced if not f.filename.startswith((*_LIBRARIES, "<"))]
        return [
            f"at {f.filename}:{f.lineno} in {f.name}" + (f": {f.line}" if f.line else "")
            for f in (written or traced)[-1:]
        ]
    # Whoever called compile is in the traceback too: above the module's own forward.
    calls = [i for i, (frame, _) in enumerate(frames) if frame.f_locals.get("self") is module]
    started = frames[calls[0] :] if calls else []
    written = [pair for pair in started if _is_users(pair[0])]
    forwards = [pair for pair in started if _module_of(pair[0]) is not None]
    places = [_frame_text(*pair) for pair in (written or forwards)[-1:]]
    for frame, _ in forwards[-1:]:
        child = _module_of(frame)
        names = [name for name, known in module.named_modules() if known is child]
        if child is not None and names and names[0]:
            places.append(f"in module '{names[0]}': {type(child).__name__}({child.extra_repr()})")
    return places


def _node_places(node: torch.fx.Node) -> list[str]:
    """The same for a node of the captured graph."""
    frames = _FRAME.findall(node.meta.get("stack_trace") or "")
    written = [frame for frame in frames if not frame[0].startswith(_LIBRARIES)]
    places = [
        f"at {file}:{line} in {function}: {code}"
        for file, line, function, code in (written or frames)[-1:]
    ]
    modules = list((node.meta.get("nn_module_stack") or {}).values())
    for name, kind in modules[-1:]:
        if name:
            places.append(f"in module '{name}': {str(kind).rsplit('.', 1)[-1]}")
    return places


def _is_users(frame: FrameType) -> bool:
    return not frame.f_code.co_filename.startswith((*_LIBRARIES, "<"))


def _module_of(frame: FrameType) -> torch.nn.Module | None:
    child = frame.f_locals.get("self")
    inside = isinstance(child, torch.nn.Module) and frame.f_code.co_name == "forward"
    return child if inside else None


def _frames(error: BaseException) -> Iterator[tuple[FrameType, int]]:
    traceback = error.__traceback__
    while traceback is not None:
        yield traceback.tb_frame, traceback.tb_lineno
        traceback = traceback.tb_next


def _frame_text(frame: FrameType, line: int) -> str:
    name = frame.f_code.co_filename
    code = linecache.getline(name, line).strip()
    return f"at {name}:{line} in {frame.f_code.co_name}" + (f": {code}" if code else "")


def _is_no_error(record: logging.LogRecord) -> bool:
    return record.levelno < logging.ERROR


def leaf_text(leaf: Any) -> str:
    """``float32[1 to 33, 16]`` of a tensor or an :class:`Input`; other values as they print."""
    if isinstance(leaf, torch.Tensor):
        return _tensor_text(leaf)
    if not isinstance(leaf, Input):
        return repr(leaf)
    low, _, high = leaf.shape_range()
    sizes = [str(a) if a == b else f"{a} to {b}" for a, b in zip(low, high, strict=True)]
    return f"{str(leaf.torch_dtype).removeprefix('torch.')}[{', '.join(sizes)}]"


def _tensor_text(tensor: torch.Tensor) -> str:
    sizes = ", ".join(str(size) for size in tensor.shape)
    return f"{str(tensor.dtype).removeprefix('torch.')}[{sizes}]"
