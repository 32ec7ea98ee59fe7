"""The table of all models on an NVIDIA GPU, within minutes on a machine of many cores.

gpu_table.py --json out.json [--models all] [--batches 1,32] [--candidates graph,ours]

Every model prepares its candidates at all batches in a process of its own, all at once; what is
not ready after ``--prepare`` seconds is given up. Then one process after the other has the GPU to
itself: it times its candidates by turns (medians of blocks, by events), takes the host's time of a
call of ours, and compares with float64. ``sd_unet`` has batch 8 in place of larger ones.
"""

from __future__ import annotations

import argparse
import copy
import fcntl
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
for entry in (str(ROOT), str(ROOT / "py")):
    if entry not in sys.path:
        sys.path.insert(0, entry)

import torch  # noqa: E402

from tools.gpu.jobs import host_us  # noqa: E402
from tools.perf import models  # noqa: E402
from tools.perf.accuracy import deviation, exact_outputs, flatten  # noqa: E402
from tools.perf.gpu_bench import CANDIDATES, DTYPES, Run, block, capture_graph  # noqa: E402

BLOCKS = 7
BLOCK_MS = 25.0
HOST_CALLS = 80
LARGEST_BATCH = {"sd_unet": 8}


class Prepared:
    """One model at one batch: its candidates, ready to be called, and what is known of them."""

    def __init__(self, module: torch.nn.Module, inputs: tuple[torch.Tensor, ...], batch: int):
        self.module, self.inputs = module, inputs
        self.runs: dict[str, Run] = {}
        self.result: dict[str, Any] = {"batch": batch, "failed": {}}

    def add(self, candidate: str, peer: torch.nn.Module, compiled: Any) -> None:
        """Makes and warms the candidate; its failure is a part of the result."""
        start = time.perf_counter()
        try:
            self.runs[candidate] = self._make(candidate, peer, compiled)
            for _ in range(4):
                self.runs[candidate]()
            torch.cuda.synchronize()
        except Exception as error:
            self.runs.pop(candidate, None)
            self.result["failed"][candidate] = f"{type(error).__name__}: {str(error)[:300]}"
        self.result[f"{candidate}_setup_s"] = round(time.perf_counter() - start, 2)

    def _make(self, candidate: str, peer: torch.nn.Module, compiled: Any) -> Run:
        if candidate == "ours":
            import torch_tensorrt

            fast = torch_tensorrt.compile(
                self.module, arg_inputs=list(self.inputs), require_full_compilation=True
            )
            return lambda: fast(*self.inputs)
        inputs = self.inputs
        if peer is not self.module:
            inputs = tuple(
                x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x
                for x in inputs
            )
        if candidate == "graph":
            return capture_graph(peer, inputs)
        call = peer if candidate == "eager" else compiled
        return lambda: call(*inputs)

    def time(self) -> None:
        """Microseconds of each candidate, blocks by turns, and of the host in a call of ours."""
        times: dict[str, list[float]] = {name: [] for name in self.runs}
        once = {name: max(block(run, 3.0, 1.0), 1e-3) for name, run in self.runs.items()}
        for number in range(BLOCKS):
            order = list(self.runs) if number % 2 == 0 else list(self.runs)[::-1]
            for name in order:
                times[name].append(1e3 * block(self.runs[name], BLOCK_MS, once[name]))
        for name, values in times.items():
            key = name.replace("-", "_")
            self.result[f"{key}_us"] = round(statistics.median(values), 2)
            self.result[f"{key}_blocks_us"] = [round(value, 1) for value in values]
        if "ours" in self.runs:
            self.result["host_us"] = round(host_us(self.runs["ours"], HOST_CALLS), 1)

    def compare(self) -> None:
        """RMSE of ours against float64 in units of eager's."""
        if "ours" not in self.runs:
            return
        try:
            got = [x.clone() for x in flatten(self.runs["ours"]())]
            eager = [x.clone() for x in flatten(self.module(*self.inputs))]
            found = deviation(got, eager, exact_outputs(self.module, self.inputs))
            self.result.update(error_ratio=round(found.ratio, 3), accurate=found.passes)
        except torch.OutOfMemoryError as error:
            self.result["failed"]["error_ratio"] = str(error)[:200]


