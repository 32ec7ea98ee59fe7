"""The torch.compile backend."""

from torch_tensorrt.dynamo.backend.backends import (
    BACKEND_NAMES,
    register,
    torch_tensorrt_backend,
)

__all__ = ["BACKEND_NAMES", "register", "torch_tensorrt_backend"]
