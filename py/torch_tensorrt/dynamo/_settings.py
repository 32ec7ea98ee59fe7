"""The compilation options: the only place where an option, its default and its meaning are
written."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import logging
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from torch_tensorrt._Device import Device
from torch_tensorrt._enums import DeviceType, EngineCapability, dtype
from torch_tensorrt._exceptions import InvalidOptionError
from torch_tensorrt.dynamo import _option_checks as checks
from torch_tensorrt.dynamo._option_checks import Check, instance, integer, one_of, optional

logger = logging.getLogger("torch_tensorrt")

EFFECTIVE = "effective"


def default_cache_dir() -> str:
    """Per-user cache directory (``$XDG_CACHE_HOME/torch_tensorrt`` or
    ``~/.cache/torch_tensorrt``)."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "torch_tensorrt")


def _on(default: Any, doc: str, check: Check | None = None) -> Any:
    """A field whose value changes what is built. ``check`` may be left out for a bool."""
    return _field(default, doc, check, EFFECTIVE)


def _off(default: Any, doc: str, why: str, check: Check | None = None) -> Any:
    """A field accepted for compatibility; ``why`` says why it changes nothing here."""
    return _field(default, doc, check, why)


def _field(default: Any, doc: str, check: Check | None, effect: str) -> Any:
    if check is None:
        check = checks.BOOLEAN
    return field(default=default, metadata={"doc": doc, "effect": effect, "check": check})


_NO_TRT = "it steers NVIDIA TensorRT, which is not used here"
_NO_DLA = "no engine is built for a DLA"
_NOT_YET = "not supported yet"
_PACKED = (
    "on the CPU a build copies the weights it packs, of linear layers and convolutions, and shares "
    "the others with the module"
)


