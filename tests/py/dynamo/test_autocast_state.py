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


class Parts(nn.Module):
    """Products in PyTorch, which autocast would change, and engines around them."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(16, 16), nn.Linear(16, 4)
        self.left, self.right = nn.Parameter(torch.randn(16, 16)), nn.Parameter(torch.randn(16, 16))

    def forward(self, x):
        mixed = self.first(x).relu() @ (self.left @ self.right)  # folded when compiled
        return self.second(torch.nn.functional.silu(mixed)).std(-1)


@pytest.fixture(scope="module")
def parts():
    torch.manual_seed(0)
    return Parts().eval().requires_grad_(False)


IN_PYTORCH = {"min_block_size": 1, "torch_executed_ops": {"torch.ops.aten.linear.default"}}


@pytest.mark.parametrize("retrace", [False, True])
def test_saving_under_autocast_keeps_what_pytorch_runs(parts, retrace, tmp_path, caplog):
    x = torch.randn(4, 16)
    compiled = torch_tensorrt.compile(parts, arg_inputs=[x], **IN_PYTORCH)
    assert len(compiled.graph.find_nodes(op="call_module")) > 1
    with under_autocast():
        torch_tensorrt.save(compiled, tmp_path / "a.ep", arg_inputs=[x], retrace=retrace)
        loaded = torch_tensorrt.load(tmp_path / "a.ep").module()
    torch.testing.assert_close(loaded(x), parts(x))
    assert not [r for r in caplog.records if "autocast" in r.getMessage()]


@pytest.mark.parametrize("captured_inside", [False, True])
@pytest.mark.parametrize("options", [{}, IN_PYTORCH], ids=["whole", "parts"])
def test_programs_compiled_under_autocast(parts, captured_inside, options, caplog):
    x = torch.randn(4, 16)
    with torch.autocast("cpu", torch.bfloat16, enabled=captured_inside):
        program = torch.export.export(parts, (x,))
    want = program.module()(x)
    with under_autocast():
        compiled = torch_tensorrt.dynamo.compile(program, arg_inputs=[x], **options)
    got = compiled(x)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, want)
    said = [record.getMessage() for record in caplog.records]
    assert len([text for text in said if "enable_autocast=True" in text]) == 1
    assert not any("could not be compiled" in text or "conversion failed" in text for text in said)


def test_a_program_as_one_engine_under_autocast(parts):
    x = torch.randn(4, 16)
    program = torch.export.export(parts, (x,))
    with under_autocast():
        plan = torch_tensorrt.dynamo.convert_exported_program_to_serialized_trt_engine(
            program, arg_inputs=[x]
        )
    got = torch_tensorrt.dynamo.runtime.TorchTensorRTModule(plan)(x)
    torch.testing.assert_close(got, parts(x))
