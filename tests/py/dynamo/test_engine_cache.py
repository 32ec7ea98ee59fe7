"""The engine cache: what is a hit, what is a miss, and what happens to damaged files."""

import dataclasses
import logging
import os
import subprocess
import sys
import time

import pytest
import torch
import torch_tensorrt
from torch import nn
from torch_tensorrt._exceptions import InvalidOptionError
from torch_tensorrt.dynamo import _engine_cache
from torch_tensorrt.dynamo._engine_cache import BaseEngineCache, DiskEngineCache
from torch_tensorrt.dynamo.runtime import TorchTensorRTModule


class Net(nn.Module):
    def __init__(self, slope=0.25):
        super().__init__()
        self.first = nn.Linear(33, 31)
        self.second = nn.Linear(31, 7)
        self.slope = slope

    def forward(self, x):
        x = torch.nn.functional.leaky_relu(self.first(x), self.slope)
        return self.second(x) + x[..., :7]


def net(slope=0.25):
    torch.manual_seed(0)
    return Net(slope).eval()


@pytest.fixture
def options(tmp_path):
    return {
        "min_block_size": 1,
        "require_full_compilation": True,
        "cache_built_engines": True,
        "reuse_cached_engines": True,
        "engine_cache_dir": str(tmp_path / "engines"),
    }


@pytest.fixture(autouse=True)
def fresh_dynamo():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def build(model, options, inputs=None, **more):
    x = torch.linspace(-1, 1, 5 * 33).reshape(5, 33)
    with torch.no_grad():
        made = torch_tensorrt.compile(model, arg_inputs=inputs or [x], **{**options, **more})
        torch.testing.assert_close(made(x), model(x), rtol=1e-5, atol=1e-5)
    return made


def report_of(module):
    (engine,) = [m for m in module.modules() if isinstance(m, TorchTensorRTModule)]
    return engine.report


def entries(options):
    folder = options["engine_cache_dir"]
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


def test_the_same_network_is_a_hit(options):
    first, second = report_of(build(net(), options)), report_of(build(net(), options))
    assert (first.cache, second.cache) == ("miss", "hit")
    assert first.cache_key == second.cache_key
    assert second.choices == []
    assert entries(options) == [first.cache_key + ".engine"]


def change_a_weight(model):
    with torch.no_grad():
        model.first.weight[30, 32] += 1e-3


def drop_a_bias(model):
    model.second.bias = None


@pytest.mark.parametrize(
    ("change", "more"),
    [
        (change_a_weight, {}),
        (drop_a_bias, {}),
        (lambda model: setattr(model, "slope", 0.5), {}),
        (None, {"optimization_level": 1}),
        (None, {"disabled_passes": {"fuse_pointwise"}}),
        (None, {"disabled_tactics": {"cpu.gemm"}}),
        (None, {"reference_only": True}),
    ],
)
def test_what_changes_the_engine_is_a_miss(options, change, more):
    before = report_of(build(net(), options))
    model = net()
    if change is not None:
        change(model)
    after = report_of(build(model, options, **more))
    assert after.cache == "miss"
    assert after.cache_key != before.cache_key
    assert len(entries(options)) == 2


def test_another_range_is_a_miss(options):
    def spec(high):
        return [torch_tensorrt.Input(min_shape=(2, 33), opt_shape=(5, 33), max_shape=(high, 33))]

    reports = [report_of(build(net(), options, spec(high))) for high in (8, 9, 8)]
    assert [report.cache for report in reports] == ["miss", "miss", "hit"]


def test_a_hit_takes_every_size_of_the_range(options):
    inputs = [torch_tensorrt.Input(min_shape=(2, 33), opt_shape=(5, 33), max_shape=(9, 33))]
    build(net(), options, inputs)
    made = build(net(), options, inputs)
    assert report_of(made).cache == "hit"
    for rows in (2, 7, 9):
        x = torch.randn(rows, 33)
        torch.testing.assert_close(made(x), net()(x), rtol=1e-5, atol=1e-5)


