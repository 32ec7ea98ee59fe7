"""Conditions on sizes under which a program was captured: refused when broken, never ignored."""

from __future__ import annotations

import copy
import io
import logging
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
import torch_tensorrt
from torch_tensorrt import Input
from torch_tensorrt._exceptions import DynamicShapeOutOfRangeException


class Of(torch.nn.Module):
    def __init__(self, function: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


def _branch(x: torch.Tensor) -> torch.Tensor:
    return torch.relu(x) * 2 if x.shape[0] < 16 else x * 3


def _numel(x: torch.Tensor) -> torch.Tensor:
    return x * 2 if x.numel() < 100 else x * 3


def _odd(x: torch.Tensor) -> torch.Tensor:
    return x * 2 if x.shape[0] % 2 == 0 else x * 3


def _window(x: torch.Tensor) -> torch.Tensor:
    return F.pad(x, (0, 0, 0, 8 - x.shape[0] % 8)) + 1 if x.shape[0] % 8 else x + 1


def _fold(x: torch.Tensor) -> torch.Tensor:
    return x.reshape(-1, 8).sum(1)


CASES = {
    "branch": (_branch, [2, 8, 15], [16, 64]),
    "numel": (_numel, [2, 24], [25, 64]),
    "odd": (_odd, [2, 8, 64], [3, 63]),
    "window": (_window, [8, 16, 64], [9, 63]),
    "fold": (_fold, [2, 4, 8, 64], [3, 9]),
}
BATCH = Input(min_shape=(2, 4), opt_shape=(8, 4), max_shape=(64, 4))


@pytest.mark.parametrize("name", CASES)
def test_sizes_of_another_case_are_refused(name: str) -> None:
    function, good, bad = CASES[name]
    compiled = torch_tensorrt.compile(
        Of(function), arg_inputs=[BATCH], require_full_compilation=True
    )
    for size in [*bad, *good, *bad]:
        x = torch.randn(size, 4)
        if size in good:
            torch.testing.assert_close(compiled(x), function(x))
        else:
            with pytest.raises(DynamicShapeOutOfRangeException, match=r"captured for inputs with"):
                compiled(x)


def test_message_names_the_condition_the_shapes_and_the_way_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, "torch_tensorrt"):
        compiled = torch_tensorrt.compile(Of(_branch), arg_inputs=[BATCH])
    assert "x.shape[0] < 16" in caplog.text
    with pytest.raises(DynamicShapeOutOfRangeException) as error:
        compiled(torch.randn(40, 4))
    for part in ("x.shape[0] < 16", "[40, 4]", "torch.where", "torch.compile"):
        assert part in str(error.value)


@pytest.mark.parametrize("legacy", [False, True])
def test_saved_module_refuses_them_too(legacy: bool, tmp_path: Path) -> None:
    compiled = torch_tensorrt.compile(Of(_branch), arg_inputs=[BATCH])
    path = tmp_path / "m.ep"
    torch_tensorrt.save(compiled, str(path), arg_inputs=[BATCH], use_legacy_exporter=legacy)
    loaded = torch_tensorrt.load(str(path)).module()
    x = torch.randn(8, 4)
    torch.testing.assert_close(loaded(x), _branch(x))
    with pytest.raises((AssertionError, DynamicShapeOutOfRangeException)):
        loaded(torch.randn(40, 4))


def test_program_loaded_from_a_file_keeps_its_conditions() -> None:
    program = torch_tensorrt.dynamo.trace(Of(_odd), arg_inputs=[BATCH])
    file = io.BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    compiled = torch_tensorrt.dynamo.compile(torch.export.load(file), arg_inputs=[BATCH])
    x = torch.randn(8, 4)
    torch.testing.assert_close(compiled(x), _odd(x))
    with pytest.raises(DynamicShapeOutOfRangeException):
        compiled(torch.randn(9, 4))


def test_copies_keep_them() -> None:
    compiled = torch_tensorrt.compile(Of(_branch), arg_inputs=[BATCH])
    for other in (copy.deepcopy(compiled), pickle.loads(pickle.dumps(compiled))):
        torch.testing.assert_close(other(torch.ones(8, 4)), _branch(torch.ones(8, 4)))
        with pytest.raises(DynamicShapeOutOfRangeException):
            other(torch.randn(40, 4))


