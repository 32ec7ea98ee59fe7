"""The jobs of ``check.py``: one operator case, one model, one timing; each returns a dict."""

from __future__ import annotations

import importlib
import json
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

import torch

DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}


def operator_cases() -> list[Any]:
    """The cases of the conversion tests."""
    tests: Any = importlib.import_module("tests.py.dynamo.conversion.test_operators")
    return list(tests.CASES)


def operator_case(index: str, mode: str) -> dict[str, Any]:
    """One case of the conversion tests: ``static`` or ``dynamic`` sizes."""
    harness: Any = importlib.import_module("tests.py.dynamo.conversion.harness")
    case = operator_cases()[int(index)]
    if mode == "static":
        harness.check(case, 7, dynamic=False, device="cuda")
    else:
        harness.check(case, 7, dynamic=True, sizes=(33, 4), device="cuda")
    return {"name": case.name}


@torch.no_grad()
def small_model(name: str, dtype: str) -> dict[str, Any]:
    """A tiny configuration against float64, three calls, so that the last is a graph launch."""
    import torch_tensorrt

    from tools.perf import models
    from tools.perf.accuracy import deviation, exact_outputs

    case = _on_gpu(models.make(name, DTYPES[dtype], small=True))
    compiled = torch_tensorrt.compile(
        case.module, arg_inputs=list(case.inputs), require_full_compilation=True
    )
    exact = exact_outputs(case.module, case.inputs)
    eager = case.module(*case.inputs)
    worst = max(
        (deviation(compiled(*case.inputs), eager, exact) for _ in range(3)), key=lambda d: d.ratio
    )
    if not worst.passes:
        raise AssertionError(str(worst))
    return {"error_ratio": worst.ratio}


class Shapes(torch.nn.Module):
    """Convolutions, norms, products, attention and reductions of a few blocks of threads each."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.second = torch.nn.Conv2d(16, 32, 3, padding=1)
        self.depthwise = torch.nn.Conv2d(32, 32, 3, padding=1, groups=32)
        self.group = torch.nn.GroupNorm(4, 32)
        self.norm = torch.nn.LayerNorm(32)
        self.inner, self.outer = torch.nn.Linear(32, 96), torch.nn.Linear(32, 32)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """``x`` [1, 3, 17, 15]."""
        y = torch.relu(self.second(torch.relu(self.first(x))))
        y = torch.nn.functional.silu(self.group(self.depthwise(y)))
        rows = y.flatten(2).transpose(1, 2)
        heads = self.inner(self.norm(rows)).view(1, 72, 3, 2, 16).permute(2, 0, 3, 1, 4)
        attended = torch.nn.functional.scaled_dot_product_attention(*heads)
        mixed = self.outer(attended.transpose(1, 2).reshape(1, 72, 32)) + rows
        return mixed.softmax(-1).amax(1), y.mean((2, 3))


@torch.no_grad()
def small_shapes(dtype: str) -> dict[str, Any]:
    """:class:`Shapes`, for tools that follow every access; few values, so only roughly judged."""
    import torch_tensorrt

    from tools.perf.accuracy import deviation, exact_outputs

    torch.manual_seed(3)
    module = Shapes().eval().to("cuda", DTYPES[dtype])
    inputs = (torch.randn(1, 3, 17, 15, device="cuda").to(DTYPES[dtype]),)
    compiled = torch_tensorrt.compile(module, arg_inputs=inputs, require_full_compilation=True)
    found = deviation(compiled(*inputs), module(*inputs), exact_outputs(module, inputs))
    if not found.passes and not found.ratio < 5:
        raise AssertionError(str(found))
    return {"error_ratio": found.ratio}


@torch.no_grad()
def timing(name: str, dtype: str, batch: str, peers: str) -> dict[str, Any]:
    """Microseconds per call of the full-size model, and the engine's slowest steps."""
    import torch_tensorrt

    from tools.perf import models
    from tools.perf.accuracy import deviation, exact_outputs

    case = _on_gpu(models.make(name, DTYPES[dtype], batch=int(batch)))
    start = time.perf_counter()
    compiled = torch_tensorrt.compile(case.module, arg_inputs=list(case.inputs))
    result: dict[str, Any] = {"build_s": time.perf_counter() - start}
    engines = [m for m in compiled.modules() if hasattr(m, "stats")]
    result["engines"] = len(engines)
    got, eager = compiled(*case.inputs), case.module(*case.inputs)
    found = deviation(got, eager, exact_outputs(case.module, case.inputs))
    result["error_ratio"], result["accurate"] = found.ratio, found.passes
    result["ours_us"] = time_us(lambda: compiled(*case.inputs))
    result["host_us"] = host_us(lambda: compiled(*case.inputs))
    result["graph"] = [engine.stats() for engine in engines]
    result["eager_us"] = time_us(lambda: case.module(*case.inputs))
    if peers == "inductor":
        fast = torch.compile(case.module, mode="reduce-overhead")
        result["inductor_us"] = time_us(lambda: fast(*case.inputs))
    result["steps"] = [step for engine in engines for step in slowest_steps(engine, case.inputs)]
    return result


