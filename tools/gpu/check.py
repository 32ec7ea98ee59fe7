"""Checks and times this project on an NVIDIA GPU; see README.md beside this.

Usage: ``python tools/gpu/check.py --json out.json [--build DIR] [--only op,model,sanitize,time]``
Exit status 1 when a check failed.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PEERS = "inductor"


def build(folder: str, jobs: int) -> float:
    """Builds the library and the Python module in place; returns seconds."""
    start = time.perf_counter()
    configure = ["cmake", "--preset", "release", "-B", folder, "-DTORCHTRT_BUILD_TESTS=OFF"]
    configure += [f"-DPython_EXECUTABLE={sys.executable}", "--log-level=WARNING"]
    subprocess.run([*configure, *os.environ.get("CMAKE_ARGS", "").split()], cwd=ROOT, check=True)
    subprocess.run(["cmake", "--build", folder, "-j", str(jobs)], cwd=ROOT, check=True)
    return time.perf_counter() - start


def all_jobs(kinds: list[str], models: list[str]) -> list[str]:
    """Jobs in running order."""
    from tools.gpu.jobs import operator_cases
    from tools.perf.models import MODEL_NAMES

    chosen = models or list(MODEL_NAMES)
    jobs: list[str] = []
    if "model" in kinds:
        jobs += [f"model:{name}:{dtype}" for name in chosen for dtype in ("f32", "f16", "bf16")]
    if "op" in kinds:
        cases = range(len(operator_cases()))
        jobs += [f"op:{i}:{mode}" for mode in ("static", "dynamic") for i in cases]
    return jobs


def timing_jobs(models: list[str], dtypes: list[str], batches: list[str], peers: str) -> list[str]:
    """Timings run alone, after everything else."""
    return [f"time:{m}:{d}:{b}:{peers}" for m in models for d in dtypes for b in batches]


def start_jobs(
    under: Sequence[str] = (), *, start_new_session: bool = False
) -> subprocess.Popen[str]:
    """A process that runs jobs given to its input, as an argument of the command ``under``."""
    return subprocess.Popen(
        [*under, sys.executable, "-m", "tools.gpu.jobs"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'py'}:{ROOT}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=start_new_session,
    )


class Worker:
    """A process that runs jobs; started again when it is lost or late."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str] = queue.Queue()

    def _start(self) -> subprocess.Popen[str]:
        self._lines = queue.Queue()
        process = start_jobs()
        threading.Thread(target=self._read, args=(process, self._lines), daemon=True).start()
        return process

    @staticmethod
    def _read(process: subprocess.Popen[str], lines: queue.Queue[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put("")

    def run(self, job: str) -> dict[str, Any]:
        """The job's result; a result with ``error`` when the process died or was late."""
        if self._process is None:
            self._process = self._start()
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(job + "\n")
            self._process.stdin.flush()
            line = self._lines.get(timeout=self._timeout)
        except (queue.Empty, OSError) as error:
            self.stop()
            return {"job": job, "ok": False, "error": f"late or lost: {type(error).__name__}"}
        if not line:
            self.stop()
            return {"job": job, "ok": False, "error": "the process ended"}
        result: dict[str, Any] = json.loads(line)
        if result.get("lost"):
            self.stop()
        return result

    def stop(self) -> None:
        """Ends the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def run_all(jobs: list[str], workers: int, timeout: float, deadline: float) -> list[dict[str, Any]]:
    """Results of all jobs that started before ``deadline``."""
    pending: queue.Queue[str] = queue.Queue()
    for job in jobs:
        pending.put(job)
    results: list[dict[str, Any]] = []

    def serve() -> None:
        worker = Worker(timeout)
        while time.perf_counter() < deadline:
            try:
                job = pending.get_nowait()
            except queue.Empty:
                break
            results.append(worker.run(job))
        worker.stop()

    threads = [threading.Thread(target=serve) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


# Racecheck follows every access of shared memory: a small model takes minutes. Half types are left
# out: with them the sanitizer ends in an error of its own.
SANITIZED = {
    "memcheck": (
        "model:resnet50:f16",
        "model:bert_base:f16",
        "model:llama4_decode:f16",
        "model:unet_block:f16",
        "model:gpt2_prefill:f32",
        "model:mobilenetv3_l:f16",
    ),
    "racecheck": ("shapes:f32",),
}


# Kernels of PyTorch and its libraries, which run beside ours, are not checked; nor by racecheck
# those of ours whose warps give registers away: its own code fails in what is left to them.
NOT_OURS = "cudnn|nvjet|cutlass|xmma|cublas|at6native|gemvNSP|splitKreduce"
EXCLUDED = {"memcheck": NOT_OURS, "racecheck": NOT_OURS + "|trt_gemm_stream|trt_attention_stream"}


def sanitize(tool: str, seconds: float) -> dict[str, Any]:
    """Small models under compute-sanitizer's ``tool``: its summary, or why it did not run."""
    program = shutil.which("compute-sanitizer") or "/usr/local/cuda/bin/compute-sanitizer"
    if not Path(program).exists():
        return {"job": f"sanitize:{tool}", "ok": True, "skipped": "no compute-sanitizer here"}
    command = [program, "--tool", tool, "--error-exitcode", "9"]
    command += ["--kernel-name-exclude", f"regex={EXCLUDED[tool]}"]
    wanted = SANITIZED[tool]
    # In a session of its own: the program's own child must end with it.
    process = start_jobs(command, start_new_session=True)
    try:
        output, _ = process.communicate("".join(f"{job}\n" for job in wanted), timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return {"job": f"sanitize:{tool}", "ok": False, "error": f"longer than {seconds:.0f} s"}
    jobs = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    lines = [line for line in output.splitlines() if line.startswith("=========")]
    summary = next((line for line in lines if "SUMMARY" in line), "no summary")
    passed = process.returncode == 0 and len(jobs) == len(wanted) and all(j["ok"] for j in jobs)
    failed = [f"{j['job']}: {j['error']}" for j in jobs if not j["ok"]]
    result = {"job": f"sanitize:{tool}", "ok": passed, "jobs": len(jobs), "summary": summary}
    if not passed:
        result["error"] = " | ".join([summary, f"exit {process.returncode}", *failed, *lines[:12]])
    return result


def table(results: list[dict[str, Any]]) -> str:
    """Counts, failures grouped by message, and the timings."""
    lines = []
    for kind in ("op", "model", "sanitize", "time"):
        own = [r for r in results if r["job"].startswith(kind)]
        lines.append(f"{kind}: {sum(r['ok'] for r in own)} of {len(own)} pass")
    failures: dict[str, list[str]] = {}
    for result in results:
        if not result["ok"]:
            failures.setdefault(result["error"][-300:], []).append(result["job"])
    for error, jobs in sorted(failures.items(), key=lambda item: -len(item[1])):
        lines.append(f"{len(jobs)} x {' '.join(jobs[:4])}: {error}")
    for result in results:
        if "ours_us" in result:
            times = {k: round(v, 1) for k, v in result.items() if k.endswith("_us")}
            lines.append(f"{result['job']}: {times} error {result['error_ratio']:.2f}")
            lines += [f"    {us:8.1f} us {kernel} {name}" for name, kernel, us in result["steps"]]
    return "\n".join(lines)


def main() -> int:
    """Runs the chosen checks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", default="gpu_check.json")
    parser.add_argument("--build", default="", help="folder to build in first")
    parser.add_argument("--only", default="model,op,sanitize,time")
    parser.add_argument("--models", default="", help="zoo names; all by default")
    parser.add_argument("--dtypes", default="f16")
    parser.add_argument("--batches", default="1")
    parser.add_argument("--peers", default="none", choices=["none", PEERS])
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--timeout", type=float, default=60, help="seconds for one job")
    parser.add_argument("--seconds", type=float, default=600, help="start no job after this")
    options = parser.parse_args()
    start = time.perf_counter()
    deadline = start + options.seconds
    report: dict[str, Any] = {}
    if options.build:
        report["build_seconds"] = build(options.build, os.cpu_count() or 1)
    sys.path[:0] = [str(ROOT / "py"), str(ROOT)]
    from tools.perf.models import MODEL_NAMES

    models = options.models.split(",") if options.models else []
    kinds = options.only.split(",")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        left = max(deadline - time.perf_counter(), 1)
        tools = tuple(SANITIZED) if "sanitize" in kinds else ()
        sanitized = pool.map(lambda tool: sanitize(tool, left), tools)
        results = run_all(all_jobs(kinds, models), options.workers, options.timeout, deadline)
        results += sanitized
    if "time" in kinds:
        timings = timing_jobs(
            models or list(MODEL_NAMES),
            options.dtypes.split(","),
            options.batches.split(","),
            options.peers,
        )
        results += run_all(timings, 1, 4 * options.timeout, deadline)
    report |= {"results": results, "seconds": time.perf_counter() - start}
    Path(options.json).write_text(json.dumps(report, indent=1))
    print(table(results))
    print(f"{report['seconds']:.0f} s, build {report.get('build_seconds', 0):.0f} s")
    return 0 if all(result["ok"] for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
