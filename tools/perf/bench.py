"""Compare this project with eager PyTorch, Inductor, ONNX Runtime and OpenVINO, side by side.

Every candidate of a model lives in one process and takes turns with the others, so that a slow
moment of the machine hits all alike; quote ratios, not milliseconds, on a shared machine. Each
model gets a process of its own. Differences under 5 % mean nothing.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
for entry in (str(ROOT), str(ROOT / "py")):
    if entry not in sys.path:
        sys.path.insert(0, entry)

import torch  # noqa: E402

from tools.perf import models, peers  # noqa: E402
from tools.perf.accuracy import deviation, exact_outputs, flatten  # noqa: E402
from tools.perf.machine import Machine, Work, measure_machine, measure_work  # noqa: E402

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}
EXAMPLES = """examples:
  bench.py                                      every model, f32, batch 1, every peer installed
  bench.py --models bert_base,resnet50 --peers eager,freezing,ours
  bench.py --dtype bf16 --json bf16.json        then: report.py bf16.json
  bench.py --small --seconds 1                  tiny models, to see that all is well

columns:
  p50, p90    latency in ms, over interleaved blocks
  vs ours     p50 / p50 of "ours": above 1, we are faster
  capture     seconds in torch.export (or ONNX export); build: everything after, with first call
  error       RMSE against float64, in units of eager's RMSE
  rss         peak memory added by setting up, MB
  bound       floor / p50; the floor is max(FLOP / peak, weight bytes / copy bandwidth)