@torch.no_grad()
def work(name: str, batches: list[int], candidates: list[str], folder: Path, dtype: str) -> None:
    """One model: prepares, says so, waits for its turn, writes ``<name>.json``."""
    case = models.make(name, DTYPES[dtype], batches[0])
    module = case.module.cuda()
    peer = module
    if any(isinstance(m, torch.nn.Conv2d) for m in module.modules()):
        peer = copy.deepcopy(module)
        peer.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    modes = [c for c in candidates if c in ("reduce-overhead", "max-autotune")]
    compiled = {mode: torch.compile(peer, mode=mode, dynamic=False) for mode in modes}
    all_prepared = []
    for batch in batches:
        sizes = {"batch": batch}
        inputs = tuple(x.cuda() for x in models.example_inputs(name, DTYPES[dtype], sizes))
        prepared = Prepared(module, inputs, batch)
        prepared.result |= {"model": name, "dtype": dtype}
        for candidate in candidates:
            prepared.add(candidate, peer, compiled.get(candidate))
        all_prepared.append(prepared)
    torch.cuda.empty_cache()
    (folder / f"{name}.ready").touch()
    while not (folder / "go").exists():
        time.sleep(0.1)
    with (folder / "turn").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        for step in (Prepared.time, Prepared.compare):
            for prepared in all_prepared:
                step(prepared)
            results = [prepared.result for prepared in all_prepared]
            (folder / f"{name}.json").write_text(json.dumps(results))
        print(name, [summary(result) for result in results], flush=True)
        os._exit(0)  # what is captured and compiled takes long to take apart


def summary(result: dict[str, Any]) -> str:
    """One line of a result."""
    keys = [key for key in result if key.endswith("_us") and "blocks" not in key]
    times = [f"{key[:-3]} {result[key]:.0f}" for key in keys]
    return f"b{result['batch']}: {', '.join(times)}, error {result.get('error_ratio')}"


def start(name: str, arguments: argparse.Namespace, folder: Path) -> subprocess.Popen[bytes]:
    """The process of one model."""
    most = LARGEST_BATCH.get(name, 1 << 30)
    batches = sorted({min(int(batch), most) for batch in arguments.batches.split(",")})
    command = [sys.executable, __file__, "--worker", name, "--folder", str(folder)]
    command += ["--batches", ",".join(map(str, batches)), "--dtype", arguments.dtype]
    command += ["--candidates", arguments.candidates]
    environment = {"OMP_NUM_THREADS": "2", "TORCHINDUCTOR_COMPILE_THREADS": "2"}
    return subprocess.Popen(
        command, env={**os.environ, **environment}, stderr=subprocess.DEVNULL, cwd=ROOT
    )


def run_all(names: list[str], arguments: argparse.Namespace, folder: Path) -> list[str]:
    """Runs all workers; names of those that were late."""
    workers = {name: start(name, arguments, folder) for name in names}
    begin = time.perf_counter()

    def waiting() -> list[str]:
        ready = [n for n, p in workers.items() if (folder / f"{n}.ready").exists() or p.poll()]
        return [name for name in names if name not in ready]

    while waiting() and time.perf_counter() - begin < arguments.prepare:
        time.sleep(0.2)
    late = waiting()
    for name in late:
        workers[name].kill()
        workers[name].wait()
    print(f"ready after {time.perf_counter() - begin:.0f} s; late: {late}", flush=True)
    (folder / "go").touch()
    end = time.perf_counter() + arguments.seconds
    for worker in workers.values():
        try:
            worker.wait(timeout=max(end - time.perf_counter(), 0.1))
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()
    return late


def main() -> int:
    """Makes the table; 1 when a row of ours is missing or inaccurate."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", default="all", help="comma-separated, or all (default)")
    parser.add_argument("--batches", default="1,32")
    parser.add_argument("--candidates", default="eager,graph,reduce-overhead,ours")
    parser.add_argument("--dtype", default="f16", choices=tuple(DTYPES))
    parser.add_argument("--prepare", type=float, default=240, help="seconds until go")
    parser.add_argument("--seconds", type=float, default=150, help="seconds for all timings")
    parser.add_argument("--json", type=Path, default=Path("gpu_table.json"))
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    candidates = arguments.candidates.split(",")
    unknown = [candidate for candidate in candidates if candidate not in CANDIDATES]
    if unknown:
        parser.error(f"unknown {', '.join(unknown)}; known: {', '.join(CANDIDATES)}")
    if not torch.cuda.is_available():
        parser.error("no CUDA device: this benchmark needs an NVIDIA GPU and a CUDA build of torch")
    batches = [int(batch) for batch in arguments.batches.split(",")]
    if arguments.worker:
        work(arguments.worker, batches, candidates, arguments.folder, arguments.dtype)
    names = list(models.MODEL_NAMES) if arguments.models == "all" else arguments.models.split(",")
    # The largest first: they take longest to prepare.
    names.sort(key=lambda name: name not in models.LARGE_NAMES)
    with tempfile.TemporaryDirectory() as folder:
        late = run_all(names, arguments, Path(folder))
        files = [Path(folder) / f"{name}.json" for name in names]
        results = [row for file in files if file.exists() for row in json.loads(file.read_text())]
    machine = {"gpu": torch.cuda.get_device_name(), "torch": torch.__version__}
    document = {"machine": machine, "not_measured": late, "models": results}
    arguments.json.write_text(json.dumps(document, indent=1) + "\n")
    rows = sum(1 for row in results if row.get("accurate") and "ours_us" in row)
    return 0 if rows == len(results) and not late else 1


if __name__ == "__main__":
    sys.exit(main())
