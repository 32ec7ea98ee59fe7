"""Why a Core ATen operator runs in PyTorch and not in an engine."""

from __future__ import annotations

_BACKWARD = "it computes gradients, and engines are for inference"
_RANDOM = "its numbers must come from PyTorch's own generator, so that seeds mean the same"
_NUMBER = "it gives a number of the program, not a tensor"
_STORAGE = "its result depends on how storage is laid out, which engines do not share"

#: Qualified operator name to reason. Only operators that have neither a converter nor a
#: decomposition; ``tests/tools/test_opset_coverage.py`` fails when one gets either.
LEFT_IN_TORCH: dict[str, str] = {
    "aten._adaptive_avg_pool2d_backward.default": _BACKWARD,
    "aten.avg_pool2d_backward.default": _BACKWARD,
    "aten.convolution_backward.default": _BACKWARD,
    "aten._fft_c2r.default": "engines have no complex numbers",
    "aten._fft_r2c.default": "engines have no complex numbers",
    "aten._local_scalar_dense.default": _NUMBER,
    "aten.sym_numel.default": _NUMBER,
    "aten.sym_storage_offset.default": _NUMBER,
    "aten.as_strided.default": _STORAGE,
    "aten.resize_.default": _STORAGE,
    "aten.atan2.out": "it writes to one of its inputs; the functional form has a converter",
    "aten.rand.default": _RANDOM,
    "aten.randn.default": _RANDOM,
    "aten.randperm.default": _RANDOM,
}
