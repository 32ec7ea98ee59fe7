"""Checks many seeds in worker processes, makes failures small and collects them."""

from __future__ import annotations

import os
import pickle
import select
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fuzz.graph_fuzz.check import Verdict
from tests.fuzz.graph_fuzz.generate import Options, generate, options, variants
from tests.fuzz.graph_fuzz.minimise import minimise
from tests.fuzz.graph_fuzz.program import Program, pytest_case

ROOT = Path(__file__).resolve().parents[3]
#: Seconds for one program, and for a worker to start.
LIMIT, START = 60.0, 120.0
#: Instruction sets forced on workers in turn; empty: the machine's own.
ISAS = ("", "avx2", "", "generic", "", "avx512")
#: A worker is renewed after this many programs, with the next instruction set.
RENEWED_AFTER = 250


class Worker:
    """One worker process, started when it is needed."""

    def __init__(self, isa: str = "") -> None:
        self._isa = isa
        self._process: subprocess.Popen[bytes] | None = None

    def check(
        self, program: Program | None, seed: int, chosen: Options | None
    ) -> tuple[Verdict, Program, Options]:
        """The verdict on a program, or on that of a seed, with what was checked."""
        fresh = self._process is None
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        limit = LIMIT + (START if fresh else 0)
        try:
            pickle.dump((program, seed, chosen), process.stdin)
            process.stdin.flush()
            ready, _, _ = select.select([process.stdout], [], [], limit)
            if ready:
                answer: tuple[Verdict, Program, Options] = pickle.load(process.stdout)
                return answer
            verdict = Verdict("hang", f"no result after {limit:.0f} s")
        except (EOFError, BrokenPipeError, pickle.UnpicklingError):
            verdict = Verdict("crash", f"the process ended with {process.wait()}")
        self.stop()
        return verdict, program or generate(seed), chosen or options(seed)

    def _start(self) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'py'}", "HF_HUB_OFFLINE": "1"}
        environment.pop("TORCHTRT_FORCE_ISA", None)
        if self._isa:
            environment["TORCHTRT_FORCE_ISA"] = self._isa
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.graph_fuzz.worker"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        return self._process

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@dataclass
class Failure:
    """A failing seed, made small."""

    seed: int
    verdict: Verdict
    program: Program
    options: Options
    isa: str

    def text(self) -> str:
        """A test that fails as the seed does."""
        isa = f"\nTORCHTRT_FORCE_ISA={self.isa}" if self.isa else ""
        note = f"seed {self.seed}: {self.verdict.kind}: {self.verdict.detail}{isa}"
        settings = dict(self.options.__dict__)
        return pytest_case(self.program, settings, note)


@dataclass
class Report:
    """What came of a run."""

    verdicts: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    lines: int = 0
    seconds: float = 0.0

    def summary(self) -> str:
        """One line."""
        count = sum(self.verdicts.values())
        kinds = ", ".join(f"{kind} {n}" for kind, n in self.verdicts.most_common())
        return (
            f"{count} graphs of {self.lines / max(count, 1):.1f} lines in {self.seconds:.0f} s "
            f"({count / max(self.seconds, 1e-9):.1f}/s): {kinds}"
        )


def run_seeds(
    seeds: Iterable[int],
    jobs: int = 1,
    small: bool = True,
    say: Callable[[str], None] = lambda text: None,
    same: int = 3,
    seconds: float = float("inf"),
    varied: int = 0,
) -> Report:
    """Checks the programs of all seeds.

    Args:
        jobs: Worker processes.
        small: Whether failures are minimised.
        say: Told of each failure as it comes.
        same: Failures with one signature that are minimised; further ones are only counted.
        seconds: No new program is begun after these.
        varied: Every so many programs one is compiled in all variants; 0: none.
    """
    report = Report()
    pending = list(seeds)[::-1]
    lock = threading.Lock()
    signatures: Counter[str] = Counter()
    start = time.monotonic()
    chunks = [0]

    def chunk() -> tuple[list[int], str]:
        with lock:
            taken = [pending.pop() for _ in range(min(RENEWED_AFTER, len(pending)))]
            chunks[0] += 1
            return taken, ISAS[(chunks[0] - 1) % len(ISAS)]

    def judge(found: Failure, worker: Worker) -> None:
        with lock:
            report.verdicts[found.verdict.kind] += 1
            report.lines += len(found.program.lines)
            signatures[found.verdict.signature] += 1
            many = signatures[found.verdict.signature] > same
        if not found.verdict.failed or many:
            return
        if small:
            found = shrink(found, worker)
        with lock:
            report.failures.append(found)
            say(found.text())

    def work() -> None:
        while True:
            taken, isa = chunk()
            if not taken:
                return
            worker = Worker(isa)
            try:
                for seed in taken:
                    if time.monotonic() - start > seconds:
                        return
                    verdict, program, chosen = worker.check(None, seed, None)
                    judge(Failure(seed, verdict, program, chosen, isa), worker)
                    if not varied or seed % varied or verdict.kind != "pass":
                        continue
                    for other in variants(chosen, all_passes()):
                        verdict = worker.check(program, seed, other)[0]
                        judge(Failure(seed, verdict, program, other, isa), worker)
            finally:
                worker.stop()

    threads = [threading.Thread(target=work) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    report.seconds = time.monotonic() - start
    return report


def all_passes() -> frozenset[str]:
    """Names of the lowering and optimiser passes."""
    from torch_tensorrt.dynamo._option_checks import lowering_pass_names, optimizer_pass_names

    return frozenset(lowering_pass_names() | optimizer_pass_names())


def shrink(failure: Failure, worker: Worker) -> Failure:
    """The failure with a smaller program, found with a worker."""
    wanted = failure.verdict

    def fails(program: Program, chosen: Options) -> bool:
        verdict = worker.check(program, failure.seed, chosen)[0]
        return _alike(verdict, wanted)

    most = 25 if wanted.kind in ("hang", "crash") else 200
    program, chosen = minimise(failure.program, failure.options, fails, most)
    verdict = worker.check(program, failure.seed, chosen)[0]
    if not _alike(verdict, wanted):  # it comes and goes: keep what was seen first
        return failure
    return Failure(failure.seed, verdict, program, chosen, failure.isa)


def _alike(one: Verdict, two: Verdict) -> bool:
    if one.kind != two.kind:
        return False
    by_type: Any = one.kind not in ("build", "run")
    return bool(by_type or one.detail.split(":")[0] == two.detail.split(":")[0])
