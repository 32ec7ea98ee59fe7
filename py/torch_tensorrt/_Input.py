"""Declaration of one input: its shape or range of shapes, dtype, layout and example data."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

import torch

from torch_tensorrt._enums import dtype as _dtype
from torch_tensorrt._enums import memory_format

logger = logging.getLogger("torch_tensorrt")

Shape = tuple[int, ...]
DEFAULT_TENSOR_DOMAIN = (0.0, 2.0)
_PROFILE_KEYS = ("min", "opt", "max")
_RANGE_KEYS = ("min_shape", "opt_shape", "max_shape")


class Input:
    """Shape, dtype and layout of one input of a module.

    Six forms; sizes count elements along each axis:

    - ``Input((1, 3, 224, 224))`` or ``Input(shape=...)``: a static shape;
    - ``Input(min_shape=..., opt_shape=..., max_shape=...)``: every size in ``[min, max]`` works,
    and
      ``opt`` is the one the engine is tuned for;
    - the same with namedtuples: field names of the axes that vary become names of shared
    dimensions;
    - ``Input(shape=..., shape_ranges=[{"min_shape", "opt_shape", "max_shape"}, ...])``;
    - ``Input(profiles=[{"min": ..., "opt": ..., "max": ...}, ...])``: several ranges; one engine
      serves their union, captured at the first ``opt`` and tuned for all of them together;
    - ``Input.from_tensor(tensor)``: static, taken from a tensor.

    Args:
        dtype: Element type (torch, numpy or ``torch_tensorrt.dtype``); float32 by default.
        format: Memory format; contiguous by default.
        tensor_domain: Half-open interval ``[lo, hi)`` of example values, ``[0, 2)`` by default.
        torch_tensor: A tensor to use as the example.
        name: Name of the input, for messages.
        is_shape_tensor: Accepted; shapes are handled without it.
        shared_dims: ``{axis: name}``: axes with the same name, here or in other inputs, always have
        the
            same size.

    Raises:
        ValueError: contradictory keywords, unequal ranks, a negative size, or ``min <= opt <= max``
        broken.
        TypeError: a shape that is not a sequence of integers, or an unknown keyword.
    """

    class _ShapeMode(Enum):
        STATIC = 0
        DYNAMIC = 1

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.name: str = kwargs.pop("name", "")
        self.is_shape_tensor: bool = bool(kwargs.pop("is_shape_tensor", False))
        explicit_type = "dtype" in kwargs
        self.dtype: _dtype = _dtype._from(kwargs.pop("dtype", torch.float32))
        self._explicit_set_dtype = explicit_type
        self.format: memory_format = memory_format._from(
            kwargs.pop("format", torch.contiguous_format)
        )
        self.tensor_domain = _check_domain(kwargs.pop("tensor_domain", DEFAULT_TENSOR_DOMAIN))
        self._torch_tensor: torch.Tensor | None = kwargs.pop("torch_tensor", None)
        shared = kwargs.pop("shared_dims", None)
        self.profiles: tuple[dict[str, Shape], ...] = ()
        self.shared_dims: dict[int, str] = {}

        field_names = self._set_shapes(args, kwargs)
        if kwargs:
            raise TypeError(f"[input] unknown keyword(s) {sorted(kwargs)} for Input")
        if shared is not None and field_names is not None:
            raise ValueError("[input] shared_dims cannot be combined with namedtuple shapes")
        if field_names is not None:
            self.shared_dims = {
                axis: name for axis, name in enumerate(field_names) if axis in self._dynamic_axes()
            }
        elif shared is not None:
            self.shared_dims = self._check_shared_dims(shared)

    def _set_shapes(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[str, ...] | None:
        """Sets ``shape``, ``shape_mode`` and ``profiles``; gives namedtuple field names if any."""
        if len(args) > 1:
            raise TypeError("[input] Input takes one positional shape")
        forms = [bool(args), "shape" in kwargs, "profiles" in kwargs]
        forms.append(any(key in kwargs for key in _RANGE_KEYS))
        if sum(forms) != 1:
            raise ValueError(
                "[input] give the shape in exactly one way: positional, shape=, "
                "min_shape=/opt_shape=/max_shape=, or profiles="
            )
        if "profiles" in kwargs:
            self._set_profiles(kwargs.pop("profiles"))
            return None
        if forms[3]:
            missing = [key for key in _RANGE_KEYS if key not in kwargs]
            if missing:
                raise ValueError(f"[input] a range of shapes needs all three; missing: {missing}")
            given = [kwargs.pop(key) for key in _RANGE_KEYS]
            names = _common_fields(given)
            self._set_profiles([dict(zip(_PROFILE_KEYS, given, strict=True))])
            self.profiles = () if self.shape_mode is Input._ShapeMode.STATIC else self.profiles
            return names
        self._set_static(args[0] if args else kwargs.pop("shape"))
        if "shape_ranges" in kwargs:
            ranges = [
                {key.removesuffix("_shape"): value for key, value in entry.items()}
                for entry in kwargs.pop("shape_ranges")
            ]
            self._set_profiles(ranges)
        return None

    def _set_static(self, shape: Any) -> None:
        self.shape: Shape | dict[str, Shape] = _check_shape(shape)
        self.shape_mode = Input._ShapeMode.STATIC

    def _set_profiles(self, profiles: Any) -> None:
        if not isinstance(profiles, Sequence) or not profiles:
            raise ValueError(
                "[input] profiles must be a non-empty list of {'min','opt','max'} shapes"
            )
        checked = []
        for entry in profiles:
            if not isinstance(entry, Mapping) or set(entry) != set(_PROFILE_KEYS):
                raise ValueError(
                    f"[input] a profile needs exactly the keys min, opt, max; got {entry!r}"
                )
            checked.append(_check_profile({key: _check_shape(entry[key]) for key in _PROFILE_KEYS}))
        if len({len(entry["min"]) for entry in checked}) != 1:
            raise ValueError("[input] all profiles of one input must have the same rank")
        low = tuple(min(sizes) for sizes in zip(*(p["min"] for p in checked), strict=True))
        high = tuple(max(sizes) for sizes in zip(*(p["max"] for p in checked), strict=True))
        if low == high:
            self._set_static(low)
        else:
            self.shape = {"min_shape": low, "opt_shape": checked[0]["opt"], "max_shape": high}
            self.shape_mode = Input._ShapeMode.DYNAMIC
        self.profiles = tuple(checked)

    def _check_shared_dims(self, shared: Any) -> dict[int, str]:
        if self.shape_mode is not Input._ShapeMode.DYNAMIC:
            raise ValueError("[input] shared_dims needs a dynamic shape")
        if not isinstance(shared, Mapping):
            raise TypeError("[input] shared_dims must be a dict from axis to name")
        rank = len(self.shape_range()[0])
        for axis, name in shared.items():
            if not isinstance(axis, int) or not 0 <= axis < rank:
                raise ValueError(f"[input] shared_dims axis {axis!r} out of range for rank {rank}")
            if not isinstance(name, str) or not name:
                raise ValueError(
                    f"[input] shared_dims name of axis {axis} must be a non-empty string"
                )
        return dict(shared)

    def _dynamic_axes(self) -> list[int]:
        low, _, high = self.shape_range()
        return [axis for axis in range(len(low)) if low[axis] != high[axis]]

    def shape_range(self) -> tuple[Shape, Shape, Shape]:
        """``(min, opt, max)`` shapes; three times the same for a static input."""
        if isinstance(self.shape, dict):
            return self.shape["min_shape"], self.shape["opt_shape"], self.shape["max_shape"]
        return self.shape, self.shape, self.shape

    @property
    def torch_dtype(self) -> torch.dtype:
        """The element type as ``torch.dtype``."""
        found: torch.dtype = self.dtype.to(torch.dtype)
        return found

    @property
    def torch_tensor(self) -> torch.Tensor:
        """The example tensor given by the user, or one made by :meth:`example_tensor`."""
        if self._torch_tensor is None:
            self._torch_tensor = self.example_tensor(
                None if self.shape_mode is Input._ShapeMode.STATIC else "opt_shape"
            )
        return self._torch_tensor

    @classmethod
    def equivalent_spec(cls, a: Input, b: Input) -> bool:
        """Whether two inputs declare the same shapes, dtype and format."""
        return a.shape_range() == b.shape_range() and a.dtype is b.dtype and a.format is b.format

    @classmethod
    def from_tensor(cls, t: torch.Tensor, disable_memory_format_check: bool = False) -> Input:
        """A static Input with the tensor's shape, dtype and layout.

        Raises:
            ValueError: the tensor is neither contiguous nor channels-last and the check is on.
        """
        layout = torch.contiguous_format
        if not t.is_contiguous():
            if t.dim() == 4 and t.is_contiguous(memory_format=torch.channels_last):
                layout = torch.channels_last
            elif t.dim() == 5 and t.is_contiguous(memory_format=torch.channels_last_3d):
                layout = torch.channels_last_3d
            elif not disable_memory_format_check:
                raise ValueError(
                    f"[input] tensor of shape {tuple(t.shape)} and strides {t.stride()} is "
                    f"neither contiguous "
                    "nor channels-last; call .contiguous(), or pass "
                    "disable_memory_format_check=True"
                )
        return cls(shape=tuple(t.shape), dtype=t.dtype, format=layout, torch_tensor=t)

    @classmethod
    def from_tensors(
        cls, ts: Any, disable_memory_format_check: bool = False
    ) -> list[Input] | tuple[Input, ...] | dict[Any, Input]:
        """:meth:`from_tensor` over a list, tuple or dict.

        Raises:
            TypeError: ``ts`` is none of these.
        """
        if isinstance(ts, Mapping):
            return {k: cls.from_tensor(t, disable_memory_format_check) for k, t in ts.items()}
        if isinstance(ts, (list, tuple)):
            return type(ts)(cls.from_tensor(t, disable_memory_format_check) for t in ts)
        raise TypeError(
            f"[input] from_tensors takes a list, tuple or dict, not {type(ts).__name__}"
        )

    def example_tensor(
        self, optimization_profile_field: str | None = None, *, device: Any = "cpu"
    ) -> torch.Tensor:
        """A tensor of this spec with values from ``tensor_domain``.

        Args:
            optimization_profile_field: ``min_shape``, ``opt_shape`` or ``max_shape`` of a dynamic
            input.
            device: Where to put it.

        Raises:
            ValueError: no field for a dynamic input, a field for a static one, or an unknown field.
        """
        if self.shape_mode is Input._ShapeMode.STATIC:
            if optimization_profile_field is not None:
                raise ValueError("[input] a static input has no optimization profile field")
            return self.make_example(self.shape_range()[1], device)
        if optimization_profile_field not in _RANGE_KEYS:
            raise ValueError(f"[input] choose one of {_RANGE_KEYS} for a dynamic input")
        return self.make_example(
            self.shape_range()[_RANGE_KEYS.index(optimization_profile_field)], device
        )

    def make_example(self, shape: Shape, device: Any = "cpu") -> torch.Tensor:
        """An example tensor of ``shape``, whatever the declared sizes."""
        low, high = self.tensor_domain
        torch_type = self.torch_dtype
        if torch_type.is_floating_point or torch_type.is_complex:
            base = (
                torch.float32
                if torch_type.itemsize <= 4 and not torch_type.is_complex
                else torch.float64
            )
            values = torch.rand(shape, dtype=base, device=device) * (high - low) + low
            made = values.clamp_(max=_below(high, base)).to(torch_type)
        elif torch_type is torch.bool:
            made = torch.rand(shape, device=device) < 0.5
        else:
            first, last = -(-low // 1), -(-high // 1)
            last = max(last, first + 1)
            made = torch.randint(int(first), int(last), shape, device=device).to(torch_type)
        layout = self.format.try_to(torch.memory_format)
        return made if layout is None else made.contiguous(memory_format=layout)

    def __str__(self) -> str:
        if self.shape_mode is Input._ShapeMode.STATIC:
            text = f"shape={self.shape}"
        else:
            text = ", ".join(f"{key}={value}" for key, value in self.shape.items())  # type: ignore[union-attr]
        return (
            f"Input({text}, dtype={self.dtype.name}, format={self.format.name}, "
            f"domain=[{self.tensor_domain[0]}, {self.tensor_domain[1]}))"
        )

    __repr__ = __str__


def _below(high: float, base: torch.dtype) -> float:
    limit = torch.tensor(high, dtype=base)
    return float(torch.nextafter(limit, torch.full_like(limit, -float("inf"))))


def _check_shape(shape: Any) -> Shape:
    if not isinstance(shape, (list, tuple, torch.Size)):
        raise TypeError(
            f"[input] a shape is a list or tuple of integers, not {type(shape).__name__}"
        )
    if not all(isinstance(size, int) and not isinstance(size, bool) for size in shape):
        raise TypeError(f"[input] shape {tuple(shape)} holds something that is not an integer")
    if any(size < 0 for size in shape):
        raise ValueError(f"[input] shape {tuple(shape)} has a negative size")
    return tuple(shape)


def _check_profile(profile: dict[str, Shape]) -> dict[str, Shape]:
    low, opt, high = (profile[key] for key in _PROFILE_KEYS)
    if not len(low) == len(opt) == len(high):
        raise ValueError(f"[input] min {low}, opt {opt} and max {high} differ in rank")
    for axis, (a, b, c) in enumerate(zip(low, opt, high, strict=True)):
        if not a <= b <= c:
            raise ValueError(f"[input] axis {axis}: min {a} <= opt {b} <= max {c} does not hold")
    return profile


def _check_domain(domain: Any) -> tuple[float, float]:
    if not isinstance(domain, (list, tuple)) or len(domain) != 2:
        raise ValueError(f"[input] tensor_domain is a pair (low, high), not {domain!r}")
    low, high = float(domain[0]), float(domain[1])
    if not low < high:
        raise ValueError(f"[input] tensor_domain [{low}, {high}) is empty")
    return low, high


def _common_fields(shapes: list[Any]) -> tuple[str, ...] | None:
    fields = [getattr(shape, "_fields", None) for shape in shapes]
    if all(names is None for names in fields):
        return None
    if len(set(fields)) != 1:
        raise ValueError(
            f"[input] min, opt and max namedtuples must have the same fields; got {fields}"
        )
    names: tuple[str, ...] = fields[0]  # type: ignore[assignment]
    return names
