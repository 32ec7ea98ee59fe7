"""What this machine can do at most, and what a model needs at least.

The floor of a model is ``max(FLOP / peak FLOP/s, bytes / copy bandwidth)``: no program that reads
the weights once and does the arithmetic of the graph can be faster. A row's "% of bound" is
floor / time.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class Machine:
    """Ceilings measured here and now, on ``threads`` threads."""

    cpu: str
    capability: str
    threads: int
    gflops: dict[str, float]
    copy_gbps: float

    def describe(self) -> str:
        """One line for the head of a report."""
        peaks = ", ".join(f"{value:.0f} {name}" for name, value in self.gflops.items())
        return (
            f"{self.cpu} ({self.capability}), {self.threads} threads; packed matrix product "
            f"GFLOP/s: {peaks}; copy {self.copy_gbps:.1f} GB/s"
        )


@dataclass(frozen=True)
class Work:
    """What one run of a model costs in any program."""

    flops: float
    bytes: float

    def floor_ms(self, machine: Machine, dtype: str) -> float:
        """The lower bound in milliseconds, and 0 when the dtype's peak was not measured."""
        peak = machine.gflops.get(dtype)
        if not peak:
            return 0.0
        return 1e3 * max(self.flops / (1e9 * peak), self.bytes / (1e9 * machine.copy_gbps))

    def limit(self, machine: Machine, dtype: str) -> str:
        """ "compute" or "memory", whichever bounds the model."""
        peak = machine.gflops.get(dtype, 0.0) or 1.0
        compute = self.flops / (1e9 * peak)
        return "compute" if compute >= self.bytes / (1e9 * machine.copy_gbps) else "memory"


def measure_work(module: nn.Module, inputs: Sequence[torch.Tensor]) -> Work:
    """Count multiply-adds (as two) of matrix products and convolutions, and bytes read.

    Bytes are the weights used whole (an embedding table is read by rows, unless a linear layer
    shares it) plus the inputs.
    """
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        module(*inputs)
    tables = {m.weight.data_ptr() for m in module.modules() if isinstance(m, nn.Embedding)}
    used = {m.weight.data_ptr() for m in module.modules() if isinstance(m, nn.Linear)}
    storages = {p.data_ptr(): p.numel() * p.element_size() for p in module.parameters()}
    weights = sum(size for key, size in storages.items() if key not in tables - used)
    read = weights + sum(x.numel() * x.element_size() for x in inputs)
    return Work(float(counter.get_total_flops()), float(read))


def measure_machine(rounds: int = 9) -> Machine:
    """Time large matrix products and a large copy; takes about two seconds."""
    single = _matmul_gflops(torch.float32, rounds)
    # Without bf16 instructions, bf16 work is done by the f32 units: their peak is the bound.
    native = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    half = _matmul_gflops(torch.bfloat16, rounds) if native else single
    return Machine(
        cpu=_cpu_name(),
        capability=torch.backends.cpu.get_cpu_capability(),
        threads=torch.get_num_threads(),
        gflops={"f32": single, "bf16": half},
        copy_gbps=_copy_gbps(rounds),
    )


def _best_seconds(function: Callable[[], object], rounds: int) -> float:
    function()
    best = float("inf")
    for _ in range(rounds):
        begin = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - begin)
    return best


@torch.no_grad()
def _matmul_gflops(dtype: torch.dtype, rounds: int) -> float:
    # The ceiling is the best that any library here reaches: MKL's product, and oneDNN's with
    # weights packed beforehand.
    size = 1536
    a, b = torch.randn(size, size).to(dtype), torch.randn(size, size).to(dtype)
    seconds = [_best_seconds(lambda: torch.mm(a, b), rounds)]
    if torch.backends.mkldnn.is_available():
        packed = torch.ops.mkldnn._reorder_linear_weight(b, size)
        linear = torch.ops.mkldnn._linear_pointwise
        seconds.append(_best_seconds(lambda: linear(a, packed, None, "none", [], ""), rounds))
    return 2e-9 * size**3 / min(seconds)


def _copy_gbps(rounds: int) -> float:
    source = torch.ones(64 << 20, dtype=torch.uint8).view(torch.float32)
    source = source.repeat(4)
    target = torch.empty_like(source)
    moved = 2 * source.numel() * source.element_size()
    return 1e-9 * moved / _best_seconds(lambda: target.copy_(source), rounds)


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def resident_bytes() -> int:
    """This process's resident memory now (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
