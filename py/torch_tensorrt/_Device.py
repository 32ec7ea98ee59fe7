"""The device an engine is built for."""

from __future__ import annotations

from typing import Any

import torch

from torch_tensorrt._enums import DeviceType


class Device:
    """A device, parsed from text or keywords; no hardware is touched.

    Forms: ``Device()`` and ``Device("cpu")`` are the CPU; ``Device("cuda:0")``, ``Device("gpu:1")``
    and
    ``Device(gpu_id=1)`` are GPUs; ``Device("dla:0", allow_gpu_fallback=True)`` parses, but no
    engine is built for a DLA. A ``torch.device`` is accepted as well.

    Raises:
        ValueError: the text or the combination of keywords names no device.
    """

    def __init__(
        self,
        spec: str | torch.device | Device | None = None,
        *,
        gpu_id: int = -1,
        dla_core: int = -1,
        allow_gpu_fallback: bool = False,
        device_type: DeviceType | None = None,
    ) -> None:
        self.device_type: DeviceType
        self.allow_gpu_fallback = bool(allow_gpu_fallback)
        self.gpu_id = int(gpu_id)
        self.dla_core = int(dla_core)
        if spec is not None and (gpu_id != -1 or dla_core != -1):
            raise ValueError("[device] give either a device text or gpu_id/dla_core, not both")
        if isinstance(spec, Device):
            self.device_type, self.gpu_id = spec.device_type, spec.gpu_id
            self.dla_core = spec.dla_core
            self.allow_gpu_fallback = spec.allow_gpu_fallback
        elif spec is not None:
            self._parse(str(spec))
        elif dla_core != -1:
            self.device_type = DeviceType.DLA
            self.gpu_id = max(self.gpu_id, 0)
        elif gpu_id != -1:
            self.device_type = DeviceType.GPU
        else:
            self.device_type = device_type or DeviceType.CPU
            if self.device_type is not DeviceType.CPU:
                self.gpu_id = 0
        if self.gpu_id < -1 or self.dla_core < -1:
            raise ValueError(f"[device] negative index in gpu_id={gpu_id}, dla_core={dla_core}")

    def _parse(self, spec: str) -> None:
        kind, _, index = spec.strip().lower().partition(":")
        try:
            self.device_type = DeviceType._from(kind)
            number = int(index) if index else 0
        except (TypeError, ValueError):
            raise ValueError(
                f"[device] {spec!r} names no device; examples: 'cpu', 'cuda:0', 'gpu:1', 'dla:0'"
            ) from None
        if self.device_type is DeviceType.CPU:
            if number != 0:
                raise ValueError(f"[device] {spec!r}: there is one CPU device, 'cpu'")
        elif self.device_type is DeviceType.DLA:
            self.dla_core, self.gpu_id = number, 0
        else:
            self.gpu_id = number

    @classmethod
    def _from(cls, d: Any) -> Device:
        """``d`` as a Device; None is the CPU."""
        return d if isinstance(d, Device) else cls(d)

    @classmethod
    def _from_torch_device(cls, torch_dev: torch.device) -> Device:
        return cls(torch_dev)

    @classmethod
    def _current_device(cls) -> Device:
        """The current CUDA device when one is initialised, else the CPU."""
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            return cls(gpu_id=torch.cuda.current_device())
        return cls("cpu")

    def to(self, t: Any) -> Any:
        """This device as ``torch.device`` (or itself for ``Device``).

        Raises:
            TypeError: ``t`` is no device class.
        """
        if t is torch.device or isinstance(t, torch.device):
            if self.device_type is DeviceType.CPU:
                return torch.device("cpu")
            return torch.device("cuda", max(self.gpu_id, 0))
        if t is Device or isinstance(t, Device):
            return self
        raise TypeError(f"[device] cannot convert to {t!r}")

    def _key(self) -> tuple[DeviceType, int, int, bool]:
        return (self.device_type, self.gpu_id, self.dla_core, self.allow_gpu_fallback)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        if self.device_type is DeviceType.CPU:
            return "Device('cpu')"
        if self.device_type is DeviceType.DLA:
            return f"Device('dla:{self.dla_core}', allow_gpu_fallback={self.allow_gpu_fallback})"
        return f"Device('cuda:{self.gpu_id}')"

    __str__ = __repr__
