"""Bad input through the whole product: the class of the error, what its message names, and that the
next call works."""

import contextlib
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
import torch_tensorrt
from torch import nn
from torch_tensorrt._exceptions import (
    BindingNameMismatchError,
    DynamicShapeOutOfRangeException,
    InputMismatchError,
    InvalidOptionError,
    LoadError,
    TorchTensorRTError,
    UnsupportedOperatorException,
    UnsupportedTransformError,
)
from torch_tensorrt.dynamo.runtime import TorchTensorRTModule
from torch_tensorrt.dynamo.runtime._errors import warn_once

RANGE = torch_tensorrt.Input(min_shape=(2, 8), opt_shape=(4, 8), max_shape=(16, 8))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(8, 12)
        self.second = nn.Linear(12, 4)

    def forward(self, tokens):
        return self.second(torch.relu(self.first(tokens))).softmax(-1)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return Net().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def compiled(model):
    return torch_tensorrt.compile(model, arg_inputs=[RANGE], require_full_compilation=True)


@pytest.fixture(scope="module")
def plan(model):
    return torch_tensorrt.convert_method_to_trt_engine(model, arg_inputs=[RANGE])


@pytest.fixture(scope="module")
def saved(compiled, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "net.ep"
    torch_tensorrt.save(compiled, path)
    return path


@contextlib.contextmanager
def still_works(module, model):
    """Checks ``module`` after the errors of the block."""
    yield
    tokens = torch.randn(5, 8)
    torch.testing.assert_close(module(tokens), model(tokens), rtol=1e-5, atol=1e-6)


BAD_INPUTS = {
    "dtype": (torch.ones(2, 8, dtype=torch.float64), ["tokens", "f32", "f64", "[2, 8]", "cast"]),
    "complex": (torch.ones(2, 8, dtype=torch.complex64), ["Complex", "cast"]),
    "device": (torch.ones(2, 8, device="meta"), ["input 0", "meta", "cpu"]),
    "rank": (torch.ones(8), ["tokens", "2 axes of sizes [2 to 16, 8]", "got shape [8]"]),
    "rank 17": (torch.ones((1,) * 17), ["tokens", "rank 17", "at most 16"]),
    "rank 64": (torch.ones((1,) * 64), ["tokens", "rank 64", "at most 16"]),
    "size": (torch.ones(2, 9), ["tokens", "[2, 9]", "axis 1 must be 8", "min_shape"]),
    "sparse": (torch.ones(2, 8).to_sparse(), ["tokens", "sparse", "to_dense"]),
    "number": (3, ["tokens", "int", "tensor"]),
    "none": (None, ["tokens", "NoneType"]),
}


@pytest.mark.parametrize("kind", BAD_INPUTS)
def test_inputs_that_do_not_fit(compiled, model, kind):
    value, words = BAD_INPUTS[kind]
    with still_works(compiled, model):
        with pytest.raises(InputMismatchError) as caught:
            compiled(value)
        assert [w for w in words if w not in str(caught.value)] == []
        assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("rows", [0, 1, 17])
def test_sizes_outside_the_range(compiled, model, rows):
    with still_works(compiled, model):
        with pytest.raises(DynamicShapeOutOfRangeException) as caught:
            compiled(torch.ones(rows, 8))
        message = str(caught.value)
        words = ["'tokens'", f"size {rows} on axis 0", "[2, 16]", f"[{rows}, 8]", "min_shape"]
        assert [w for w in words if w not in message] == []


def test_the_name_is_that_of_the_argument():
    """Also where PyTorch's graph calls it otherwise: ``input`` is ``input_1`` there."""
    compiled = torch_tensorrt.compile(
        nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8)).eval(), arg_inputs=[RANGE]
    )
    with pytest.raises(InputMismatchError, match="input 'input' must have 2 axes"):
        compiled(torch.ones(8))


def test_number_of_inputs(plan, model):
    engine = TorchTensorRTModule(plan)
    with still_works(engine, model):
        for inputs in ([], [torch.ones(2, 8)] * 2):
            with pytest.raises(InputMismatchError, match=f"takes 1 inputs, got {len(inputs)}"):
                engine(*inputs)


def test_an_engine_without_plan_says_so():
    with pytest.raises(RuntimeError, match="load a state first"):
        TorchTensorRTModule()(torch.ones(1))


