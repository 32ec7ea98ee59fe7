"""Inputs that share memory, given to modules that write to inputs."""

import pytest
import torch
import torch_tensorrt
from torch import nn
from torch_tensorrt._exceptions import InputMismatchError
from torch_tensorrt.dynamo._overlaps import OVERLAPS_MODULE, shares_memory


class Writes(nn.Module):
    def forward(self, a, b):
        a.add_(1)
        return a * b


class Reads(nn.Module):
    def forward(self, a, b):
        return (a + 1) * b


def compiled(module=Writes, shape=(3, 8), tmp_path=None, **options):
    inputs = [torch.randn(shape), torch.randn(shape)]
    made = torch_tensorrt.compile(module().eval(), arg_inputs=inputs, min_block_size=1)
    if tmp_path is None:
        return made
    torch_tensorrt.save(made, tmp_path / "writes.ep", **options)
    return torch_tensorrt.load(tmp_path / "writes.ep").module()


@pytest.fixture(params=["compiled", "loaded"])
def run(request, tmp_path):
    return compiled(tmp_path=tmp_path if request.param == "loaded" else None)


def test_one_tensor_twice(run):
    y = torch.randn(3, 8)
    before = y.clone()
    with pytest.raises(InputMismatchError, match=r"'a' and 'b' overlap.*writes to 'a'.*clone"):
        run(y, y)
    assert torch.equal(y, before)


def test_overlapping_views(run):
    y = torch.randn(4, 8)
    with pytest.raises(InputMismatchError, match="overlap"):
        run(y[:3], y[1:])


def test_two_storages_over_one_array(run):
    array = torch.randn(4, 8).numpy()
    with pytest.raises(InputMismatchError, match="overlap"):
        run(torch.from_numpy(array[:3]), torch.from_numpy(array[1:]))


@pytest.mark.parametrize(
    ("shape", "split"),
    [((6, 4), lambda y: y.chunk(2)), ((3, 8), lambda y: (y[:, ::2], y[:, 1::2]))],
)
def test_views_that_lie_apart_work(shape, split):
    run = compiled(shape=(3, 4))
    whole = torch.randn(shape)
    expected = whole.clone()
    torch.testing.assert_close(run(*split(whole)), Writes()(*split(expected)))
    torch.testing.assert_close(whole, expected)


def test_separate_tensors_work(run):
    a, b = torch.randn(3, 8), torch.randn(3, 8)
    expected = a.clone()
    torch.testing.assert_close(run(a, b), Writes()(expected, b))
    torch.testing.assert_close(a, expected)


def test_a_module_that_only_reads_takes_both():
    run = compiled(Reads)
    assert not hasattr(run, OVERLAPS_MODULE)
    y = torch.randn(3, 8)
    torch.testing.assert_close(run(y, y), Reads()(y, y))


def test_just_in_time_follows_eager():
    run = torch.compile(Writes(), backend="tensorrt", options={"min_block_size": 1})
    for split in (lambda y: (y, y), lambda y: (y[:3], y[1:])):
        y = torch.randn(4, 8)
        expected = y.clone()
        torch.testing.assert_close(run(*split(y)), Writes()(*split(expected)))
        torch.testing.assert_close(y, expected)


def test_shares_memory():
    y = torch.randn(6, 10)
    assert shares_memory(y, y.t())
    assert shares_memory(y[:, 2:], y[:, :3])
    assert not shares_memory(y[:, 3:], y[:, :3])
    assert shares_memory(y.view(torch.int16)[:, 1::2], y)
    assert not shares_memory(y[:0], y)
    assert not shares_memory(y, None)
    assert not shares_memory(y.expand(2, 6, 10), torch.randn(6, 10))
