"""Worker processes with a time limit for every case."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.opinfo.check import CRASH, ERROR, HANG

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Task:
    """All cases of one operator in one dtype."""

    op: str
    dtype: str
    most: int
    core: bool = False
    results: list[dict[str, Any]] = field(default_factory=list)

    def request(self) -> str:
        """What the worker is told."""
        done = [result["case"] for result in self.results]
        task = {"op": self.op, "dtype": self.dtype, "most": self.most, "core": self.core}
        return json.dumps({**task, "done": done})


class Worker:
    """One process; restarted after a crash, a hang or an error outside of a case."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._suspects: set[tuple[str, str, str]] = set()

    def run(self, task: Task) -> None:
        """Fill in the task's results."""
        while not self._attempt(task):
            self.stop()

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _attempt(self, task: Task) -> bool:
        self._ask(task)
        running: str | None = None
        while True:
            try:
                line = self._lines.get(timeout=self._seconds)
            except queue.Empty:
                line, status = None, HANG
            else:
                status = CRASH
            if line is None:
                if status == HANG and self._is_first_suspicion(task, running or "samples"):
                    return False
                before = running or "samples"
                reason = status if running else f"{status} outside of a case"
                task.results.append(
                    {"case": before, "status": status if running else ERROR, "reason": reason}
                )
                return running is None
            answer = json.loads(line)
            if "end" in answer:
                return True
            if "start" in answer:
                running = answer["start"]
            else:
                running = None
                task.results.append(answer)

    def _is_first_suspicion(self, task: Task, case: str) -> bool:
        """A machine that stood still for a while is no fault of the case: it is run again."""
        name = (task.op, task.dtype, case)
        known = name in self._suspects
        self._suspects.add(name)
        return not known

    def _ask(self, task: Task) -> None:
        if self._process is None or self._process.poll() is not None:
            self._start()
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(task.request() + "\n")
        self._process.stdin.flush()

    def _start(self) -> None:
        self._lines = queue.Queue()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.opinfo.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
        )
        threading.Thread(target=_forward, args=(self._process, self._lines), daemon=True).start()


def _forward(process: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        lines.put(line)
    lines.put(None)


def run_all(
    tasks: Sequence[Task],
    jobs: int,
    case_seconds: float,
    finish: Callable[[Task], None],
    stop_at: float | None = None,
) -> None:
    """Run ``tasks`` on ``jobs`` workers; ``finish`` is told of each, one at a time.

    Args:
        case_seconds: A case that takes longer counts as a hang.
        stop_at: No task is begun after this moment of ``time.monotonic()``.
    """
    waiting: queue.SimpleQueue[Task] = queue.SimpleQueue()
    for task in tasks:
        waiting.put(task)
    lock = threading.Lock()

    def serve() -> None:
        worker = Worker(case_seconds)
        try:
            while stop_at is None or time.monotonic() < stop_at:
                try:
                    task = waiting.get_nowait()
                except queue.Empty:
                    return
                worker.run(task)
                with lock:
                    finish(task)
        finally:
            worker.stop()

    threads = [threading.Thread(target=serve) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
