"""The zoo itself: the models are what the benchmark and the tests take them for."""

from __future__ import annotations

import pytest
import torch

from tools.perf import models
from tools.perf.accuracy import deviation, exact_outputs, flatten


@pytest.mark.parametrize("name", models.MODEL_NAMES)
@torch.no_grad()
def test_weights_and_inputs_depend_on_the_seed_only(name: str) -> None:
    first = models.make(name, small=True)
    torch.rand(3)  # moves the global generator
    before = torch.get_rng_state()
    second = models.make(name, small=True)
    assert torch.equal(torch.get_rng_state(), before)
    for a, b in zip(first.inputs, second.inputs, strict=True):
        assert torch.equal(a, b)
    weights = first.module.state_dict(), second.module.state_dict()
    for a, b in zip(weights[0].values(), weights[1].values(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("name", models.MODEL_NAMES)
@torch.no_grad()
def test_outputs_are_finite_tensors_that_depend_on_the_input(name: str) -> None:
    case = models.make(name, torch.bfloat16, batch=2, small=True)
    outputs = flatten(case.module(*case.inputs))
    other = models.example_inputs(name, torch.bfloat16, {"batch": 2}, small=True, seed=1)
    for output, changed in zip(outputs, flatten(case.module(*other)), strict=True):
        assert output.dtype == torch.bfloat16
        assert output.isfinite().all()
        assert not torch.equal(output, changed)


@pytest.mark.parametrize("name", models.MODEL_NAMES)
@torch.no_grad()
def test_dynamic_dimensions_cover_the_inputs(name: str) -> None:
    case = models.make(name, small=True)
    assert len(case.dynamic) == len(case.inputs)
    for tensor, dims in zip(case.inputs, case.dynamic, strict=True):
        assert 0 in dims
        assert dims[0].name == "batch"
        for axis, dim in dims.items():
            assert dim.min <= dim.opt <= dim.max
            assert tensor.shape[axis] == (1 if dim.name == "batch" else dim.opt)


@pytest.mark.parametrize("family", ["gpt2", "llama4"])
@torch.no_grad()
def test_decoding_after_prefill_equals_a_longer_prefill(family: str) -> None:
    module = models.make(f"{family}_prefill", small=True).module.double()
    (ids,) = models.example_inputs(f"{family}_prefill", torch.float64, {"batch": 3}, small=True)
    whole, *whole_cache = module(ids)
    _, *cache = module(ids[:, :-1])
    step, *step_cache = module(ids[:, -1:], *cache)
    torch.testing.assert_close(step[:, -1], whole[:, -1])
    for a, b in zip(step_cache, whole_cache, strict=True):
        torch.testing.assert_close(a, b)


def test_unknown_names_are_refused_with_the_choices() -> None:
    with pytest.raises(ValueError, match="unknown model 'resnet51'; choose from resnet50"):
        models.make("resnet51")
    with pytest.raises(ValueError, match=r"resnet50 has no dimension \['seq'\]"):
        models.example_inputs("resnet50", torch.float32, {"seq": 4}, small=True)


def test_deviation_finds_the_worst_output_and_nan() -> None:
    exact = [torch.ones(100, dtype=torch.float64), torch.zeros(100, dtype=torch.float64)]
    eager = [torch.full((100,), 1 + 1e-6), torch.full((100,), 1e-6)]
    good = deviation([e.clone() for e in eager], eager, exact)
    assert good.passes
    assert good.ratio == pytest.approx(1.0)
    bad = deviation([eager[0], eager[1] * 2.5], eager, exact)
    assert bad.index == 1
    assert not bad.passes
    assert not deviation([eager[0], eager[1] * float("nan")], eager, exact).passes
    with pytest.raises(ValueError, match="eager's"):
        deviation([eager[0].bfloat16(), eager[1]], eager, exact)


def test_exact_outputs_leaves_the_module_alone() -> None:
    case = models.make("vit_b16", torch.bfloat16, small=True)
    (exact,) = exact_outputs(case.module, case.inputs)
    assert exact.dtype == torch.float64
    assert all(p.dtype == torch.bfloat16 for p in case.module.parameters())
