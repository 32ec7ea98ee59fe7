"""What the watch over weights sees, and what it does not."""

import pytest
import torch
from torch import nn
from torch_tensorrt.dynamo.backend._static_inputs import StaticInputs


def weight(*shape, dtype=torch.float32):
    return nn.Parameter(torch.rand(shape).add(1).to(dtype), requires_grad=False)


def set_data(tensor):
    tensor.data = tensor.data + 1


def shrink(tensor):
    tensor.data = tensor.data[:4]


def transpose(tensor):
    tensor.data = tensor.data.t()


def drop_memory(tensor):
    tensor.untyped_storage().resize_(0)


CHANGES = {
    "in_place": lambda t: t.mul_(2),
    "of_one_element": lambda t: t[3, 3].add_(1),
    "through_a_view": lambda t: t.view(-1)[5:7].zero_(),
    "new_data": set_data,
    "smaller_data": shrink,
    "transposed_data": transpose,
    "no_memory": drop_memory,
    "copy_through_data": lambda t: t.data.copy_(torch.rand(8, 8)),
    "arithmetic_through_data": lambda t: t.data.mul_(1.01),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_changes_are_seen(change):
    tensors = [weight(3), weight(8, 8), weight(0)]
    watch = StaticInputs(tensors)
    assert watch.unchanged(list(tensors))
    with torch.no_grad():
        change(tensors[1])
    assert not watch.unchanged(list(tensors))
    assert watch.same_objects(list(tensors))


def test_other_tensors_are_seen():
    tensors = [weight(3), weight(8, 8)]
    watch = StaticInputs(tensors)
    for others in (
        [tensors[0], tensors[1].clone()],
        tensors[::-1],
        tensors[:1],
        [*tensors, *tensors],
    ):
        assert not watch.same_objects(others)
        assert not watch.unchanged(others)
    with pytest.raises(TypeError):
        StaticInputs([1])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64, torch.int8, torch.bool])
@pytest.mark.parametrize("shape", [(), (1,), (3,), (5, 7), (257, 33)])
def test_every_size_and_type_through_data(dtype, shape):
    tensor = torch.ones(shape).to(dtype)
    watch = StaticInputs([tensor])
    assert watch.unchanged([tensor])
    tensor.data.zero_()
    assert not watch.unchanged([tensor])


def test_writes_in_inference_mode_are_seen():
    with torch.inference_mode():
        tensor = torch.rand(8, 8)
        watch = StaticInputs([tensor])
        assert watch.unchanged([tensor])
        tensor.mul_(2)
        assert not watch.unchanged([tensor])


def test_strided_and_sparse_tensors():
    tensors = [torch.rand(8, 8)[:, 1], torch.rand(8, 8).t(), torch.eye(3).to_sparse()]
    watch = StaticInputs(tensors)
    assert watch.unchanged(list(tensors))
    tensors[1].data.add_(1)
    assert not watch.unchanged(list(tensors))
    watch = StaticInputs(tensors)
    tensors[2].mul_(2)
    assert not watch.unchanged(list(tensors))


def test_a_few_elements_written_through_data_are_not_seen_until_the_tensor_is_touched():
    """The documented limit, and the documented way out."""
    tensor = weight(64, 64)
    watch = StaticInputs([tensor])
    tensor.data[3, 5] = 7
    assert watch.unchanged([tensor])
    with torch.no_grad():
        tensor.add_(0)
    assert not watch.unchanged([tensor])
