"""Conditions on inputs under which a captured program holds, checked at each call.

Numbers, flags and None among the arguments are constants of the program. Python code that looks at
sizes (``if x.shape[0] < 16``, a ``reshape`` that needs an even size) is
captured for one answer only. The exporter keeps that answer as a guard; a compiled module has to
refuse inputs for which the answer is another, however wide the declared ranges are.
"""

from __future__ import annotations

import itertools
import logging
import math
import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram

from torch_tensorrt._exceptions import DynamicShapeOutOfRangeException
from torch_tensorrt.dynamo._size_needs import SizeNeed
from torch_tensorrt.dynamo._symbols import shape_env_of
from torch_tensorrt.dynamo._tensor_checks import InputLeaf, TensorChecks

logger = logging.getLogger("torch_tensorrt")

#: Name under which ``ExportedProgram.module()`` keeps its own checks, which torch's passes know.
GUARDS_MODULE = "_guards_fn"

_MAX_CACHED = 1024
#: Sizes for which a condition is tried, to find out that it says nothing new.
_MAX_TRIED = 1024
_SQUEEZES = (
    torch.ops.aten.squeeze.default,
    torch.ops.aten.squeeze.dim,
    torch.ops.aten.squeeze.dims,
)
_OWN_CODE = (
    os.path.dirname(torch.__file__) + os.sep,
    os.path.dirname(os.path.dirname(__file__)) + os.sep,
)


class ShapeGuards(torch.nn.Module):
    """Checks conditions on the sizes of its arguments; returns nothing.

    Sizes that passed once are remembered, so that a repeated shape costs one look-up.

    Args:
        names: Names of the arguments, for messages.
        sources: For each symbol: argument, axis, and ``a``, ``b`` with size = a * symbol + b.
        conditions: SymPy relations over the symbols.
        program_check: Module that raises ``AssertionError`` for arguments that the exporter
            refuses, or None.
        constants: By argument, the number, flag or None that it must be.
        tensors: By argument, what a tensor that PyTorch reads must be: engines check theirs.
        ranges: Smallest and largest value of every symbol in ``tensors``.
        needs: What operators ask of sizes, for which PyTorch raises too.
    """

    def __init__(
        self,
        names: Sequence[str],
        sources: dict[Any, tuple[int, int, int, int]],
        conditions: Sequence[Any],
        program_check: torch.nn.Module | None = None,
        constants: Mapping[int, InputLeaf] | None = None,
        tensors: Mapping[int, InputLeaf] | None = None,
        ranges: Mapping[str, tuple[int, int]] | None = None,
        needs: Sequence[SizeNeed] = (),
    ) -> None:
        super().__init__()
        self._names = tuple(names)
        self._sources = dict(sources)
        self._conditions = tuple(conditions)
        self._program_check = program_check
        self._constants = dict(constants or {})
        self._tensors = dict(tensors or {})
        self._checks = TensorChecks(ranges or {})
        self._needs = tuple(needs)
        self._passed: set[tuple[Any, ...]] = set()

    def forward(self, *arguments: Any) -> None:
        """Raise unless all conditions hold.

        Raises:
            DynamicShapeOutOfRangeException: one does not; names it and the shapes.
            InputMismatchError: an argument is not the constant that the program was captured with.
        """
        key = tuple(_key(argument) for argument in arguments)
        try:
            if key in self._passed:
                return
        except TypeError:  # symbolic sizes: an export of the compiled module is under way
            self._check(arguments)
            return
        self._check(arguments)
        if len(self._passed) < _MAX_CACHED:
            self._passed.add(key)

    @property
    def takes_sides(self) -> bool:
        """Whether inputs are refused that the model itself would take."""
        return bool(self._conditions) or self._program_check is not None

    def summary(self, most: int = 3) -> str:
        """The first conditions in words, for a log line."""
        texts = self.texts() or ["what the program's own guards ask for"]
        more = f" and {len(texts) - most} more conditions" if len(texts) > most else ""
        return " and ".join(texts[:most]) + more

    def texts(self) -> list[str]:
        """The conditions in terms of the arguments' shapes."""
        return [self._text(condition) for condition in self._conditions]

    def _text(self, condition: Any) -> str:
        import sympy  # type: ignore[import-untyped]
        from torch.utils._sympy.printers import PythonPrinter

        shown = {}
        for symbol, (index, axis, a, b) in self._sources.items():
            if (a, b) == (1, 0):
                shown[symbol] = sympy.Symbol(f"{self._names[index]}.shape[{axis}]", integer=True)
        return str(PythonPrinter().doprint(condition.xreplace(shown)))

    def _check(self, arguments: tuple[Any, ...]) -> None:
        for index, leaf in self._constants.items():
            leaf.check_constant(arguments[index])
        seen: dict[str, tuple[int, str]] = {}
        for index, leaf in self._tensors.items():
            if leaf.dims is not None:
                self._checks.check(leaf, leaf.dims, arguments[index], seen)
        values = {
            symbol: (arguments[index].shape[axis] - b) // a
            for symbol, (index, axis, a, b) in self._sources.items()
            if isinstance(arguments[index], torch.Tensor) and arguments[index].dim() > axis
        }
        for need in self._needs:
            if not _holds(need.condition, values):
                raise DynamicShapeOutOfRangeException(
                    f"{need.text} needs {self._text(need.condition)}, which the inputs break "
                    f"({self._shapes(arguments)}); PyTorch raises for them too: pass larger inputs"
                )
        for condition in self._conditions:
            if not _holds(condition, values):
                raise self._error(self._text(condition), arguments)
        if self._program_check is not None:
            try:
                self._program_check(*arguments)
            except AssertionError as error:
                raise self._error(str(error).removeprefix("Guard failed: "), arguments) from error

    def _shapes(self, arguments: tuple[Any, ...]) -> str:
        return ", ".join(
            f"{name}: {list(a.shape)}"
            for name, a in zip(self._names, arguments, strict=True)
            if isinstance(a, torch.Tensor)
        )

    def _error(self, condition: str, arguments: tuple[Any, ...]) -> Exception:
        return DynamicShapeOutOfRangeException(
            f"the module was captured for inputs with {condition}, which these break "
            f"({self._shapes(arguments)}): "
            "its Python code, or an operator in it, does something else for them. Way out: compile "
            "once for each case with Inputs whose ranges (and opt_shape) lie on one side, use "
            'torch.compile(backend="tensorrt"), which recompiles by itself, or write the '
            "condition with torch.where or torch.cond"
        )


