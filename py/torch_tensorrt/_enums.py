"""Enumerations of the public API: dtype, memory_format, DeviceType, EngineCapability, Platform."""

from __future__ import annotations

import platform as _platform
import sys
from enum import Enum, auto
from typing import Any

import torch


class dtype(Enum):  # noqa: N801
    """Element types of engine inputs, outputs and weights.

    ``dtype._from(x)`` accepts a torch dtype, a numpy dtype or another member;
    ``member.to(torch.dtype)`` gives the PyTorch type back.
    """

    unknown = auto()
    u8 = auto()
    i8 = auto()
    i16 = auto()
    i32 = auto()
    i64 = auto()
    f16 = auto()
    f32 = auto()
    f64 = auto()
    b = auto()
    bf16 = auto()
    f8 = auto()
    f8e5m2 = auto()
    f4 = auto()
    u16 = auto()
    u32 = auto()
    u64 = auto()
    c64 = auto()
    c128 = auto()

    uint8 = u8
    int8 = i8
    int16 = i16
    short = i16
    int32 = i32
    int = i32
    int64 = i64
    long = i64
    float16 = f16
    half = f16
    fp16 = f16
    float32 = f32
    float = f32
    fp32 = f32
    float64 = f64
    double = f64
    fp64 = f64
    bool = b
    bfloat16 = bf16
    float8 = f8
    fp8 = f8
    float4 = f4
    fp4 = f4
    uint16 = u16
    uint32 = u32
    uint64 = u64
    complex64 = c64
    complex128 = c128

    @classmethod
    def _from(cls, t: Any, use_default: Any = False) -> dtype:
        """The member for ``t``.

        Raises:
            TypeError: ``t`` names no element type known here and ``use_default`` is false.
        """
        found = cls.try_from(t, use_default)
        if found is None:
            raise TypeError(
                f"{t!r} is not an element type; use a torch, numpy or torch_tensorrt dtype"
            )
        return found

    @classmethod
    def try_from(cls, t: Any, use_default: Any = False) -> dtype | None:
        """Like :meth:`_from`, but gives None (or float32 with ``use_default``) for the unknown."""
        if isinstance(t, dtype):
            return t
        torch_type = t if isinstance(t, torch.dtype) else _torch_from_numpy(t)
        if torch_type in _FROM_TORCH:
            return _FROM_TORCH[torch_type]
        return cls.f32 if use_default else None

    def to(self, t: Any, use_default: Any = False) -> Any:
        """This type as ``torch.dtype``, ``numpy.dtype`` or ``torch_tensorrt.dtype``.

        Raises:
            TypeError: the target system has no such type and ``use_default`` is false.
        """
        found = self.try_to(t, use_default)
        if found is None:
            raise TypeError(f"{self.name} has no equivalent in {t!r}")
        return found

    def try_to(self, t: Any, use_default: Any = False) -> Any:
        """Like :meth:`to`, but gives None (or the system's float32) where there is no
        equivalent."""
        if t is dtype or isinstance(t, dtype):
            return self
        torch_type = _TO_TORCH.get(self)
        if torch_type is None and use_default:
            torch_type = torch.float32
        if t is torch.dtype or isinstance(t, torch.dtype):
            return torch_type
        return None if torch_type is None else _numpy_from_torch(torch_type, t)

    def __eq__(self, other: object) -> Any:
        return self is dtype.try_from(other)

    def __hash__(self) -> Any:
        return hash(self.value)

    def __repr__(self) -> str:
        return f"dtype.{self.name}"


_TO_TORCH: dict[dtype, torch.dtype] = {
    dtype.u8: torch.uint8,
    dtype.i8: torch.int8,
    dtype.i16: torch.int16,
    dtype.i32: torch.int32,
    dtype.i64: torch.int64,
    dtype.f16: torch.float16,
    dtype.f32: torch.float32,
    dtype.f64: torch.float64,
    dtype.b: torch.bool,
    dtype.bf16: torch.bfloat16,
    dtype.f8: torch.float8_e4m3fn,
    dtype.f8e5m2: torch.float8_e5m2,
    dtype.u16: torch.uint16,
    dtype.u32: torch.uint32,
    dtype.u64: torch.uint64,
    dtype.c64: torch.complex64,
    dtype.c128: torch.complex128,
}
_FROM_TORCH = {value: key for key, value in _TO_TORCH.items()}


def _torch_from_numpy(t: Any) -> torch.dtype | None:
    name = getattr(t, "name", None) or getattr(t, "__name__", None) or t
    if not isinstance(name, str):
        return None
    name = {"bool_": "bool", "str": "", "int": "int64", "float": "float32"}.get(name, name)
    found = getattr(torch, name, None)
    return found if isinstance(found, torch.dtype) else None


