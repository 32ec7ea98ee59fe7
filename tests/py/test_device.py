"""Device."""

import pytest
import torch
from torch_tensorrt import Device, DeviceType


@pytest.mark.parametrize(
    ("spec", "kind", "index"),
    [
        ("cpu", DeviceType.CPU, -1),
        ("cuda", DeviceType.GPU, 0),
        ("cuda:0", DeviceType.GPU, 0),
        ("gpu:1", DeviceType.GPU, 1),
        (torch.device("cuda:2"), DeviceType.GPU, 2),
        (torch.device("cpu"), DeviceType.CPU, -1),
    ],
)
def test_parse(spec, kind, index):
    device = Device(spec)
    assert (device.device_type, device.gpu_id) == (kind, index)
    assert device.to(torch.device).type == ("cpu" if kind is DeviceType.CPU else "cuda")
    assert Device._from(device) is device


def test_dla_and_keywords():
    device = Device("dla:1", allow_gpu_fallback=True)
    assert (device.device_type, device.dla_core) == (DeviceType.DLA, 1)
    assert device.allow_gpu_fallback
    assert Device(gpu_id=3) == Device("cuda:3")
    assert Device() == Device("cpu")
    assert len({Device("cpu"), Device(), Device("gpu:0"), Device("cuda")}) == 2


@pytest.mark.parametrize("spec", ["tpu", "cuda:x", "cpu:3", "", "cuda:-2"])
def test_bad_text(spec):
    with pytest.raises(ValueError, match="device"):
        Device(spec)


def test_text_and_keyword_together():
    with pytest.raises(ValueError, match="not both"):
        Device("cuda:0", gpu_id=1)
