"""One case through the product: export, compile as one engine, run, compare."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch_tensorrt
from torch.export import ExportedProgram
from torch_tensorrt._exceptions import UnsupportedOperatorException

from tests.opinfo.cases import Case, widened
from tests.opinfo.judge import differences

#: What can become of a case. The first three are good.
ENGINE, VIEWS, NO_EAGER = "engine", "views", "no eager"
UNTRACED, REFUSED, MISMATCH, ERROR = "untraced", "refused", "mismatch", "error"
CRASH, HANG = "crash", "hang"
RAISES = "raises"
GOOD = frozenset({ENGINE, VIEWS, RAISES})


#: Operators that may choose any one of equal elements, and the names of their arguments: the index
#: is judged by the element it points to.
ANY_PLACE = {
    "kthvalue": ("input", "k", "dim", "keepdim"),
    "mode": ("input", "dim", "keepdim"),
    "topk": ("input", "k", "dim"),
    "sort": ("input", "dim", "descending"),
    "argsort": ("input", "dim", "descending"),
    "median": ("input", "dim", "keepdim"),
    "nanmedian": ("input", "dim", "keepdim"),
}

#: Operators whose results have dtypes and shapes but no defined values.
UNDEFINED = frozenset(
    {
        "empty",
        "empty_like",
        "empty_permuted",
        "empty_strided",
        "new_empty",
        "new_empty_strided",
        "resize_",
        "resize_as_",
    }
)


@dataclass(frozen=True)
class Outcome:
    """What became of one case.

    Attributes:
        status: One of the constants above. ``views``: nothing is computed, PyTorch makes the views.
        reason: Why not, short enough to group by.
        detail: The whole message.
        core: Whether the program ends in Core ATen operators alone; None when not asked.
    """

    status: str
    reason: str = ""
    detail: str = ""
    core: bool | None = None


def check(case: Case, core: bool = False) -> Outcome:
    """Run ``case`` in eager mode and compiled, and compare results and what was written to."""
    with torch.no_grad(), warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        return _check(case, core)


def _check(case: Case, core: bool) -> Outcome:
    eager_inputs = case.inputs()
    try:
        torch.manual_seed(0)
        eager = case.module(*eager_inputs)
    except Exception as error:
        return _outcome(NO_EAGER, error)
    try:
        program = torch.export.export(case.module, tuple(case.inputs()), strict=False)
    except Exception as error:
        return _outcome(UNTRACED, error)
    outcome = _compiled(case, program, eager, eager_inputs)
    return replace(outcome, core=_is_core(program)) if core else outcome


def _compiled(
    case: Case, program: ExportedProgram, eager: tuple[Any, ...], eager_inputs: list[torch.Tensor]
) -> Outcome:
    try:
        compiled = torch_tensorrt.dynamo.compile(
            program,
            arg_inputs=tuple(case.inputs()),
            require_full_compilation=True,
            min_block_size=1,
        )
    except UnsupportedOperatorException as error:
        first = error.nodes[0] if error.nodes else None
        reason = f"{first.op}: {first.reason}" if first else str(error)
        return Outcome(REFUSED, _short(reason), str(error))
    except Exception as error:
        return _outcome(ERROR, error)
    return _compare(case, compiled, eager, eager_inputs)


def _compare(
    case: Case, compiled: Any, eager: tuple[Any, ...], eager_inputs: list[torch.Tensor]
) -> Outcome:
    inputs = case.inputs()
    try:
        got = compiled(*inputs)
    except Exception as error:
        return _outcome(ERROR, error)
    exact = _in_double(case, eager)
    got, eager = list(got), list(eager)
    if case.op in ANY_PLACE and len(eager) == (1 if case.op == "argsort" else 2):
        got, eager = _with_chosen(case, got), _with_chosen(case, eager)
        exact = None
    if case.op in UNDEFINED:
        got, eager, exact = (_zeros(got), _zeros(eager), None)
    found = differences(got, eager, exact)
    if found is None:
        found = differences(inputs, eager_inputs, None)
        found = None if found is None else f"written inputs: {found}"
    if found is not None:
        return Outcome(MISMATCH, _short(found), found)
    return Outcome(ENGINE if _engines(compiled) else VIEWS)


def ends_in_core_aten(case: Case) -> bool | None:
    """Whether PyTorch decomposes the case into Core ATen operators alone; None: it cannot."""
    with torch.no_grad(), warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            program = torch.export.export(case.module, tuple(case.inputs()), strict=False)
        except Exception:
            return None
        return _is_core(program)


def _is_core(program: ExportedProgram) -> bool | None:
    try:
        nodes = program.run_decompositions().graph.nodes
    except Exception:
        return None
    called = [n.target for n in nodes if isinstance(n.target, torch._ops.OpOverload)]
    return all(torch.Tag.core in op.tags for op in called)


def _in_double(case: Case, eager: tuple[Any, ...]) -> Any:
    """The results in float64; None where the operator has none. Floats made from integers are made
    from float64 then."""
    floats = any(
        isinstance(r, torch.Tensor) and (r.is_floating_point() or r.is_complex()) for r in eager
    )
    inputs = case.inputs()
    mixed = any(x.is_floating_point() or x.is_complex() for x in inputs)
    try:
        wide = [widened(x) if mixed or not floats else x.double() for x in inputs]
        return case.module.double()(*wide)
    except Exception:
        return None


def _with_chosen(case: Case, results: list[Any]) -> list[Any]:
    """The index replaced by what is found there."""
    args, kwargs = case.module.arguments(case.inputs())
    named = {**dict(zip(ANY_PLACE[case.op], args, strict=False)), **kwargs}
    x, dim, keepdim = named["input"], named.get("dim", -1), named.get("keepdim", False)
    values, places = [None, *results][-2:]
    if x.dim() == 0 or x.numel() == 0 or named.get("stable"):
        return results
    keepdim = keepdim or case.op in ("topk", "sort", "argsort")
    spread = places if keepdim else places.unsqueeze(dim)
    if bool((spread < 0).any()) or bool((spread >= x.shape[dim]).any()):
        return results
    found = x.gather(dim, spread)
    return [values, places.dtype, found if keepdim else found.squeeze(dim)]


def _zeros(values: Any) -> list[Any]:
    """Dtypes and shapes alone."""
    return [torch.zeros_like(v) if isinstance(v, torch.Tensor) else v for v in values]


def _engines(compiled: torch.nn.Module) -> int:
    return sum(name.startswith("_run_on_acc") for name, _ in compiled.named_children())


def _outcome(status: str, error: Exception) -> Outcome:
    text = f"{type(error).__name__}: {error}"
    return Outcome(status, _short(text), text[:4000])


def _short(text: str) -> str:
    """The first line with numbers and names of values left out, so that equal reasons group."""
    line = text.strip().splitlines()[0] if text.strip() else ""
    return re.sub(r"-?\d+(\.\d+)?(e[-+]?\d+)?", "N", line)[:160]


def check_error(case: Case) -> Outcome:
    """Everything from export to the run raises where eager mode does, an error of a usual type."""
    with torch.no_grad(), warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            case.module(*case.inputs())
        except Exception as error:
            expected = error
        else:
            return Outcome(NO_EAGER, "eager raises nothing")
        try:
            program = torch_tensorrt.dynamo.trace(case.module, arg_inputs=tuple(case.inputs()))
            compiled = torch_tensorrt.dynamo.compile(
                program, arg_inputs=tuple(case.inputs()), min_block_size=1
            )
            compiled(*case.inputs())
        except _USUAL as error:
            return Outcome(RAISES, detail=f"{type(error).__name__}: {error}"[:1000])
        except Exception as error:
            if isinstance(error, type(expected)):
                return Outcome(RAISES, detail=f"{type(error).__name__}: {error}"[:1000])
            return _outcome(ERROR, error)
    text = f"nothing raised for {type(expected).__name__}: {expected}"
    return Outcome(MISMATCH, _short(text), text[:1000])


#: What users expect of wrong arguments, whether it comes from capture, the build or the run.
_USUAL = (RuntimeError, ValueError, TypeError, IndexError, NotImplementedError)
