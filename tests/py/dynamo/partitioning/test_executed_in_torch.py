"""torch_executed_ops and torch_executed_modules in both entry points, in the spellings that users
write, and dry runs under torch.compile."""

import json
import operator

import pytest
import torch
import torch_tensorrt
from torch import nn
from torch_tensorrt._exceptions import InvalidOptionError
from torch_tensorrt.dynamo._op_names import operator_text


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(8, 8)
        self.norm = nn.LayerNorm(8)

    def forward(self, x):
        return self.norm(self.linear(x)).sin() * 2


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([Block(), Block()])
        self.head = nn.Sequential(nn.Linear(8, 8), nn.ReLU())

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.head(x).exp()


def report(tmp_path, just_in_time, model=None, **options):
    """The dry run's data on a graph of :class:`Model`."""
    torch._dynamo.reset()
    model, x = (model or Model()).eval(), torch.randn(3, 8)
    path = tmp_path / "report.json"
    options = {"min_block_size": 1, "dryrun": str(path), **options}
    with torch.no_grad():
        if just_in_time:
            fast = torch.compile(model, backend="tensorrt", options=options)
            torch.testing.assert_close(fast(x), model(x))
        else:
            torch_tensorrt.compile(model, arg_inputs=[x], **options)
    return json.loads(path.read_text())


def counts(data):
    return data["unsupported_counts"]


both = pytest.mark.parametrize("just_in_time", [True, False])


@both
@pytest.mark.parametrize(
    "op",
    [
        *("sin", "aten.sin", "aten::sin", "aten.sin.default", "torch.ops.aten.sin"),
        *("torch.ops.aten.sin.default", "aten::sin.default"),
        *(torch.ops.aten.sin, torch.ops.aten.sin.default, torch.sin, torch.Tensor.sin),
    ],
)
def test_operators(op, just_in_time, tmp_path):
    for given in ([op], {op}, (op,)):
        folder = tmp_path / type(given).__name__
        folder.mkdir()
        data = report(folder, just_in_time, torch_executed_ops=given)
        assert counts(data) == {"aten.sin.default": 2}
        assert len(data["engines"]) == 3


@both
@pytest.mark.parametrize(
    ("module", "sines"),
    [
        *((Block, 2), ("Block", 2), ("layers.0", 1), ("layers.1", 1), ("layers", 2), ("head", 0)),
        *(("head.1", 0), (nn.Sequential, 0), ("layers.0.norm", 0), (nn.ReLU, 0)),
    ],
)
def test_modules(module, sines, just_in_time, tmp_path):
    data = report(tmp_path, just_in_time, torch_executed_modules={module})
    assert counts(data).get("aten.sin.default", 0) == sines
    assert data["left_in_torch"]
    assert all("torch_executed_modules" in left["reason"] for left in data["left_in_torch"])


@both
def test_modules_and_operators_compute_the_same(just_in_time):
    torch._dynamo.reset()
    model, x = Model().eval(), torch.randn(3, 8)
    options = {"min_block_size": 1, "torch_executed_modules": ["layers.1"]}
    options["torch_executed_ops"] = ["aten.exp"]
    with torch.no_grad():
        if just_in_time:
            module = torch_tensorrt.compile(model, ir="torch_compile", **options)
        else:
            module = torch_tensorrt.compile(model, arg_inputs=[x], **options)
        torch.testing.assert_close(module(x), model(x))


def test_names_that_do_not_exist():
    with pytest.raises(InvalidOptionError, match=r"layers\.0"):
        torch_tensorrt.compile(
            Model().eval(), arg_inputs=[torch.randn(3, 8)], torch_executed_modules={"layer.0"}
        )
    with pytest.raises(InvalidOptionError, match=r"aten\.sin"):
        torch_tensorrt.compile(
            Model().eval(), arg_inputs=[torch.randn(3, 8)], torch_executed_ops={"aten.sine"}
        )


@pytest.mark.parametrize("function", [print, nn.functional.multi_head_attention_forward, len])
def test_functions_that_are_no_operators(function):
    with pytest.raises(InvalidOptionError, match=f"'{function.__name__}', which does not exist"):
        torch_tensorrt.compile(
            Model().eval(), arg_inputs=[torch.randn(3, 8)], torch_executed_ops={function}
        )


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (torch.sigmoid, "aten.sigmoid"),
        (nn.functional.gelu, "aten.gelu"),
        (torch.linalg.inv, "aten.linalg_inv"),
        (torch.special.expit, "aten.special_expit"),
        (max, None),
        (operator.add, "add"),
        (torch.sym_max, "sym_max"),
    ],
)
def test_functions_that_stand_for_operators(function, text):
    assert operator_text(function) == text


class Broken(nn.Module):
    """Two graphs under torch.compile."""

    def forward(self, x):
        y = x.sin() * 2
        torch._dynamo.graph_break()
        return (y + 1).exp()


def test_a_dry_run_of_several_graphs_writes_several_files(tmp_path):
    data = report(tmp_path, True, Broken())
    assert data["total_ops"] == 2
    second = json.loads((tmp_path / "report_1.json").read_text())
    assert second["engines"][0]["op_count"] == 2


@both
def test_a_dry_run_names_lines_and_recommends_settings(just_in_time, tmp_path):
    data = report(tmp_path, just_in_time, torch_executed_ops={"sin"}, min_block_size=3)
    assert all("test_executed_in_torch.py" in left["source"] for left in data["left_in_torch"])
    assert data["recommendations"]["current"]["min_block_size"] == 3
    assert any("min_block_size" in hint for hint in data["hints"])
