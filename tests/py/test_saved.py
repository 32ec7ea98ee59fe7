"""Files of programs: what may be saved, what a damaged or foreign one says, and loaded modules."""

import copy
import io
import json
import os
import subprocess
import sys
import zipfile

import pytest
import torch
import torch_tensorrt
from torch import nn
from torch_tensorrt._exceptions import (
    DynamicShapeOutOfRangeException,
    InputMismatchError,
    LoadError,
    SaveError,
    TorchTensorRTError,
    UnsupportedTransformError,
)
from torch_tensorrt.dynamo.runtime._errors import warn_once


def ranged(low, opt, high, width=16):
    return torch_tensorrt.Input(
        min_shape=(low, width), opt_shape=(opt, width), max_shape=(high, width)
    )


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 8))

    def forward(self, input):
        return self.layers(input)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return Net().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def static(model):
    return torch_tensorrt.compile(model, arg_inputs=[torch.randn(4, 16)])


@pytest.fixture(scope="module")
def dynamic(model):
    return torch_tensorrt.compile(model, arg_inputs=[ranged(1, 4, 33)])


@pytest.fixture(scope="module")
def path(dynamic, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "net.ep"
    torch_tensorrt.save(dynamic, path)
    return path


@pytest.fixture
def loaded(path):
    return torch_tensorrt.load(path).module()


UNFIT = {
    "shape": ("static", torch.randn(5, 16), ["float32[5, 16]", "float32[4, 16]"]),
    "range of a static module": ("static", ranged(1, 4, 8), ["[1 to 8, 16]", "[4, 16]"]),
    "wider": ("dynamic", ranged(1, 4, 100), ["float32[1 to 100, 16]", "float32[1 to 33, 16]"]),
    "size": ("dynamic", torch.randn(34, 16), ["float32[34, 16]", "float32[1 to 33, 16]"]),
    "dtype": ("dynamic", torch.randn(4, 16).double(), ["float64[4, 16]", "float32[1 to 33"]),
    "rank": ("dynamic", torch.randn(16), ["float32[16]", "float32[1 to 33, 16]"]),
}


@pytest.mark.parametrize("retrace", [True, False])
@pytest.mark.parametrize("kind", UNFIT)
def test_inputs_that_the_module_refuses_are_not_saved_with(request, tmp_path, kind, retrace):
    name, value, words = UNFIT[kind]
    with pytest.raises(SaveError) as caught:
        torch_tensorrt.save(
            request.getfixturevalue(name), tmp_path / "x.ep", arg_inputs=[value], retrace=retrace
        )
    words = [*words, "'input'", "compiled for", "Way out", "Input(min_shape"]
    assert [w for w in words if w not in str(caught.value)] == []
    assert list(tmp_path.iterdir()) == []


def test_dynamic_shapes_beyond_the_compiled_range(dynamic, model, tmp_path):
    def save(high):
        torch_tensorrt.save(
            dynamic,
            tmp_path / "x.ep",
            arg_inputs=[torch.randn(4, 16)],
            dynamic_shapes=({0: torch.export.Dim("batch", min=2, max=high)},),
        )

    with pytest.raises(SaveError, match=r"axis 0 of input 'input'.*2 to 100.*1 to 33"):
        save(100)
    save(20)
    x = torch.randn(20, 16)
    loaded = torch_tensorrt.load(tmp_path / "x.ep").module()
    torch.testing.assert_close(loaded(x), model(x), rtol=1e-5, atol=1e-6)


def test_other_inputs_than_compiled_for(dynamic, tmp_path):
    with pytest.raises(SaveError, match=r"given are \(input, argument 1\).*compiled for \(input\)"):
        torch_tensorrt.save(dynamic, tmp_path / "x.ep", arg_inputs=[torch.randn(4, 16)] * 2)


def test_a_narrower_range_may_be_saved(dynamic, model, tmp_path):
    torch_tensorrt.save(dynamic, tmp_path / "x.ep", arg_inputs=[ranged(2, 4, 8)])
    loaded = torch_tensorrt.load(tmp_path / "x.ep").module()
    x = torch.randn(8, 16)
    torch.testing.assert_close(loaded(x), model(x), rtol=1e-5, atol=1e-6)


def test_a_program_compiled_without_inputs(model, tmp_path):
    program = torch.export.export(model, (torch.randn(4, 16),))
    compiled = torch_tensorrt.dynamo.compile(program)
    with pytest.raises(SaveError, match="arg_inputs are needed"):
        torch_tensorrt.save(compiled, tmp_path / "x.ep")
    with pytest.raises(TorchTensorRTError, match="axis 0 must be 4"):
        torch_tensorrt.save(compiled, tmp_path / "x.ep", arg_inputs=[torch.randn(5, 16)])


def test_a_missing_folder_is_named(dynamic, tmp_path):
    with pytest.raises(SaveError, match=r"folder '.*/no/such' .*does not exist") as caught:
        torch_tensorrt.save(dynamic, tmp_path / "no" / "such" / "net.ep")
    assert "/." not in str(caught.value)


def test_return_types_are_saved(tmp_path):
    class TopK(nn.Module):
        def forward(self, x):
            return (x * 2 + 1).topk(2)

    x = torch.randn(4, 16)
    compiled = torch_tensorrt.compile(TopK(), arg_inputs=[x], min_block_size=1)
    torch_tensorrt.save(compiled, tmp_path / "topk.ep")
    got = torch_tensorrt.load(tmp_path / "topk.ep").module()(x)
    assert isinstance(got, torch.return_types.topk)
    assert torch.equal(got.indices, TopK()(x).indices)


UNKNOWN = """
import sys, torch, torch_tensorrt
if sys.argv[1] == "save":
    library = torch.library.Library("absent_package", "DEF")
    library.define("twice(Tensor x) -> Tensor")
    library.impl("twice", lambda x: x * 2, "CompositeExplicitAutograd")
    torch.library.register_fake("absent_package::twice", lambda x: torch.empty_like(x), lib=library)
    class Model(torch.nn.Module):
        def forward(self, x):
            return torch.ops.absent_package.twice(torch.relu(x) + 1)
    x = torch.randn(4)
    compiled = torch_tensorrt.compile(Model(), arg_inputs=[x], min_block_size=1)
    torch_tensorrt.save(compiled, sys.argv[2])
else:
    try:
        torch_tensorrt.load(sys.argv[2])
    except torch_tensorrt._exceptions.LoadError as error:
        print(error)
"""


def test_an_operator_that_is_not_registered_is_named(tmp_path):
    path = str(tmp_path / "foreign.ep")
    (tmp_path / "unknown.py").write_text(UNKNOWN)

    def run(what):
        command = [sys.executable, "-W", "ignore", str(tmp_path / "unknown.py"), what, path]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
        return done.stdout + done.stderr

    said = run("save")
    assert "absent_package::twice" in said
    assert "must first import the package that registers the namespace absent_package" in said
    said = run("load")
    words = ["absent_package::twice", "import absent_package", "then load again", path]
    assert [w for w in words if w not in said] == []
    assert "damaged" not in said
    assert len(said) < 500


def test_files_without_foreign_operators_are_saved_quietly(dynamic, tmp_path, caplog):
    torch_tensorrt.save(dynamic, tmp_path / "x.ep")
    assert [r for r in caplog.records if r.levelname == "WARNING"] == []


def test_a_damaged_file_is_of_both_classes(tmp_path):
    (tmp_path / "x.ep").write_bytes(b"PK\x03\x04" + bytes(500))
    with pytest.raises(LoadError, match="damaged") as caught:
        torch_tensorrt.load(tmp_path / "x.ep")
    assert isinstance(caught.value, (TorchTensorRTError, ValueError))


@pytest.mark.parametrize(
    "error", [UnicodeDecodeError("utf-8", b"x", 0, 1, "bad"), OSError(22, "x")]
)
def test_an_archive_that_cannot_be_listed_is_a_damaged_file(path, monkeypatch, error):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(zipfile.ZipFile, "namelist", fail)
    with pytest.raises(LoadError, match="damaged") as caught:
        torch_tensorrt.load(path)
    assert caught.value.__cause__ is error


def test_a_description_that_is_no_json_is_a_damaged_file(path, tmp_path):
    broken = tmp_path / "x.ep"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(broken, "w") as target:
        for entry in source.infolist():
            data = source.read(entry)
            target.writestr(entry, data[:99] if entry.filename.endswith(".json") else data)
    with pytest.raises(LoadError, match="damaged"):
        torch_tensorrt.load(broken)


def test_what_is_no_path_of_a_file_is_refused(static, tmp_path):
    for given, words in [(io.BytesIO(), "not a BytesIO"), (tmp_path, "is a folder")]:
        with pytest.raises(SaveError, match=words):
            torch_tensorrt.save(static, given)
        with pytest.raises(LoadError, match=words):
            torch_tensorrt.load(given)


def test_a_graph_that_does_not_parse_is_a_damaged_file(path, tmp_path):
    """An argument name that is no name shows only when the module is made."""
    broken = tmp_path / "x.ep"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(broken, "w") as target:
        for entry in source.infolist():
            data = source.read(entry)
            if entry.filename.endswith(".json"):
                json.loads(data)
                data = data.replace(b'"input"', b'"in.ut"')
            target.writestr(entry, data)
    with pytest.raises(LoadError, match="damaged"):
        torch_tensorrt.load(broken).module()(torch.randn(4, 16))


UNFIT_CALLS = {
    "dtype": (InputMismatchError, lambda f, x: f(x.double()), ["'input'", "f32", "f64", "cast"]),
    "above": (
        DynamicShapeOutOfRangeException,
        lambda f, x: f(torch.randn(34, 16)),
        ["'input'", "size 34 on axis 0", "[1, 33]", "[34, 16]", "min_shape"],
    ),
    "below": (
        DynamicShapeOutOfRangeException,
        lambda f, x: f(torch.randn(0, 16)),
        ["'input'", "size 0 on axis 0", "[1, 33]"],
    ),
    "rank": (InputMismatchError, lambda f, x: f(x[0]), ["'input'", "[1 to 33, 16]", "shape [16]"]),
    "size": (InputMismatchError, lambda f, x: f(x[:, 1:]), ["'input'", "axis 1 must be 16"]),
    "numpy": (InputMismatchError, lambda f, x: f(x.numpy()), ["'input'", "ndarray", "tensor"]),
    "none": (InputMismatchError, lambda f, x: f(None), ["'input'", "NoneType"]),
    "sparse": (InputMismatchError, lambda f, x: f(x.to_sparse()), ["'input'", "to_dense"]),
    "device": (InputMismatchError, lambda f, x: f(x.to("meta")), ["meta", "cpu"]),
    "no argument": (InputMismatchError, lambda f, x: f(), ["(input)", "got ()"]),
    "two arguments": (InputMismatchError, lambda f, x: f(x, x), ["(input)", "float32[4, 16]"]),
    "vmap": (UnsupportedTransformError, lambda f, x: torch.vmap(f)(x[None]), ["batching rule"]),
}


@pytest.mark.parametrize("kind", UNFIT_CALLS)
def test_calls_of_loaded_modules_that_do_not_fit(loaded, model, kind):
    error, call, words = UNFIT_CALLS[kind]
    x = torch.randn(4, 16)
    with pytest.raises(TorchTensorRTError) as caught:
        call(loaded, x)
    assert type(caught.value) is error
    assert [w for w in words if w not in str(caught.value)] == []
    torch.testing.assert_close(loaded(x), model(x), rtol=1e-5, atol=1e-6)


def test_sizes_that_must_agree(tmp_path):
    class Add(nn.Module):
        def forward(self, a, b):
            return torch.relu(a + b)

    compiled = torch_tensorrt.compile(Add(), arg_inputs=[ranged(1, 4, 33)] * 2, min_block_size=1)
    torch_tensorrt.save(compiled, tmp_path / "x.ep")
    loaded = torch_tensorrt.load(tmp_path / "x.ep").module()
    with pytest.raises(InputMismatchError, match=r"'b' has .* axis 0 must be 4, .* axis 0 of 'a'"):
        loaded(torch.randn(4, 16), torch.randn(5, 16))


def test_relations_of_sizes_that_only_a_guard_knows(tmp_path):
    class Halves(nn.Module):
        def forward(self, x):
            return torch.relu(x.reshape(2, -1)) if x.shape[0] % 2 == 0 else x

    program = torch.export.export(
        Halves(), (torch.randn(4, 16),), dynamic_shapes=({0: torch.export.Dim.AUTO},)
    )
    torch.export.save(program, tmp_path / "x.pt2")
    loaded = torch_tensorrt.load(tmp_path / "x.pt2").module()
    assert loaded(torch.randn(8, 16)).shape == (2, 64)
    with pytest.raises(InputMismatchError, match="captured with"):
        loaded(torch.randn(5, 16))


def test_loaded_modules_are_modules_like_others(loaded, path, model):
    x = torch.randn(4, 16)
    same = {"rtol": 1e-5, "atol": 1e-6}
    program = torch_tensorrt.load(path)
    assert isinstance(program, torch.export.ExportedProgram)
    torch.testing.assert_close(copy.deepcopy(program).module()(x), model(x), **same)
    torch.testing.assert_close(program.module(check_guards=False)(x), model(x), **same)
    torch.testing.assert_close(copy.deepcopy(loaded)(x), model(x), **same)
    loaded.recompile()
    torch.testing.assert_close(loaded(x), model(x), **same)
    torch.testing.assert_close(torch.compile(loaded, backend="eager")(x), model(x), **same)


def test_loaded_modules_are_saved_again(loaded, path, model, tmp_path):
    x = torch.randn(4, 16)
    torch_tensorrt.save(loaded, tmp_path / "module.ep", arg_inputs=[ranged(1, 4, 33)])
    torch_tensorrt.save(torch_tensorrt.load(path), tmp_path / "program.ep")
    for name in ("module.ep", "program.ep"):
        got = torch_tensorrt.load(tmp_path / name).module()(x)
        torch.testing.assert_close(got, model(x), rtol=1e-5, atol=1e-6)


def test_conversion_of_a_loaded_module_says_that_it_does_nothing(loaded, caplog):
    warn_once.cache_clear()
    loaded.half()
    (record,) = caplog.records
    assert "float16" in record.message
