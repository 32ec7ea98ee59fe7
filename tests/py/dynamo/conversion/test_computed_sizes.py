"""Results with as many elements as values say: engines give what PyTorch gives."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch_tensorrt
from torch import fx, nn
from torch_tensorrt import Input
from torch_tensorrt._exceptions import TorchTensorRTError
from torch_tensorrt.dynamo import CompilationSettings
from torch_tensorrt.dynamo.conversion._computed_sizes import computed_ranges
from torch_tensorrt.dynamo.conversion._support import node_support

SIZES = (0, 1, 7, 31, 33, 257)


class Module(nn.Module):
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: Any) -> Any:
        return self.function(*args)


def one_engine(function: Callable[..., Any], *inputs: Any) -> Any:
    compiled = torch_tensorrt.compile(
        Module(function), arg_inputs=list(inputs), require_full_compilation=True
    )
    assert [n for n, _ in compiled.named_children() if n != "_guards_fn"] == ["_run_on_acc_0"]
    return compiled


def masks(size: int) -> list[torch.Tensor]:
    some = torch.rand(size) < 0.4
    return [some, torch.zeros_like(some), torch.ones_like(some)]


#: Functions of values [n, 3, 4] and a mask [n].
BY_ROWS: dict[str, Callable[..., Any]] = {
    "index": lambda x, m: x[m],
    "index twice": lambda x, m: (x[m] * 2, (x + 1)[m].sum((1, 2))),
    "nonzero": lambda x, m: torch.nonzero(m),
    "nonzero of floats": lambda x, m: torch.nonzero(x * m[:, None, None]),
    "nonzero as a tuple": lambda x, m: torch.nonzero(x > 0.2, as_tuple=True),
    "argwhere": lambda x, m: torch.argwhere(x.clamp(min=0)),
    "where": lambda x, m: x[torch.where(m)[0]] + 1,
    "masked_select": lambda x, m: torch.masked_select(x, m[:, None, None]),
    "a mask of two dims": lambda x, m: x[(x.sum(2) > 0) & m[:, None]],
    "a mask of all dims": lambda x, m: x[x > 0.5].exp(),
    "beside an index": lambda x, m: x[m, torch.tensor([1])],
    "after a slice": lambda x, m: x.permute(1, 0, 2)[:, m],
    "apart from an index": lambda x, m: x[m, :, torch.tensor([2])],
    "before a reduction": lambda x, m: (x[m].sum(0), x[m].mean((0, 1)), x[m].numel()),
    "sizes": lambda x, m: torch.arange(torch.nonzero(m).shape[0]) * 2,
    "written by mask": lambda x, m: torch.index_put(x, [m], x[m] * 2),
    "added by mask": lambda x, m: torch.index_put(x, [m], x[m].exp(), accumulate=True),
    "a second time": lambda x, m: (lambda y: y[y.sum((1, 2)) > 0])(x[m] - 0.1),
    "repeat_interleave": lambda x, m: torch.repeat_interleave(x, m * 3, dim=0),
}


@pytest.mark.parametrize("name", BY_ROWS)
def test_as_eager_for_any_number_of_rows(name: str) -> None:
    function = BY_ROWS[name]
    values = Input(min_shape=(0, 3, 4), opt_shape=(31, 3, 4), max_shape=(257, 3, 4))
    mask = Input(min_shape=(0,), opt_shape=(31,), max_shape=(257,), dtype=torch.bool)
    compiled = one_engine(function, values, mask)
    for size in SIZES:
        for m in masks(size):
            x = torch.randn(size, 3, 4)
            torch.testing.assert_close(compiled(x, m), function(x, m), equal_nan=True)


@pytest.mark.parametrize("value", [0.0, -0.0, 2.5, float("nan")])
def test_nonzero_of_a_scalar(value: float) -> None:
    x = torch.tensor(value)
    torch.testing.assert_close(one_engine(torch.nonzero, torch.tensor(1.0))(x), torch.nonzero(x))


@pytest.mark.parametrize(
    "dtype", [torch.bool, torch.uint8, torch.int8, torch.int32, torch.int64, torch.float16]
)
def test_nonzero_of_every_dtype(dtype: torch.dtype) -> None:
    x = torch.tensor([[0, 1, 0], [3, 0, 255]]).to(dtype)
    torch.testing.assert_close(one_engine(torch.nonzero, x)(x), torch.nonzero(x))


def test_repeats_that_cannot_be_are_an_error_as_in_eager() -> None:
    compiled = one_engine(torch.repeat_interleave, torch.tensor([1, 0, 3]))
    for repeats in ([1, 0, 3], [0, 0, 0], [5, 1, 0]):
        wanted = torch.repeat_interleave(torch.tensor(repeats))
        torch.testing.assert_close(compiled(torch.tensor(repeats)), wanted)
    for repeats in ([1, -1, 3], [-3, 1, 1], [-1, 0, 0]):
        with pytest.raises(RuntimeError):
            torch.repeat_interleave(torch.tensor(repeats))
        with pytest.raises(TorchTensorRTError, match="out of range"):
            compiled(torch.tensor(repeats))


def test_what_a_program_states_of_a_size_holds() -> None:
    def few(x: torch.Tensor) -> torch.Tensor:
        found = torch.nonzero(x)
        torch._check(found.shape[0] >= 1)
        torch._check(found.shape[0] <= 2)
        return found * 2

    compiled = torch_tensorrt.compile(
        Module(few), arg_inputs=[torch.ones(2)], require_full_compilation=True
    )
    good = torch.tensor([0.0, 1.0])
    torch.testing.assert_close(compiled(good), few(good))
    with pytest.raises(RuntimeError, match=">= 1"):
        compiled(torch.zeros(2))
    torch.testing.assert_close(compiled(good), few(good))

    def exactly(x: torch.Tensor) -> torch.Tensor:
        found = x[x > 0]
        torch._check(found.shape[0] == 3)
        return found.reshape(3) + 1

    three = torch.tensor([1.0, -1.0, 2.0, 3.0])
    compiled = torch_tensorrt.compile(
        Module(exactly), arg_inputs=[three], require_full_compilation=True
    )
    torch.testing.assert_close(compiled(three), exactly(three))
    with pytest.raises((RuntimeError, TorchTensorRTError), match="3"):
        compiled(-three)
    torch.testing.assert_close(compiled(three), exactly(three))


def test_calls_from_many_threads() -> None:
    function = BY_ROWS["a second time"]
    values = Input(min_shape=(1, 3, 4), opt_shape=(31, 3, 4), max_shape=(64, 3, 4))
    mask = Input(min_shape=(1,), opt_shape=(31,), max_shape=(64,), dtype=torch.bool)
    compiled = one_engine(function, values, mask)
    wrong: list[str] = []

    def call(seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        for i in range(40):
            x = torch.randn(1 + i, 3, 4, generator=generator)
            m = torch.rand(1 + i, generator=generator) < 0.5
            if not torch.allclose(compiled(x, m), function(x, m)):
                wrong.append(f"thread {seed}, call {i}")

    threads = [threading.Thread(target=call, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_compiled_modules_are_captured_again() -> None:
    x = torch.randn(9)
    compiled = one_engine(lambda x: x[x > 0] * 2, x)
    twice = torch.export.export(Module(lambda x: (compiled(x), compiled(x + 1))), (x,))
    for y in (x, -x, torch.zeros(9)):
        first, second = twice.module()(y)
        torch.testing.assert_close(first, y[y > 0] * 2)
        torch.testing.assert_close(second, (y + 1)[y + 1 > 0] * 2)
    sizes = {str(node.meta["val"].shape[0]) for node in twice.graph.output_node().all_input_nodes}
    assert len(sizes) == 2  # nothing says that they are one


def test_the_engine_says_what_it_computes() -> None:
    compiled = one_engine(lambda x: x[x > 0] * 2, torch.randn(9))
    info = json.loads(compiled._run_on_acc_0.engine.get_engine_layer_info())
    [size] = info["computed_sizes"]
    names = [layer["name"] for layer in info["layers"]]
    assert names.index(size["computed_by"]) < names.index(size["needed_from"])
    assert info["outputs"][0]["dims"] == [size["size"]]


def lowered(function: Callable[..., Any], *inputs: Any) -> fx.Node:
    program = torch.export.export(Module(function), inputs)
    [node] = [n for n in program.graph.nodes if "nonzero" in str(n.target)]
    return node


def test_engines_on_gpus_leave_them_to_pytorch() -> None:
    node = lowered(torch.nonzero, torch.ones(3))
    assert node_support(node, CompilationSettings()) is None
    reason = node_support(node, CompilationSettings(device=torch_tensorrt.Device("cuda")))
    assert reason is not None
    assert "engines on GPUs" in reason


def test_a_size_is_at_most_the_number_of_elements() -> None:
    [(low, likely, most)] = computed_ranges(lowered(torch.nonzero, torch.ones(3, 4))).values()
    assert (low, most) == (0, 12)
    assert low <= likely <= most
