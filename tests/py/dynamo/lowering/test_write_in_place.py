"""Rows are written to large buffers in place."""

import pytest
import torch
import torch_tensorrt
from torch import nn
from torch_tensorrt.dynamo import CompilationSettings, lowering, trace
from torch_tensorrt.dynamo.lowering._write_in_place import MIN_BYTES


class Cache(nn.Module):
    def __init__(self, rows, write="index_copy"):
        super().__init__()
        self.write = write
        self.query, self.key = nn.Linear(64, 64), nn.Linear(64, 64)
        self.register_buffer("keys", torch.zeros(rows, 64))

    def forward(self, x, position):
        before = self.keys.sum()
        row = self.key(x).tanh()
        if self.write == "index_copy":
            self.keys.index_copy_(0, position, row)
        elif self.write == "index_put":
            self.keys[position] = row
        else:
            self.keys.scatter_(0, position[:, None].expand(-1, 64), row)
        scores = torch.softmax(self.query(x).relu() @ self.keys.t(), -1)
        return scores @ self.keys + before


def writes(module):
    return [
        str(n.target)
        for n in module.graph.nodes
        if getattr(getattr(n.target, "_schema", None), "is_mutable", False)
    ]


LARGE = MIN_BYTES // (64 * 4)


@pytest.mark.parametrize("write", ["index_copy", "index_put", "scatter"])
@pytest.mark.parametrize("retrace", [True, False])
def test_steps_of_a_cache(write, retrace, tmp_path):
    model, own = Cache(LARGE, write).eval(), Cache(LARGE, write).eval()
    own.load_state_dict(model.state_dict())
    inputs = torch.randn(1, 64), torch.tensor([0])
    module = torch_tensorrt.compile(own, arg_inputs=inputs, min_block_size=1)
    expected = "aten.scatter_.src" if write == "scatter" else "aten.index_put_.default"
    assert writes(module) == [expected]
    path = str(tmp_path / "model.ep")
    torch_tensorrt.save(module, path, retrace=retrace)
    loaded = torch_tensorrt.load(path).module()
    with torch.no_grad():
        for step in range(4):
            x, at = torch.randn(1, 64), torch.tensor([step])
            wanted = model(x, at)
            torch.testing.assert_close(module(x, at), wanted)
            torch.testing.assert_close(module.keys, model.keys)
            torch.testing.assert_close(loaded(x, at), wanted)


def test_small_buffers_and_full_compilation_keep_one_engine():
    inputs = torch.randn(1, 64), torch.tensor([0])
    small = torch_tensorrt.compile(Cache(LARGE - 1).eval(), arg_inputs=inputs)
    assert writes(small) == ["aten.copy_.default"]
    full = torch_tensorrt.compile(
        Cache(LARGE).eval(), arg_inputs=inputs, require_full_compilation=True
    )
    assert writes(full) == ["aten.copy_.default"]


class HandsOut(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        self.register_buffer("rows", torch.zeros(LARGE, 64))

    def late(self, x, position):
        new = torch.index_copy(self.rows, 0, position, x)
        both = torch.sort(new)[0] + self.rows * 2
        self.rows.copy_(new)
        return both

    def forward(self, x, position):
        if self.kind == "late reader":
            return self.late(x, position)
        old = self.rows.clone() if self.kind == "old" else None
        new = torch.index_copy(self.rows, 0, position, x)
        again = torch.index_copy(new, 0, position, x * 2)
        self.rows.copy_(again if self.kind == "twice" else new)
        if self.kind == "result":
            return new
        if self.kind == "view":
            return new[0]
        return (old, new + 1) if self.kind == "old" else new + 1


@pytest.mark.parametrize("kind", ["result", "view", "old", "twice", "late reader"])
def test_what_is_handed_out_is_not_the_buffer(kind):
    model, own = HandsOut(kind).eval(), HandsOut(kind).eval()
    inputs = torch.randn(2, 64), torch.tensor([3, 1])
    module = torch_tensorrt.compile(own, arg_inputs=inputs, min_block_size=1)
    for step in range(3):
        x, at = torch.randn(2, 64), torch.tensor([step, 5])
        got, wanted = module(x, at), model(x, at)
        torch.testing.assert_close(got, wanted)
        torch.testing.assert_close(module.rows, model.rows)
        for tensor in got if isinstance(got, tuple) else (got,):
            assert tensor.untyped_storage().data_ptr() != module.rows.data_ptr()


def test_the_reason_is_in_the_report():
    settings = CompilationSettings(min_block_size=1)
    program = trace(Cache(LARGE).eval(), arg_inputs=(torch.randn(1, 64), torch.tensor([0])))
    gm = lowering.lower_exported_program(program, settings)
    result = torch_tensorrt.dynamo.partitioning.partition(gm, settings)
    assert [left.reason for left in result.left_in_torch] == [
        "writes rows of 'keys' in place, instead of copying all of it"
    ]


class ShowsOld(nn.Module):
    """A view of the old rows, made by PyTorch before the write and read after it."""

    def __init__(self):
        super().__init__()
        self.register_buffer("rows", torch.zeros(LARGE, 64))

    def forward(self, x, position):
        old = self.rows[3]
        row = torch.sort(x * 2)[0]
        self.rows.index_copy_(0, position, row + 1)
        return torch.sort(self.rows.sum(1))[0][:64] + old * 3 + row


class Shifted(nn.Module):
    """Rows that are views of the buffer they are written to."""

    def __init__(self):
        super().__init__()
        self.register_buffer("rows", torch.arange(LARGE * 64.0).view(LARGE, 64).clone())

    def forward(self, x, position):
        new = torch.index_copy(self.rows, 0, position, self.rows[: position.shape[0]])
        self.rows.copy_(new)
        return new.sum(0) + x


@pytest.mark.parametrize("kind", [ShowsOld, Shifted])
@pytest.mark.parametrize("executed", [{"sort"}, {"sort", "select", "slice"}])
def test_views_of_the_old_rows(kind, executed):
    model, own = kind().eval(), kind().eval()
    inputs = torch.randn(1, 64), torch.tensor([3])
    if kind is Shifted:
        inputs = torch.randn(64), torch.arange(1, 9)
    module = torch_tensorrt.compile(
        own, arg_inputs=inputs, min_block_size=1, torch_executed_ops=executed
    )
    for _ in range(3):
        torch.testing.assert_close(module(*inputs), model(*inputs))
        torch.testing.assert_close(module.rows, model.rows)