peers: ONNX Runtime and OpenVINO come with requirements-peers.txt, best in their own environment."""


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line; unknown model or peer names end with the list of known ones."""
    parser = argparse.ArgumentParser(
        prog="bench.py",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--models", default="all", help="comma-separated, or all but the largest")
    parser.add_argument("--peers", default="all", help=f"of {','.join(peers.CANDIDATES)}, or all")
    parser.add_argument("--dtype", default="f32", choices=tuple(DTYPES))
    parser.add_argument("--batch", type=int, default=1, help="batch size (default 1)")
    parser.add_argument("--threads", type=int, default=2, help="threads (default 2)")
    parser.add_argument(
        "--repeat", type=int, default=5, help="least blocks a candidate (default 5)"
    )
    parser.add_argument("--seconds", type=float, default=4.0, help="time a candidate (default 4)")
    parser.add_argument("--small", action="store_true", help="tiny configurations")
    parser.add_argument("--json", type=Path, help="write all results here")
    parser.add_argument("--in-process", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    for name, known in (("models", models.MODEL_NAMES), ("peers", tuple(peers.CANDIDATES))):
        chosen = getattr(arguments, name)
        names = chosen.split(",")
        if chosen == "all":
            names = [n for n in known if n not in models.LARGE_NAMES]
        unknown = [n for n in names if n not in known]
        if unknown:
            parser.error(f"unknown {name} {', '.join(unknown)}; known: {', '.join(known)}")
        setattr(arguments, name, names)
    return arguments


class Contender:
    """A built candidate and its measured times in milliseconds."""

    def __init__(self, name: str, built: peers.Built, inputs: tuple[torch.Tensor, ...]) -> None:
        self.name, self.built, self.inputs = name, built, inputs
        self.times: list[float] = []
        self.once_ms = min(self._call() for _ in range(2))

    def _call(self) -> float:
        begin = time.perf_counter()
        self.built.run(*self.inputs)
        return 1e3 * (time.perf_counter() - begin)

    def block(self, budget_ms: float) -> None:
        """Consecutive calls for about ``budget_ms``; the first, with cold caches, is not kept."""
        self._call()
        # The first calls of all may have been slow ones.
        once = min(self.times, default=self.once_ms)
        for _ in range(max(1, min(50, round(budget_ms / once)))):
            self.times.append(self._call())


def interleave(contenders: list[Contender], seconds: float, repeat: int) -> None:
    """Blocks in random order until every contender has had its time."""
    if not contenders:
        return
    blocks = max(repeat, 8)
    budget = 1e3 * seconds / blocks
    for number in range(blocks):
        for contender in random.Random(number).sample(contenders, len(contenders)):
            time.sleep(0.01)  # lets the previous one's threads stop spinning
            contender.block(budget)


def judge(contender: Contender, case: models.Case, exact: list[torch.Tensor]) -> dict[str, Any]:
    """Accuracy of a contender, relative to eager; widened outputs are narrowed first."""
    eager = flatten(case.module(*case.inputs))
    got = [x.to(e.dtype) for x, e in zip(flatten(contender.built.run(*case.inputs)), eager)]  # noqa: B905
    try:
        found = deviation(got, eager, exact)
    except ValueError as error:
        return {"rmse": None, "error_ratio": None, "accurate": False, "error_text": str(error)}
    return {"rmse": found.ours, "error_ratio": found.ratio, "accurate": found.passes}


@torch.no_grad()
def bench_model(name: str, arguments: argparse.Namespace, machine: Machine) -> dict[str, Any]:
    """All candidates on one model. Returns the JSON object described in ``main``."""
    case = models.make(name, DTYPES[arguments.dtype], arguments.batch, arguments.small)
    work = measure_work(case.module, case.inputs)
    contenders: list[Contender] = []
    rows: dict[str, dict[str, Any]] = {}
    for peer in arguments.peers:
        rows[peer] = {"peer": peer}
        try:
            built = peers.build(peer, case)
        except peers.Unavailable as error:
            rows[peer]["failed"] = str(error)
            continue
        contenders.append(Contender(peer, built, case.inputs))
        gc.collect()
    interleave(contenders, arguments.seconds, arguments.repeat)
    exact = exact_outputs(case.module, case.inputs)
    floor = work.floor_ms(machine, arguments.dtype)
    for contender in contenders:
        row = rows[contender.name]
        row.update(_row(contender, floor), **judge(contender, case, exact))
    return {
        "model": name,
        "dtype": arguments.dtype,
        "batch": arguments.batch,
        "small": arguments.small,
        "floor_ms": floor,
        "limit": work.limit(machine, arguments.dtype),
        "work": asdict(work),
        "rows": list(rows.values()),
    }


def _row(contender: Contender, floor: float) -> dict[str, Any]:
    times, built = sorted(contender.times), contender.built
    median = statistics.median(times)
    return {
        "p50_ms": median,
        "p90_ms": times[min(len(times) - 1, int(0.9 * len(times)))],
        "min_ms": times[0],
        "samples": len(times),
        "capture_s": built.capture_s,
        "build_s": built.build_s,
        "peak_rss_mb": built.peak_rss_mb,
        "bound": floor / median if median else 0.0,
        "engines": built.engines,
    }


def print_model(result: dict[str, Any]) -> None:
    """The table of one model."""
    work = Work(**result["work"])
    print(
        f"\n{result['model']}  {result['dtype']}  batch {result['batch']}: "
        f"{work.flops / 1e9:.2f} GFLOP, {work.bytes / 1e6:.1f} MB, floor "
        f"{result['floor_ms']:.2f} ms ({result['limit']})"
    )
    head = "p50 ms", "p90 ms", "vs ours", "capture s", "build s", "error", "rss MB", "bound"
    print(f"  {'':<10}" + "".join(f"{title:>11}" for title in head))
    base = next(
        (r["p50_ms"] for r in result["rows"] if r["peer"] == "ours" and "p50_ms" in r), None
    )
    for row in result["rows"]:
        if "failed" in row:
            print(f"  {row['peer']:<10}  - {row['failed'][:100]}")
            continue
        versus = f"{row['p50_ms'] / base:.2f}" if base else "-"
        ratio = "-" if row["error_ratio"] is None else f"{row['error_ratio']:.2f}"
        cells = (
            f"{row['p50_ms']:.2f}",
            f"{row['p90_ms']:.2f}",
            versus,
            f"{row['capture_s']:.2f}",
            f"{row['build_s']:.2f}",
            ratio + ("" if row["accurate"] else " BAD"),
            f"{row['peak_rss_mb']:.0f}",
            f"{row['bound']:.0%}",
        )
        print(f"  {row['peer']:<10}" + "".join(f"{cell:>11}" for cell in cells))
        for engine in row["engines"]:
            print(f"  {'':<10}  engine: " + ", ".join(f"{k} {v}" for k, v in engine.items()))
    sys.stdout.flush()


def bench_in_child(name: str, arguments: argparse.Namespace, machine: Machine) -> dict[str, Any]:
    """Run one model in a process of its own, so that memory and crashes stay apart."""
    with tempfile.TemporaryDirectory() as directory:
        output = Path(directory) / "result.json"
        ceilings = Path(directory) / "machine.json"
        ceilings.write_text(json.dumps(asdict(machine)))
        command = [sys.executable, str(Path(__file__).resolve()), "--in-process"]
        command += ["--models", name, "--peers", ",".join(arguments.peers)]
        command += ["--json", str(output)] + (["--small"] if arguments.small else [])
        for option in ("dtype", "batch", "threads", "repeat", "seconds"):
            command += [f"--{option}", str(getattr(arguments, option))]
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": str(arguments.threads),
            "TORCHTRT_BENCH_MACHINE": str(ceilings),
        }
        status = subprocess.run(command, env=environment, check=False).returncode
        if status != 0 or not output.exists():
            return {"model": name, "failed": f"process ended with status {status}", "rows": []}
        result: dict[str, Any] = json.loads(output.read_text())
        return result


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; ``--json`` gets {"machine", "settings", "models": [one per model]}."""
    arguments = parse_arguments(argv)
    torch.set_num_threads(arguments.threads)
    if arguments.in_process:
        machine = Machine(**json.loads(Path(os.environ["TORCHTRT_BENCH_MACHINE"]).read_text()))
        result = bench_model(arguments.models[0], arguments, machine)
        print_model(result)
        arguments.json.write_text(json.dumps(result))
        return 0
    machine = measure_machine()
    print(machine.describe(), flush=True)
    results = [bench_in_child(name, arguments, machine) for name in arguments.models]
    if arguments.json:
        settings = {k: v for k, v in vars(arguments).items() if k not in ("json", "in_process")}
        settings["torch"] = torch.__version__
        document = {"machine": asdict(machine), "settings": settings, "models": results}
        arguments.json.write_text(json.dumps(document, indent=1))
        print(f"\nwrote {arguments.json}; make the page with tools/perf/report.py {arguments.json}")
    return 1 if any("failed" in result for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