def test_an_input_that_requires_grad(compiled, model):
    tokens = torch.ones(3, 8, requires_grad=True)
    with still_works(compiled, model):
        with pytest.raises(RuntimeError, match=r"requires grad.*no_grad\(\).*detached"):
            compiled(tokens)
        with torch.no_grad():
            torch.testing.assert_close(compiled(tokens), model(tokens))


TRANSFORMS = {
    "vmap": (lambda f, x: torch.vmap(f)(x.expand(3, 4, 8)), "batching rule.*torch.compile"),
    "jvp": (lambda f, x: torch.func.jvp(f, (x,), (x,)), "forward derivative.*torch.compile"),
    "grad": (lambda f, x: torch.func.grad(lambda y: f(y).sum())(x), "no backward"),
}


@pytest.mark.parametrize("kind", TRANSFORMS)
def test_transforms_that_engines_have_no_rule_for(compiled, model, kind):
    transform, text = TRANSFORMS[kind]
    with still_works(compiled, model), pytest.raises(UnsupportedTransformError, match=text):
        transform(compiled, torch.randn(4, 8))


@pytest.mark.parametrize("kind", ["vmap", "jvp"])
def test_a_transformed_model_can_be_compiled(model, kind):
    transform, _ = TRANSFORMS[kind]
    x = torch.randn(4, 8)
    fast = torch.compile(lambda x: transform(model, x), backend="tensorrt")
    torch.testing.assert_close(fast(x), transform(model, x), rtol=1e-5, atol=1e-6)


CONVERSIONS = {
    "half": (lambda m: m.half(), "float16"),
    "double": (lambda m: m.double(), "float64"),
    "bfloat16": (lambda m: m.to(torch.bfloat16), "bfloat16"),
    "meta": (lambda m: m.to("meta"), "meta"),
}


@pytest.mark.parametrize("kind", CONVERSIONS)
def test_conversions_of_a_compiled_module_say_that_they_do_nothing(model, caplog, kind):
    convert, change = CONVERSIONS[kind]
    compiled = torch_tensorrt.compile(Net().eval(), arg_inputs=[torch.randn(4, 8)])
    before = compiled(torch.ones(4, 8))
    warn_once.cache_clear()
    for _ in range(2):
        assert convert(compiled) is compiled
    (record,) = [r for r in caplog.records if r.levelname == "WARNING"]
    assert [w for w in (change, "Convert the model", "compile") if w not in record.message] == []
    assert torch.equal(compiled(torch.ones(4, 8)), before)


def test_conversions_that_change_nothing_are_quiet(compiled, caplog):
    warn_once.cache_clear()
    assert compiled.float().to("cpu").cpu().to(torch.float32) is compiled
    assert caplog.records == []


def test_views_and_strides_are_no_error(compiled, model):
    wide = torch.randn(8, 20)
    for tokens in (wide.t()[3:9], wide[:, :16].reshape(16, 8)[::3], torch.randn(8).expand(4, 8)):
        torch.testing.assert_close(compiled(tokens), model(tokens), rtol=1e-5, atol=1e-6)


class Triangle(nn.Module):
    def forward(self, matrix):
        return torch.linalg.qr(matrix + 1)[1].abs()


def test_an_unsupported_operator_names_the_line():
    with pytest.raises(UnsupportedOperatorException) as caught:
        torch_tensorrt.compile(
            Triangle(), arg_inputs=[torch.randn(8, 3)], require_full_compilation=True
        )
    message = str(caught.value)
    words = ["aten.linalg_qr.default", "float32[8, 3]", "test_errors.py:", "torch.linalg.qr(matrix"]
    assert [w for w in [*words, "drop require_full_compilation"] if w not in message] == []
    node = caught.value.nodes[0]
    assert node.op == "aten.linalg_qr.default"
    assert "Triangle" in node.source or "forward" in node.source


def test_an_unsupported_operator_runs_in_pytorch():
    compiled = torch_tensorrt.compile(Triangle(), arg_inputs=[torch.randn(8, 3)], min_block_size=1)
    matrix = torch.randn(8, 3)
    torch.testing.assert_close(compiled(matrix), Triangle()(matrix))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"min_blok_size": 1}, ["min_blok_size", "did you mean 'min_block_size'"]),
        ({"min_block_size": 0}, ["min_block_size", "at least 1", "0"]),
        ({"device": "cuda:0"}, ["cuda:0", "CPU"]),
    ],
)
def test_options(model, options, words):
    for ir in ("dynamo", "torch_compile"):
        with pytest.raises(InvalidOptionError) as caught:
            torch_tensorrt.compile(model, ir=ir, arg_inputs=[RANGE], **options)
        assert [w for w in words if w not in str(caught.value)] == []


