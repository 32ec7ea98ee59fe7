"""Building an engine from a finished network."""

from __future__ import annotations

import importlib
import logging
import time
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from torch_tensorrt._exceptions import EngineBuildError
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
        packed_bytes: memory the build allocated for constants, beyond the module's own weights.
        passes: seconds per optimiser pass, in order.
        choices: per step: layer, kind, tactic, and the reasons why faster tactics refused.
        prepare_seconds: time making the engine ready on its GPU: compiling kernels that the cache
            on disk does not hold, copying constants; 0 on the CPU.
    """

    optimize_seconds: float = 0.0
    lower_seconds: float = 0.0
    packed_bytes: int = 0
    passes: list[tuple[str, float]] = field(default_factory=list)
    choices: list[dict[str, Any]] = field(default_factory=list)
    prepare_seconds: float = 0.0


def build_engine(network: Any, settings: Any, *, name: str) -> TorchTensorRTModule:
    """Optimises ``network``, chooses kernels and returns a module that runs it.

    Args:
        network: a finished ``torch_tensorrt._C.Network``; consumed.
        settings: the :class:`CompilationSettings`; ``optimization_level`` and
            ``disabled_passes`` matter.
        name: label of the engine in messages.

    Raises:
        EngineBuildError: a layer has no kernel that can run it; names the layer and every refusal.
    """
    # Late: whoever only runs engines does not need the builder.
    core = importlib.import_module("torch_tensorrt._C")
    level = getattr(settings, "optimization_level", None)
    config = {
        "name": name,
        "target": _device(settings).type,
        "optimization_level": 3 if level is None else int(level),
        "disabled_passes": sorted(getattr(settings, "disabled_passes", ())),
        "disabled_tactics": sorted(getattr(settings, "disabled_tactics", ())),
        "reference_only": bool(getattr(settings, "reference_only", False)),
    }
    try:
        engine, report = core.build(network, config)
    except (RuntimeError, ValueError) as error:
        raise EngineBuildError(f"engine '{name}': {error}") from error
    module = TorchTensorRTModule(engine, name=name, settings=settings)
    module.report = _prepare(engine, BuildReport(**report), settings, name)
    return module


def _device(settings: Any) -> torch.device:
    wanted = getattr(settings, "device", None)
    device: torch.device = torch.device("cpu") if wanted is None else wanted.to(torch.device)
    return device


def _prepare(engine: Any, report: BuildReport, settings: Any, name: str) -> BuildReport:
    """Makes a GPU engine ready for its first call with the opt shapes."""
    device = _device(settings)
    if device.type == "cpu":
        return report
    start = time.perf_counter()
    try:
        engine.prepare_on(device.index or 0)
    except (RuntimeError, ValueError) as error:
        raise EngineBuildError(f"engine '{name}': {error}") from error
    spent = time.perf_counter() - start
    if spent > _WORTH_A_LINE:
        logger.info("engine '%s': %.1f s to compile its kernels; kept for next time", name, spent)
    return replace(report, prepare_seconds=spent)
