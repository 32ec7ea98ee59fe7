"""What the engine costs besides its kernels: call overhead, loading, memory of the build.

overhead.py [--model bert_base] [--threads 2] [--json out.json]

Bars: a call of a tiny engine <= 15 us; loading <= 50 ms beyond reading the bytes; building peaks
at <= 1.2 x the weights beyond the module; run-time arena <= 1.1 x the planner's lower bound. The
first call adds its arena and outputs: build_and_call_* has them too.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
for entry in (str(ROOT), str(ROOT / "py")):
    if entry not in sys.path:
        sys.path.insert(0, entry)

import torch  # noqa: E402
import torch_tensorrt  # noqa: E402
from torch_tensorrt.dynamo.runtime import TorchTensorRTModule  # noqa: E402

from tools.perf import models, peers  # noqa: E402


class Tiny(torch.nn.Module):
    """Eight floats in, eight floats out: next to no work."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x) + 1.0


def median_us(function: Callable[[], object], calls: int = 5000) -> float:
    """Median time of a call in microseconds, after a warm-up."""
    for _ in range(200):
        function()
    times = []
    for _ in range(calls):
        begin = time.perf_counter_ns()
        function()
        times.append(time.perf_counter_ns() - begin)
    return statistics.median(times) / 1e3


def engines_of(module: torch.nn.Module) -> list[TorchTensorRTModule]:
    """The engines inside a compiled module.

    Raises:
        RuntimeError: There is none.
    """
    found = [m for m in module.modules() if isinstance(m, TorchTensorRTModule)]
    if not found:
        raise RuntimeError("the compiled module holds no engine")
    return found


def call_overhead() -> dict[str, float]:
    """Microseconds of the operator, of the engine's module, and of eager for scale."""
    x, model = torch.randn(8), Tiny().eval()
    compiled = torch_tensorrt.compile(
        model, arg_inputs=[x], require_full_compilation=True, min_block_size=1
    )
    wrapper = engines_of(compiled)[0]
    torch.testing.assert_close(wrapper(x), model(x))
    execute, engine, inputs = torch.ops.tensorrt.execute_engine, wrapper.engine, [x]
    return {
        "execute_engine_us": median_us(lambda: execute(inputs, engine)),
        "module_us": median_us(lambda: wrapper(x)),
        "eager_us": median_us(lambda: model(x)),
    }


def build_and_load(name: str) -> dict[str, Any]:
    """Memory of building a zoo model, and the time to load its engine and its saved module.

    The small variant is built first: what the first build of a process takes once (modules that
    torch imports, caches) has nothing to do with the weights.
    """
    peers.build("ours", models.make(name, small=True))
    case = models.make(name)
    storages = {p.data_ptr(): p.numel() * p.element_size() for p in case.module.parameters()}
    weights = sum(storages.values()) / 2**20
    inputs = list(case.inputs)
    compiled, figures = _build(case, weights)
    engine = engines_of(compiled)[0]
    plan = engine.serialized_engine_tensor()
    with tempfile.TemporaryDirectory() as directory:
        raw, saved = Path(directory) / "engine.plan", Path(directory) / "trt.ep"
        raw.write_bytes(plan.numpy().tobytes())
        torch_tensorrt.save(compiled, str(saved), arg_inputs=inputs)
        read_ms, load_ms = _load_engine(raw)
        begin = time.perf_counter()
        torch_tensorrt.load(str(saved)).module()
        module_ms = 1e3 * (time.perf_counter() - begin)
    stats = engine.stats()
    bound = stats["arena_lower_bound"]
    return {
        "model": name,
        "weights_mb": weights,
        "plan_mb": plan.numel() / 2**20,
        **figures,
        "arena_mb": stats["arena_bytes"] / 2**20,
        "read_ms": read_ms,
        "load_engine_ms": load_ms,
        "load_saved_module_ms": module_ms,
        "arena_over_bound": stats["arena_bytes"] / bound if bound else 1.0,
    }


def _build(case: models.Case, weights: float) -> tuple[torch.nn.Module, dict[str, float]]:
    """Build and call a case once; the compiled module, seconds, and megabytes at their highest."""
    inputs = list(case.inputs)
    with peers.PeakMemory() as both:
        with peers.PeakMemory() as building:
            begin = time.perf_counter()
            exported = torch_tensorrt.dynamo.trace(case.module, arg_inputs=inputs)
            middle = time.perf_counter()
            compiled = torch_tensorrt.dynamo.compile(
                exported, arg_inputs=inputs, require_full_compilation=True
            )
            end = time.perf_counter()
        compiled(*inputs)
    return compiled, {
        "capture_s": middle - begin,
        "build_s": end - middle,
        "build_peak_mb": building.peak_mb,
        "build_peak_over_weights": building.peak_mb / weights,
        "build_and_call_mb": both.peak_mb,
        "build_and_call_over_weights": both.peak_mb / weights,
    }


def _load_engine(path: Path) -> tuple[float, float]:
    reads, loads = [], []
    for _ in range(5):
        begin = time.perf_counter()
        # As torch.load reads: into aligned memory, which the engine then uses as it is.
        data = torch.empty(path.stat().st_size, dtype=torch.uint8)
        with path.open("rb") as file:
            file.readinto(data.numpy().data)
        middle = time.perf_counter()
        TorchTensorRTModule(data)
        reads.append(1e3 * (middle - begin))
        loads.append(1e3 * (time.perf_counter() - middle))
    return statistics.median(reads), statistics.median(loads)


@torch.no_grad()
def main() -> int:
    """Measure and print; returns 0."""
    parser = argparse.ArgumentParser(
        prog="overhead.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", default="bert_base", choices=models.MODEL_NAMES)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    figures = {**build_and_load(arguments.model), **call_overhead()}
    for name, value in figures.items():
        print(f"{name:<26}{value:>12.2f}" if isinstance(value, float) else f"{name:<26}{value:>12}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
