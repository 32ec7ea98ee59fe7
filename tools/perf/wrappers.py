"""Modules behind the model zoo: `transformers` architectures with tensor-only signatures.

Each builder takes ``small`` (a tiny configuration of the same architecture) and draws its weights
from the global random generator, which ``models.make`` seeds.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from transformers import (
    AttentionInterface,
    BertConfig,
    BertModel,
    ConvNextConfig,
    ConvNextForImageClassification,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MobileNetV2Config,
    MobileNetV2ForImageClassification,
    ResNetConfig,
    ResNetForImageClassification,
    SwinConfig,
    SwinForImageClassification,
    ViTConfig,
    ViTForImageClassification,
    WhisperConfig,
)
from transformers.cache_utils import DynamicCache, DynamicLayer
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from tools.perf.weights import build_large

Tensors = tuple[torch.Tensor, ...]

_SMALL_VOCAB = {"vocab_size": 211, "bos_token_id": 0, "eos_token_id": 0}


class ImageClassifier(nn.Module):
    """Pixels ``[N, 3, H, W]`` to logits ``[N, classes]``."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        return self.model(pixel_values=pixel_values, return_dict=False)[0]


class TextEncoder(nn.Module):
    """Token ids and mask ``[N, S]`` to hidden states ``[N, S, C]`` and pooled ``[N, C]``."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Tensors:
        hidden, pooled = self.model(
            input_ids=input_ids, attention_mask=attention_mask, return_dict=False
        )[:2]
        return hidden, pooled


class CausalLM(nn.Module):
    """Decoder whose key/value cache is a flat list of tensors ``k0, v0, k1, v1, ...``.

    ``forward(ids)`` is prefill; ``forward(ids, k0, v0, ...)`` continues from a cache of shape
    ``[N, heads, past, head_dim]`` per tensor. Returns logits ``[N, S, vocab]`` and the cache
    grown by S.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, *past: torch.Tensor) -> Tensors:
        cache = _cache_from(past) if past else DynamicCache(config=self.model.config)
        logits = self.model(
            input_ids=input_ids, past_key_values=cache, use_cache=True, return_dict=True
        ).logits
        grown = [tensor for layer in cache.layers for tensor in (layer.keys, layer.values)]
        return logits, *grown


def _grouped_attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **unused: Any,
) -> tuple[torch.Tensor, None]:
    # The library repeats key/value heads when a mask is given; torch.export cannot prove a stride
    # guard of that repeat for a cache of dynamic length. Grouped heads need no repeat.
    causal = False
    if attention_mask is None and query.shape[2] > 1:  # a branch: the operator takes no SymBool
        causal = True
    mixed = F.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=attention_mask,
        is_causal=causal,
        scale=scaling,
        enable_gqa=True,
    )
    return mixed.transpose(1, 2).contiguous(), None


AttentionInterface.register("grouped_sdpa", _grouped_attention)
AttentionMaskInterface.register("grouped_sdpa", sdpa_mask)


@contextlib.contextmanager
def repeated_heads(module: nn.Module) -> Iterator[None]:
    """Let a grouped-query model repeat its key/value heads, for importers without grouped heads."""
    configs = {id(c): c for m in module.modules() if (c := getattr(m, "config", None)) is not None}
    grouped = [c for c in configs.values() if c._attn_implementation == "grouped_sdpa"]
    for config in grouped:
        config._attn_implementation = "sdpa"
    try:
        yield
    finally:
        for config in grouped:
            config._attn_implementation = "grouped_sdpa"


def _cache_from(past: Tensors) -> DynamicCache:
    # Fields are set directly: DynamicCache.update() would concatenate onto an empty tensor.
    cache = DynamicCache()
    for keys, values in zip(past[0::2], past[1::2], strict=True):
        layer = DynamicLayer()
        layer.keys, layer.values = keys, values
        layer.dtype, layer.device, layer.is_initialized = keys.dtype, keys.device, True
        cache.layers.append(layer)
    return cache


