"""The model zoo: real architectures with seeded random weights and plain tensor signatures.

Every case is an ``nn.Module`` whose inputs and outputs are tensors (tuples of tensors), never
Hugging Face output or cache objects, so one module serves ``torch.export``, ``torch.compile``,
ONNX and this project alike. Key/value caches cross the boundary as tensors.

Typical use::

    case = make("bert_base", torch.float32, batch=1)
    exported = torch.export.export(case.module, case.inputs, strict=False)
    dynamic = torch.export.export(
        case.module, case.inputs, dynamic_shapes=export_dynamic_shapes(case), strict=False
    )
    other = example_inputs("bert_base", torch.float32, {"batch": 3, "seq": 57})

Weights, batch-norm statistics and inputs depend only on the seed, so two processes agree.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import nn

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read by transformers at import

from tools.perf import diffusion, vision, wrappers
from tools.perf.weights import repeated_normal

SEED = 20260


@dataclass(frozen=True)
class DynamicDim:
    """A named range for one dimension. Equal names mean equal sizes at run time."""

    name: str
    min: int
    opt: int
    max: int


DynamicDims = tuple[dict[int, DynamicDim], ...]


class Case(NamedTuple):
    """One zoo entry, ready to run.

    Attributes:
        module: The model in evaluation mode, floating-point weights in the requested dtype.
        inputs: Example inputs (positional), at the opt sizes and the requested batch.
        dynamic: For each input, the dimensions that may vary: dimension index -> range.
    """

    module: nn.Module
    inputs: tuple[torch.Tensor, ...]
    dynamic: DynamicDims


@dataclass(frozen=True)
class Spec:
    """How a zoo entry is built; ``build`` and ``inputs`` take ``small`` as their last argument."""

    build: Callable[[bool], nn.Module]
    inputs: Callable[[Mapping[str, int], torch.dtype, torch.Generator, bool], list[torch.Tensor]]
    dims: Callable[[bool], dict[str, DynamicDim]]
    layout: Callable[[bool], list[dict[int, str]]]


def _batch(low: int = 1) -> DynamicDim:
    return DynamicDim("batch", low, 1, 8)


def _image_spec(build: Callable[[bool], nn.Module], *, size: int, small_size: int) -> Spec:
    def inputs(
        sizes: Mapping[str, int], dtype: torch.dtype, gen: torch.Generator, small: bool
    ) -> list[torch.Tensor]:
        side = small_size if small else size
        return [torch.randn(sizes["batch"], 3, side, side, generator=gen).to(dtype)]

    return Spec(build, inputs, lambda small: {"batch": _batch()}, lambda small: [{0: "batch"}])


def _token_dims(name: str, opt: int, top: int) -> Callable[[bool], dict[str, DynamicDim]]:
    def dims(small: bool) -> dict[str, DynamicDim]:
        size = DynamicDim(name, 2, 16 if small else opt, 48 if small else top)
        return {"batch": _batch(), name: size}

    return dims


def _tokens(
    vocab: int, sizes: Mapping[str, int], length: int, gen: torch.Generator
) -> torch.Tensor:
    return torch.randint(0, vocab, (sizes["batch"], length), generator=gen)


def _bert_inputs(
    sizes: Mapping[str, int], dtype: torch.dtype, gen: torch.Generator, small: bool
) -> list[torch.Tensor]:
    ids = _tokens(wrappers.vocab_size("bert", small), sizes, sizes["seq"], gen)
    mask = torch.ones_like(ids)
    for row in range(1, sizes["batch"]):  # shorter sentences are padded, as in real batches
        mask[row, max(1, sizes["seq"] - 3 * row) :] = 0
    return [ids, mask]


def _prefill_spec(family: str, build: Callable[[bool], nn.Module], opt: int) -> Spec:
    def inputs(
        sizes: Mapping[str, int], dtype: torch.dtype, gen: torch.Generator, small: bool
    ) -> list[torch.Tensor]:
        return [_tokens(wrappers.vocab_size(family, small), sizes, sizes["seq"], gen)]

    return Spec(
        build,
        inputs,
        _token_dims("seq", opt, 4 * opt),
        lambda small: [{0: "batch", 1: "seq"}],
    )


def _normal(shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    return torch.randn(shape, generator=generator)


def _decode_spec(family: str, build: Callable[[bool], nn.Module], opt: int) -> Spec:
    def inputs(
        sizes: Mapping[str, int], dtype: torch.dtype, gen: torch.Generator, small: bool
    ) -> list[torch.Tensor]:
        layers, heads, width = wrappers.cache_geometry(family, small)
        shape = (sizes["batch"], heads, sizes["past"], width)
        ids = _tokens(wrappers.vocab_size(family, small), sizes, 1, gen)
        large = 2 * layers * torch.Size(shape).numel() > 1 << 27
        draw = repeated_normal if large else _normal
        cache = [draw(shape, gen).to(dtype) for _ in range(2 * layers)]
        return [ids, *cache]

    def layout(small: bool) -> list[dict[int, str]]:
        layers, _, _ = wrappers.cache_geometry(family, small)
        return [{0: "batch"}, *({0: "batch", 2: "past"} for _ in range(2 * layers))]

    return Spec(build, inputs, _token_dims("past", opt, 4 * opt), layout)


def _whisper_inputs(
    sizes: Mapping[str, int], dtype: torch.dtype, gen: torch.Generator, small: bool
) -> list[torch.Tensor]:
    frames = 64 if small else 3000
    return [torch.randn(sizes["batch"], 80, frames, generator=gen).to(dtype)]


def _unet_inputs(
    sizes: Mapping[str, int], dtype: torch.dtype, gen: torch.Generator, small: bool
) -> list[torch.Tensor]:
    channels, side, embed = (32, 8, 64) if small else (320, 32, 1280)
    latent = torch.randn(sizes["batch"], channels, side, side, generator=gen)
    time = torch.randn(sizes["batch"], embed, generator=gen)
    return [latent.to(dtype), time.to(dtype)]


def _diffusion_inputs(
    sizes: Mapping[str, int], dtype: torch.dtype, gen: torch.Generator, small: bool
) -> list[torch.Tensor]:
    side, length, width = (8, 7, 48) if small else (64, 77, 768)
    latent = torch.randn(sizes["batch"], 4, side, side, generator=gen)
    steps = torch.randint(1, 1000, (sizes["batch"],), generator=gen)
    text = torch.randn(sizes["batch"], length, width, generator=gen)
    return [latent.to(dtype), steps.to(dtype), text.to(dtype)]


SPECS: Mapping[str, Spec] = {
    "resnet50": _image_spec(wrappers.resnet50, size=224, small_size=64),
    "mobilenetv2": _image_spec(wrappers.mobilenet_v2, size=224, small_size=64),
    "convnext_t": _image_spec(wrappers.convnext_tiny, size=224, small_size=64),
    "vit_b16": _image_spec(wrappers.vit_b16, size=224, small_size=32),
    "swin_t": _image_spec(wrappers.swin_tiny, size=224, small_size=56),
    "bert_base": Spec(
        wrappers.bert_base,
        _bert_inputs,
        _token_dims("seq", 128, 512),
        lambda small: [{0: "batch", 1: "seq"}, {0: "batch", 1: "seq"}],
    ),
    "gpt2_prefill": _prefill_spec("gpt2", wrappers.gpt2, 128),
    "gpt2_decode": _decode_spec("gpt2", wrappers.gpt2, 128),
    "llama4_prefill": _prefill_spec("llama4", wrappers.llama4, 64),
    "llama4_decode": _decode_spec("llama4", wrappers.llama4, 64),
    "whisper_encoder": Spec(
        wrappers.whisper_encoder,
        _whisper_inputs,
        lambda small: {"batch": _batch()},
        lambda small: [{0: "batch"}],
    ),
    "unet_block": Spec(
        wrappers.unet_block,
        _unet_inputs,
        lambda small: {"batch": _batch()},
        lambda small: [{0: "batch"}, {0: "batch"}],
    ),
    "mobilenetv3_l": _image_spec(vision.mobilenet_v3, size=224, small_size=64),
    "efficientnet_b0": _image_spec(vision.efficientnet_b0, size=224, small_size=64),
    "gpt2_512": _prefill_spec("gpt2", wrappers.gpt2, 512),
    "llama8_prefill": _prefill_spec("llama8", wrappers.llama8, 512),
    "llama8_decode": _decode_spec("llama8", wrappers.llama8, 2048),
    "sd_unet": Spec(
        diffusion.sd_unet,
        _diffusion_inputs,
        lambda small: {"batch": _batch()},
        lambda small: [{0: "batch"}, {0: "batch"}, {0: "batch"}],
    ),
}

MODEL_NAMES: tuple[str, ...] = tuple(SPECS)
# Billions of weights or operations: too much for a benchmark of all models on a CPU.
LARGE_NAMES: tuple[str, ...] = ("sd_unet", "llama8_prefill", "llama8_decode")


def _spec(name: str) -> Spec:
    try:
        return SPECS[name]
    except KeyError:
        raise ValueError(f"unknown model {name!r}; choose from {', '.join(MODEL_NAMES)}") from None


def example_inputs(
    name: str,
    dtype: torch.dtype,
    sizes: Mapping[str, int] | None = None,
    *,
    small: bool = False,
    seed: int = SEED,
) -> tuple[torch.Tensor, ...]:
    """Seeded inputs for a model at the given sizes.

    Args:
        name: A zoo name.
        dtype: dtype of floating-point inputs; token ids stay int64.
        sizes: Dimension name -> size; missing names take their opt size.
        small: Inputs for the tiny configuration.
        seed: Seed of the inputs.

    Raises:
        ValueError: Unknown model or dimension name.
    """
    spec = _spec(name)
    full = {key: dim.opt for key, dim in spec.dims(small).items()}
    unknown = set(sizes or {}) - set(full)
    if unknown:
        raise ValueError(f"{name} has no dimension {sorted(unknown)}; it has {sorted(full)}")
    full.update(sizes or {})
    generator = torch.Generator().manual_seed(seed)
    return tuple(spec.inputs(full, dtype, generator, small))


def make(
    name: str, dtype: torch.dtype = torch.float32, batch: int = 1, small: bool = False
) -> Case:
    """Build a zoo model with example inputs.

    Args:
        name: One of ``MODEL_NAMES``.
        dtype: Floating-point dtype of weights and inputs. Weights are drawn in float32 and then
            converted, so every dtype sees the same model.
        batch: Batch size of the example inputs.
        small: A tiny configuration of the same architecture (for tests).

    Raises:
        ValueError: Unknown name.
    """
    spec = _spec(name)
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        module = spec.build(small)
        wrappers.randomise_statistics(module, example_inputs(name, torch.float32, small=small))
    module = module.to(dtype).eval().requires_grad_(False)
    inputs = example_inputs(name, dtype, {"batch": batch}, small=small)
    return Case(module, inputs, _dynamic_dims(spec, small))


def _dynamic_dims(spec: Spec, small: bool) -> DynamicDims:
    dims = spec.dims(small)
    return tuple({i: dims[n] for i, n in entry.items()} for entry in spec.layout(small))


def dynamic_dims(name: str, small: bool = False) -> DynamicDims:
    """The ranges of a model's dynamic dimensions, one dict per input (see ``Case.dynamic``)."""
    return _dynamic_dims(_spec(name), small)


def export_dynamic_shapes(case: Case) -> dict[str, Any]:
    """``dynamic_shapes`` for ``torch.export.export(case.module, case.inputs, ...)``.

    Keyed by parameter name; the cache tensors of the decode models arrive through ``*past`` and
    so form one tuple.
    """
    dims: dict[str, Any] = {}
    for entry in case.dynamic:
        for dim in entry.values():
            dims.setdefault(dim.name, torch.export.Dim(dim.name, min=dim.min, max=dim.max))
    entries = [{i: dims[d.name] for i, d in entry.items()} for entry in case.dynamic]
    bound = inspect.signature(case.module.forward).bind(*entries)
    return dict(bound.arguments)
