"""Every zoo model, whole in one engine, by both entry points, static and dynamic."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import torch_tensorrt

from tools.perf import models
from tools.perf.accuracy import deviation, exact_outputs, flatten

ROOT = Path(__file__).resolve().parents[2]
F32, BF16 = torch.float32, torch.bfloat16
OPTIONS = {"require_full_compilation": True}


def declared_inputs(case: models.Case) -> list[Any]:
    """The case's ranges as ``Input`` objects; tensors without a dynamic dimension stay tensors."""
    declared = []
    for tensor, dims in zip(case.inputs, case.dynamic, strict=True):
        shapes = {}
        for bound in ("min", "opt", "max"):
            shape = list(tensor.shape)
            for axis, dim in dims.items():
                shape[axis] = getattr(dim, bound)
            shapes[f"{bound}_shape"] = tuple(shape)
        names = {axis: dim.name for axis, dim in dims.items()}
        declared.append(torch_tensorrt.Input(**shapes, dtype=tensor.dtype, shared_dims=names))
    return declared


#: The error of a few numbers (the logits of a small classifier) is a matter of chance, in eager
#: mode too: outputs of fewer are judged together with those of other inputs.
ENOUGH_VALUES = 1000


def interesting_sizes(case: models.Case) -> list[dict[str, int]]:
    """Dimension sizes to run: the smallest, the opt, an odd one in between, the largest."""
    dims = {dim.name: dim for entry in case.dynamic for dim in entry.values()}
    middle = {name: 3 if name == "batch" else dim.opt + 5 for name, dim in dims.items()}
    bounds = ({name: getattr(d, bound) for name, d in dims.items()} for bound in ("min", "opt"))
    largest = {name: dim.max for name, dim in dims.items()}
    return [*bounds, middle, largest]


@torch.no_grad()
def check(name: str, case: models.Case, compiled: Any, sizes: Mapping[str, int]) -> None:
    """Run ``compiled`` at ``sizes`` and judge it against float64."""
    dtype = next(p.dtype for p in case.module.parameters())
    runs: list[tuple[list[torch.Tensor], ...]] = []
    for seed in range(7, 15):
        inputs = models.example_inputs(name, dtype, sizes, small=True, seed=seed)
        kept = [x.clone() for x in inputs]
        got, eager = flatten(compiled(*inputs)), flatten(case.module(*inputs))
        runs.append((got, eager, exact_outputs(case.module, inputs)))
        for before, after in zip(kept, inputs, strict=True):
            assert torch.equal(before, after), f"{name} changed its input"
        if min(out.numel() for out in got) >= ENOUGH_VALUES:
            break
    found = deviation(
        *([torch.stack(x) for x in zip(*each, strict=True)] for each in zip(*runs, strict=True))
    )
    assert found.passes, f"{name} at {dict(sizes)}: {found}"


@pytest.mark.parametrize("dtype", [F32, BF16], ids=["f32", "bf16"])
@pytest.mark.parametrize("name", models.MODEL_NAMES)
def test_compile_static(name: str, dtype: torch.dtype) -> None:
    case = models.make(name, dtype, small=True)
    compiled = torch_tensorrt.compile(
        case.module, arg_inputs=list(case.inputs), require_full_compilation=True
    )
    check(name, case, compiled, {})


@pytest.mark.parametrize("dtype", [F32, BF16], ids=["f32", "bf16"])
@pytest.mark.parametrize("name", models.MODEL_NAMES)
def test_compile_dynamic(name: str, dtype: torch.dtype) -> None:
    case = models.make(name, dtype, small=True)
    compiled = torch_tensorrt.compile(
        case.module, arg_inputs=declared_inputs(case), require_full_compilation=True
    )
    for sizes in interesting_sizes(case):
        check(name, case, compiled, sizes)


# Once captured, a graph takes the way of test_compile_static: bfloat16 on two models only.
@pytest.mark.parametrize(
    ("name", "dtype"),
    [*((name, F32) for name in models.MODEL_NAMES), ("resnet50", BF16), ("bert_base", BF16)],
)
def test_backend_static(name: str, dtype: torch.dtype) -> None:
    torch._dynamo.reset()
    case = models.make(name, dtype, small=True)
    compiled = torch.compile(case.module, backend="tensorrt", fullgraph=True, options=OPTIONS)
    for _ in range(2):
        check(name, case, compiled, {})


# Dynamo traces symbolic sizes an order slower than all else here: two models of different kinds.
@pytest.mark.parametrize("name", ["bert_base", "gpt2_decode"])
def test_backend_dynamic(name: str) -> None:
    torch._dynamo.reset()
    case = models.make(name, F32, small=True)
    compiled = torch.compile(
        case.module, backend="tensorrt", fullgraph=True, dynamic=True, options=OPTIONS
    )
    for sizes in interesting_sizes(case)[2:]:
        check(name, case, compiled, sizes)


@pytest.mark.parametrize("name", ["resnet50", "llama4_decode"])
def test_saved_module_runs_in_a_new_process(name: str, tmp_path: Path) -> None:
    case = models.make(name, F32, small=True)
    declared = declared_inputs(case)
    compiled = torch_tensorrt.compile(
        case.module, arg_inputs=declared, require_full_compilation=True
    )
    saved = tmp_path / "trt.ep"
    torch_tensorrt.save(compiled, str(saved), arg_inputs=declared)

    runs = [models.example_inputs(name, F32, s, small=True) for s in interesting_sizes(case)]
    torch.save([list(inputs) for inputs in runs], tmp_path / "inputs.pt")
    paths = [str(saved), str(tmp_path / "inputs.pt"), str(tmp_path / "outputs.pt")]
    script = Path(__file__).with_name("load_and_run.py")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "py"), str(ROOT)])}
    subprocess.run([sys.executable, str(script), *paths], check=True, env=environment, timeout=120)

    results = torch.load(tmp_path / "outputs.pt", weights_only=True)
    assert len(results) == len(runs)
    for inputs, outputs in zip(runs, results, strict=True):
        here = flatten(compiled(*inputs))
        assert len(here) == len(outputs)
        for mine, loaded in zip(here, outputs, strict=True):
            torch.testing.assert_close(loaded, mine, rtol=1e-5, atol=1e-6)