def _numpy_from_torch(torch_type: torch.dtype, target: Any) -> Any:
    numpy = sys.modules.get("numpy")
    if numpy is None or getattr(target, "__module__", "").split(".")[0] != "numpy":
        return None
    try:
        return numpy.dtype(str(torch_type).removeprefix("torch."))
    except TypeError:
        return None


class memory_format(Enum):  # noqa: N801
    """Layout of a tensor; only the first three exist in PyTorch, the others are accepted
    spellings."""

    contiguous = auto()
    channels_last = auto()
    channels_last_3d = auto()
    cw2 = auto()
    hwc8 = auto()
    chw4 = auto()
    chw16 = auto()
    chw32 = auto()
    dhwc8 = auto()
    cdhw32 = auto()
    dla_linear = auto()
    dla_hwc4 = auto()
    hwc16 = auto()

    linear = contiguous
    hwc = channels_last
    dhwc = channels_last_3d
    chw2 = cw2

    @classmethod
    def _from(cls, f: Any) -> memory_format:
        """The member for a torch or torch_tensorrt memory format.

        Raises:
            TypeError: ``f`` is no memory format.
        """
        found = cls.try_from(f)
        if found is None:
            raise TypeError(f"{f!r} is not a memory format")
        return found

    @classmethod
    def try_from(cls, f: Any) -> memory_format | None:
        """Like :meth:`_from`, but gives None for the unknown."""
        if isinstance(f, memory_format):
            return f
        return {
            torch.contiguous_format: cls.contiguous,
            torch.channels_last: cls.channels_last,
            torch.channels_last_3d: cls.channels_last_3d,
        }.get(f)

    def to(self, t: Any) -> Any:
        """This format as ``torch.memory_format``.

        Raises:
            TypeError: PyTorch has no such layout.
        """
        found = self.try_to(t)
        if found is None:
            raise TypeError(f"memory format {self.name} has no equivalent in PyTorch")
        return found

    def try_to(self, t: Any) -> Any:
        """Like :meth:`to`, but gives None where there is no equivalent."""
        if t is memory_format or isinstance(t, memory_format):
            return self
        return {
            memory_format.contiguous: torch.contiguous_format,
            memory_format.channels_last: torch.channels_last,
            memory_format.channels_last_3d: torch.channels_last_3d,
        }.get(self)

    def __eq__(self, other: object) -> bool:
        return self is memory_format.try_from(other)

    def __hash__(self) -> int:
        return hash(self.value)


class DeviceType(Enum):
    """Kind of device. DLA is an accepted spelling: no engine is built for it."""

    UNKNOWN = auto()
    CPU = auto()
    GPU = auto()
    DLA = auto()

    @classmethod
    def _from(cls, d: Any) -> DeviceType:
        """The member for ``"cpu"``, ``"cuda"``, ``"gpu"``, ``"dla"``, a torch.device or a member.

        Raises:
            TypeError: the text names no device type.
        """
        if isinstance(d, DeviceType):
            return d
        text = d.type if isinstance(d, torch.device) else str(d).lower()
        names = {"cpu": cls.CPU, "cuda": cls.GPU, "gpu": cls.GPU, "dla": cls.DLA}
        if text not in names:
            raise TypeError(f"{d!r} is not a device type; known are cpu, cuda (gpu) and dla")
        return names[text]

    def to(self, t: Any) -> Any:
        """``torch.device`` of this type, or the member itself."""
        if t is torch.device or isinstance(t, torch.device):
            return torch.device("cpu" if self is DeviceType.CPU else "cuda")
        return self


class EngineCapability(Enum):
    """Engine restriction; STANDARD is the only one that has an effect."""

    STANDARD = auto()
    SAFETY = auto()
    DLA_STANDALONE = auto()

    @classmethod
    def _from(cls, c: Any) -> EngineCapability:
        """The member for a name or a member.

        Raises:
            TypeError: unknown name.
        """
        if isinstance(c, EngineCapability):
            return c
        name = str(getattr(c, "name", c)).upper()
        if name not in cls.__members__:
            raise TypeError(f"{c!r} is not an engine capability; known are {list(cls.__members__)}")
        return cls[name]


class Platform(Enum):
    """Operating system and processor family."""

    LINUX_X86_64 = "linux_x86_64"
    LINUX_AARCH64 = "linux_aarch64"
    WIN_X86_64 = "windows_x86_64"
    WIN_ARM64 = "windows_arm64"
    UNKNOWN = "unknown"

    @classmethod
    def current_platform(cls) -> Platform:
        """The platform this process runs on."""
        machine = _platform.machine().lower()
        x86 = machine in ("x86_64", "amd64")
        if sys.platform.startswith("linux"):
            return cls.LINUX_X86_64 if x86 else cls.LINUX_AARCH64
        if sys.platform == "win32":
            return cls.WIN_X86_64 if x86 else cls.WIN_ARM64
        return cls.UNKNOWN

    def __str__(self) -> str:
        return self.name