def test_looking_up_and_storing_are_separate(options):
    assert report_of(build(net(), options, cache_built_engines=False)).cache == "miss"
    assert entries(options) == []
    build(net(), options)
    assert report_of(build(net(), options, reuse_cached_engines=False)).cache == "miss"
    off = {"cache_built_engines": False, "reuse_cached_engines": False}
    report = report_of(build(net(), options, **off))
    assert (report.cache, report.cache_key) == ("off", "")


def test_torch_compile_uses_the_cache(options, caplog):
    x = torch.randn(5, 33)
    hits = []
    for _ in range(2):
        torch._dynamo.reset()
        caplog.clear()
        model = net()
        del options["require_full_compilation"]
        options["pass_through_build_failures"] = True
        with torch.no_grad(), caplog.at_level(logging.INFO, "torch_tensorrt"):
            fast = torch.compile(model, backend="tensorrt", options=dict(options))
            torch.testing.assert_close(fast(x), model(x), rtol=1e-5, atol=1e-5)
        hits.append("cache hit" in caplog.text)
        options["require_full_compilation"] = True
    assert hits == [False, True]


def damage_flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def damage_truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def damage_empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [damage_flip, damage_truncate, damage_empty])
def test_a_damaged_file_is_a_miss_and_is_replaced(options, tmp_path, caplog, damage):
    key = report_of(build(net(), options)).cache_key
    path = tmp_path / "engines" / f"{key}.engine"
    good = path.read_bytes()
    damage(path)
    with caplog.at_level(logging.WARNING, "torch_tensorrt"):
        assert report_of(build(net(), options)).cache == "miss"
    assert "cannot be used" in caplog.text
    assert len(path.read_bytes()) == len(good)
    assert report_of(build(net(), options)).cache == "hit"


def test_a_file_under_another_name_is_a_miss(options, tmp_path):
    first = report_of(build(net(), options)).cache_key
    second = report_of(build(net(0.5), options)).cache_key
    folder = tmp_path / "engines"
    os.replace(folder / f"{first}.engine", folder / f"{second}.engine")
    assert report_of(build(net(0.5), options)).cache == "miss"


def test_the_least_recently_used_goes_first(options, tmp_path):
    slopes = (0.1, 0.2, 0.3)
    folder = tmp_path / "engines"
    keys = [report_of(build(net(slope), options)).cache_key for slope in slopes[:2]]
    size = (folder / f"{keys[0]}.engine").stat().st_size
    for age, key in zip((20, 10), keys, strict=True):
        os.utime(folder / f"{key}.engine", (time.time() - age, time.time() - age))
    options["engine_cache_size"] = 2 * size + size // 2
    assert report_of(build(net(slopes[0]), options)).cache == "hit"  # now the most recently used
    keys.append(report_of(build(net(slopes[2]), options)).cache_key)
    assert entries(options) == sorted(key + ".engine" for key in (keys[0], keys[2]))


def test_an_engine_above_the_cap_is_not_kept(options):
    assert report_of(build(net(), options, engine_cache_size=100)).cache == "miss"
    assert entries(options) == []


def test_scratch_files_of_dead_processes_are_removed(tmp_path):
    old, new = tmp_path / ".a.1.x", tmp_path / ".b.1.x"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 7200, time.time() - 7200))
    DiskEngineCache(1000, tmp_path).save("ab", b"blob")
    assert sorted(os.listdir(tmp_path)) == [".b.1.x", "ab.engine"]


def test_a_failed_write_leaves_nothing_and_fails_no_build(options, tmp_path, monkeypatch, caplog):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_engine_cache.os, "fsync", fail)
    with caplog.at_level(logging.WARNING, "torch_tensorrt"):
        assert report_of(build(net(), options)).cache == "miss"
    assert "No space left" in caplog.text
    assert entries(options) == []


def test_a_folder_that_cannot_be_made_fails_no_build(options, tmp_path):
    (tmp_path / "file").write_text("")
    report = report_of(build(net(), options, engine_cache_dir=str(tmp_path / "file" / "cache")))
    assert report.cache == "miss"


class InMemory(BaseEngineCache):
    def __init__(self):
        self.blobs = {}

    def save(self, hash, blob):
        self.blobs[hash] = blob

    def load(self, hash):
        return self.blobs.get(hash)


