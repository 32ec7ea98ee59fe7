"""The product on an NVIDIA GPU: both entry points, files, streams, graphs, threads, errors."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
import torch_tensorrt
from torch import nn
from torch_tensorrt._exceptions import InputMismatchError

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU"),
]

OPTIONS = {"require_full_compilation": True, "min_block_size": 1}


class Net(nn.Module):
    """Convolution, normalisation, attention-free head: a few fused steps of every sort."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, padding=1, stride=2)
        self.norm = nn.BatchNorm2d(16)
        self.head = nn.Sequential(nn.Linear(16, 64), nn.GELU(), nn.LayerNorm(64), nn.Linear(64, 8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.norm(self.conv(x)))
        return self.head(y.mean((2, 3))).softmax(-1)


def net(dtype: torch.dtype = torch.float16) -> nn.Module:
    torch.manual_seed(5)
    return Net().eval().cuda().to(dtype)


def image(batch: int = 2, seed: int = 0, dtype: torch.dtype = torch.float16) -> torch.Tensor:
    made = torch.Generator().manual_seed(seed)
    return torch.randn(batch, 3, 16, 16, generator=made).to(dtype).cuda()


def compiled(batch: Any = 2, **options: Any) -> Any:
    example = image(batch) if isinstance(batch, int) else batch
    return torch_tensorrt.compile(net(), arg_inputs=[example], **{**OPTIONS, **options})


def engine_of(module: nn.Module) -> Any:
    return next(m for m in module.modules() if hasattr(m, "get_layer_info"))


def close(got: torch.Tensor, expected: torch.Tensor) -> None:
    assert got.device == expected.device
    torch.testing.assert_close(got, expected, rtol=4e-3, atol=4e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@torch.no_grad()
def test_compile(dtype: torch.dtype) -> None:
    model, x = net(dtype), image(dtype=dtype)
    fast = torch_tensorrt.compile(model, arg_inputs=[x], **OPTIONS)
    for _ in range(4):
        torch.testing.assert_close(fast(x), model(x), rtol=3e-2, atol=3e-3)
    assert engine_of(fast).engine.target() == "cuda"


@torch.no_grad()
def test_torch_compile() -> None:
    model = net()
    fast = torch.compile(model, backend="tensorrt", options=OPTIONS)
    for seed in range(4):
        close(fast(image(seed=seed)), model(image(seed=seed)))


@torch.no_grad()
def test_every_batch_in_one_engine() -> None:
    shapes = {f"{k}_shape": (n, 3, 16, 16) for k, n in (("min", 1), ("opt", 4), ("max", 64))}
    fast = compiled(torch_tensorrt.Input(**shapes, dtype=torch.float16))
    model = net()
    for batch in (1, 7, 33, 64, 7, 1):
        close(fast(image(batch)), model(image(batch)))


def test_a_saved_module_runs_in_a_new_process(tmp_path: Path) -> None:
    fast, x = compiled(), image()
    torch_tensorrt.save(fast, str(tmp_path / "model.ep"), arg_inputs=[x])
    torch.save((x.cpu(), fast(x).cpu()), tmp_path / "expected.pt")
    script = (
        "import sys, torch, torch_tensorrt\n"
        "x, expected = torch.load(sys.argv[2])\n"
        "module = torch_tensorrt.load(sys.argv[1]).module()\n"
        "torch.testing.assert_close(module(x.cuda()).cpu(), expected)\n"
    )
    arguments = [str(tmp_path / "model.ep"), str(tmp_path / "expected.pt")]
    subprocess.run([sys.executable, "-c", script, *arguments], check=True, timeout=120)


def test_an_input_on_the_cpu_is_refused_with_what_to_do() -> None:
    fast = compiled()
    with pytest.raises(InputMismatchError, match=r"on cpu.*built for cuda.*\.cuda\(\)"):
        fast(image().cpu())
    close(fast(image()), net()(image()))


@torch.no_grad()
def test_a_bad_index_is_reported_by_the_next_call() -> None:
    embedding = nn.Embedding(10, 4).cuda().eval()
    good = torch.tensor([1, 9], device="cuda")
    fast = torch_tensorrt.compile(embedding, arg_inputs=[good], **OPTIONS)
    fast(torch.tensor([1, 10], device="cuda"))
    torch.cuda.synchronize()
    with pytest.raises(InputMismatchError, match="index was out of range"):
        fast(good)
    close(fast(good), embedding(good))


def test_addresses_that_come_back_become_graph_launches() -> None:
    fast, x = compiled(), image()
    expected = fast(x)
    for _ in range(10):
        close(fast(x), expected)
    stats = engine_of(fast).stats()
    assert stats["graph_launches"] >= 6
    others = [image(seed=seed) for seed in range(30)]
    model = net()
    for other in others:
        close(fast(other), model(other))
    torch_tensorrt.runtime.set_cudagraphs_mode(False)
    try:
        before = engine_of(fast).stats()["graph_launches"]
        close(fast(x), expected)
        assert engine_of(fast).stats()["graph_launches"] == before
    finally:
        torch_tensorrt.runtime.set_cudagraphs_mode(True)


def test_runs_on_the_current_stream() -> None:
    fast, model = compiled(), net()
    streams = [torch.cuda.Stream() for _ in range(3)]
    results = []
    for turn in range(12):
        x = image(seed=turn)
        stream = streams[turn % 3]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            results.append((x, fast(x)))
    torch.cuda.synchronize()
    for x, got in results:
        close(got, model(x))


@torch.no_grad()
def test_can_be_recorded_into_a_graph_of_the_users() -> None:
    fast, model, x = compiled(), net(), image()
    fast(x)
    recorded = []
    for _ in range(2):
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            y = fast(x)
        recorded.append((graph, y))
    close(fast(image(seed=3)), model(image(seed=3)))
    for seed in (1, 2):
        x.copy_(image(seed=seed))
        for graph, y in recorded:
            y.zero_()
            graph.replay()
            close(y, model(x))


@torch.no_grad()
def test_many_threads_share_an_engine() -> None:
    fast, model = compiled(), net()
    inputs = [image(seed=seed) for seed in range(4)]
    expected = [model(x) for x in inputs]
    torch.cuda.synchronize()
    failures: list[Exception] = []

    def work(index: int) -> None:
        try:
            with torch.cuda.stream(torch.cuda.Stream()):
                for _ in range(30):
                    got = fast(inputs[index])
                    torch.cuda.current_stream().synchronize()
                    close(got, expected[index])
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_profiles_each_step() -> None:
    fast, x = compiled(), image()
    engine = engine_of(fast)
    engine.enable_profiling()
    for _ in range(3):
        fast(x)
    rows = engine.profile()
    engine.disable_profiling()
    assert {row["calls"] for row in rows} == {3}
    assert all(row["microseconds"] > 0 for row in rows)
    assert all(row["kernel"].startswith("cuda.") for row in rows)


class Scaled(nn.Module):
    def forward(self, x: torch.Tensor, by: torch.Tensor) -> torch.Tensor:
        return torch.relu(x * by + 1)


@torch.no_grad()
def test_a_scalar_may_stay_on_the_cpu() -> None:
    x, by = image(), torch.tensor(2.5)
    fast = torch_tensorrt.compile(Scaled(), arg_inputs=[x, by], min_block_size=1)
    close(fast(x, by), Scaled()(x, by))


def test_the_device_option_must_agree() -> None:
    close(compiled(device="cuda:0")(image()), net()(image()))
    with pytest.raises(ValueError, match="device"):
        compiled(device="cpu")


@torch.no_grad()
def test_a_thousand_replays_are_the_same_to_the_bit() -> None:
    fast, x = compiled(), image()
    expected = fast(x).clone()
    close(expected, net()(x))
    wrong = torch.zeros((), dtype=torch.int64, device="cuda")
    for _ in range(1000):
        got = fast(x)
        wrong += (got != expected).sum()
        got.fill_(float("nan"))  # the allocator hands this memory out again: all must be written
        del got
    assert int(wrong) == 0
    assert engine_of(fast).stats()["graph_launches"] >= 900


@torch.no_grad()
def test_shapes_streams_and_buffers_alternate_in_many_threads() -> None:
    shapes = {f"{k}_shape": (n, 3, 16, 16) for k, n in (("min", 1), ("opt", 4), ("max", 64))}
    fast = compiled(torch_tensorrt.Input(**shapes, dtype=torch.float16))
    model = net()
    inputs = [image(batch, seed=batch) for batch in (1, 2, 7, 33)]
    expected = [model(x) for x in inputs]
    torch.cuda.synchronize()
    failures: list[Exception] = []

    def work(first: int) -> None:
        streams = [torch.cuda.Stream() for _ in range(2)]
        try:
            for turn in range(24):
                index = (first + turn) % len(inputs)
                with torch.cuda.stream(streams[turn % 2]):
                    got = fast(inputs[index] if turn % 3 else inputs[index].clone())
                    torch.cuda.current_stream().synchronize()
                    close(got, expected[index])
                    got.fill_(float("nan"))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


@torch.no_grad()
def test_out_of_memory_is_reported_and_the_engine_goes_on() -> None:
    model = nn.Sequential(nn.Linear(64, 65536), nn.GELU(), nn.Linear(65536, 8)).eval().cuda().half()
    shapes = {"min_shape": (1, 64), "opt_shape": (2, 64), "max_shape": (65536, 64)}
    fast = torch_tensorrt.compile(
        model, arg_inputs=[torch_tensorrt.Input(**shapes, dtype=torch.float16)], **OPTIONS
    )
    small, large = (torch.randn(n, 64, device="cuda").half() for n in (2, 65536))
    close(fast(small), model(small))
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info()
    taken = torch.empty(max(free - (1 << 30), 0), dtype=torch.uint8, device="cuda")
    with pytest.raises(torch.OutOfMemoryError, match="memory"):
        fast(large)  # 8 GiB between the layers
    close(fast(small), model(small))
    del taken
    torch.cuda.empty_cache()
    close(fast(large)[:2], model(large[:2]))
