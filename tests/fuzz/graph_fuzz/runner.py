"""Checks many seeds in worker processes, makes failures small and collects them."""

from __future__ import annotations

import os
import pickle
import select
import subprocess
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fuzz.graph_fuzz.check import Verdict
from tests.fuzz.graph_fuzz.generate import Options, variants
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

    def __init__(self, isa: str = "", device: str = "cpu") -> None:
        self._isa, self._device = isa, device
        self._process: subprocess.Popen[bytes] | None = None

    def check(
        self, program: Program | None, seed: int, chosen: Options | None
    ) -> tuple[Verdict, Program, Options]:
        """The verdict on a program, or on that of a seed, with what was checked.

        A seed whose program could not even be made comes with one without lines.
        """
        fresh = self._process is None
        process = self._process or self._start()
        assert process.stdin is not None
        limit = LIMIT + (START if fresh else 0)
        until = time.monotonic() + limit
        made = (program or nothing(seed), chosen or Options())
        try:
            pickle.dump((program, seed, chosen), process.stdin)
            process.stdin.flush()
            made = receive(process, until)
            return receive(process, until), *made
        except TimeoutError:
            verdict = Verdict("hang", f"no result after {limit:.0f} s")
        except (EOFError, BrokenPipeError, pickle.UnpicklingError):
            verdict = Verdict("crash", f"the process ended with {_ended(process)}")
        self.stop()
        return verdict, *made

    def _start(self) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'py'}", "HF_HUB_OFFLINE": "1"}
        environment.pop("TORCHTRT_FORCE_ISA", None)
        if self._isa:
            environment["TORCHTRT_FORCE_ISA"] = self._isa
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.graph_fuzz.worker", self._device],
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


def nothing(seed: int) -> Program:
    """Stands for a program that could not be made."""
    return Program((), (), (), (), seed)


def receive(process: subprocess.Popen[bytes], until: float) -> Any:
    """The next reply: its length in 8 bytes, then its pickle.

    Raises:
        TimeoutError: It is not there at the moment ``until`` of ``time.monotonic()``.
        EOFError: The process ended.
    """
    assert process.stdout is not None
    file = process.stdout.fileno()

    def exactly(count: int) -> bytes:
        data = b""
        while len(data) < count:
            ready, _, _ = select.select([file], [], [], max(until - time.monotonic(), 0))
            if not ready:
                raise TimeoutError
            piece = os.read(file, count - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    return pickle.loads(exactly(int.from_bytes(exactly(8), "little")))


def _ended(process: subprocess.Popen[bytes]) -> str:
    """How a process ended, or that it closed its replies and did not."""
    try:
        return str(process.wait(10))
    except subprocess.TimeoutExpired:
        return "no status"


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
        if not self.program.lines:
            return f"# seed {self.seed}: {self.verdict.kind}: {self.verdict.detail}"
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
    found: Callable[[Failure], None] = lambda failure: None,
    same: int = 3,
    seconds: float = float("inf"),
    varied: int = 0,
    done: Callable[[int, Verdict], None] = lambda seed, verdict: None,
    device: str = "cpu",
) -> Report:
    """Checks the programs of all seeds.

    Args:
        jobs: Worker processes.
        small: Whether failures are minimised.
        found: Told of each failure as it comes, one at a time.
        same: Failures with one signature that are minimised; further ones are only counted.
        seconds: No new program is begun after these.
        varied: Every so many programs one is compiled in all variants; 0: none.
        done: Told of each seed when it is through, one at a time.
        device: Where the programs run.

    An interruption from the keyboard ends the run after the programs in hand.
    """
    run = _Run(seeds, small, found, same, seconds, varied, done, device)
    threads = [threading.Thread(target=run.work) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except KeyboardInterrupt:
        run.stop_at = 0.0
        for thread in threads:
            thread.join()
    run.report.seconds = time.monotonic() - run.start
    return run.report


class _Run:
    """What the threads of :func:`run_seeds` share, each with a worker."""

    def __init__(
        self,
        seeds: Iterable[int],
        small: bool,
        found: Callable[[Failure], None],
        same: int,
        seconds: float,
        varied: int,
        done: Callable[[int, Verdict], None],
        device: str,
    ) -> None:
        self.report = Report()
        self.start = time.monotonic()
        self.stop_at = self.start + seconds
        self._pending = list(seeds)[::-1]
        self._lock = threading.Lock()
        self._signatures: Counter[str] = Counter()
        self._chunks = 0
        self._small, self._same, self._varied = small, same, varied
        self._found, self._done = found, done
        self._device = device

    def work(self) -> None:
        """Checks seeds until none is left."""
        while True:
            taken, isa = self._chunk()
            if not taken:
                return
            worker = Worker(isa, self._device)
            try:
                for seed in taken:
                    if time.monotonic() > self.stop_at:
                        return
                    verdict = self._check(seed, worker, isa)
                    with self._lock:
                        self._done(seed, verdict)
            finally:
                worker.stop()

    def _chunk(self) -> tuple[list[int], str]:
        with self._lock:
            count = min(RENEWED_AFTER, len(self._pending))
            taken = [self._pending.pop() for _ in range(count)]
            self._chunks += 1
            isas = ISAS if self._device == "cpu" else ("",)
            return taken, isas[(self._chunks - 1) % len(isas)]

    def _check(self, seed: int, worker: Worker, isa: str) -> Verdict:
        first, program, chosen = worker.check(None, seed, None)
        self._judge(Failure(seed, first, program, chosen, isa), worker)
        if not self._varied or seed % self._varied or first.kind != "pass":
            return first
        for other in variants(chosen, all_passes()):
            verdict = worker.check(program, seed, other)[0]
            self._judge(Failure(seed, verdict, program, other, isa), worker)
        return first

    def _judge(self, failure: Failure, worker: Worker) -> None:
        with self._lock:
            self.report.verdicts[failure.verdict.kind] += 1
            self.report.lines += len(failure.program.lines)
            self._signatures[failure.verdict.signature] += 1
            many = self._signatures[failure.verdict.signature] > self._same
        if not failure.verdict.failed or many:
            return
        if self._small and failure.program.lines:
            try:
                failure = shrink(failure, worker)
            except Exception:  # the whole program is still a finding
                traceback.print_exc()
        with self._lock:
            self.report.failures.append(failure)
            self._found(failure)


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
