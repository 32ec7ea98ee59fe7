"""Tuning by timing and the timing cache, through the Python entry points."""

import pytest
import torch
import torch_tensorrt
from torch import nn
from torch_tensorrt.dynamo._compiler import declared_ranges
from torch_tensorrt.dynamo._symbols import free_symbols, shape_env_of, symbol_ranges
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


def profiles(*opts):
    return torch_tensorrt.Input(
        profiles=[
            {"min": (1, 96), "opt": (opt, 96), "max": (limit, 96)}
            for opt, limit in zip(opts, (64, 512, 2048), strict=False)
        ]
    )


def tuned_product(options, spec):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(96, 384), nn.ReLU(), nn.Linear(384, 96)).eval()
    with torch.no_grad():
        made = torch_tensorrt.compile(model, arg_inputs=[spec], **options)
        for rows in (1, 33, 300, 2048):
            x = torch.randn(rows, 96)
            torch.testing.assert_close(made(x), model(x), rtol=1e-4, atol=1e-5)
    (engine,) = [m for m in made.modules() if isinstance(m, TorchTensorRTModule)]
    return engine.report


def test_all_profiles_are_tuned_for(options):
    """What is timed, and what the cache knows, depends on all profiles."""
    wide = {"min_shape": (1, 96), "opt_shape": (32, 96), "max_shape": (2048, 96)}
    one = tuned_product(options, torch_tensorrt.Input(**wide))
    several = tuned_product(options, profiles(32, 256, 1500))
    if not one.tuned:
        pytest.skip("a machine on which there is nothing to choose")
    assert not any(step["cached"] for step in several.tuned)
    assert all(step["cached"] for step in tuned_product(options, profiles(32, 256, 1500)).tuned)
    assert not any(step["cached"] for step in tuned_product(options, profiles(32, 256, 999)).tuned)
    assert all(step["cached"] for step in tuned_product(options, profiles(32, 32, 32)).tuned)


def test_profiles_reach_the_symbols_they_are_for():
    class Two(nn.Module):
        def forward(self, x, y):
            return x + y[:, :1], y * 2

    x = torch_tensorrt.Input(
        profiles=[
            {"min": (2,), "opt": (3,), "max": (4,)},
            {"min": (2,), "opt": (40,), "max": (50,)},
        ],
        shared_dims={0: "n"},
    )
    y = torch_tensorrt.Input(
        profiles=[
            {"min": (1, 2), "opt": (7, 3), "max": (9, 4)},
            {"min": (1, 2), "opt": (8, 41), "max": (9, 50)},
            {"min": (1, 2), "opt": (9, 42), "max": (9, 50)},
        ],
    )
    program = torch_tensorrt.dynamo.trace(Two(), arg_inputs=(x, y))
    gm = program.graph_module
    n, rows, columns = (
        str(size)
        for node in gm.graph.find_nodes(op="placeholder")
        for size in node.meta["val"].shape
    )
    ranges = declared_ranges(gm, (x, y))
    assert ranges[n] == (2, 3, 50)
    assert ranges.points == ({n: 40, rows: 8, columns: 41}, {rows: 9, columns: 42})
    placeholders = gm.graph.find_nodes(op="placeholder")
    only_x = free_symbols(placeholders[0].meta["val"])
    assert symbol_ranges(only_x, shape_env_of(placeholders), ranges).points == ({n: 40},)
