"""torch_tensorrt.compile, save, load, convert_method_to_trt_engine."""

import logging
import subprocess
import sys

import pytest
import torch
import torch_tensorrt
from torch import nn
from torch_tensorrt import Input
from torch_tensorrt._exceptions import (
    BindingNameMismatchError,
    InvalidOptionError,
    SaveError,
    UnsupportedOperatorException,
)

TOLERANCE = {"rtol": 1e-5, "atol": 1e-5}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(8, 16)
        self.second = nn.Linear(16, 4)

    def forward(self, x, *, scale=None):
        y = self.second(torch.relu(self.first(x))).softmax(-1)
        return y if scale is None else {"y": y * scale, "x": x}

    def embed(self, x):
        return self.first(x).tanh()


RANGE = Input(min_shape=(1, 8), opt_shape=(4, 8), max_shape=(16, 8))


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return Net().eval()


@pytest.fixture(scope="module")
def compiled(model):
    return torch_tensorrt.compile(model, arg_inputs=[RANGE], require_full_compilation=True)


def check(module, model, rows=(4, 1, 16)):
    for n in rows:
        x = torch.randn(n, 8)
        with torch.no_grad():
            torch.testing.assert_close(module(x), model(x), **TOLERANCE)


def test_dynamic_batch_in_one_engine(compiled, model):
    check(compiled, model)
    assert [name for name, _ in compiled.named_children()] == ["_run_on_acc_0"]


def test_static_and_exported_program(model):
    x = torch.randn(4, 8)
    check(torch_tensorrt.compile(model, inputs=[x], min_block_size=1), model, rows=(4,))
    program = torch.export.export(model, (x,))
    check(torch_tensorrt.compile(program, ir="dynamo", min_block_size=1), model, rows=(4,))


def test_two_operators_are_one_engine():
    small = torch.nn.Sequential(torch.nn.Linear(8, 4), torch.nn.ReLU()).eval()
    compiled = torch_tensorrt.compile(small, inputs=[torch.randn(3, 8)])
    assert [name for name, _ in compiled.named_children()] == ["_run_on_acc_0"]
    check(compiled, small, rows=(3,))


def test_keyword_inputs_and_nested_outputs(model):
    compiled = torch_tensorrt.compile(
        model, arg_inputs=[RANGE], kwarg_inputs={"scale": torch.ones(4)}, min_block_size=1
    )
    x, scale = torch.randn(3, 8), torch.randn(4)
    got, expected = compiled(x, scale=scale), model(x, scale=scale)
    torch.testing.assert_close(got["y"], expected["y"].detach(), **TOLERANCE)
    assert got["x"] is x


def test_torch_compile_ir(model):
    check(torch_tensorrt.compile(model, ir="torch_compile", min_block_size=1), model)


def test_dryrun_builds_nothing(model, capsys, tmp_path):
    out = torch_tensorrt.compile(model, arg_inputs=[RANGE], dryrun=True)
    assert "dry run" in capsys.readouterr().out
    assert not [n for n, _ in out.named_children() if n.startswith("_run_on_acc")]
    path = tmp_path / "report.txt"
    torch_tensorrt.compile(model, arg_inputs=[RANGE], dryrun=str(path))
    assert "operators in engines" in path.read_text()


def test_outside_the_range(compiled, model):
    with pytest.raises((ValueError, RuntimeError), match="17"):
        compiled(torch.randn(17, 8))
    check(compiled, model)