def test_deferred_asserts_of_the_exporter_stay() -> None:
    program = torch_tensorrt.dynamo.trace(
        Of(_fold), arg_inputs=[BATCH], prefer_deferred_runtime_asserts_over_guards=True
    )
    compiled = torch_tensorrt.dynamo.compile(program, arg_inputs=[BATCH])
    x = torch.randn(8, 4)
    torch.testing.assert_close(compiled(x), _fold(x))
    with pytest.raises(RuntimeError):
        compiled(torch.randn(9, 4))


def test_plain_models_have_none() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.LayerNorm(8), torch.nn.GELU())
    batch = Input(min_shape=(0, 4), opt_shape=(8, 4), max_shape=(64, 4))
    compiled = torch_tensorrt.compile(model.eval(), arg_inputs=[batch])
    assert not hasattr(compiled, "_guards_fn")
    for size in (0, 1, 2, 33):
        x = torch.randn(size, 4)
        torch.testing.assert_close(compiled(x), model(x))


def _one(x: torch.Tensor) -> torch.Tensor:
    return x * 2 if x.shape[0] == 1 else x * 3


def _several(x: torch.Tensor) -> torch.Tensor:
    return torch.softmax(x, -1) * (2 if x.shape[0] > 1 else 3)


@pytest.mark.parametrize(
    "function", [_one, _several, lambda x: x.squeeze() * 2, lambda x: x.squeeze(0) * 2]
)
def test_size_one_is_a_case_of_its_own(function: Callable[..., torch.Tensor]) -> None:
    """PyTorch takes dynamic sizes to be at least 2, without a guard."""
    low, opt, high = (1, 4), (3, 4), (6, 4)
    compiled = torch_tensorrt.compile(
        Of(function),
        arg_inputs=[Input(min_shape=low, opt_shape=opt, max_shape=high)],
        min_block_size=1,
    )
    for size in (2, 3, 6):
        x = torch.randn(size, 4)
        torch.testing.assert_close(compiled(x), function(x))
    with pytest.raises(DynamicShapeOutOfRangeException, match=r"x.shape\[0\] (!= 1|> 1)"):
        compiled(torch.randn(1, 4))


@pytest.mark.parametrize("sizes", [(1, 1, 2), (1, 2, 2), (0, 1, 1), (0, 1, 2), (0, 3, 4)])
def test_small_ranges(sizes: tuple[int, int, int]) -> None:
    model = torch.nn.Linear(4, 3).eval()
    low, opt, high = ((size, 4) for size in sizes)
    compiled = torch_tensorrt.compile(
        model, arg_inputs=[Input(min_shape=low, opt_shape=opt, max_shape=high)], min_block_size=1
    )
    for size in range(sizes[0], sizes[2] + 1):
        x = torch.randn(size, 4)
        torch.testing.assert_close(compiled(x), model(x))


class Halves(torch.nn.Module):
    """Conditions that hold for every size, or for all that are declared."""

    def forward(self, x):
        pooled = torch.nn.functional.avg_pool1d(x, 2, ceil_mode=True)
        return torch.nn.functional.interpolate(pooled, size=x.shape[-1:]) * x[..., 3:4]


@pytest.mark.parametrize(("least", "warns"), [(8, False), (1, True)])
def test_conditions_that_hold_for_all_declared_sizes_are_none(least, warns, caplog):
    class Branches(torch.nn.Module):
        def forward(self, x):
            return Halves()(x) if x.shape[-1] >= 4 and x.shape[0] < 6 else x

    rows = torch_tensorrt.Input(min_shape=(1, 2, least), opt_shape=(2, 2, 16), max_shape=(5, 2, 40))
    compiled = torch_tensorrt.compile(Branches(), arg_inputs=[rows], min_block_size=1)
    said = [r.getMessage() for r in caplog.records if "took one side" in r.getMessage()]
    assert bool(said) == warns
    for size in (8, 9, 16, 39, 40):
        x = torch.randn(2, 2, size)
        torch.testing.assert_close(compiled(x), Branches()(x))
    if warns:
        with pytest.raises(DynamicShapeOutOfRangeException, match=">= 4"):
            compiled(torch.randn(1, 2, 3))
