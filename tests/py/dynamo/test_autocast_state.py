"""torch.autocast around compiled modules and around compilations."""

import pytest
import torch
import torch_tensorrt
from torch import nn


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4)).eval()


@pytest.fixture(scope="module")
def compiled(model):
    return torch_tensorrt.compile(model, arg_inputs=[torch.randn(4, 16)])


def under_autocast():
    return torch.autocast("cpu", torch.bfloat16)


@torch.no_grad()
def test_a_compiled_module_keeps_its_types(model, compiled):
    x = torch.randn(4, 16)
    want = model(x)
    with under_autocast():
        got = compiled(x)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, want)


@torch.no_grad()
def test_tracers_take_a_compiled_module_under_autocast(model, compiled, tmp_path):
    x = torch.randn(4, 16)
    with under_autocast():
        jit = torch.compile(compiled, backend="eager")(x)
        program = torch.export.export(nn.Sequential(compiled, nn.ReLU()), (x,))
        torch_tensorrt.save(compiled, tmp_path / "a.ep")
    want = model(x)
    torch.testing.assert_close(jit, want)
    torch.testing.assert_close(program.module()(x), want.relu())
    torch.testing.assert_close(torch_tensorrt.load(tmp_path / "a.ep").module()(x), want)


@torch.no_grad()
def test_control_flow_under_autocast(tmp_path):
    class Branches(nn.Module):
        def forward(self, x):
            return torch.cond(x.sum() > 0, lambda v: v.sin() * 2, lambda v: v.cos() - 1, (x,))

    compiled = torch_tensorrt.compile(Branches(), arg_inputs=[torch.randn(4)], min_block_size=1)
    with under_autocast():
        torch_tensorrt.save(compiled, tmp_path / "a.ep")
    for x in (torch.ones(4), -torch.ones(4)):
        torch.testing.assert_close(
            torch_tensorrt.load(tmp_path / "a.ep").module()(x), Branches()(x)
        )


@torch.no_grad()
def test_autocast_around_a_compilation_is_ignored_with_a_warning(model, caplog):
    x = torch.randn(4, 16)
    with under_autocast():
        compiled = torch_tensorrt.compile(model, arg_inputs=[x], require_full_compilation=True)
    said = [record.getMessage() for record in caplog.records]
    assert len([text for text in said if "enable_autocast=True" in text]) == 1
    assert not any("no engine" in text or "converter" in text for text in said)
    assert compiled(x).dtype == torch.float32
    torch.testing.assert_close(compiled(x), model(x))
    caplog.clear()
    torch_tensorrt.compile(model, arg_inputs=[x])
    assert not [r for r in caplog.records if "autocast" in r.getMessage()]
