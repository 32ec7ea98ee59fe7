"""Outputs that share memory with inputs, attributes or each other, and constants as outputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch_tensorrt
from torch_tensorrt.dynamo.runtime import TorchTensorRTModule

Function = Callable[[torch.Tensor], Any]


def _compute(x: torch.Tensor) -> torch.Tensor:
    return torch.relu(x) + 1


#: Functions of one input of shape (3, 4, 6).
INPUT_VIEWS: dict[str, Function] = {
    "chunk": lambda x: (_compute(x), x.chunk(2, 1)[1]),
    "split": lambda x: (_compute(x), x.split([1, x.shape[1] - 1], 1)[1]),
    "tensor_split": lambda x: (_compute(x), x.tensor_split(2, 1)[1]),
    "unbind": lambda x: (_compute(x), x.unbind(1)[2]),
    "all chunks": lambda x: (_compute(x), *x.chunk(2, 1)),
    "meshgrid": lambda x: (_compute(x), *torch.meshgrid(x[0, 0], x[1, 1], indexing="ij")),
    "expand": lambda x: (_compute(x), x.unsqueeze(2).expand(-1, -1, 5, -1)),
    "chain": lambda x: (_compute(x), x[1:].transpose(0, 1)[:, :, 1::2].unsqueeze(0)),
    "symbolic slice": lambda x: (_compute(x), x[:, : x.shape[1] // 2]),
    "as_strided": lambda x: (_compute(x), x.as_strided((2, 2), (1, 3), 1)),
    "detach": lambda x: (_compute(x), x.detach()),
    "diagonal": lambda x: (_compute(x), x.diagonal(0, 1, 2)),
    "unfold": lambda x: (_compute(x), x.unfold(2, 3, 1)),
    "movedim": lambda x: (_compute(x), x.movedim(0, 2)),
    "bits": lambda x: (_compute(x), x.view(torch.int32)),
    "flat": lambda x: (_compute(x), x.view(-1)),
    "used inside too": lambda x: (_compute(x.chunk(2, 1)[1]), x.chunk(2, 1)[1]),
    "the input itself": lambda x: (_compute(x), x),
}


def _all_outputs(y: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return (y, y.view(-1), y.t(), y[1:], y[:1].expand(5, -1))


#: Views of what the engine computes.
OUTPUT_VIEWS: dict[str, Function] = {
    "flat twin": lambda x: (lambda y: (y, y.view(-1), x.view(-1)))(_compute(x)),
    "many": lambda x: _all_outputs(_compute(x[0])),
    "halves": lambda x: tuple(_compute(x).chunk(2, 1)),
    "overlapping": lambda x: (lambda y: (y[:, :3], y[:, 2:]))(_compute(x)),
    "transposed": lambda x: _compute(x).transpose(0, 1),
    "expanded": lambda x: _compute(x[:, :1]).expand(-1, 7, -1),
    "sliced": lambda x: _compute(x)[:, :-1],
    "diagonal": lambda x: _compute(x).diagonal(0, 1, 2),
    "strided": lambda x: _compute(x).as_strided((2, 2), (1, 3), 1),
    "used inside too": lambda x: (lambda v: (v, v.amax(1)))(_compute(x).transpose(0, 1)),
    "same twice": lambda x: (lambda y: (y, y))(_compute(x)),
}

SIZES = [(3, 4, 6), (5, 4, 7)]


class Wrapped(torch.nn.Module):
    """A function as a module."""

    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> Any:
        return self.function(x)


def _flat(result: Any) -> tuple[torch.Tensor, ...]:
    return tuple(result) if isinstance(result, (tuple, list)) else (result,)


def _sharing(x: torch.Tensor, outputs: tuple[torch.Tensor, ...]) -> list[int]:
    """For the input and every output: the first of them with the same storage."""
    storages = [t.untyped_storage().data_ptr() for t in (x, *outputs)]
    return [storages.index(s) for s in storages]


def _check(compiled: Callable[..., Any], function: Function, shape: tuple[int, ...]) -> None:
    for _ in range(2):
        x = torch.randn(shape)
        with torch.no_grad():
            wanted, made = _flat(function(x)), _flat(compiled(x))
        assert _sharing(x, made) == _sharing(x, wanted)
        for ours, theirs in zip(made, wanted, strict=True):
            assert torch.equal(ours, theirs)
            assert ours.stride() == theirs.stride()
            assert ours.storage_offset() == theirs.storage_offset()
        for ours in made:  # must not show in the next call
            if 0 not in ours.stride():
                ours.fill_(9)


def _ahead_of_time(function: Function, dynamic: bool = False, **options: Any) -> torch.nn.Module:
    example = torch.randn(3, 4, 6)
    free = torch.export.Dim.DYNAMIC
    with torch.no_grad():
        program = torch.export.export(
            Wrapped(function).eval(),
            (example,),
            dynamic_shapes=({0: free, 2: free},) if dynamic else None,
        )
        compiled: torch.nn.Module = torch_tensorrt.dynamo.compile(
            program, arg_inputs=[example], **options
        )
    return compiled


CASES = [
    *(pytest.param(f, id=f"input-{name}") for name, f in INPUT_VIEWS.items()),
    *(pytest.param(f, id=f"output-{name}") for name, f in OUTPUT_VIEWS.items()),
]


@pytest.mark.parametrize("function", CASES)
def test_compiled_functions_give_the_views_that_eager_gives(function: Function) -> None:
    torch._dynamo.reset()
    compiled = torch.compile(function, backend="tensorrt", dynamic=True)
    for shape in SIZES:
        _check(compiled, function, shape)


@pytest.mark.parametrize("name", ["chunk", "meshgrid"])
def test_a_second_size_without_dynamic_gives_right_views(name: str) -> None:
    torch._dynamo.reset()
    compiled = torch.compile(INPUT_VIEWS[name], backend="tensorrt")
    for shape in [*SIZES, (3, 6, 9)]:
        _check(compiled, INPUT_VIEWS[name], shape)


@pytest.mark.parametrize("function", CASES)
def test_exported_programs_give_the_views_that_eager_gives(function: Function) -> None:
    compiled = _ahead_of_time(function, dynamic=True)
    for shape in SIZES:
        _check(compiled, function, shape)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("function", [INPUT_VIEWS["chain"], OUTPUT_VIEWS["many"]])
def test_loaded_modules_give_the_views_that_eager_gives(
    function: Function, legacy: bool, tmp_path: Path
) -> None:
    compiled = _ahead_of_time(function)
    path = str(tmp_path / "views.ep")
    torch_tensorrt.save(
        compiled, path, arg_inputs=[torch.randn(3, 4, 6)], use_legacy_exporter=legacy
    )
    _check(torch_tensorrt.load(path).module(), function, (3, 4, 6))


def test_a_view_as_output_does_not_break_full_compilation() -> None:
    compiled = _ahead_of_time(
        OUTPUT_VIEWS["flat twin"], require_full_compilation=True, min_block_size=1
    )
    assert sum(isinstance(m, TorchTensorRTModule) for m in compiled.modules()) == 1


def test_a_contiguous_view_of_a_value_nobody_else_sees_stays_in_the_engine() -> None:
    compiled: Any = _ahead_of_time(lambda x: _compute(x).view(-1))
    assert [n.op for n in compiled.graph.nodes] == ["placeholder", "call_module", "output"]


def test_one_engine_of_a_whole_program_holds_the_views_too() -> None:
    example = torch.randn(3, 4, 6)
    function = OUTPUT_VIEWS["flat twin"]
    program = torch.export.export(Wrapped(function).eval(), (example,))
    plan = torch_tensorrt.dynamo.convert_exported_program_to_serialized_trt_engine(
        program, arg_inputs=[example]
    )
    for ours, theirs in zip(TorchTensorRTModule(plan)(example), function(example), strict=True):
        assert torch.equal(ours, theirs)


def _with_write(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    before = x.view(-1)
    x[..., ::2] = x[..., ::2] * 2
    return before, x[1:].unsqueeze(0)


#: Functions that write to their input.
WRITES: dict[str, Function] = {
    "itself": lambda x: x.mul_(2),
    "flat": lambda x: x.mul_(2).view(-1),
    "filled": lambda x: x.fill_(3).transpose(0, 1),
    "part written": _with_write,
    "twice": lambda x: (x.add_(1), x.t() if x.dim() == 2 else x[0]),
    "result copied in": lambda x: (lambda y: (x.copy_(y), y)[1])(torch.relu(x)),
    "computed after": lambda x: x.zero_() + 1,
}


@pytest.mark.parametrize("how", ["aot", "loaded", "jit"])
@pytest.mark.parametrize("name", WRITES)
def test_a_written_input_that_is_returned_is_the_input(name: str, how: str, tmp_path: Path) -> None:
    function = WRITES[name]
    torch._dynamo.reset()
    run: Callable[..., Any]
    if how == "jit":
        run = torch.compile(function, backend="tensorrt")
    else:
        run = _ahead_of_time(function)
    if how == "loaded":
        torch_tensorrt.save(run, str(tmp_path / "m.ep"), arg_inputs=[torch.randn(3, 4, 6)])
        run = torch_tensorrt.load(str(tmp_path / "m.ep")).module()
    for _ in range(2):
        x = torch.randn(3, 4, 6)
        other = x.clone()
        with torch.no_grad():
            wanted, made = _flat(function(x)), _flat(run(other))
        assert _sharing(other, made) == _sharing(x, wanted)
        assert torch.equal(x, other)
        for ours, theirs in zip(made, wanted, strict=True):
            assert torch.equal(ours, theirs)
            assert ours.stride() == theirs.stride()


def test_an_input_that_lies_otherwise_in_memory_than_at_capture_can_be_viewed() -> None:
    compiled = _ahead_of_time(INPUT_VIEWS["flat"])
    x = torch.randn(6, 4, 3).transpose(0, 2)
    assert torch.equal(compiled(x)[1], x.reshape(-1))


class Constants(torch.nn.Module):
    """Results that depend on no input, and attributes as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.p = torch.nn.Parameter(torch.ones(6), requires_grad=False)
        self.register_buffer("b", torch.full((2, 3), 2.0))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        computed = torch.arange(6) * 1.0
        return (
            torch.relu(x) + self.p,
            self.p * 2,
            computed,
            computed.view(2, 3),
            torch.zeros(6) + x.shape[1],
            torch.tensor([1.0, 2.0]),
            torch.tensor([[1.0, 2.0]]).t(),
        )