def _key(argument: Any) -> Any:
    if isinstance(argument, torch.Tensor):
        return argument.shape, argument.dtype
    # -0.0 and 0.0 are equal, but not the same constant.
    return type(argument), repr(argument) if type(argument) is float else argument


def _holds(condition: Any, values: dict[Any, Any]) -> bool:
    """False when these sizes break the condition."""
    from torch.utils._sympy.interp import sympy_interp
    from torch.utils._sympy.reference import PythonReferenceAnalysis

    if not condition.free_symbols <= values.keys():
        return True  # a tensor of another rank: refused by the engine, which says more
    try:
        return bool(sympy_interp(PythonReferenceAnalysis, values, condition))
    except ZeroDivisionError:
        return False


def _always_holds(condition: Any, limits: Mapping[str, tuple[int, int]]) -> bool:
    """Whether ``condition`` holds for all declared sizes, as far as that is found out quickly."""
    import sympy

    if isinstance(condition, sympy.And):
        return all(_always_holds(part, limits) for part in condition.args)
    symbols = sorted(condition.free_symbols, key=str)
    if not all(str(symbol) in limits for symbol in symbols):
        return False
    bounds = [limits[str(symbol)] for symbol in symbols]
    spans: list[Sequence[int]] = [range(low, high + 1) for low, high in bounds]
    order = (sympy.LessThan, sympy.GreaterThan, sympy.StrictLessThan, sympy.StrictGreaterThan)
    if len(symbols) == 1 and isinstance(condition, order):
        difference = condition.args[0] - condition.args[1]
        if difference.is_polynomial(*symbols) and sympy.degree(difference, *symbols) <= 1:
            spans = list(bounds)  # it is monotonic
    if math.prod(len(span) for span in spans) > _MAX_TRIED:
        return False
    tried = itertools.product(*spans)
    return all(_holds(condition, dict(zip(symbols, sizes, strict=True))) for sizes in tried)


def guard(
    module: fx.GraphModule,
    program: ExportedProgram,
    lowered: fx.GraphModule,
    ranges: Mapping[str, tuple[int, ...]],
    needs: Sequence[SizeNeed] = (),
) -> fx.GraphModule:
    """``module`` with a :class:`ShapeGuards` in front, when ``program`` holds under conditions.

    Args:
        module: The compiled module; changed in place.
        program: What it was compiled from.
        lowered: The graph after lowering, which may have added conditions of its own.
        ranges: Declared ranges of symbols, smallest value first, largest last.
        needs: What operators ask of sizes.
    """
    guards = guards_of(program, lowered, _read_by_pytorch(module), ranges, needs)
    if guards is None:
        return module
    if guards.takes_sides:
        logger.warning(
            "capture took one side of conditions on sizes: only inputs with %s can run, others "
            "raise DynamicShapeOutOfRangeException",
            guards.summary(),
        )
    placeholders = [node for node in module.graph.nodes if node.op == "placeholder"]
    module.add_submodule(GUARDS_MODULE, guards)
    with module.graph.inserting_after(placeholders[-1]):
        module.graph.call_module(GUARDS_MODULE, tuple(placeholders))
    module.recompile()
    return module


def _read_by_pytorch(module: fx.GraphModule) -> set[str]:
    """Inputs that no engine checks."""
    from torch_tensorrt.dynamo.runtime import TorchTensorRTModule

    def is_engine(user: fx.Node) -> bool:
        called = module.get_submodule(str(user.target)) if user.op == "call_module" else None
        return isinstance(called, TorchTensorRTModule)

    inputs = module.graph.find_nodes(op="placeholder")
    return {str(node.target) for node in inputs if not any(map(is_engine, node.users))}