class AudioEncoder(nn.Module):
    """Mel features ``[N, 80, T]`` to hidden states ``[N, T / 2, C]``."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_features: torch.Tensor) -> torch.Tensor:
        return self.model(input_features, return_dict=False)[0]


class ResidualBlock(nn.Module):
    """Group norm, SiLU and convolution twice, with a time embedding added between."""

    def __init__(self, channels: int, out_channels: int, embed: int, groups: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, channels, eps=1e-5)
        self.conv1 = nn.Conv2d(channels, out_channels, 3, padding=1)
        self.time = nn.Linear(embed, out_channels)
        self.norm2 = nn.GroupNorm(groups, out_channels, eps=1e-5)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.skip = nn.Conv2d(channels, out_channels, 1)

    def forward(self, x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        hidden = self.conv1(F.silu(self.norm1(x)))
        hidden = hidden + self.time(F.silu(time))[:, :, None, None]
        hidden = self.conv2(F.silu(self.norm2(hidden)))
        return self.skip(x) + hidden


class SpatialAttention(nn.Module):
    """Self-attention over the pixels of a feature map ``[N, C, H, W]``, with a residual."""

    def __init__(self, channels: int, heads: int, groups: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(groups, channels, eps=1e-6)
        self.query = nn.Linear(channels, channels, bias=False)
        self.key = nn.Linear(channels, channels, bias=False)
        self.value = nn.Linear(channels, channels, bias=False)
        self.out = nn.Linear(channels, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, channels, height, width = x.shape
        tokens = self.norm(x).flatten(2).transpose(1, 2)
        split = (batch, height * width, self.heads, channels // self.heads)
        query, key, value = (
            layer(tokens).view(split).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        mixed = F.scaled_dot_product_attention(query, key, value)
        mixed = self.out(mixed.transpose(1, 2).reshape(batch, height * width, channels))
        return x + mixed.transpose(1, 2).reshape(batch, channels, height, width)


class UNetBlock(nn.Module):
    """An up block as in latent diffusion: residual block, attention, nearest upsample, conv.

    Inputs: latent ``[N, C, H, W]`` and time embedding ``[N, E]``; output ``[N, C, 2H, 2W]``.
    """

    def __init__(self, channels: int, wide: int, embed: int, heads: int, groups: int) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(channels, channels, 3, padding=1)
        self.residual = ResidualBlock(channels, wide, embed, groups)
        self.attention = SpatialAttention(wide, heads, groups)
        self.conv_out = nn.Conv2d(wide, channels, 3, padding=1)

    def forward(self, latent: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        x = self.residual(self.conv_in(latent), time)
        x = F.interpolate(self.attention(x), scale_factor=2.0, mode="nearest")
        return self.conv_out(x)


def _sdpa(config: Any, implementation: str = "sdpa") -> Any:
    config._attn_implementation = implementation
    return config


def resnet50(small: bool) -> nn.Module:
    """ResNet-50, or four one-bottleneck stages."""
    if small:
        sizes = {"embedding_size": 16, "hidden_sizes": [32, 48, 64, 96], "depths": [1, 1, 1, 1]}
        config = ResNetConfig(**sizes, layer_type="bottleneck", num_labels=10)
    else:
        config = ResNetConfig(num_labels=1000)  # the library's defaults are ResNet-50
    return ImageClassifier(ResNetForImageClassification(config))


def mobilenet_v2(small: bool) -> nn.Module:
    """MobileNetV2 1.0 at 224, or a quarter-width one."""
    config = MobileNetV2Config(
        depth_multiplier=0.25 if small else 1.0, num_labels=10 if small else 1000
    )
    return ImageClassifier(MobileNetV2ForImageClassification(config))


def convnext_tiny(small: bool) -> nn.Module:
    """ConvNeXt-T, or a four-block one."""
    if small:
        config = ConvNextConfig(hidden_sizes=[16, 24, 32, 48], depths=[1, 1, 1, 1], num_labels=10)
    else:
        config = ConvNextConfig(num_labels=1000)
    return ImageClassifier(ConvNextForImageClassification(config))


def vit_b16(small: bool) -> nn.Module:
    """ViT-B/16, or two narrow layers on 32x32 images."""
    if small:
        sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
        config = ViTConfig(**sizes, intermediate_size=128, image_size=32, patch_size=8)
        config.num_labels = 10
    else:
        config = ViTConfig(num_labels=1000)
    return ImageClassifier(ViTForImageClassification(_sdpa(config)))


def swin_tiny(small: bool) -> nn.Module:
    """Swin-T, or two narrow stages (with a shifted window) on 56x56 images."""
    if small:
        sizes = {"embed_dim": 24, "depths": [2, 2], "num_heads": [2, 4], "image_size": 56}
        config = SwinConfig(**sizes, window_size=7, num_labels=10)
    else:
        sizes = {"embed_dim": 96, "depths": [2, 2, 6, 2], "num_heads": [3, 6, 12, 24]}
        config = SwinConfig(**sizes, image_size=224, window_size=7, num_labels=1000)
    return ImageClassifier(SwinForImageClassification(_sdpa(config)))


def _bert_config(small: bool) -> BertConfig:
    if not small:
        return BertConfig()
    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    return BertConfig(**sizes, intermediate_size=128, vocab_size=211, max_position_embeddings=64)


def bert_base(small: bool) -> nn.Module:
    """BERT-base encoder with pooler, or two narrow layers."""
    return TextEncoder(BertModel(_sdpa(_bert_config(small))))


def _gpt2_config(small: bool) -> GPT2Config:
    if not small:
        return GPT2Config()
    return GPT2Config(n_embd=64, n_layer=2, n_head=4, **_SMALL_VOCAB, n_positions=64)


def gpt2(small: bool) -> nn.Module:
    """GPT-2 124M with language-model head, or two narrow layers."""
    return CausalLM(GPT2LMHeadModel(_sdpa(_gpt2_config(small))))


def _llama_config(small: bool) -> LlamaConfig:
    if small:
        sizes = {"hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 2}
        heads = {"num_attention_heads": 4, "num_key_value_heads": 2}
        return LlamaConfig(**sizes, **heads, **_SMALL_VOCAB, max_position_embeddings=64)
    sizes = {"hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 4}
    heads = {"num_attention_heads": 32, "num_key_value_heads": 4}
    return LlamaConfig(**sizes, **heads, vocab_size=32000, max_position_embeddings=2048)


def llama4(small: bool) -> nn.Module:
    """Four Llama layers of hidden size 2048 (32 query, 4 key/value heads), or two narrow ones."""
    return CausalLM(LlamaForCausalLM(_sdpa(_llama_config(small), "grouped_sdpa")))


def _llama8_config(small: bool) -> LlamaConfig:
    if small:
        return _llama_config(True)
    sizes = {"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 8}
    heads = {"num_attention_heads": 32, "num_key_value_heads": 8}
    return LlamaConfig(**sizes, **heads, vocab_size=32000, max_position_embeddings=4096)


def llama8(small: bool) -> nn.Module:
    """Eight layers of Llama-8B (hidden size 4096, 32 query, 8 key/value heads), or two narrow."""
    config = _sdpa(_llama8_config(small), "grouped_sdpa")
    if small:
        return CausalLM(LlamaForCausalLM(config))
    module = CausalLM(build_large(lambda: LlamaForCausalLM(config)))
    rotary = module.model.model.rotary_emb
    module.model.model.rotary_emb = type(rotary)(config)  # its frequencies were not kept
    return module


def whisper_encoder(small: bool) -> nn.Module:
    """Whisper-tiny's encoder on 30 s of audio, or two narrow layers on 64 frames."""
    if small:
        sizes = {"d_model": 64, "encoder_layers": 2, "encoder_attention_heads": 4}
        config = WhisperConfig(**sizes, encoder_ffn_dim=128, max_source_positions=32)
    else:
        sizes = {"d_model": 384, "encoder_layers": 4, "encoder_attention_heads": 6}
        config = WhisperConfig(**sizes, encoder_ffn_dim=1536)
    return AudioEncoder(WhisperEncoder(_sdpa(config)))