def slowest_steps(engine: Any, inputs: Any, count: int = 12) -> list[list[Any]]:
    """``[layer, kernel, microseconds]`` of the steps that take longest, for one-engine models."""
    engine.enable_profiling()
    try:
        for _ in range(5):
            engine(*inputs)
        rows = [[s["name"], s["kernel"], s["microseconds"] / s["calls"]] for s in engine.profile()]
    except (RuntimeError, ValueError):  # an engine of a part of the model takes other inputs
        return []
    finally:
        engine.disable_profiling()
    return sorted(rows, key=lambda row: -row[2])[:count]


def time_us(call: Callable[[], Any], repeats: int = 50) -> float:
    """Median microseconds of a call on the GPU, by events."""
    for _ in range(10):
        call()
    torch.cuda.synchronize()
    marks = [[torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(repeats)]
    for first, last in marks:
        first.record()
        call()
        last.record()
    torch.cuda.synchronize()
    times = sorted(first.elapsed_time(last) for first, last in marks)
    return times[repeats // 2] * 1e3


def host_us(call: Callable[[], Any], repeats: int = 50) -> float:
    """Median microseconds until a call returns, with an idle GPU before each."""
    times = []
    for _ in range(repeats):
        torch.cuda.synchronize()
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    torch.cuda.synchronize()
    return sorted(times)[repeats // 2] * 1e6


def _on_gpu(case: Any) -> Any:
    return case._replace(
        module=case.module.cuda(), inputs=tuple(value.cuda() for value in case.inputs)
    )


JOBS: dict[str, Callable[..., dict[str, Any]]] = {
    "op": operator_case,
    "model": small_model,
    "shapes": small_shapes,
    "time": timing,
}


def run_job(job: str) -> dict[str, Any]:
    """Runs ``kind:argument:...``; never raises."""
    kind, *arguments = job.split(":")
    start = time.perf_counter()
    try:
        result = {"job": job, "ok": True, **JOBS[kind](*arguments)}
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        text = f"{type(error).__name__}: {error}"[:1500]
        result = {"job": job, "ok": False, "error": text, "at": f"{where.filename}:{where.lineno}"}
    result["seconds"] = round(time.perf_counter() - start, 3)
    return result


def main() -> None:
    """Worker: a job per line of stdin, a JSON result per line of stdout. Ends when the GPU's
    context is lost."""
    out, sys.stdout = sys.stdout, sys.stderr  # whatever prints must not mix with the results
    for line in sys.stdin:
        result = run_job(line.strip())
        try:
            torch.cuda.synchronize()
        except RuntimeError as error:
            result.update(ok=False, lost=True, error=result.get("error", str(error)[:500]))
        out.write(json.dumps(result) + "\n")
        out.flush()
        if result.get("lost"):
            sys.exit(3)


if __name__ == "__main__":
    main()
