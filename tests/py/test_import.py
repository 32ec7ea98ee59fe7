"""Importing the package: no GPU, nothing heavy, everything reachable."""

import subprocess
import sys

import torch_tensorrt


def test_every_public_name_exists():
    missing = [name for name in torch_tensorrt.__all__ if not hasattr(torch_tensorrt, name)]
    assert missing == []


def test_unknown_name_is_an_attribute_error():
    assert not hasattr(torch_tensorrt, "no_such_thing")


def test_import_does_not_load_the_pipeline():
    code = (
        "import sys, importlib.metadata as m, torch, torch_tensorrt\n"
        "named = 'tensorrt' in m.entry_points(group='torch_dynamo_backends').names\n"
        "print(named, 'torch_tensorrt.dynamo' in sys.modules, torch.cuda.is_initialized())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=None
    )
    named, loaded, cuda = done.stdout.split()
    # Without entry points (a checkout on the path, not installed) backends register by importing
    # Dynamo.
    assert loaded == ("False" if named == "True" else "True")
    assert cuda == "False"


def test_features_guard():
    import pytest
    from torch_tensorrt._features import ENABLED_FEATURES, needs_feature

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