def test_a_cache_of_the_users_own(options, tmp_path):
    store = InMemory()
    options["custom_engine_cache"] = store
    first, made = build(net(), options), build(net(), options)
    assert report_of(first).cache_key in store.blobs
    assert isinstance(store.blobs[report_of(first).cache_key], bytes)
    assert report_of(made).cache == "hit"
    assert not (tmp_path / "engines").exists()
    store.blobs = dict.fromkeys(store.blobs, b"")
    assert report_of(build(net(), options)).cache == "miss"


class Failing(InMemory):
    def save(self, hash, blob):
        raise ConnectionError("no store")

    load = save


def test_a_failing_cache_fails_no_build(options, caplog):
    with caplog.at_level(logging.WARNING, "torch_tensorrt"):
        assert (
            report_of(build(net(), {**options, "custom_engine_cache": Failing()})).cache == "miss"
        )
    assert "no store" in caplog.text


@pytest.mark.parametrize(
    "bad", [{"custom_engine_cache": {}}, {"engine_cache_size": -1}, {"engine_cache_dir": 3}]
)
def test_bad_options(bad):
    with pytest.raises(InvalidOptionError):
        torch_tensorrt.dynamo.validate_options(bad)


def test_a_hit_can_be_saved_and_loaded(options, tmp_path):
    build(net(), options)
    made = build(net(), options)
    x = torch.randn(5, 33)
    torch_tensorrt.save(made, tmp_path / "net.ep", arg_inputs=[x])
    loaded = torch_tensorrt.load(tmp_path / "net.ep").module()
    torch.testing.assert_close(loaded(x), net()(x), rtol=1e-5, atol=1e-5)


def test_the_key_does_not_depend_on_order_or_identity():
    from torch_tensorrt import _C

    text = 'input %x : f32[2, 3]\n%y = Unary(%x) {op=op:Exp} : f32[2, 3]\noutput "y" %y\n'
    config = {"name": "e", "optimization_level": 3}
    keys = {
        BaseEngineCache.get_hash(_C.Network.parse(text), order)
        for order in (config, dict(reversed(config.items())))
    }
    other = BaseEngineCache.get_hash(_C.Network.parse(text.replace("Exp", "Log")), config)
    assert len(keys) == 1
    assert other not in keys
    assert len(other) == 64


SCRIPT = """
import sys, torch, torch_tensorrt
from torch import nn
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(33, 257), nn.GELU(), nn.Linear(257, 7)).eval()
x = torch.linspace(-1, 1, 33).reshape(1, 33)
for _ in range(4):
    made = torch_tensorrt.compile(
        model, arg_inputs=[x], min_block_size=1, require_full_compilation=True,
        cache_built_engines=True, reuse_cached_engines=sys.argv[2] == "reuse",
        engine_cache_dir=sys.argv[1])
    with torch.no_grad():
        torch.testing.assert_close(made(x), model(x), rtol=1e-5, atol=1e-5)
engine = next(m for m in made.modules() if hasattr(m, "report"))
print(engine.report.cache, engine.report.cache_key)
"""


def processes(folder, modes):
    path = os.path.dirname(os.path.dirname(torch_tensorrt.__file__))
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(folder), mode],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for mode in modes
    ]
    return [(p.communicate(timeout=120)[0].split(), p.returncode) for p in started]


def test_processes_share_the_folder(tmp_path):
    both = processes(tmp_path, ["store", "reuse"])  # one writes all the time, one reads
    assert [code for _, code in both] == [0, 0]
    assert both[0][0][1] == both[1][0][1]
    ((later, code),) = processes(tmp_path, ["reuse"])
    assert (later[0], code) == ("hit", 0)
    assert os.listdir(tmp_path) == [later[1] + ".engine"]


def test_the_settings_kept_by_a_module_hold_no_cache(options):
    made = build(net(), {**options, "custom_engine_cache": InMemory()})
    (engine,) = [m for m in made.modules() if isinstance(m, TorchTensorRTModule)]
    assert engine.settings.custom_engine_cache is None
    assert dataclasses.asdict(engine.settings)["reuse_cached_engines"]