def unet_block(small: bool) -> nn.Module:
    """320 to 640 channels with a 1280-wide time embedding, or a tenth of that."""
    if small:
        return UNetBlock(channels=32, wide=64, embed=64, heads=4, groups=8)
    return UNetBlock(channels=320, wide=640, embed=1280, heads=8, groups=32)


def vocab_size(family: str, small: bool) -> int:
    """Vocabulary of a text family ("bert", "gpt2", "llama4", "llama8")."""
    configs = {
        "bert": _bert_config,
        "gpt2": _gpt2_config,
        "llama4": _llama_config,
        "llama8": _llama8_config,
    }
    return int(configs[family](small).vocab_size)


def cache_geometry(family: str, small: bool) -> tuple[int, int, int]:
    """Layers, key/value heads and head width of a decoder family ("gpt2", "llama4", "llama8")."""
    if family == "gpt2":
        gpt = _gpt2_config(small)
        return gpt.n_layer, gpt.n_head, gpt.n_embd // gpt.n_head
    config = _llama8_config(small) if family == "llama8" else _llama_config(small)
    width = config.hidden_size // config.num_attention_heads
    return config.num_hidden_layers, config.num_key_value_heads, width


@torch.no_grad()
def randomise_statistics(module: nn.Module, inputs: Tensors) -> None:
    """Make normalisation and biases non-trivial, as training would.

    Fresh modules have unit scales, zero biases and batch-norm statistics of (0, 1), under which a
    compiler that dropped any of them would still look right.
    """
    for parameter in module.parameters():
        if parameter.dim() == 1:
            parameter.add_(0.1 * torch.randn_like(parameter))
    norms = [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
    handles = [norm.register_forward_pre_hook(_set_batch_norm_statistics) for norm in norms]
    if handles:
        module.eval()
        module(*inputs)
    for handle in handles:
        handle.remove()


def _set_batch_norm_statistics(norm: nn.BatchNorm2d, args: Tensors) -> None:
    # One scale for all channels, with a jitter: true per-channel statistics of an untrained
    # network amplify rounding from layer to layer until half precision is noise.
    assert norm.running_var is not None
    assert norm.running_mean is not None
    variance = args[0].var()
    count = norm.num_features
    norm.running_var.copy_(variance * (0.8 + 0.4 * torch.rand(count)))
    norm.running_mean.copy_(0.1 * variance.sqrt() * torch.randn(count))
