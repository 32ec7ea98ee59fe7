"""Memory of large outputs: used again when nothing refers to it any more, and not before."""

import copy
import gc
import threading

import torch
import torch_tensorrt
from torch import nn

#: Rows of 4096 floats: outputs of 2 MB and more are pooled, those of 16 kB are not.
LARGE, SMALL = 128, 1


class Two(nn.Module):
    def forward(self, x):
        return x + 1, x * 2


def build():
    rows = torch_tensorrt.Input(min_shape=(1, 4096), opt_shape=(LARGE, 4096), max_shape=(512, 4096))
    return torch_tensorrt.compile(
        Two(), arg_inputs=[rows], require_full_compilation=True, min_block_size=1
    )


def check(outputs, x):
    assert torch.equal(outputs[0], x + 1)
    assert torch.equal(outputs[1], x * 2)


def test_memory_comes_back_only_when_nothing_refers_to_it():
    module = build()
    x = torch.randn(LARGE, 4096)
    first = module(x)
    places = {t.data_ptr() for t in first}
    assert all(place % 64 == 0 for place in places)
    view = first[0][3:5]
    second = module(x + 1)
    assert places.isdisjoint(t.data_ptr() for t in second)
    check(first, x)
    check(second, x + 1)
    held = first[0].data_ptr()
    del first, second
    third = module(x + 2)
    assert held not in {t.data_ptr() for t in third}  # the view is still there
    assert torch.equal(view, (x + 1)[3:5])
    check(third, x + 2)
    places = {t.data_ptr() for t in third}
    del third
    fourth = module(x)
    assert {t.data_ptr() for t in fourth} == places
    check(fourth, x)


def test_other_sizes_between():
    module = build()
    for rows in (LARGE, SMALL, 2 * LARGE, LARGE, 0 + SMALL, LARGE):
        x = torch.randn(rows, 4096)
        check(module(x), x)


def test_outputs_are_tensors_like_any_other():
    module = build()
    x = torch.randn(LARGE, 4096)
    out, other = module(x)
    assert out.is_contiguous()
    assert not out.requires_grad
    assert not out.is_inference()
    assert out.untyped_storage().nbytes() == out.nbytes
    out.resize_(2 * LARGE, 4096)
    assert torch.equal(out[:LARGE], x + 1)
    assert torch.equal(copy.deepcopy(other), x * 2)
    other.mul_(2)
    array = other.numpy()
    del out, other
    gc.collect()
    check(module(x), x)
    assert (torch.from_numpy(array) == x * 4).all()
    with torch.inference_mode():
        assert module(x)[0].is_inference()
    shared = module(x)[0].share_memory_()
    assert torch.equal(shared, x + 1)
    twin = torch.empty(0).set_(module(x)[0].untyped_storage())
    assert torch.equal(twin, (x + 1).flatten())


def test_outputs_outlive_their_engine():
    x = torch.randn(LARGE, 4096)
    outputs = build()(x)
    gc.collect()
    check(outputs, x)


def test_threads_never_share_an_output():
    module = build()
    right = []

    def run(seed):
        generator = torch.Generator().manual_seed(seed)
        kept = []
        for call in range(20):
            x = torch.randn(LARGE + call % 3, 4096, generator=generator)
            kept.append((module(x), x))
            kept = kept[-2:]
            right.append(all(torch.equal(a, x + 1) and torch.equal(b, x * 2) for (a, b), x in kept))

    threads = [threading.Thread(target=run, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert right == [True] * 80
