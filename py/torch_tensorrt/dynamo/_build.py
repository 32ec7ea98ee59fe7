"""From a lowered graph to a module that runs: partition, build every engine, put them in place."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import fx

from torch_tensorrt.dynamo._control_flow import (
    Placed,
    copy_of,
    place_control_flow,
    with_control_flow,
)
from torch_tensorrt.dynamo._ladder import Ladder, error_text, names_of
from torch_tensorrt.dynamo._placement import place
from torch_tensorrt.dynamo._settings import CompilationSettings
from torch_tensorrt.dynamo._symbols import Ranges, free_symbols, shape_env_of, symbol_ranges
from torch_tensorrt.dynamo.lowering import lower_subgraph
from torch_tensorrt.dynamo.partitioning import (
    EngineSubgraph,
    Partition,
    build_report,
    partition,
    write_report,
)
from torch_tensorrt.dynamo.partitioning._split import subgraph_of
from torch_tensorrt.dynamo.partitioning._support import SupportCheck, converter_support

logger = logging.getLogger("torch_tensorrt")

#: Reasons that a warning lists; the report has all.
_MOST_REASONS = 3

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
    *,
    one_of_several: bool = False,
) -> BuildResult:
    """Build engines for everything in the lowered graph ``gm`` that can run in one.

    Args:
        declared: Ranges of symbols declared by the user's Inputs.
        convert: Builder of one engine, instead of the converters' own.
        one_of_several: The model has other graphs too; see :func:`write_report`.

    Raises:
        UnsupportedOperatorException: see ``require_full_compilation``.
        ConversionError, RuntimeError: an engine build failed, and ``require_full_compilation`` or
            ``pass_through_build_failures`` is set.
    """
    start = time.perf_counter()
    settings = place(gm, settings)
    if settings.dryrun:
        gm, original = copy_of(gm), gm
    engines = _Engines(gm, settings, declared, convert)
    flow = engines.place_control_flow()
    while True:
        ladder = engines.ladder
        result = with_control_flow(
            partition(gm, settings, _without(ladder.left_out), ladder.cuts), flow
        )
        if settings.dryrun:
            report = build_report(result, settings)
            write_report(report, settings.dryrun, one_of_several=one_of_several)
            return BuildResult(original, result, {}, time.perf_counter() - start)
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug("%s", build_report(result, settings))
        failed = engines.place_in(result)
        if failed is not None:
            built = BuildResult(result.graph.module, result, failed, time.perf_counter() - start)
            log_summary(built, settings)
            return built


def _without(left_out: Mapping[str, str]) -> SupportCheck | None:
    """The converters' own check, and no to the named nodes."""
    if not left_out:
        return None
    return lambda node, settings: left_out.get(node.name) or converter_support(node, settings)


class _Engines:
    """Engines of one graph, kept from one partition to the next: a step down the ladder changes
    few of them."""

    def __init__(
        self,
        gm: fx.GraphModule,
        settings: CompilationSettings,
        declared: Ranges | None,
        convert: Converter | None,
    ) -> None:
        self._gm = gm
        self._settings = settings
        self._declared = declared
        self._convert = convert
        self._built: dict[tuple[str, ...], torch.nn.Module] = {}
        self.ladder = Ladder()

    def place_in(self, result: Partition) -> dict[str, str] | None:
        """Replace the subgraphs of ``result`` by their engines.

        Returns:
            The errors of those that stay in PyTorch, by name; None: partition again.
        """
        failed: dict[str, str] = {}
        wanted = {names_of(engine.unit.nodes) for engine in result.graph.engines}
        self._built = {key: built for key, built in self._built.items() if key in wanted}
        for engine in result.graph.engines:
            key = names_of(engine.unit.nodes)
            if key not in self._built and key not in self.ladder.given_up:
                try:
                    self._built[key] = self._build(engine)
                except Exception as error:
                    if must_raise(self._settings):
                        raise
                    if self.ladder.step_down(engine.unit.nodes, error, self._try):
                        return None
                    logger.warning(
                        "the engine %s could not be built and its %d operators run in PyTorch: %s",
                        *(engine.name, engine.unit.op_count(), error_text(error)),
                    )
            if key in self._built:
                setattr(result.graph.module, engine.name, self._built[key])
            else:
                failed[engine.name] = self.ladder.given_up[key]
        return failed

    def place_control_flow(self) -> Placed:
        """Branches and bodies first: they are modules of the graph afterwards."""
        return place_control_flow(self._gm, self._settings, self._build_branch, self._compile)

    def _build_branch(self, engine: EngineSubgraph) -> torch.nn.Module:
        return torch.nn.Identity() if self._settings.dryrun else self._build(engine)

    def _compile(self, graph: fx.GraphModule) -> tuple[fx.GraphModule, Partition]:
        settings = self._settings
        if settings.dryrun:
            return graph, partition(lower_subgraph(graph, settings), settings)
        built = compile_module(
            lower_subgraph(graph, settings), settings, self._declared, self._convert
        )
        return built.module, built.partition

    def _build(
        self, engine: EngineSubgraph, settings: CompilationSettings | None = None
    ) -> torch.nn.Module:
        build: Converter | None = self._convert
        if build is None:
            from torch_tensorrt.dynamo.conversion import convert_module

            build = convert_module
        ranges = input_ranges(engine.module, self._declared)
        chosen = settings or self._settings
        return build(engine.module, chosen, name=engine.name, input_ranges=ranges)

    def _try(self, nodes: list[fx.Node]) -> Exception | None:
        try:
            # Nobody will look for these engines again.
            kept = replace(self._settings, cache_built_engines=False)
            self._build(subgraph_of(self._gm, nodes, "_trial"), kept)
        except Exception as error:
            return error
        return None


def must_raise(settings: CompilationSettings) -> bool:
    """Whether a failure is the caller's to hear of, instead of a reason to run in PyTorch."""
    return settings.require_full_compilation or settings.pass_through_build_failures


def input_ranges(module: fx.GraphModule, declared: Ranges | None = None) -> Ranges:
    """Range of every symbol in the inputs of an engine's subgraph."""
    placeholders = [n for n in module.graph.nodes if n.op == "placeholder"]
    symbols = {s for n in placeholders for s in free_symbols(n.meta.get("val"))}
    return symbol_ranges(sorted(symbols, key=str), shape_env_of(placeholders), declared)


def log_summary(result: BuildResult, settings: CompilationSettings) -> None:
    """The one line that a successful build prints at INFO, or a warning that says why there is no
    engine."""
    inner = result.partition.inner_engines
    done = [e for e in result.partition.graph.engines if e.name not in result.failed]
    ops = sum(engine.unit.op_count() for engine in done) + sum(inner.values())
    plural = "" if len(done) + len(inner) == 1 else "s"
    logger.info(
        "%d engine%s, %d/%d ops, %.1f s build, %s",
        len(done) + len(inner),
        plural,
        ops,
        result.partition.total_ops,
        result.seconds,
        _device_text(settings),
    )
    if not done and not inner and result.partition.total_ops:
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
