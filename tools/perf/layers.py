"""Where a model's time goes: every layer of its engine with time, arithmetic rate and share.

layers.py resnet50 [--dtype bf16] [--threads 2] [--small] [--top 20] [--json out.json]

Columns: time per call, share of the engine, GFLOP/s and, for layers bound by arithmetic, the
percentage of the machine's measured matrix-product rate.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
for entry in (str(ROOT), str(ROOT / "py")):
    if entry not in sys.path:
        sys.path.insert(0, entry)

import torch  # noqa: E402
import torch_tensorrt  # noqa: E402

from tools.perf import models  # noqa: E402
from tools.perf.bench import DTYPES  # noqa: E402
from tools.perf.machine import measure_machine  # noqa: E402
from tools.perf.overhead import engines_of  # noqa: E402


@dataclass(frozen=True)
class LayerTime:
    """One step of an engine: microseconds per call and floating-point operations (may be 0)."""

    name: str
    kernel: str
    shapes: str
    microseconds: float
    flops: float

    @property
    def gflops(self) -> float:
        """Arithmetic rate, GFLOP/s."""
        return self.flops / self.microseconds / 1e3 if self.microseconds > 0 else 0.0


def sizes(tensor: dict[str, Any]) -> list[int] | None:
    """The dims of a tensor of the layer report, or None when one is symbolic."""
    dims = tensor["dims"]
    return [int(d) for d in dims] if all(d.isdigit() for d in dims) else None


def flops_of(layer: dict[str, Any]) -> float:
    """Multiply-adds, as two, of convolutions, matrix products and attention; otherwise 0."""
    shapes = [sizes(t) for t in layer["inputs"]]
    out = sizes(layer["outputs"][0]) if layer["outputs"] else None
    attributes, kernel = layer["attributes"], layer["kernel"]
    if out is None or not shapes or any(s is None for s in shapes):
        return 0.0
    first = shapes[0] or []
    points = float(math.prod(out))
    if "kernel" in attributes and "in_channels" in attributes:
        window = math.prod(json.loads(attributes["kernel"]))
        groups = int(attributes.get("groups", "1"))
        return 2.0 * points * window * int(attributes["in_channels"]) / groups
    if kernel == "cpu.attention":
        keys = (shapes[1] or [])[-2]
        return 2.0 * math.prod(first) * keys + 2.0 * points * keys
    if "gemm" in kernel or kernel == "ref.MatrixMultiply":
        k = int(attributes["k"]) if "k" in attributes else first[-1]
        return 2.0 * points * k
    return 0.0


def measure(engine: Any, module: torch.nn.Module, inputs: Any, seconds: float) -> list[LayerTime]:
    """Run ``module`` for about ``seconds`` with the engine's profiler on; layers in order."""
    info = json.loads(engine.get_engine_layer_info())["layers"]
    for _ in range(3):
        module(*inputs)
    engine.enable_profiling()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        module(*inputs)
    profile = json.loads(engine.profile())
    engine.disable_profiling()
    result = []
    for layer, row in zip(info, profile, strict=True):
        tensors = [layer["inputs"][0]] if layer["inputs"] else []
        shapes = " -> ".join("x".join(t["dims"]) for t in [*tensors, *layer["outputs"][:1]])
        microseconds = row["microseconds"] / max(row["calls"], 1)
        result.append(
            LayerTime(layer["name"], layer["kernel"], shapes, microseconds, flops_of(layer))
        )
    return result


def report(layers: list[LayerTime], peak: float, top: int) -> str:
    """A table of the ``top`` slowest layers and a line per kernel."""
    total = sum(layer.microseconds for layer in layers)
    lines = [f"{'us':>9} {'share':>6} {'GFLOP/s':>8} {'peak':>5}  layer"]
    for layer in sorted(layers, key=lambda x: -x.microseconds)[:top]:
        lines.append(
            f"{layer.microseconds:9.1f} {100 * layer.microseconds / total:5.1f}% "
            f"{layer.gflops:8.1f} {100 * layer.gflops / peak:4.0f}%  "
            f"{layer.kernel} {layer.shapes} ({layer.name})"
        )
    lines.append(f"{total:9.1f} 100.0%  sum of {len(layers)} layers; by kernel:")
    for kernel in sorted({layer.kernel for layer in layers}):
        rows = [layer for layer in layers if layer.kernel == kernel]
        spent = sum(layer.microseconds for layer in rows)
        rate = sum(layer.flops for layer in rows) / spent / 1e3 if spent > 0 else 0.0
        lines.append(
            f"{spent:9.1f} {100 * spent / total:5.1f}% {rate:8.1f} {100 * rate / peak:4.0f}%  "
            f"{kernel} x {len(rows)}"
        )
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Print the table of one model."""
    parser = argparse.ArgumentParser(
        prog="layers.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", choices=models.MODEL_NAMES)
    parser.add_argument("--dtype", choices=sorted(DTYPES), default="f32")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=3.0, help="time to measure")
    parser.add_argument("--top", type=int, default=20, help="layers shown")
    parser.add_argument("--small", action="store_true", help="the small variant of the model")
    parser.add_argument("--json", type=Path, help="also write every layer here")
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    case = models.make(args.model, DTYPES[args.dtype], batch=args.batch, small=args.small)
    with torch.no_grad():
        compiled = torch_tensorrt.compile(
            case.module, arg_inputs=list(case.inputs), require_full_compilation=True
        )
        engine = engines_of(compiled)[0].engine
        layers = measure(engine, compiled, case.inputs, args.seconds)
    machine = measure_machine()
    print(machine.describe())
    print(report(layers, machine.gflops.get(args.dtype) or machine.gflops["f32"], args.top))
    if args.json:
        args.json.write_text(json.dumps([asdict(layer) for layer in layers], indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
