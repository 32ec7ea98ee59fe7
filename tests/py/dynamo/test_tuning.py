"""Tuning by timing and the timing cache, through the Python entry points."""

import pytest
import torch
import torch_tensorrt
from torch import nn
from torch_tensorrt.dynamo.runtime import TorchTensorRTModule


@pytest.fixture
def options(tmp_path):
    return {
        "min_block_size": 1,
        "require_full_compilation": True,
        "optimization_level": 5,
        "timing_cache_path": str(tmp_path / "cache" / "timing.bin"),
    }


def net():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(16, 31, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(31, 7, 1),
        nn.Flatten(),
        nn.LazyLinear(33),
    ).eval()


def build(options, **more):
    x = torch.linspace(-1, 1, 16 * 15 * 15).reshape(1, 16, 15, 15)
    model = net()
    with torch.no_grad():
        model(x)
        made = torch_tensorrt.compile(model, arg_inputs=[x], **{**options, **more})
        torch.testing.assert_close(made(x), model(x), rtol=1e-4, atol=1e-5)
    (engine,) = [m for m in made.modules() if isinstance(m, TorchTensorRTModule)]
    return engine.report


def test_what_was_timed_is_not_timed_again(options, tmp_path):
    first = build(options)
    assert "cpu.convolution" in {step["kernel"] for step in first.tuned}
    assert not any(step["cached"] for step in first.tuned)
    assert all(0 < step["microseconds"] <= step["table_microseconds"] for step in first.tuned)
    second = build(options)
    assert [step["choice"] for step in second.tuned] == [step["choice"] for step in first.tuned]
    assert all(step["cached"] for step in second.tuned)


def test_low_levels_time_nothing_and_write_no_file(options, tmp_path):
    for level in (0, 1, 2):
        assert build(options, optimization_level=level).tuned == []
    assert list(tmp_path.iterdir()) == []


def test_several_runs_a_timing(options):
    assert build(options, num_avg_timing_iters=3).tuned


def test_a_damaged_cache_is_replaced(options, tmp_path):
    build(options)
    path = tmp_path / "cache" / "timing.bin"
    good = path.read_bytes()
    path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    assert not any(step["cached"] for step in build(options).tuned)
    assert all(step["cached"] for step in build(options).tuned)


def test_a_cache_that_cannot_be_written_fails_no_build(options, tmp_path):
    (tmp_path / "file").write_text("")
    assert build(options, timing_cache_path=str(tmp_path / "file" / "timing.bin")).tuned
    assert build(options, timing_cache_path="").tuned


def test_the_default_level_stays_in_its_budget(options):
    del options["optimization_level"]
    report = build(options)
    assert report.tune_seconds < 1.0  # 0.3 s and what a busy machine adds
