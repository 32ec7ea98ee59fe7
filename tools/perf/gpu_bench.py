"""Compare this project with PyTorch on an NVIDIA GPU, candidates interleaved in one process.

gpu_bench.py [--models all] [--dtype f16] [--batch 1] [--json out.json]

Candidates: eager; graph (eager captured in a CUDA graph); reduce-overhead (torch.compile);
max-autotune (only when asked for: minutes a model); ours. Convolution nets run channels-last for
PyTorch's candidates. Times are medians of CUDA events around blocks of calls, so host overhead
shows only where it is not hidden.

Columns: p50 in ms; ratio to ours (above 1, we are faster); seconds of set-up (capture and build
for ours); error: RMSE against float64 in units of eager's.
"""

from __future__ import annotations

import argparse
import copy
import gc
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
for entry in (str(ROOT), str(ROOT / "py")):
    if entry not in sys.path:
        sys.path.insert(0, entry)

import torch  # noqa: E402

from tools.perf import models  # noqa: E402
from tools.perf.accuracy import deviation, exact_outputs, flatten  # noqa: E402

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}
CANDIDATES = ("eager", "graph", "reduce-overhead", "max-autotune", "ours")
BLOCKS = 8
Run = Callable[[], Any]


@dataclass
class Row:
    """One candidate on one model; times in milliseconds, set-up in seconds."""

    candidate: str
    times: list[float] = field(default_factory=list)
    setup_s: float = 0.0
    error_ratio: float | None = None
    accurate: bool | None = None
    failed: str = ""
    stats: dict[str, Any] = field(default_factory=dict)

    @property
    def p50(self) -> float:
        """Median time of a call, or NaN without one."""
        return statistics.median(self.times) if self.times else float("nan")


def capture_graph(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> Run:
    """``module`` as a replayed CUDA graph; its outputs are overwritten by each replay."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            module(*inputs)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        outputs = module(*inputs)

    def run(_kept: tuple[torch.Tensor, ...] = inputs) -> Any:  # the graph reads their memory
        graph.replay()
        return outputs

    return run


def build(candidate: str, case: models.Case, row: Row) -> Run:
    """A call of the candidate on the case's inputs, warmed up."""
    module, inputs = case.module, case.inputs
    if candidate == "ours":
        import torch_tensorrt

        compiled = torch_tensorrt.compile(
            module, arg_inputs=list(inputs), require_full_compilation=True
        )
        for child in compiled.modules():
            if hasattr(child, "stats") and callable(child.stats):
                row.stats = child.stats()
        return lambda: compiled(*inputs)
    if any(isinstance(m, torch.nn.Conv2d) for m in module.modules()):
        module = copy.deepcopy(module)
        module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        inputs = tuple(
            x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x for x in inputs
        )
    if candidate == "eager":
        return lambda: module(*inputs)
    if candidate == "graph":
        return capture_graph(module, inputs)
    compiled = torch.compile(module, mode=candidate)
    return lambda: compiled(*inputs)


def block(run: Run, milliseconds: float, once_ms: float) -> float:
    """Mean milliseconds of a call over a block of about the given length."""
    calls = max(3, min(400, round(milliseconds / once_ms)))
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    run()
    begin.record()
    for _ in range(calls):
        run()
    end.record()
    end.synchronize()
    return float(begin.elapsed_time(end)) / calls


@torch.no_grad()
def bench_model(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """All candidates on one model."""
    case = models.make(name, DTYPES[arguments.dtype], arguments.batch, arguments.small)
    module = case.module.cuda()
    case = case._replace(module=module, inputs=tuple(x.cuda() for x in case.inputs))
    exact = exact_outputs(case.module, case.inputs)
    eager = [x.clone() for x in flatten(case.module(*case.inputs))]
    rows: list[Row] = []
    runs: list[tuple[Row, Run, float]] = []
    for candidate in arguments.candidates:
        row = Row(candidate)
        rows.append(row)
        begin = time.perf_counter()
        try:
            run = build(candidate, case, row)
            for _ in range(4):
                got = [x.clone() for x in flatten(run())]
            torch.cuda.synchronize()
            row.setup_s = time.perf_counter() - begin
            found = deviation(got, eager, exact)
        except Exception as error:
            # One candidate's failure is a row of the table, not the end of the run.
            row.failed = f"{type(error).__name__}: {str(error).strip()[:300]}"
            continue
        row.error_ratio, row.accurate = found.ratio, found.passes
        runs.append((row, run, max(block(run, 1.0, 1.0), 1e-3)))
    for number in range(BLOCKS):
        for row, run, once in runs if number % 2 == 0 else runs[::-1]:
            row.times.append(block(run, 1e3 * arguments.seconds / BLOCKS, once))
    gc.collect()
    return {
        "model": name,
        "dtype": arguments.dtype,
        "batch": arguments.batch,
        "rows": [{**asdict(row), "p50_ms": row.p50} for row in rows],
    }


def print_model(result: dict[str, Any]) -> None:
    """The table of one model."""
    print(f"\n{result['model']}  {result['dtype']}  batch {result['batch']}")
    base = next((r["p50_ms"] for r in result["rows"] if r["candidate"] == "ours"), float("nan"))
    for row in result["rows"]:
        if row["failed"]:
            print(f"  {row['candidate']:<16} {row['failed'][:180]}")
            continue
        verdict = "" if row["accurate"] else " BAD"
        print(
            f"  {row['candidate']:<16}{row['p50_ms']:9.3f} ms {row['p50_ms'] / base:6.2f}x "
            f"setup {row['setup_s']:6.2f} s  error {row['error_ratio']:.2f}{verdict}"
        )
    sys.stdout.flush()


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; 1 when a model of ours failed or was inaccurate."""
    parser = argparse.ArgumentParser(
        prog="gpu_bench.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--models", default="all", help="comma-separated, or all (default)")
    parser.add_argument("--candidates", default="eager,graph,reduce-overhead,ours")
    parser.add_argument("--dtype", default="f16", choices=tuple(DTYPES))
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1.0, help="time a candidate (default 1)")
    parser.add_argument("--small", action="store_true", help="tiny configurations")
    parser.add_argument("--json", type=Path, help="write all results here")
    arguments = parser.parse_args(argv)
    if not torch.cuda.is_available():
        parser.error("no CUDA device: this benchmark needs an NVIDIA GPU and a CUDA build of torch")
    names = list(models.MODEL_NAMES) if arguments.models == "all" else arguments.models.split(",")
    arguments.candidates = arguments.candidates.split(",")
    for given, known in ((names, models.MODEL_NAMES), (arguments.candidates, CANDIDATES)):
        unknown = [name for name in given if name not in known]
        if unknown:
            parser.error(f"unknown {', '.join(unknown)}; known: {', '.join(known)}")
    machine = {
        "gpu": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
    }
    print(", ".join(str(value) for value in machine.values()), flush=True)
    results = []
    for name in names:
        results.append(bench_model(name, arguments))
        print_model(results[-1])
        torch._dynamo.reset()
        torch.cuda.empty_cache()
    if arguments.json:
        settings = {"dtype": arguments.dtype, "batch": arguments.batch}
        document = {"machine": machine, "settings": settings, "models": results}
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")
    ours = [row for result in results for row in result["rows"] if row["candidate"] == "ours"]
    return 0 if all(row["accurate"] for row in ours) else 1


if __name__ == "__main__":
    sys.exit(main())