@pytest.mark.parametrize("retrace", [True, False])
def test_save_and_load_in_a_fresh_process(compiled, model, tmp_path, retrace):
    path = tmp_path / "net.ep"
    torch_tensorrt.save(compiled, str(path), arg_inputs=[RANGE], retrace=retrace)
    x = torch.randn(5, 8)
    torch.save(x, tmp_path / "x.pt")
    code = (
        "import torch, torch_tensorrt, sys\n"
        "m = torch_tensorrt.load(sys.argv[1] + '/net.ep').module()\n"
        "x = torch.load(sys.argv[1] + '/x.pt')\n"
        "torch.save([m(x), m(x[:1])], sys.argv[1] + '/y.pt')\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, timeout=120)
    got = torch.load(tmp_path / "y.pt")
    with torch.no_grad():
        torch.testing.assert_close(got, [model(x), model(x[:1])], **TOLERANCE)


@pytest.mark.parametrize("name", ["net.ep", "net"])
def test_save_and_load_are_quiet_and_whole(compiled, model, tmp_path, caplog, capfd, name):
    path = tmp_path / name
    path.write_bytes(b"an older file")
    torch_tensorrt.save(compiled, path, extra_files={"note": "hello"})
    note = {"note": ""}
    check(torch_tensorrt.load(path, extra_files=note).module(), model)
    assert note["note"] in ("hello", b"hello")
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == []
    assert capfd.readouterr() == ("", "")
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_a_failed_save_leaves_the_file_as_it_was(compiled, tmp_path):
    path = tmp_path / "net.ep"
    path.write_bytes(b"an older file")
    with pytest.raises(Exception, match="string"):
        torch_tensorrt.save(compiled, path, extra_files={"note": 3})
    assert path.read_bytes() == b"an older file"
    assert [file.name for file in tmp_path.iterdir()] == ["net.ep"]


def test_save_takes_ranges_from_the_compilation(compiled, model, tmp_path):
    path = tmp_path / "net.ep"
    torch_tensorrt.save(compiled, str(path), arg_inputs=[torch.randn(4, 8)])
    check(torch_tensorrt.load(str(path)).module(), model)


def test_save_refusals(compiled, model, tmp_path):
    path = str(tmp_path / "x.ep")
    with pytest.raises(SaveError, match="compile it first"):
        torch_tensorrt.save(model, path)
    with pytest.raises(SaveError, match="aot_inductor"):
        torch_tensorrt.save(compiled, path, output_format="aot_inductor")
    with pytest.raises(SaveError, match="file_path"):
        torch_tensorrt.save(compiled)
    with pytest.raises(InvalidOptionError, match="colour"):
        torch_tensorrt.save(compiled, path, colour=1)
    (tmp_path / "junk.ep").write_bytes(b"junk")
    with pytest.raises(ValueError, match=r"junk\.ep"):
        torch_tensorrt.load(str(tmp_path / "junk.ep"))
    with pytest.raises(FileNotFoundError):
        torch_tensorrt.load(str(tmp_path / "none.ep"))


def test_serialized_engine(model):
    data = torch_tensorrt.convert_method_to_trt_engine(model, "forward", arg_inputs=[RANGE])
    assert isinstance(data, bytes)
    engine = torch_tensorrt.dynamo.runtime.TorchTensorRTModule(data)
    check(engine, model)
    data = torch_tensorrt.convert_method_to_trt_engine(model, "embed", arg_inputs=[RANGE])
    embed = torch_tensorrt.dynamo.runtime.TorchTensorRTModule(data)
    x = torch.randn(2, 8)
    torch.testing.assert_close(embed(x), model.embed(x).detach(), **TOLERANCE)


def test_binding_names(model):
    convert = torch_tensorrt.dynamo.convert_exported_program_to_serialized_trt_engine
    program = torch_tensorrt.dynamo.trace(model, arg_inputs=[RANGE])
    data = convert(
        program,
        arg_inputs=[RANGE],
        arg_input_binding_names=("tokens",),
        output_binding_names="scores",
    )
    engine = torch_tensorrt.dynamo.runtime.TorchTensorRTModule(data)
    assert engine.input_binding_names == ["tokens"]
    assert engine.output_binding_names == ["scores"]
    with pytest.raises(BindingNameMismatchError, match="input"):
        convert(program, arg_inputs=[RANGE], arg_input_binding_names=("a", "b"))


def test_bad_calls(model):
    with pytest.raises(ValueError, match="inputs are needed"):
        torch_tensorrt.compile(model)
    with pytest.raises(ValueError, match="unknown ir"):
        torch_tensorrt.compile(model, ir="onnx", inputs=[torch.ones(1, 8)])
    with pytest.raises(NotImplementedError, match="TorchScript"):
        torch_tensorrt.compile(torch.jit.trace(model, torch.ones(1, 8)), inputs=[RANGE])
    with pytest.raises(ValueError, match="str"):
        torch_tensorrt.compile("model", inputs=[RANGE])
    with pytest.raises(InvalidOptionError, match="min_block_size"):
        torch_tensorrt.compile(model, inputs=[RANGE], min_blocksize=3)
    with pytest.raises(ValueError, match="no method"):
        torch_tensorrt.convert_method_to_trt_engine(model, "nothing", inputs=[RANGE])
    with pytest.raises(TypeError, match="ExportedProgram"):
        torch_tensorrt.dynamo.compile(model, [RANGE])


def test_full_compilation_names_the_operator():
    class Transform(nn.Module):
        def forward(self, x):
            return torch.linalg.qr(x + 1)[1].abs()

    with pytest.raises(UnsupportedOperatorException, match="linalg_qr"):
        torch_tensorrt.compile(
            Transform(), arg_inputs=[torch.randn(8, 3)], require_full_compilation=True
        )


def test_convolutions_that_share_weights_and_differ_in_dilation():
    """Weights of few channels are packed by filter rows where the dilation lets them."""

    class Shared(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.randn(8, 3, 3, 3))

        def forward(self, x):
            near = torch.nn.functional.conv2d(x, self.weight, padding=1)
            far = torch.nn.functional.conv2d(x, self.weight, padding=2, dilation=2)
            return near, far

    for dtype, tolerance in ((torch.float32, 1e-4), (torch.bfloat16, 0.1)):
        model, x = Shared().eval().to(dtype), torch.randn(1, 3, 16, 16).to(dtype)
        with torch.no_grad():
            exact = model.double()(x.double())
            model.to(dtype)
            compiled = torch_tensorrt.compile(model, arg_inputs=[x], require_full_compilation=True)
            for got, want in zip(compiled(x), exact, strict=True):
                assert (got.double() - want).abs().max() < tolerance
