"""300 fixed seeds, and tests of the fuzzer itself."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.fuzz.graph_fuzz import check as check_module
from tests.fuzz.graph_fuzz.check import Verdict, check
from tests.fuzz.graph_fuzz.compare import unequal
from tests.fuzz.graph_fuzz.draw import SPECIFICATIONS
from tests.fuzz.graph_fuzz.generate import Options, generate, options
from tests.fuzz.graph_fuzz.minimise import minimise
from tests.fuzz.graph_fuzz.program import Leaf, Program, namespace, placed, pytest_case
from tests.fuzz.graph_fuzz.runner import Failure, Worker, run_seeds, shrink

SEEDS, CHUNK = 300, 50


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1, SEEDS + 1, CHUNK))
def test_seeds(first: int) -> None:
    report = run_seeds(range(first, first + CHUNK))
    assert not report.failures, "\n\n".join(failure.text() for failure in report.failures)
    assert report.verdicts["pass"] > CHUNK * 0.6, report.summary()


def _program(*lines: str, outputs: tuple[str, ...], shape: tuple[int, ...] = (3, 4)) -> Program:
    return Program((Leaf("x0", (shape,)), Leaf("x1", (shape,))), (), lines, outputs, seed=5)


def test_programs_depend_on_the_seed_alone() -> None:
    assert [generate(seed) for seed in range(5)] == [generate(seed) for seed in range(5)]
    assert options(3) == options(3)
    assert len({generate(seed) for seed in range(5)}) == 5


def test_programs_have_variety() -> None:
    programs = [generate(seed) for seed in range(60)]
    text = "\n".join(line for program in programs for line in program.lines)
    assert any(program.worlds > 1 for program in programs)
    assert any(program.state for program in programs)
    assert max(len(program.lines) for program in programs) > 12
    assert sum(word in text for word in ("view(", "F.", "sum(", "_(", ".to(", "@", "cat(")) == 7
    assert len(SPECIFICATIONS) > 40


def test_values_of_generated_programs_are_finite() -> None:
    for seed in range(20):
        program = generate(seed)
        if any(leaf.values == "special" for leaf in program.inputs):
            continue
        for world in range(program.worlds):
            with torch.no_grad():
                for value in program.module()(*program.arguments(world)):
                    assert bool(torch.isfinite(value).all())


def test_programs_for_another_device_make_everything_there() -> None:
    line = (
        "v0 = x0 * (torch.zeros(x0.shape[-1], dtype=f32) + torch.arange(4)) + torch.ones_like(x0)"
    )
    assert placed(line, "cpu") == line
    assert placed(line, "meta") == (
        "v0 = x0 * (torch.zeros(x0.shape[-1], dtype=f32, device='meta') + "
        "torch.arange(4, device='meta')) + torch.ones_like(x0)"
    )
    state = (Leaf("self.p0", ((4,),)),)
    program = replace(_program(line, "v1 = v0 + self.p0", outputs=("v1",)), state=state)
    program = replace(program, device="meta")
    inputs = program.arguments(0)
    assert [value.device.type for value in inputs] == ["meta", "meta"]
    assert program.module()(*inputs)[0].device.type == "meta"
    assert "device='meta'," in pytest_case(program, {})


def test_values_of_leaves_are_the_same_on_every_device() -> None:
    for layout in ("packed", "permuted", "stepped", "expanded", "offset"):
        leaf = Leaf("x0", ((3, 4),), layout=layout)
        here, there = leaf.tensor(0, 5), leaf.tensor(0, 5, device="meta")
        assert (here.shape, here.stride()) == (there.shape, there.stride())


class _Wrong(torch.nn.Module):
    """Runs a program and spoils its result."""

    def __init__(self, program: Program, spoil: str) -> None:
        super().__init__()
        self._graph = program.module()
        self._spoil = spoil

    def forward(self, *inputs: torch.Tensor) -> list[torch.Tensor]:
        outputs = [value.clone() for value in self._graph(*inputs)]
        if self._spoil == "mismatch":
            outputs[0].view(-1)[3] += 0.01
        elif self._spoil == "run":
            raise RuntimeError("spoilt")
        elif self._spoil == "mutation":
            inputs[0][0] = 7
        elif self._spoil == "stride":
            outputs[0] = inputs[0].as_strided((3, 2), (2, 1))
        elif self._spoil == "sharing":
            outputs[0] = inputs[1]
        return outputs


@pytest.mark.parametrize("spoil", ["pass", "mismatch", "run", "mutation"])
def test_each_kind_of_fault_is_seen(spoil: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = _program("v0 = x0 * x1", outputs=("v0",))
    monkeypatch.setattr(check_module, "_build", lambda p, o: _Wrong(p, spoil))
    assert check(program, Options()).kind == spoil


def test_wrong_strides_of_a_view_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    program = _program("x0.fill_(1)", "v0 = x0[:, :2]", outputs=("v0",))
    monkeypatch.setattr(check_module, "_build", lambda p, o: _Wrong(p, "stride"))
    assert check(program, Options()).kind == "stride"


def test_lost_and_false_sharing_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_module, "_build", lambda p, o: _Wrong(p, "pass"))
    assert check(_program("v0 = x0.view(-1)", outputs=("v0",)), Options()).kind == "sharing"
    monkeypatch.setattr(check_module, "_build", lambda p, o: _Wrong(p, "sharing"))
    assert check(_program("v0 = x1.clone()", outputs=("v0",)), Options()).kind == "sharing"


def test_error_of_eager_is_the_measure() -> None:
    exact = torch.linspace(1, 2, 2000, dtype=torch.float64)
    eager = (exact + 1e-4).float()
    assert unequal((exact - 1.9e-4).float(), eager, exact, list) == ""
    assert "error" in unequal((exact - 3e-4).float(), eager, exact, list)
    scattered = [(exact + 2e-4).float()]
    assert unequal((exact - 2.5e-4).float(), eager, exact, lambda: scattered) == ""


def test_minimise_keeps_what_fails() -> None:
    program = generate(next(s for s in range(1000) if _has_softmax_late(generate(s))))
    wanted = next(line for line in program.lines if "softmax" in line)
    call = wanted.split(" = ")[1].split("(")[0]

    def fails(candidate: Program, chosen: Options) -> bool:
        for world in range(candidate.worlds):
            with torch.no_grad():
                candidate.module()(*candidate.arguments(world))
        return any(call in line for line in candidate.lines)

    found, chosen = minimise(program, Options(), fails)
    assert len(found.lines) == 1
    assert call in found.lines[0]
    assert chosen == Options()


def _has_softmax_late(program: Program) -> bool:
    return len(program.lines) > 6 and any("softmax" in line for line in program.lines[3:])


#: Lines that do something in a worker only.
_ABORT = "__import__('sys').argv[0].endswith('worker.py') and __import__('os').abort()"
_SLEEP = "__import__('sys').argv[0].endswith('worker.py') and __import__('time').sleep(60)"


def test_crash_and_hang_end_a_worker_only(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker()
    crash = _program("v0 = x0 + x1", _ABORT, outputs=("v0",))
    fine = _program("v0 = x0 + x1", outputs=("v0",))
    try:
        assert worker.check(fine, 0, Options())[0] == Verdict("pass")
        assert worker.check(crash, 0, Options())[0].kind == "crash"
        assert worker.check(fine, 0, Options())[0] == Verdict("pass")
        monkeypatch.setattr("tests.fuzz.graph_fuzz.runner.LIMIT", 1.0)
        hang = _program("v0 = x0 + x1", _SLEEP, outputs=("v0",))
        assert worker.check(hang, 0, Options())[0].kind == "hang"
        failure = Failure(0, Verdict("crash"), crash, Options(), "")
        monkeypatch.setattr("tests.fuzz.graph_fuzz.runner.LIMIT", 60.0)
        assert shrink(failure, worker).program.lines[-1] == _ABORT
    finally:
        worker.stop()


def test_printed_case_runs() -> None:
    program = generate(11)
    text = pytest_case(program, dict(Options().__dict__), "note")
    seen: list[Program] = []
    scope = {
        **namespace(),
        "Program": Program,
        "Leaf": Leaf,
        "Options": Options,
        "require_pass": lambda p, o: seen.append(p),
    }
    exec(text, scope)
    scope[f"test_seed_{program.seed}"]()
    assert seen == [program]
