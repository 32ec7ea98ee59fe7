"""Compiles a program, runs it beside eager, and says what went wrong."""

from __future__ import annotations

import io
import logging
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch_tensorrt
from torch_tensorrt._exceptions import (
    CaptureError,
    InputMismatchError,
    UnsupportedOperatorException,
)

from tests.fuzz.graph_fuzz.compare import Step, difference, noisy_runs, run_all, schedule
from tests.fuzz.graph_fuzz.generate import Options
from tests.fuzz.graph_fuzz.program import DTYPES, Leaf, Program

#: Verdicts that are no failures of the compiler.
HARMLESS = ("pass", "invalid", "uncapturable", "unsupported", "upstream")
_FELL_BACK = re.compile(r"could not be (built|compiled)|is left in PyTorch")


@dataclass(frozen=True)
class Verdict:
    """What came of a program.

    Attributes:
        kind: ``pass``; ``invalid`` (eager raises); ``uncapturable`` (PyTorch cannot capture it);
            ``unsupported`` (refused under require_full_compilation); ``upstream`` (PyTorch's own
            capture is wrong too); or a failure: ``build``, ``run``, ``mismatch``, ``mutation``,
            ``sharing``, ``stride``, ``held``, ``crash``, ``hang``.
    """

    kind: str
    detail: str = ""

    @property
    def failed(self) -> bool:
        """Whether the compiler is at fault."""
        return self.kind not in HARMLESS

    @property
    def signature(self) -> str:
        """Equal for failures that probably have one cause."""
        text = self.detail.split("\n")[0] if self.kind in ("build", "run") else ""
        return f"{self.kind} {re.sub(r'[0-9]+', '#', text)[:90]}"


def require_pass(program: Program, options: Options) -> None:
    """For tests: raises AssertionError with the source when the compiler fails the program."""
    verdict = check(program, options)
    assert verdict.kind == "pass", f"{verdict.kind}: {verdict.detail}\n{program.source()}"


def check(program: Program, options: Options) -> Verdict:
    """Compiles and runs one program."""
    torch._dynamo.reset()
    torch.set_num_threads(options.threads)
    try:
        eager = run_all(program, program.module())
        wide = run_all(program, program.module(wide=True), wide=True)
    except Exception as error:
        return Verdict("invalid", _text(error))
    verdict = _compiled(program, options, eager, wide)
    if verdict.failed and verdict.kind != "build":
        for decomposed in (False, True):
            control = _judged(program, _control(program, options, decomposed), eager, wide)
            if control.kind == verdict.kind:
                return Verdict("upstream", verdict.detail)
    return verdict


def _compiled(program: Program, options: Options, eager: list[Step], wide: list[Step]) -> Verdict:
    with _fallbacks() as fallbacks:
        try:
            function = _build(program, options)
        except Exception as error:
            return _build_verdict(program, options, error)
        ours = _attempt(program, function)
    if isinstance(ours, Exception) and options.entry == "jit" and _from_backend(ours):
        return _build_verdict(program, options, ours)
    if fallbacks:
        return Verdict("build", fallbacks[0])
    return _judged(program, ours, eager, wide)


def _build_verdict(program: Program, options: Options, error: Exception) -> Verdict:
    causes = list(_causes(error))
    if any(isinstance(cause, UnsupportedOperatorException) for cause in causes):
        return Verdict("unsupported", _text(error))
    if any(isinstance(cause, CaptureError) for cause in causes):
        return Verdict("uncapturable", _text(error))
    if isinstance(_control(program, options), Exception):
        return Verdict("uncapturable", _text(error))
    return Verdict("build", _text(error))


def _from_backend(error: Exception) -> bool:
    """Whether ``torch.compile`` failed to compile: it does so in the first call."""
    own = (torch._dynamo.exc.TorchDynamoException, UnsupportedOperatorException)
    return any(isinstance(cause, own) for cause in _causes(error))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = getattr(error, "inner_exception", None) or error.__cause__


