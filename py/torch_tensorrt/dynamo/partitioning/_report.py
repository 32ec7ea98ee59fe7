"""The dry-run report: what would run where, as text and as JSON."""

from __future__ import annotations

import itertools
import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from torch import fx

from torch_tensorrt._exceptions import UnsupportedNode
from torch_tensorrt.dynamo._settings import CompilationSettings
from torch_tensorrt.dynamo.partitioning._partition import Partition
from torch_tensorrt.dynamo.partitioning._support import shape_text


@dataclass(frozen=True)
class EngineSummary:
    """One engine of the report; shapes as text."""

    name: str
    op_count: int
    inputs: list[str]
    outputs: list[str]


@dataclass(frozen=True)
class DryRunReport:
    """Coverage and engines of one graph. ``str(report)`` is for people, ``to_json`` for
    machines."""

    total_ops: int
    engine_ops: int
    engines: list[EngineSummary]
    left_in_torch: list[UnsupportedNode]
    unsupported_counts: dict[str, int]
    recommendations: dict[str, dict[str, int]]
    changed_settings: dict[str, str]
    control_flow: dict[str, int]
    hints: list[str]

    @property
    def coverage(self) -> float:
        """Share of operators inside engines, in percent."""
        return 100.0 * self.engine_ops / self.total_ops if self.total_ops else 100.0

    def to_json(self) -> str:
        """All fields and the coverage, as a JSON object."""
        return json.dumps({"coverage_percent": self.coverage, **asdict(self)}, indent=2)

    def __str__(self) -> str:
        return "\n".join([*self._head(), *self._engines(), *self._torch(), *self._advice()])

    def _head(self) -> list[str]:
        lines = [
            "+ Torch-TensorRT dry run",
            f"  operators in engines: {self.engine_ops} of {self.total_ops} "
            f"({self.coverage:.1f} %)",
            f"  engines: {len(self.engines)}",
        ]
        changed = ", ".join(f"{k}={v}" for k, v in self.changed_settings.items())
        return [*lines, f"  settings: {changed or 'defaults'}"]

    def _engines(self) -> list[str]:
        lines = ["", "+ Engines, in running order"] if self.engines else []
        for engine in self.engines:
            lines.append(f"  {engine.name}: {engine.op_count} operators")
            lines.append(f"    inputs:  {', '.join(engine.inputs) or '-'}")
            lines.append(f"    outputs: {', '.join(engine.outputs) or '-'}")
        if self.control_flow:
            lines += ["", "+ Engines in branches and loops"]
            lines += [f"  {name}: {ops} operators" for name, ops in self.control_flow.items()]
        if len(self.engines) > 1:
            sizes = [engine.op_count for engine in self.engines]
            mean = sum(sizes) / len(sizes)
            lines.append(f"  average {mean:.1f} operators an engine, most {max(sizes)}")
        return lines

    def _torch(self) -> list[str]:
        if not self.left_in_torch:
            return []
        counts = ", ".join(f"{op}: {n}" for op, n in self.unsupported_counts.items())
        lines = ["", "+ Operators left in PyTorch", f"  {counts}"]
        return [*lines, *(f"  - {entry}" for entry in self.left_in_torch)]

    def _advice(self) -> list[str]:
        lines = ["", "+ Settings to try", *(f"  - {hint}" for hint in self.hints)]
        if not self.hints:
            lines = []
        if not self.recommendations:
            return lines
        lines += ["", "+ min_block_size"]
        for name, advice in self.recommendations.items():
            lines.append(
                f"  {name} segmentation: min_block_size={advice['min_block_size']} "
                f"gives {advice['engines']} engine(s)"
            )
        return lines


def build_report(result: Partition, settings: CompilationSettings) -> DryRunReport:
    """The report on one partitioned graph."""
    defaults = CompilationSettings().as_dict()
    changed = {
        k: str(v) for k, v in settings.as_dict().items() if v != defaults[k] and k != "dryrun"
    }
    return DryRunReport(
        total_ops=result.total_ops,
        engine_ops=result.engine_ops,
        engines=[
            EngineSummary(e.name, e.unit.op_count(), *_bindings(e.module))
            for e in result.graph.engines
        ],
        left_in_torch=list(result.left_in_torch),
        unsupported_counts=dict(Counter(entry.op for entry in result.left_in_torch).most_common()),
        recommendations=recommend(result.candidate_sizes, settings.min_block_size),
        changed_settings=changed,
        control_flow=dict(result.inner_engines),
        hints=hints(result, settings),
    )


def hints(result: Partition, settings: CompilationSettings) -> list[str]:
    """Settings that would change what runs where, in words."""
    found = []
    blocks = Counter(
        left.reason for left in result.left_in_torch if left.reason.startswith("its block has")
    )
    small = sum(blocks.values())
    if small:
        sizes = [size for size in result.candidate_sizes if 0 < size < settings.min_block_size]
        found.append(
            f"min_block_size={min(sizes, default=1)} puts {small} more operator(s) into engines"
        )
    dear = sum(1 for left in result.left_in_torch if left.reason.startswith("calling an engine"))
    if dear:
        found.append(f"min_block_size=1 puts {dear} operator(s) into engines that cost more calls")
    if settings.use_fast_partitioner and len(result.graph.engines) > 1:
        found.append("use_fast_partitioner=False looks longer for fewer, larger engines")
    if result.total_ops and not result.left_in_torch and not settings.require_full_compilation:
        found.append("require_full_compilation=True holds, and keeps it so")
    return found


def recommend(sizes: Sequence[int], current: int) -> dict[str, dict[str, int]]:
    """``min_block_size`` for one engine, for about half of the candidates, and the current one."""
    if not sizes:
        return {}
    ordered = sorted(sizes, reverse=True)

    def advice(block_size: int) -> dict[str, int]:
        return {"min_block_size": block_size, "engines": sum(s >= block_size for s in ordered)}

    middle = ordered[(len(ordered) - 1) // 2]
    return {
        "minimal": advice(max(ordered[0], 1)),
        "moderate": advice(max(middle, 1)),
        "current": advice(current),
    }


def write_report(
    report: DryRunReport, destination: bool | str, *, one_of_several: bool = False
) -> None:
    """Print the report (True), or write it to a path: JSON for ``*.json``, else text.

    Args:
        one_of_several: A model has several graphs under ``torch.compile``: when the file exists,
            ``name.json`` becomes ``name_1.json``, then ``name_2.json``.

    Raises:
        FileExistsError: the file exists; reports never overwrite.
    """
    if not isinstance(destination, str):
        print(report)
        return
    folder = os.path.dirname(destination)
    if folder:
        os.makedirs(folder, exist_ok=True)
    stem, ending = os.path.splitext(destination)
    text = report.to_json() if ending == ".json" else f"{report}\n"
    for number in itertools.count():
        path = f"{stem}_{number}{ending}" if number else destination
        try:
            with open(path, "x", encoding="utf-8") as file:
                file.write(text)
            return
        except FileExistsError:
            if not one_of_several:
                raise


def _bindings(module: fx.GraphModule) -> tuple[list[str], list[str]]:
    nodes: Any = list(module.graph.nodes)
    inputs = [f"{n.name} {shape_text(n.meta.get('val'))}" for n in nodes if n.op == "placeholder"]
    outputs = [f"{n.name} {shape_text(n.meta.get('val'))}" for n in nodes[-1].args[0]]
    return inputs, outputs
