"""dtype, memory_format, DeviceType, EngineCapability, Platform."""

import numpy as np
import pytest
import torch
import torch_tensorrt
from torch_tensorrt import DeviceType, EngineCapability, Platform, dtype, memory_format


@pytest.mark.parametrize("member", [m for m in dtype if m.try_to(torch.dtype) is not None])
def test_dtype_round_trips_through_torch(member):
    assert dtype._from(member.to(torch.dtype)) is member
    assert member == member.to(torch.dtype)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (np.float32, dtype.f32),
        (np.dtype("int64"), dtype.i64),
        (np.bool_, dtype.b),
        ("float16", dtype.f16),
        (torch.bfloat16, dtype.bf16),
        (dtype.u8, dtype.u8),
    ],
)
def test_dtype_from_other_systems(given, expected):
    assert dtype._from(given) is expected


def test_dtype_aliases_and_conversion_to_numpy():
    assert dtype.half is dtype.f16
    assert dtype.long is dtype.int64 is dtype.i64
    assert dtype.f32.to(np.dtype) == np.dtype("float32")
    assert dtype.bf16.try_to(np.dtype) is None


def test_dtype_unknown():
    assert dtype.try_from(object()) is None
    assert dtype.try_from("nonsense", use_default=True) is dtype.f32
    with pytest.raises(TypeError, match="nonsense"):
        dtype._from("nonsense")
    with pytest.raises(TypeError):
        dtype.f4.to(torch.dtype)


def test_memory_format():
    assert memory_format._from(torch.channels_last) is memory_format.channels_last
    assert memory_format.hwc is memory_format.channels_last
    assert memory_format.contiguous.to(torch.memory_format) is torch.contiguous_format
    with pytest.raises(TypeError, match="chw32"):
        memory_format.chw32.to(torch.memory_format)
    with pytest.raises(TypeError):
        memory_format._from("nchw")


def test_device_type_and_capability():
    assert DeviceType._from("cpu") is DeviceType.CPU
    assert DeviceType._from(torch.device("cuda")) is DeviceType.GPU
    assert DeviceType.CPU.to(torch.device) == torch.device("cpu")
    with pytest.raises(TypeError, match="tpu"):
        DeviceType._from("tpu")
    assert EngineCapability._from("safety") is EngineCapability.SAFETY
    with pytest.raises(TypeError):
        EngineCapability._from("fast")


def test_platform_and_version():
    assert Platform.current_platform() in set(Platform)
    assert torch_tensorrt.__version__