def guards_of(
    program: ExportedProgram,
    lowered: fx.GraphModule,
    unchecked: Collection[str] = (),
    ranges: Mapping[str, tuple[int, ...]] | None = None,
    needs: Sequence[SizeNeed] = (),
) -> ShapeGuards | None:
    """The conditions of ``program`` and of its lowering, or None when there are none.

    ``unchecked`` are the inputs that no engine checks, ``ranges`` and ``needs`` as in
    :func:`guard`.
    """
    placeholders = [node for node in lowered.graph.nodes if node.op == "placeholder"]
    leaves = [InputLeaf.of(node) for node in placeholders]
    constants = {index: leaf for index, leaf in enumerate(leaves) if leaf.is_constant}
    env = shape_env_of(placeholders)
    sources = _sources(placeholders)
    exported = shape_env_of(n for n in program.graph.nodes if n.op == "placeholder")
    asked = [*_conditions(exported), *_conditions(env), *_kept_by_squeezes(program)]
    limits = {name: (known[0], known[-1]) for name, known in (ranges or {}).items()}
    conditions = {c: None for c in asked if c.free_symbols <= sources.keys()}
    conditions = {c: None for c in conditions if not _always_holds(c, limits)}
    check = None
    if not (exported is not None and exported.guards) and getattr(program, "_guards_code", None):
        # Loaded from a file: the conditions are there as text only, which torch itself can read.
        check = getattr(program.module(), GUARDS_MODULE, None)
    tensors = {
        index: leaf
        for index, leaf in enumerate(leaves)
        if leaf.label in unchecked and leaf.dims is not None
    }
    needs = [need for need in needs if need.condition.free_symbols <= sources.keys()]
    if not (conditions or check is not None or constants or tensors or needs):
        return None
    names = [str(p.target) for p in placeholders]
    return ShapeGuards(names, sources, list(conditions), check, constants, tensors, limits, needs)


def _sources(placeholders: list[fx.Node]) -> dict[Any, tuple[int, int, int, int]]:
    sources: dict[Any, tuple[int, int, int, int]] = {}
    for index, node in enumerate(placeholders):
        value = node.meta.get("val")
        if not isinstance(value, torch.Tensor):
            continue
        for axis, size in enumerate(value.shape):
            if not isinstance(size, torch.SymInt):
                continue
            found = linear(size.node.expr)
            if found is not None:
                sources.setdefault(found[0], (index, axis, found[1], found[2]))
    return sources


def linear(expr: Any) -> tuple[Any, int, int] | None:
    """``expr`` as a * symbol + b with integers a > 0 and b, or None."""
    if expr.is_symbol:
        return expr, 1, 0
    if len(expr.free_symbols) != 1:
        return None
    (symbol,) = expr.free_symbols
    b = expr.xreplace({symbol: 0})
    a = expr.xreplace({symbol: 1}) - b
    if not (a.is_Integer and b.is_Integer and a > 0) or (expr - a * symbol - b).expand() != 0:
        return None
    return symbol, int(a), int(b)


def _conditions(env: Any) -> list[Any]:
    if env is None:
        return []
    found = []
    for entry in env.guards:
        condition = env.replace(entry.expr)
        if condition.free_symbols and not (_of_framework(entry) and _is_zero_one(condition)):
            found.append(condition)
    return found


def _kept_by_squeezes(program: ExportedProgram) -> list[Any]:
    """That sizes are not 1 which ``squeeze`` was captured to keep: it asks without a guard."""
    import sympy

    found = []
    for node in program.graph.nodes:
        if node.op != "call_function" or node.target not in _SQUEEZES:
            continue
        shape = node.args[0].meta["val"].shape
        dims = node.args[1] if len(node.args) > 1 else range(len(shape))
        for dim in [dims] if isinstance(dims, int) else dims:
            size = shape[dim] if shape else 1
            if isinstance(size, torch.SymInt) and size.node.expr.free_symbols:
                possible = size.node.shape_env.bound_sympy(size.node.expr)
                if possible.lower <= 1:
                    found.append(sympy.Ne(size.node.expr, 1))
    return found


def _of_framework(entry: Any) -> bool:
    """Whether the condition was asked by an operator's implementation, not by user code."""
    frame = getattr(getattr(entry, "sloc", None), "framework_loc", None)
    return str(getattr(frame, "filename", "")).startswith(_OWN_CODE)


def _is_zero_one(condition: Any) -> bool:
    """Whether a condition only tells sizes 0 and 1 from others. Operators ask that to broadcast or
    to simplify strides; the engine does the same for all sizes."""
    import sympy

    if isinstance(condition, sympy.Not):
        condition = condition.args[0].negated
    if len(condition.args) != 2:
        return False
    left, right = condition.args
    if isinstance(condition, sympy.Ne):
        return right in (0, 1) or left in (0, 1)
    if isinstance(condition, (sympy.StrictLessThan, sympy.LessThan)):
        left, right = right, left
    greater = (sympy.StrictGreaterThan, sympy.StrictLessThan)
    if isinstance(condition, greater):
        return right in (0, 1)
    return isinstance(condition, (sympy.GreaterThan, sympy.LessThan)) and right in (0, 1, 2)