class Attributes(Constants):
    """The attributes themselves, and views of them."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return torch.relu(x) + self.p, self.p, self.b.t(), self.p.view(2, 3)


def _entries(module: torch.nn.Module, tmp_path: Path) -> dict[str, Callable[..., Any]]:
    x = torch.zeros(3, 6)
    path = str(tmp_path / "constants.ep")
    compiled = torch_tensorrt.compile(module, arg_inputs=[x])
    torch_tensorrt.save(compiled, path, arg_inputs=[x])
    torch._dynamo.reset()
    return {
        "aot": compiled,
        "loaded": torch_tensorrt.load(path).module(),
        "jit": torch.compile(module, backend="tensorrt"),
    }


@pytest.mark.parametrize("how", ["aot", "loaded", "jit"])
def test_writing_to_a_constant_result_does_not_show_in_the_next_call(
    how: str, tmp_path: Path
) -> None:
    module = Constants().eval()
    x = torch.zeros(3, 6)
    with torch.no_grad():
        run = _entries(module, tmp_path)[how]
        wanted = module(x)
        first = run(x)
        assert _sharing(x, first) == _sharing(x, wanted)
        for result in first:
            result.fill_(99)
        for ours, theirs in zip(run(x), wanted, strict=True):
            assert torch.equal(ours, theirs)
            assert ours.stride() == theirs.stride()


@pytest.mark.parametrize("how", ["aot", "jit"])
def test_attributes_are_handed_out_themselves(how: str, tmp_path: Path) -> None:
    module = Attributes().eval()
    x = torch.zeros(3, 6)
    with torch.no_grad():
        _, p, transposed, viewed = _entries(module, tmp_path)[how](x)
    assert p.data_ptr() == module.p.data_ptr() == viewed.data_ptr()
    assert transposed.data_ptr() == module.b.data_ptr()
    assert transposed.stride() == (1, 3)


def test_gradients_flow_through_outputs_that_are_views() -> None:
    layer = torch.nn.Linear(4, 4).eval()

    def function(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        y = torch.relu(layer(x)) + 1
        return y, y.view(-1), y.t()

    torch._dynamo.reset()
    x = torch.randn(3, 4)
    torch.stack([o.sum() for o in torch.compile(function, backend="tensorrt")(x)]).sum().backward()
    ours = layer.weight.grad
    layer.weight.grad = None
    torch.stack([o.sum() for o in function(x)]).sum().backward()
    torch.testing.assert_close(ours, layer.weight.grad)