def _judged(
    program: Program, ours: list[Step] | Exception, eager: list[Step], wide: list[Step]
) -> Verdict:
    if isinstance(ours, Exception):
        return Verdict("run", _text(ours))
    for number, steps in enumerate(zip(ours, eager, wide, strict=True)):
        at_capture = schedule(program)[number][0] == 0
        found = difference(*steps, lambda n=number: noisy_runs(program, n), at_capture)
        if found:
            kind, _, detail = found.partition(": ")
            return Verdict(kind, f"call {number}: {detail}")
    for number, (a, b) in enumerate(zip(ours, eager, strict=True)):
        if a.changed_later() != b.changed_later():
            return Verdict("held", f"outputs of call {number} were changed by a later call")
    return Verdict("pass")


def _attempt(program: Program, function: Callable[..., Any]) -> list[Step] | Exception:
    try:
        return run_all(program, function)
    except Exception as error:
        return error


def _build(program: Program, options: Options) -> Callable[..., Any]:
    settings = dict(options.settings)
    if program.device != "cpu":
        settings["device"] = torch_tensorrt.Device(program.device)
    module = program.module()
    dynamic = program.worlds > 1
    if options.entry == "jit":
        return torch.compile(module, backend="tensorrt", dynamic=dynamic or None, options=settings)
    specs = [input_spec(program, leaf) for leaf in program.inputs]
    with torch.no_grad():
        compiled = torch_tensorrt.compile(module, arg_inputs=specs, **settings)
        if options.entry == "compile":
            return compiled
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "graph.ep")
            torch_tensorrt.save(compiled, path, arg_inputs=specs)
            return torch_tensorrt.load(path).module()


def input_spec(program: Program, leaf: Leaf) -> Any:
    """The tensor of a static input, the range of a dynamic one."""
    shapes = leaf.shapes
    if len(shapes) == 1:
        return leaf.tensor(0, program.seed, device=program.device)
    return torch_tensorrt.Input(
        min_shape=tuple(map(min, zip(*shapes, strict=True))),
        opt_shape=shapes[0],
        max_shape=tuple(map(max, zip(*shapes, strict=True))),
        dtype=DTYPES[leaf.dtype],
    )


def _control(
    program: Program, options: Options, decomposed: bool = False
) -> list[Step] | Exception:
    """The same capture, run by PyTorch.

    Args:
        decomposed: by PyTorch's own decompositions, where sizes are written out that capture took
            to be at least two.
    """
    torch._dynamo.reset()
    try:
        if options.entry == "jit":
            function = torch.compile(
                program.module(),
                backend="aot_eager_decomp_partition" if decomposed else "aot_eager",
                dynamic=program.worlds > 1 or None,
            )
        else:
            specs = [input_spec(program, leaf) for leaf in program.inputs]
            captured = torch_tensorrt.dynamo.trace(
                program.module(), arg_inputs=specs, device=program.device
            )
            if decomposed:
                captured = captured.run_decompositions()
            if options.entry == "saved":
                file = io.BytesIO()
                torch.export.save(captured, file)
                file.seek(0)
                captured = torch.export.load(file)
            function = captured.module()
        with torch.no_grad():
            return run_all(program, function)
    except Exception as error:
        return error


@contextmanager
def _fallbacks() -> Iterator[list[str]]:
    """Collects the compiler's warnings that something runs in PyTorch because it failed."""
    found: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            text = record.getMessage()
            if _FELL_BACK.search(text):
                found.append(text)

    handler = Handler(level=logging.WARNING)
    logger = logging.getLogger("torch_tensorrt")
    logger.addHandler(handler)
    try:
        yield found
    finally:
        logger.removeHandler(handler)


def _text(error: BaseException) -> str:
    innermost = list(_causes(error))[-1]
    return f"{type(innermost).__name__}: {innermost}"[:1500]


__all__ = ["HARMLESS", "InputMismatchError", "Verdict", "check", "input_spec", "require_pass"]
