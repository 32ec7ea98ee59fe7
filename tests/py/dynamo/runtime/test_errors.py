"""From errors of C++ to the classes of this package: each code has its class, which says to users
what the code in front of the message says to the code that translates."""

import re

import pytest
import torch
import torch_tensorrt
from torch import nn
from torch_tensorrt import _C
from torch_tensorrt._exceptions import (
    DynamicShapeOutOfRangeException,
    EngineBuildError,
    InputMismatchError,
    LoadError,
    TorchTensorRTError,
    UnsupportedTransformError,
    WeightsChangedError,
)
from torch_tensorrt.dynamo.runtime import TorchTensorRTModule
from torch_tensorrt.dynamo.runtime._errors import typed_error, with_labels, without_code

CODE = re.compile(
    "(InvalidArgument|Unsupported|OutOfRange|ResourceExhausted|DataLoss|DeviceError|Internal):"
)
ROWS = torch_tensorrt.Input(min_shape=(2, 8), opt_shape=(4, 8), max_shape=(16, 8))

CODES = {
    "OutOfRange": (ValueError, DynamicShapeOutOfRangeException),
    "InvalidArgument": (ValueError, InputMismatchError),
    "DataLoss": (RuntimeError, TorchTensorRTError),
    "DeviceError": (RuntimeError, TorchTensorRTError),
    "Internal": (RuntimeError, TorchTensorRTError),
    "Unsupported": (NotImplementedError, TorchTensorRTError),
    "ResourceExhausted": (torch.OutOfMemoryError, torch.OutOfMemoryError),
}


@pytest.mark.parametrize("code", CODES)
def test_each_code_has_its_class(code):
    raised, wanted = CODES[code]
    typed = typed_error(raised(f"{code}: [where] what: 3"))
    assert type(typed) is wanted
    assert str(typed) == "[where] what: 3"


def test_errors_that_have_no_code():
    refused = typed_error(NotImplementedError("[net] input 0 ..., but engines are for inference"))
    assert type(refused) is UnsupportedTransformError
    named = typed_error(ValueError("[net] input 0 is wrong"), ["net"])
    assert type(named) is InputMismatchError
    assert typed_error(ValueError("[net] input 0 is wrong"), ["other"]) is None
    assert typed_error(RuntimeError("The size of tensor a (3) must match")) is None
    assert typed_error(NotImplementedError("no kernel for meta")) is None


def test_changed_weights_among_other_text():
    typed = typed_error(
        RuntimeError("pickle failed: DataLoss: [weights] 'w' was freed\n  at x.cpp")
    )
    assert type(typed) is WeightsChangedError
    assert str(typed) == "[weights] 'w' was freed"


def test_only_codes_are_cut_off():
    for text in ("[plan] x", "Sizes: 3", "x.py: [1]", "lower: [1]", "", "See DataLoss: [x]"):
        assert without_code(text) == text
    assert without_code("DataLoss: [plan] DataLoss: [x]") == "[plan] DataLoss: [x]"


def test_labels():
    error = InputMismatchError("[net] input 'x' is wrong")
    assert str(with_labels(error, {"x": "tokens"})) == "[net] input 'x' (\"tokens\") is wrong"
    assert with_labels(error, {"y": "ids"}) is error


@pytest.fixture(scope="module")
def compiled():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 12), nn.ReLU(), nn.Linear(12, 4)).eval()
    return torch_tensorrt.compile(model, arg_inputs=[ROWS], require_full_compilation=True)


def message(kind, call, *args):
    """What ``call`` says, which must raise ``kind``."""
    with pytest.raises(kind) as caught:
        call(*args)
    return str(caught.value)


def test_no_code_reaches_users_of_a_module(compiled, tmp_path):
    torch_tensorrt.save(compiled, tmp_path / "net.ep")
    loaded = torch_tensorrt.load(tmp_path / "net.ep").module()
    engine = compiled._run_on_acc_0
    found = []
    for module in (compiled, loaded, engine):
        found.append(message(DynamicShapeOutOfRangeException, module, torch.ones(17, 8)))
        found.append(message(InputMismatchError, module, torch.ones(3, 9)))
        found.append(message(InputMismatchError, module, torch.ones(3, 8, dtype=torch.float64)))
        found.append(message(InputMismatchError, module, torch.ones(3, 8, device="meta")))
        found.append(message(UnsupportedTransformError, torch.vmap(module), torch.ones(2, 4, 8)))
    found.append(message(InputMismatchError, engine))
    assert [text for text in found if CODE.search(text)] == []


def test_no_code_reaches_users_of_files(compiled, tmp_path, monkeypatch):
    plan = bytes(compiled._run_on_acc_0.serialized_engine_tensor().numpy())
    found = [message(LoadError, TorchTensorRTModule, data) for data in (b"", plan[:300], plan[:-1])]

    def fail(*args, **kwargs):
        raise RuntimeError("DataLoss: [plan] plan file is damaged")

    torch_tensorrt.save(compiled, tmp_path / "net.ep")
    monkeypatch.setattr(torch.export, "load", fail)
    found.append(message(LoadError, torch_tensorrt.load, tmp_path / "net.ep"))
    assert "[plan] plan file is damaged" in found[-1]
    assert [text for text in found if CODE.search(text)] == []


def test_no_code_reaches_users_of_builds(monkeypatch, caplog):
    """Nor what warnings say of a build that failed."""

    def fail(*args):
        raise NotImplementedError("Unsupported: [Softmax] layer 'softmax' has no tactic:")

    monkeypatch.setattr(_C, "build", fail)

    def compile(**options):
        model = nn.Sequential(nn.Linear(8, 8), nn.Softmax(-1)).eval()
        return torch_tensorrt.compile(
            model, arg_inputs=[torch.ones(2, 8)], min_block_size=1, **options
        )

    found = [message(EngineBuildError, lambda: compile(pass_through_build_failures=True))]
    compile()
    found += [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len([text for text in found if "has no tactic" in text]) > 1
    assert [text for text in found if CODE.search(text)] == []
