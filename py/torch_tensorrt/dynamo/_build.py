"""From a lowered graph to a module that runs: partition, build every engine, put them in place."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from torch_tensorrt._exceptions import ConversionError, TorchTensorRTError
from torch_tensorrt.dynamo._placement import place
from torch_tensorrt.dynamo._settings import CompilationSettings
from torch_tensorrt.dynamo._symbols import free_symbols, shape_env_of, symbol_ranges
from torch_tensorrt.dynamo.partitioning import (
    EngineSubgraph,
    Partition,
    build_report,
    partition,
    write_report,
)
from torch_tensorrt.dynamo.partitioning._support import SupportCheck, converter_support
from torch_tensorrt.dynamo.partitioning._units import counts_as_op

logger = logging.getLogger("torch_tensorrt")

#: Nodes that are left out of engines one after the other because their conversion fails.
MAX_LEFT_OUT = 8
#: Reasons that a warning lists; the report has all.
_MOST_REASONS = 3

Ranges = dict[str, tuple[int, int, int]]
#: ``(module, settings, name=, input_ranges=) -> module`` that runs the subgraph in an engine.
Converter = Callable[..., torch.nn.Module]


@dataclass(frozen=True)
class BuildResult:
    """A compiled graph.

    Attributes:
        module: Runs the whole graph; engines are its ``_run_on_acc_N`` children.
        partition: What went where.
        failed: Subgraphs whose engine could not be built, which run in PyTorch: name to error.
        seconds: Time of partitioning and building.
    """

    module: fx.GraphModule
    partition: Partition
    failed: dict[str, str]
    seconds: float


def compile_module(
    gm: fx.GraphModule,
    settings: CompilationSettings,
    declared: Ranges | None = None,
    convert: Converter | None = None,
) -> BuildResult:
    """Build engines for everything in the lowered graph ``gm`` that can run in one.

    Args:
        declared: Ranges of symbols declared by the user's Inputs.
        convert: Builder of one engine, instead of the converters' own.

    Raises:
        UnsupportedOperatorException: see ``require_full_compilation``.
        ConversionError, RuntimeError: an engine build failed, and ``require_full_compilation`` or
            ``pass_through_build_failures`` is set.
    """
    start = time.perf_counter()
    settings = place(gm, settings)
    unconvertible: dict[str, str] = {}
    while True:
        result = partition(gm, settings, _without(unconvertible))
        if settings.dryrun:
            write_report(build_report(result, settings), settings.dryrun)
            return BuildResult(gm, result, {}, time.perf_counter() - start)
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug("%s", build_report(result, settings))
        try:
            errors = {
                engine.name: _build_engine(
                    *(result.graph.module, engine, settings, declared, convert),
                    may_retry=len(unconvertible) < MAX_LEFT_OUT,
                )
                for engine in result.graph.engines
            }
        except _Unconvertible as node:
            unconvertible[node.name] = node.reason
            continue
        failed = {name: error for name, error in errors.items() if error is not None}
        built = BuildResult(result.graph.module, result, failed, time.perf_counter() - start)
        log_summary(built, settings)
        return built


class _Unconvertible(Exception):
    """A node that its own check accepted and its converter did not."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name)
        self.name = name
        self.reason = reason


def _without(unconvertible: Mapping[str, str]) -> SupportCheck | None:
    """The converters' own check, and no to the named nodes."""
    if not unconvertible:
        return None
    return lambda node, settings: unconvertible.get(node.name) or converter_support(node, settings)


def _build_engine(
    outer: fx.GraphModule,
    engine: EngineSubgraph,
    settings: CompilationSettings,
    declared: Ranges | None,
    convert: Converter | None,
    may_retry: bool,
) -> str | None:
    """Replace the subgraph by its engine; the error when it stays in PyTorch.

    Raises:
        _Unconvertible: it stays in PyTorch because of one node, and ``may_retry``.
    """
    build: Converter | None = convert
    if build is None:
        from torch_tensorrt.dynamo.conversion import convert_module

        build = convert_module
    ranges = input_ranges(engine.module, declared)
    try:
        built = build(engine.module, settings, name=engine.name, input_ranges=ranges)
    except Exception as error:
        if settings.require_full_compilation or settings.pass_through_build_failures:
            raise
        names = {node.name for node in engine.unit.nodes if counts_as_op(node)}
        if may_retry and isinstance(error, ConversionError) and error.node in names:
            logger.warning("an operator is left in PyTorch: %s", error)
            raise _Unconvertible(error.node, f"conversion failed: {error.reason}") from error
        own = isinstance(error, (ConversionError, TorchTensorRTError))
        text = str(error) if own else f"{type(error).__name__}: {error}"
        logger.warning(
            "the engine %s could not be built and its %d operators run in PyTorch: %s",
            engine.name,
            engine.unit.op_count(),
            text,
        )
        return text
    setattr(outer, engine.name, built)
    return None


def input_ranges(module: fx.GraphModule, declared: Ranges | None = None) -> Ranges:
    """Range of every symbol in the inputs of an engine's subgraph."""
    placeholders = [n for n in module.graph.nodes if n.op == "placeholder"]
    symbols = {s for n in placeholders for s in free_symbols(n.meta.get("val"))}
    return symbol_ranges(sorted(symbols, key=str), shape_env_of(placeholders), declared)


def log_summary(result: BuildResult, settings: CompilationSettings) -> None:
    """The one line that a successful build prints at INFO, or a warning that says why there is no
    engine."""
    done = [e for e in result.partition.graph.engines if e.name not in result.failed]
    ops = sum(engine.unit.op_count() for engine in done)
    plural = "" if len(done) == 1 else "s"
    logger.info(
        "%d engine%s, %d/%d ops, %.1f s build, %s",
        len(done),
        plural,
        ops,
        result.partition.total_ops,
        result.seconds,
        _device_text(settings),
    )
    if not done and result.partition.total_ops:
        logger.warning(
            "no engine was built, the graph of %d operators runs in PyTorch (dryrun=True lists "
            "all reasons): %s",
            result.partition.total_ops,
            _why_no_engine(result),
        )


def _why_no_engine(result: BuildResult) -> str:
    """The build errors if there are any, else the most frequent reasons of the report."""
    if result.failed:
        return "; ".join(f"{name}: {error}" for name, error in result.failed.items())
    counts = Counter(left.reason for left in result.partition.left_in_torch)
    if not counts:
        return "it has no operators to compute"
    reasons = [f"{reason} ({count})" for reason, count in counts.most_common(_MOST_REASONS)]
    more = len(counts) - len(reasons)
    return "; ".join(reasons) + (f"; and {more} more" if more else "")


def _device_text(settings: CompilationSettings) -> str:
    device: Any = torch.device("cpu")
    if settings.device is not None:
        device = settings.device.to(torch.device)
    if device.type != "cpu":
        return f"{device} {torch.cuda.get_device_name(device)}"
    return f"cpu {torch.backends.cpu.get_cpu_capability().lower()}"