def damaged(data):
    """Plan bytes that are no plan, by what is wrong with them."""
    middle = bytearray(data)
    middle[200] ^= 0xFF
    newer = bytearray(data)
    newer[8] = 200
    return {
        "empty": b"",
        "foreign": b"PK\x03\x04" + bytes(500),
        "cut": data[: len(data) // 2],
        "longer": data + b"\0",
        "flipped": bytes(middle),
        "newer": bytes(newer),
    }


@pytest.mark.parametrize("kind", ["empty", "foreign", "cut", "longer", "flipped", "newer"])
def test_plan_bytes(plan, model, kind):
    with still_works(TorchTensorRTModule(plan), model):
        words = "version 200" if kind == "newer" else "damaged"
        with pytest.raises(LoadError, match=rf"plan file.*{words}"):
            TorchTensorRTModule(damaged(plan)[kind])
        held = torch.tensor(list(damaged(plan)[kind]), dtype=torch.uint8)
        state = {"_extra_state": {"plan": held, "name": "net"}}
        with pytest.raises(LoadError, match=rf"plan file.*{words}"):
            TorchTensorRTModule().load_state_dict(state)


def test_a_changed_byte_never_changes_a_result(plan, model):
    tokens = torch.randn(3, 8)
    expected = TorchTensorRTModule(plan)(tokens)
    refused = 0
    for position in range(0, len(plan), 7):
        data = bytearray(plan)
        data[position] ^= 0x41
        try:
            got = TorchTensorRTModule(bytes(data))(tokens)
        except TorchTensorRTError:
            refused += 1
        else:  # bytes between sections mean nothing
            assert torch.equal(got, expected), position
    assert refused > len(plan) // 7 // 2


def test_what_a_plan_may_come_from(plan):
    with pytest.raises(LoadError, match="uint8"):
        TorchTensorRTModule(torch.ones(4))
    with pytest.raises(TypeError, match=r"bytes of a plan file.*not from int; .*convert_method"):
        TorchTensorRTModule(5)
    with pytest.raises(BindingNameMismatchError, match="tokens"):
        TorchTensorRTModule(plan, ["ids"])


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.99])
def test_truncated_program(saved, tmp_path, caplog, part):
    data = saved.read_bytes()
    path = tmp_path / "cut.ep"
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(ValueError, match=r"cut\.ep cannot be read .*damaged.*write it again"):
        torch_tensorrt.load(path)
    assert [r for r in caplog.records if r.levelname == "WARNING"] == []


def test_a_changed_byte_of_a_program_never_changes_a_result(saved, compiled, tmp_path):
    data, tokens = saved.read_bytes(), torch.randn(3, 8)
    refused = 0
    for position in range(100, len(data), len(data) // 20):
        changed = bytearray(data)
        changed[position] ^= 0x41
        (tmp_path / "x.ep").write_bytes(changed)
        try:
            got = torch_tensorrt.load(tmp_path / "x.ep").module()(tokens)
        except ValueError:
            refused += 1
        else:  # padding of the archive
            assert torch.equal(got, compiled(tokens)), position
    assert refused > 0


def test_threads_give_what_one_thread_gives(compiled):
    inputs = [torch.randn(rows, 8) for rows in (2, 3, 5, 7, 8, 11, 13, 16)]
    expected = [compiled(x) for x in inputs]

    def work(thread):
        order = [(thread + i) % len(inputs) for i in range(200)]
        return sum(not torch.equal(compiled(inputs[i]), expected[i]) for i in order)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [0] * 8


def test_errors_in_threads_stay_with_their_call(compiled):
    good = torch.randn(4, 8)
    expected = compiled(good)

    def work(thread):
        for _ in range(20):
            if thread % 2:
                with pytest.raises(DynamicShapeOutOfRangeException):
                    compiled(torch.ones(17, 8))
            else:
                assert torch.equal(compiled(good), expected)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
