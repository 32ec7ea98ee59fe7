"""Importing the package: no GPU, nothing heavy, everything reachable."""

import importlib.metadata
import os
import subprocess
import sys

import pytest
import torch
import torch_tensorrt
from torch_tensorrt._features import ENABLED_FEATURES, needs_feature


def test_every_public_name_exists():
    missing = [name for name in torch_tensorrt.__all__ if not hasattr(torch_tensorrt, name)]
    assert missing == []


def test_unknown_name_is_an_attribute_error():
    assert not hasattr(torch_tensorrt, "no_such_thing")


def in_fresh_process(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300
    ).stdout.split()


def test_import_does_not_load_the_pipeline():
    named, loaded, cuda = in_fresh_process(
        "import sys, importlib.metadata as m, torch, torch_tensorrt\n"
        "named = 'tensorrt' in m.entry_points(group='torch_dynamo_backends').names\n"
        "print(named, 'torch_tensorrt.dynamo' in sys.modules, torch.cuda.is_initialized())"
    )
    # Without entry points (a checkout on the path, not installed) backends register by importing
    # Dynamo.
    assert loaded == ("False" if named == "True" else "True")
    assert cuda == "False"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("foo", ["TORCHTRT_FORCE_ISA=foo", "none of generic", "is used"]),
        ("generic", []),
        ("", []),
    ],
)
def test_an_instruction_set_that_cannot_be_forced_is_said_once(value, words):
    result = subprocess.run(
        [sys.executable, "-c", "import torch_tensorrt; torch_tensorrt._load_library()"],
        env={**os.environ, "TORCHTRT_FORCE_ISA": value},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert result.stderr.count("TORCHTRT_FORCE_ISA") == bool(words)
    assert [w for w in words if w not in result.stderr] == []


def test_import_takes_no_time_beside_torch():
    if "tensorrt" not in importlib.metadata.entry_points(group="torch_dynamo_backends").names:
        pytest.skip("no entry points: the package is on the path but not installed (make venv)")
    code = (
        "import time\n"
        "t0 = time.perf_counter(); import torch\n"
        "t1 = time.perf_counter(); import torch_tensorrt\n"
        "print(t1 - t0, time.perf_counter() - t1)"
    )
    for _ in range(3):  # another process may take the time
        ours, torchs = map(float, reversed(in_fresh_process(code)))
        if ours < max(0.3, 0.2 * torchs):
            return
    pytest.fail(f"importing torch_tensorrt took {ours:.2f} s, torch {torchs:.2f} s")


def test_backends_are_found_without_importing_the_package():
    if "tensorrt" not in importlib.metadata.entry_points(group="torch_dynamo_backends").names:
        pytest.skip("no entry points: the package is on the path but not installed (make venv)")
    found, loaded, value = in_fresh_process(
        "import sys, torch\n"
        "found = {'tensorrt', 'torch_tensorrt', 'aot_torch_tensorrt_aten'}\n"
        "found = found <= set(torch._dynamo.list_backends())\n"
        "loaded = 'torch_tensorrt' in sys.modules\n"
        "work = lambda x: (x + 1) * 2\n"
        "options = {'min_block_size': 1, 'require_full_compilation': True}\n"
        "work = torch.compile(work, backend='tensorrt', options=options)\n"
        "print(found, loaded, work(torch.ones(1)).item())"
    )
    assert (found, loaded, value) == ("True", "False", "4.0")


def test_torch_reads_engines_after_the_import(tmp_path):
    model = torch.nn.Linear(3, 2).eval()
    x = torch.ones(1, 3)
    compiled = torch_tensorrt.compile(model, arg_inputs=[x], min_block_size=1)
    torch_tensorrt.save(compiled, str(tmp_path / "net.pt2"))
    (value,) = in_fresh_process(
        "import torch, torch_tensorrt\n"
        f"m = torch.export.load({str(tmp_path / 'net.pt2')!r}).module()\n"
        "print(m(torch.ones(1, 3)).sum().item())"
    )
    assert float(value) == pytest.approx(model(x).sum().item(), rel=1e-5)


def test_features_guard():
    off = next(n for n, on in ENABLED_FEATURES._asdict().items() if not on)

    @needs_feature(off)
    def call():
        return 1

    with pytest.raises(NotImplementedError, match=off):
        call()

    @needs_feature("dynamo_frontend")
    def allowed():
        return 2

    assert allowed() == 2
