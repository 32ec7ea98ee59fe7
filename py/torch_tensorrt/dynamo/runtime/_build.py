"""Building an engine from a finished network."""

from __future__ import annotations

import importlib
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from torch_tensorrt._exceptions import EngineBuildError
from torch_tensorrt.dynamo import _engine_cache as engine_cache
from torch_tensorrt.dynamo._option_checks import optimizer_pass_names
from torch_tensorrt.dynamo._settings import CompilationSettings
from torch_tensorrt.dynamo.runtime._errors import without_code
from torch_tensorrt.dynamo.runtime._module import TorchTensorRTModule

logger = logging.getLogger("torch_tensorrt")

#: Seconds after which compiling kernels is reported.
_WORTH_A_LINE = 2.0


@dataclass(frozen=True)
class BuildReport:
    """What a build did.

    Attributes:
        optimize_seconds: time in optimiser passes.
        lower_seconds: time choosing tactics, laying out memory and packing weights.
        tune_seconds: time spent timing variants of steps.
        packed_bytes: memory the build allocated for constants, beyond the module's own weights.
        passes: seconds per optimiser pass, in order.
        choices: per step: layer, kind, tactic, and the reasons why faster tactics refused.
        tuned: per step that was tuned: layer, kernel, the attributes chosen (empty: as without
            tuning), microseconds of the choice and of what the table says, and whether the timing
            cache knew.
        prepare_seconds: time making the engine ready on its GPU: compiling kernels that the cache
            on disk does not hold, copying constants; 0 on the CPU.
        cache: ``"off"``, ``"miss"``, or ``"hit"``: then the engine comes from the engine cache, and
            nothing was optimised, chosen or packed.
        cache_key: the engine's name in the cache; empty when it is off.
        cache_seconds: time spent naming, looking up, loading and storing.
    """

    optimize_seconds: float = 0.0
    lower_seconds: float = 0.0
    tune_seconds: float = 0.0
    packed_bytes: int = 0
    passes: list[tuple[str, float]] = field(default_factory=list)
    choices: list[dict[str, Any]] = field(default_factory=list)
    tuned: list[dict[str, Any]] = field(default_factory=list)
    prepare_seconds: float = 0.0
    cache: str = "off"
    cache_key: str = ""
    cache_seconds: float = 0.0


def build_engine(
    network: Any,
    settings: CompilationSettings | None,
    *,
    name: str,
    points: Sequence[Mapping[str, int]] = (),
) -> TorchTensorRTModule:
    """Optimises ``network``, chooses kernels and returns a module that runs it.

    Args:
        network: a finished ``torch_tensorrt._C.Network``; consumed.
        settings: the :class:`CompilationSettings`; the defaults when None.
        name: label of the engine in messages.
        points: sizes of symbols that the engine is tuned for beside their opt, one mapping an
            optimisation profile.

    Raises:
        EngineBuildError: a layer has no kernel that can run it; names the layer and every refusal.
    """
    settings = settings or CompilationSettings()
    config = _builder_config(settings, name, points)
    cache = engine_cache.cache_of(settings)
    if cache is None:
        engine, report = _build(network, config)
    else:
        engine, report = _build_through(cache, network, config, settings)
    report = _prepare(engine, report, settings, name)
    module = TorchTensorRTModule(
        engine,
        name=name,
        settings=replace(settings, custom_engine_cache=None, autocast_calibration_dataloader=None),
    )
    module.report = report
    return module


def _device(settings: CompilationSettings) -> torch.device:
    wanted = settings.device
    device: torch.device = torch.device("cpu") if wanted is None else wanted.to(torch.device)
    return device


def _prepare(
    engine: Any, report: BuildReport, settings: CompilationSettings, name: str
) -> BuildReport:
    """Makes a GPU engine ready for its first call with the opt shapes."""
    device = _device(settings)
    if device.type == "cpu":
        return report
    start = time.perf_counter()
    try:
        engine.prepare_on(device.index or 0)
    except (RuntimeError, ValueError) as error:
        raise EngineBuildError(f"engine '{name}': {without_code(str(error))}") from error
    spent = time.perf_counter() - start
    if spent > _WORTH_A_LINE:
        logger.info("engine '%s': %.1f s to compile its kernels; kept for next time", name, spent)
    return replace(report, prepare_seconds=spent)


def _builder_config(
    settings: CompilationSettings, name: str, points: Sequence[Mapping[str, int]] = ()
) -> dict[str, Any]:
    """What steers the build, as JSON values: part of an engine's name in the cache."""
    level = settings.optimization_level
    return {
        "name": name,
        "target": _device(settings).type,
        "optimization_level": 3 if level is None else level,
        "disabled_passes": sorted(optimizer_pass_names() & set(settings.disabled_passes)),
        "disabled_tactics": sorted(settings.disabled_tactics),
        "reference_only": settings.reference_only,
        "timing_iterations": settings.num_avg_timing_iters,
        "timing_cache_path": settings.timing_cache_path,
        "points": [dict(sorted(point.items())) for point in points],
    }


def _build(network: Any, config: dict[str, Any]) -> tuple[Any, BuildReport]:
    # Late: whoever only runs engines does not need the builder.
    core = importlib.import_module("torch_tensorrt._C")
    try:
        engine, report = core.build(network, config)
    except (RuntimeError, ValueError) as error:
        text = without_code(str(error))
        raise EngineBuildError(f"engine '{config['name']}': {text}") from error
    return engine, BuildReport(**report)


def _build_through(
    cache: engine_cache.BaseEngineCache,
    network: Any,
    config: dict[str, Any],
    settings: CompilationSettings,
) -> tuple[Any, BuildReport]:
    """The engine from the cache if it may come from there; else built, and kept if it may be."""
    start = time.perf_counter()
    key = cache.get_hash(network, config)
    engine = engine_cache.find_engine(cache, key) if settings.reuse_cached_engines else None
    spent = time.perf_counter() - start
    if engine is not None:
        logger.info("engine '%s': cache hit, loaded in %.3f s", config["name"], spent)
        return engine, BuildReport(cache="hit", cache_key=key, cache_seconds=spent)
    engine, report = _build(network, {**config, "metadata": engine_cache.key_metadata(key)})
    start = time.perf_counter()
    if settings.cache_built_engines:
        engine_cache.store_engine(cache, key, engine)
    spent += time.perf_counter() - start
    return engine, replace(report, cache="miss", cache_key=key, cache_seconds=spent)