# ruff: noqa: RUF009
@dataclass(frozen=True)
class CompilationSettings:
    """All compilation options with their defaults: each field below has its meaning beside it, from
    which the page of settings in the documentation is made.

    Frozen: make a changed copy with ``dataclasses.replace``. Each field's metadata has ``doc``,
    ``check`` (see _option_checks.py) and ``effect``: ``"effective"`` or the reason why the option
    changes nothing here.
    """

    # -- precision
    truncate_double: bool = _off(
        False,
        "Compute float64 in float32 and int64 in int32.",
        "the engine computes float64 and int64 natively",
    )
    use_fp32_acc: bool = _off(
        False,
        "Accumulate half-precision products in float32.",
        "products always accumulate in float32",
    )
    disable_tf32: bool = _off(
        False, "Do not use TF32.", "float32 follows torch's own precision flags"
    )
    enable_autocast: bool = _on(
        False, "Mixed precision by rules: products in a half type, statistics in float32."
    )
    autocast_low_precision_type: torch.dtype | None = _on(
        None,
        "Low type of autocast: float16 or bfloat16; by default bfloat16 on CPUs, float16 on GPUs.",
        optional(checks.HALF_TYPE),
    )
    autocast_excluded_nodes: Collection[str] = _on(
        frozenset(), "Regexes of names of nodes that stay in float32.", checks.REGEXES
    )
    autocast_excluded_ops: Collection[Any] = _on(
        frozenset(), "Operators that stay in float32.", checks.operators
    )
    autocast_max_output_threshold: float = _on(
        512,
        "A node whose results are larger with the calibration data stays in float32.",
        checks.LIMIT,
    )
    autocast_max_depth_of_reduction: int | None = _on(
        None, "Products that sum over more terms stay in float32.", optional(checks.POSITIVE)
    )
    autocast_calibration_dataloader: Any = _on(
        None,
        "Batches of inputs to run the model with in PyTorch, for the threshold above.",
        optional(checks.ITERABLE),
    )
    use_complex_decomposition: bool | None = _off(
        None,
        "Which complex rewriter runs.",
        "complex operators run in engines, as pairs of real numbers; there is one rewriter",
        optional(checks.BOOLEAN),
    )
    sparse_weights: bool = _off(False, "Use 2:4 sparse weights.", _NO_TRT)

    # -- partitioning
    min_block_size: int = _on(
        5, "Smallest number of operators of an engine that is not the whole graph.", checks.POSITIVE
    )
    torch_executed_ops: Collection[Any] = _on(
        frozenset(), "Operators (objects or names) that stay in PyTorch.", checks.operators
    )
    torch_executed_modules: Collection[Any] = _on(
        frozenset(),
        "Modules (class, class name or qualified path) that stay in PyTorch.",
        checks.MODULES,
    )
    require_full_compilation: bool = _on(
        False, "Fail with UnsupportedOperatorException when any operator stays in PyTorch."
    )
    use_fast_partitioner: bool = _on(
        True, "Adjacency partitioner (fast); False: global partitioner (fewer, larger engines)."
    )
    enable_experimental_decompositions: bool = _on(
        False, "Decompose all the way to Core ATen instead of keeping composite operators."
    )
    enable_resource_partitioning: bool = _off(False, "Split engines to a memory budget.", _PACKED)
    cpu_memory_budget: int | None = _off(
        None, "Budget of the above in bytes.", _PACKED, optional(checks.POSITIVE)
    )
    fallback_data_dependent_ops: bool = _on(
        False, "Keep operators with data-dependent output shapes in PyTorch."
    )
    decompose_attention: bool = _on(
        False, "Decompose scaled_dot_product_attention into products and softmax."
    )
    attn_bias_is_causal: bool = _off(
        True, "Treat square attention masks as causal.", "masks are always applied as given"
    )
    disabled_constant_fold_exclusions: Collection[str] = _on(
        frozenset(), "Names of constant-folding exclusion rules to ignore.", checks.FOLD_RULES
    )
    pass_through_build_failures: bool = _on(
        False, "Raise when an engine build fails instead of running that subgraph in PyTorch."
    )
    disabled_passes: Collection[str] = _on(
        frozenset(),
        "Names of lowering or optimiser passes not to run (see dump_lowering_passes).",
        checks.PASSES,
    )
    disabled_tactics: Collection[str] = _on(
        frozenset(), "Names of engine tactics (kernels) not to choose.", checks.TACTICS
    )
    reference_only: bool = _on(
        False, "Use the slow reference kernels only, to tell a wrong kernel from a wrong graph."
    )

    # -- builder
    workspace_size: int = _off(
        0, "Scratch limit in bytes.", "scratch is planned exactly", checks.BYTES
    )
    optimization_level: int | None = _on(
        None,
        "0..5: how long kernels are tuned by timing; up to 2 not at all, 3 is the default.",
        optional(integer(0, 5)),
    )
    num_avg_timing_iters: int = _on(1, "Timings averaged per tactic.", checks.POSITIVE)
    max_aux_streams: int | None = _off(None, "Auxiliary streams.", _NO_TRT, optional(integer(0)))
    engine_capability: EngineCapability = _off(
        EngineCapability.STANDARD,
        "Restricted capability.",
        _NO_TRT,
        instance(EngineCapability, "an EngineCapability"),
    )
    version_compatible: bool = _off(
        False,
        "Engines readable by other versions.",
        "the plan file has had one format version so far, which every version here reads",
    )
    hardware_compatible: bool = _off(
        False,
        "Engines usable on other hardware.",
        "a plan for the CPU names kernels, whose instruction-set variant is chosen when it is "
        "loaded: it runs on any x86-64 machine, with the choices tuned where it was built; kernels "
        "for GPUs are compiled where they run",
    )
    tiling_optimization_level: str = _off(
        "none", "Tiling search.", _NO_TRT, one_of("none", "fast", "moderate", "full")
    )
    l2_limit_for_tiling: int = _off(-1, "L2 bytes for tiling.", _NO_TRT, integer(-1))
    dla_sram_size: int = _off(1048576, "DLA SRAM bytes.", _NO_DLA, checks.BYTES)
    dla_local_dram_size: int = _off(1073741824, "DLA local DRAM bytes.", _NO_DLA, checks.BYTES)
    dla_global_dram_size: int = _off(536870912, "DLA global DRAM bytes.", _NO_DLA, checks.BYTES)
    device: Device | None = _on(
        None,
        "Device the engines are built for; by default where the module and its inputs are.",
        optional(instance(Device, "a Device")),
    )

    # -- caching
    timing_cache_path: str = _on(
        os.path.join(default_cache_dir(), "timing_cache.bin"),
        "File of the timing cache; empty: none is kept.",
        checks.PATH,
    )
    cache_built_engines: bool = _on(False, "Store built engines in the engine cache.")
    reuse_cached_engines: bool = _on(
        False, "Take an engine from the cache instead of building the same one again."
    )
    engine_cache_dir: str = _on(
        os.path.join(default_cache_dir(), "engines"), "Folder of the engine cache.", checks.PATH
    )
    engine_cache_size: int = _on(
        5368709120,
        "Cap on the engine cache in bytes; least recently used engines go first.",
        checks.BYTES,
    )
    custom_engine_cache: Any = _on(
        None,
        "A BaseEngineCache of your own, used instead of the folder.",
        optional(checks.CACHE),
    )

    # -- refit
    immutable_weights: bool = _off(True, "Weights cannot be refitted.", _NOT_YET)
    refit_identical_engine_weights: bool = _off(False, "Refit with equal weights.", _NOT_YET)
    strip_engine_weights: bool = _off(False, "Engines without weights.", _NOT_YET)

    # -- memory
    enable_weight_streaming: bool = _off(False, "Stream weights from the host.", _NO_TRT)
    offload_module_to_cpu: bool = _off(False, "Move the module to the CPU while building.", _PACKED)
    lazy_engine_init: bool = _off(False, "Load engines late.", "loading takes no second copy")
    dynamically_allocate_resources: bool = _off(
        False, "Allocate activations per call.", "the arena grows to the shapes used"
    )

    # -- dynamic shapes, devices, debugging
    assume_dynamic_shape_support: bool = _on(
        False, "Treat every converter as capable of dynamic shapes."
    )
    use_distributed_mode_trace: bool = _off(False, "Trace for distributed use.", _NOT_YET)
    dryrun: bool | str = _on(
        False,
        "Report coverage and engines without building; a string is a path to write it to.",
        checks.BOOL_OR_PATH,
    )
    enable_cross_compile_for_windows: bool = _off(False, "Cross-compile.", _NOT_YET)

    def __post_init__(self) -> None:
        _check_values(self)

    def as_dict(self) -> dict[str, Any]:
        """Field name to value."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}


#: Old names of options, and names without a field: name -> (new name or None, message).
DEPRECATED: Mapping[str, tuple[str | None, str]] = {
    "truncate_long_and_double": ("truncate_double", "is now called truncate_double"),
    "refit": (None, "has no effect: engines are not refittable yet"),
    "make_refittable": (None, "has no effect: engines are not refittable yet"),
    "use_python_runtime": (None, "has no effect: there is one runtime"),
    "enabled_precisions": (
        None,
        "has no effect: an engine computes in the types of the module. Call model.half() or "
        "model.bfloat16() first, or pass enable_autocast=True",
    ),
    "use_explicit_typing": (None, "has no effect: an engine computes in the types of the module"),
    "debug": (None, "has no effect: use `with torch_tensorrt.logging.debug():`"),
}


def option_names() -> list[str]:
    """Names of all options."""
    return [f.name for f in dataclasses.fields(CompilationSettings)]


def validate_options(
    options: Mapping[str, Any], base: CompilationSettings | None = None
) -> CompilationSettings:
    """Settings from user keywords.

    Each option that changes nothing here says so once per process, at WARNING.

    Args:
        options: Option name to value. A value of None means "not given".
        base: Settings that ``options`` change; the defaults when None.

    Raises:
        InvalidOptionError: unknown name (the message has the nearest one), or a bad value.
    """
    known = {f.name: f for f in dataclasses.fields(CompilationSettings)}
    values: dict[str, Any] = {}
    for given, value in options.items():
        name: str | None = given
        if given in DEPRECATED:
            name, message = DEPRECATED[given]
            if given == "enabled_precisions":
                _check_precisions(value)
            _say_once(f"option '{given}' {message}")
        elif given not in known:
            raise InvalidOptionError(_unknown_message(given, list(known)))
        if name is None or value is None:
            continue
        value = _coerce(name, value)
        option = known[name]
        if option.metadata["effect"] != EFFECTIVE and value != option.default:
            _say_once(f"option '{name}' has no effect here: {option.metadata['effect']}")
        values[name] = value
    return dataclasses.replace(base or CompilationSettings(), **values)


def require_target(settings: CompilationSettings) -> None:
    """Refuse a device that no engine can be built for.

    Raises:
        InvalidOptionError: names the device and the way out.
    """
    device = settings.device
    if device is None or device.device_type is DeviceType.CPU:
        return
    if device.device_type is DeviceType.DLA:
        raise InvalidOptionError(
            f"[settings] device {device}: no engine is built for a DLA; use 'cuda' or 'cpu'"
        )
    if not torch.cuda.is_available():
        build = torch.version.cuda
        reason = "no CUDA driver or GPU" if build else "this PyTorch was built without CUDA"
        raise InvalidOptionError(
            f"[settings] device {device}: {reason}; drop the option, and move the module and its "
            "inputs to the CPU"
        )


def _unknown_message(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, [*known, *DEPRECATED], n=1, cutoff=0.6)
    hint = f"; did you mean '{near[0]}'?" if near else "; see CompilationSettings for the list"
    return f"[settings] unknown compilation option '{name}'{hint}"


@functools.cache
def _say_once(message: str) -> None:
    logger.warning(message)


def _coerce(name: str, value: Any) -> Any:
    """``value`` in the form that the field holds."""
    try:
        if name == "device":
            return Device._from(value)
        if name == "engine_capability":
            return EngineCapability._from(value)
        if name == "autocast_low_precision_type":
            return dtype._from(value).to(torch.dtype)
        if name.startswith(("torch_executed", "disabled_", "autocast_excluded")):
            return frozenset([value] if isinstance(value, str) or callable(value) else value)
    except (TypeError, ValueError) as error:
        raise InvalidOptionError(f"[settings] {name}: {error}") from error
    if name in ("engine_cache_dir", "timing_cache_path") and isinstance(value, os.PathLike):
        return os.fspath(value)
    return value


def _check_precisions(value: Any) -> None:
    """Raises InvalidOptionError for what is no dtype, though the option has no effect."""
    given = [] if value is None else value
    for item in given if isinstance(given, (set, frozenset, list, tuple)) else [given]:
        try:
            dtype._from(item)
        except (TypeError, ValueError) as error:
            raise InvalidOptionError(f"[settings] enabled_precisions: {error}") from error


def _check_values(settings: CompilationSettings) -> None:
    for option in dataclasses.fields(settings):
        problem = option.metadata["check"](getattr(settings, option.name))
        if problem is not None:
            raise InvalidOptionError(f"[settings] {option.name} {problem}")
    if settings.fallback_data_dependent_ops and settings.require_full_compilation:
        raise InvalidOptionError(
            "[settings] fallback_data_dependent_ops keeps operators in PyTorch, which "
            "require_full_compilation forbids; set one of them"
        )
