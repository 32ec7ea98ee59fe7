"""Runs of a program, and whether two runs of it agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import torch

from tests.fuzz.graph_fuzz.program import Program, namespace, placed, targets

#: Added to the bound on the root mean square error, relative to the size of the values.
_SLACK = {torch.float64: 1e-12, torch.float32: 3e-6, torch.float16: 1e-3, torch.bfloat16: 8e-3}
_NOISY_RUNS = 8


@dataclass
class Step:
    """One call.

    Attributes:
        outputs: Copies of the outputs.
        inputs: Copies of the inputs after the call.
        strides: Strides of each output.
        sharing: For each input and output, the first of them with the same storage.
        held: The outputs themselves.
    """

    outputs: list[torch.Tensor]
    inputs: list[torch.Tensor]
    strides: list[tuple[int, ...]]
    sharing: list[int]
    held: list[torch.Tensor] = field(repr=False, default_factory=list)

    def changed_later(self) -> list[bool]:
        """Which outputs no longer have the values they had after the call."""
        return [
            not torch.equal(_comparable(now), _comparable(then))
            for now, then in zip(self.held, self.outputs, strict=True)
        ]


def _comparable(tensor: torch.Tensor) -> torch.Tensor:
    return torch.nan_to_num(tensor) if tensor.is_floating_point() else tensor


def schedule(program: Program) -> list[tuple[int, int]]:
    """``(world, call)`` of the calls: twice at the sizes of capture, then at each other."""
    return [(0, 0), (0, 1), *((world, 0) for world in range(1, program.worlds)), (0, 0)]


def run(
    program: Program, function: Callable[..., Any], world: int, call: int, wide: bool = False
) -> Step:
    """Calls the function with new inputs."""
    inputs = program.arguments(world, wide, call)
    with torch.no_grad(), _wide_defaults(wide):
        outputs = list(function(*inputs))
    storages = [t.untyped_storage()._cdata for t in (*inputs, *outputs)]
    return Step(
        [t.detach().clone() for t in outputs],
        [t.detach().clone() for t in inputs],
        [t.stride() for t in outputs],
        [storages.index(s) for s in storages],
        outputs,
    )


@contextmanager
def _wide_defaults(wide: bool) -> Iterator[None]:
    before = torch.get_default_dtype()
    if wide:
        torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def run_all(program: Program, function: Callable[..., Any], wide: bool = False) -> list[Step]:
    """The whole schedule."""
    return [run(program, function, world, call, wide) for world, call in schedule(program)]


def difference(
    ours: Step, eager: Step, wide: Step, noise: Callable[[], list[Step]], at_capture: bool = True
) -> str:
    """What of a call differs, as ``kind: text``; empty when nothing does.

    Args:
        noise: The same call in runs with noise.
        at_capture: The sizes are those of capture, which decides what is a view and what a copy.
    """
    names = [f"output {i}" for i in range(len(eager.outputs))]
    if len(ours.outputs) != len(eager.outputs):
        return f"mismatch: {len(ours.outputs)} outputs, eager has {len(eager.outputs)}"
    for name, a, b in zip(names, ours.outputs, eager.outputs, strict=True):
        if a.dtype != b.dtype or a.shape != b.shape:
            return f"mismatch: {name} is {a.dtype}{list(a.shape)}, eager's {b.dtype}{list(b.shape)}"
    if at_capture and not _shares_as(ours, eager):
        return f"sharing: inputs and outputs share memory as {ours.sharing}, eager {eager.sharing}"
    kinds = [("mismatch", n, "outputs", i) for i, n in enumerate(names)]
    kinds += [("mutation", f"input {i} after", "inputs", i) for i in range(len(eager.inputs))]
    for kind, name, where, i in kinds:
        a, b, c = (getattr(step, where)[i] for step in (ours, eager, wide))

        def noisy(w: str = where, j: int = i, shape: torch.Size = b.shape) -> list[torch.Tensor]:
            found = [getattr(step, w)[j] for step in noise()]
            return [value for value in found if value.shape == shape]

        text = unequal(a, b, c, noisy)
        if text:
            return f"{kind}: {name}: {text}"
    if ours.sharing != eager.sharing:
        return ""
    first = len(eager.inputs)
    for i, (a, b, value) in enumerate(zip(ours.strides, eager.strides, eager.outputs, strict=True)):
        # What is computed is row-major, and so are its views: a documented difference.
        if not value.numel() or eager.sharing[first + i] >= first:
            continue
        if _strides_that_count(a, value) != _strides_that_count(b, value):
            return f"stride: output {i} of shape {list(value.shape)} has strides {a}, eager's {b}"
    return ""


def _shares_as(ours: Step, eager: Step) -> bool:
    """Whether memory is shared as in eager; what is computed and not row-major may share less."""
    first = len(eager.inputs)
    loose = {
        eager.sharing[first + i]
        for i, value in enumerate(eager.held)
        if eager.sharing[first + i] >= first and not value.is_contiguous()
    }
    for at, (a, b) in enumerate(zip(ours.sharing, eager.sharing, strict=True)):
        if a != b and not (b in loose and (a == at or eager.sharing[a] == b)):
            return False
    return True


def _strides_that_count(strides: tuple[int, ...], value: torch.Tensor) -> list[int]:
    return [stride for stride, size in zip(strides, value.shape, strict=True) if size != 1]


def unequal(
    ours: torch.Tensor,
    eager: torch.Tensor,
    wide: torch.Tensor,
    noise: Callable[[], list[torch.Tensor]],
) -> str:
    """Why ``ours`` is too far from the truth; empty when it is not.

    Integers are eager's, or those of float64. The error of floats against float64 is at most twice
    that of eager (three times for half types and small tensors). What fails that is right only if
    eager itself, with every result off by its last bit, scatters as much.
    """
    if not eager.is_floating_point():
        wrong = (ours != eager) & (ours != wide)  # eager's own rounding may decide a comparison
        if not bool(wrong.any()):
            return ""
        scatter = max((int((n != eager).sum()) for n in noise()), default=0)
        count = int(wrong.sum())
        if scatter and count <= 4 * scatter:
            return ""
        return f"{count} of {eager.numel()} elements differ ({_first(ours, eager, wrong)})"
    known = torch.isfinite(eager) & torch.isfinite(wide)
    if not bool(torch.isfinite(ours[known]).all()):
        wrong = known & ~torch.isfinite(ours)
        return f"not finite where eager is ({_first(ours, eager, wrong)})"
    wrong = ~known & (_class(eager) == _class(wide)) & (_class(ours) != _class(eager))
    if bool(wrong.any()) and not any(bool((_class(n) != _class(eager)).any()) for n in noise()):
        return f"of another class than eager ({_first(ours, eager, wrong)})"
    a, b, c = (t[known].double() for t in (ours, eager, wide))
    if a.numel() == 0:
        return ""
    half = eager.dtype in (torch.float16, torch.bfloat16)
    factor = 3.0 if half or a.numel() < 1000 else 2.0
    bound = factor * _rms(b - c) + _SLACK[eager.dtype] * _rms(c)
    error = _rms(a - c)
    if error <= bound:
        return ""
    scatter = max((_rms(n[known].double() - b) for n in noise()), default=0.0)
    if _rms(a - b) <= 4 * scatter:
        return ""
    wrong = known & ((ours.double() - eager.double()).abs() > bound)
    return (
        f"error {error:.3g}, eager's {_rms(b - c):.3g}, scatter {scatter:.3g}, "
        f"size {_rms(c):.3g} ({_first(ours, eager, wrong)})"
    )


def _class(values: torch.Tensor) -> torch.Tensor:
    """0 for finite values, 1 for NaN, 2 and 3 for the infinities."""
    return values.isnan() + 2 * values.isposinf() + 3 * values.isneginf()


def _rms(values: torch.Tensor) -> float:
    return float(values.square().mean().sqrt())


def _first(ours: torch.Tensor, eager: torch.Tensor, wrong: torch.Tensor) -> str:
    if not bool(wrong.any()):
        return "spread over all elements"
    at = tuple(int(i) for i in wrong.nonzero()[0])
    return f"{ours[at].item()} for {eager[at].item()} at {list(at)}, {int(wrong.sum())} in all"


def noisy_runs(program: Program, until: int) -> list[Step]:
    """The last of ``until + 1`` calls, by eager, with every float off by about its last bit."""
    return [_noisy_run(program, until, number) for number in range(_NOISY_RUNS)]


def _noisy_run(program: Program, until: int, number: int) -> Step:
    source = torch.Generator().manual_seed(number)
    own = SimpleNamespace(
        **{
            leaf.name[5:]: leaf.tensor(0, program.seed, device=program.device)
            for leaf in program.state
        }
    )
    lines = [compile(placed(line, program.device), "<line>", "exec") for line in program.lines]

    def function(*inputs: torch.Tensor) -> Sequence[torch.Tensor]:
        scope = {**namespace(), "self": own}
        for leaf, value in zip(program.inputs, inputs, strict=True):
            scope[leaf.name] = value
        for text, line in zip(program.lines, lines, strict=True):
            exec(line, scope)
            for name in targets(text):
                _disturb(scope[name], source)
        return [eval(name, scope) for name in program.outputs]

    steps = [run(program, function, *at) for at in schedule(program)[: until + 1]]
    return steps[-1]


def _disturb(value: torch.Tensor, source: torch.Generator) -> None:
    if not value.is_floating_point() or value.is_inference():
        return
    noise = torch.rand(value.shape, generator=source, dtype=torch.float64).to(value.device) * 2 - 1
    factor = 1 + noise * torch.finfo(value.dtype).eps
    with torch.no_grad():
        try:
            value.copy_(value.double() * factor)
        except RuntimeError:  # overlapping memory: a view of something disturbed already
            return
