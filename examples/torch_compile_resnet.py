"""Just-in-time compilation of ResNet-50: one line, any batch size.

    python examples/torch_compile_resnet.py [--small]

Random seeded weights; results are checked against eager PyTorch in float64.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time

import torch
import torch_tensorrt  # noqa: F401  (registers the "tensorrt" backend)
from transformers import ResNetConfig, ResNetForImageClassification


def build_model(small: bool) -> torch.nn.Module:
    """ResNet-50, or a narrow one of the same family."""
    torch.manual_seed(0)
    config = ResNetConfig(num_labels=1000, return_dict=False)
    if small:
        config = ResNetConfig(
            embedding_size=16, hidden_sizes=[32, 64], depths=[1, 1], return_dict=False
        )
    return ResNetForImageClassification(config).eval().requires_grad_(False)


def median_ms(function: torch.nn.Module, image: torch.Tensor, rounds: int = 15) -> float:
    """Median latency of ``function(image)`` in milliseconds."""
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        function(image)
        times.append(1e3 * (time.perf_counter() - begin))
    return statistics.median(times)


@torch.no_grad()
def main() -> int:
    """Compile, compare with eager, time both. Returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--small", action="store_true", help="a narrow model on small images")
    small = parser.parse_args().small
    model, side = build_model(small), 64 if small else 224

    fast = torch.compile(model, backend="tensorrt")

    images = {batch: torch.randn(batch, 3, side, side) for batch in (1, 2, 5)}
    eager = {batch: model(image)[0] for batch, image in images.items()}
    got = {}
    for batch, image in images.items():  # the second size makes the batch dynamic, once
        begin = time.perf_counter()
        got[batch] = fast(image)[0]
        print(f"batch {batch}: first call {time.perf_counter() - begin:.2f} s")
    print(
        f"eager {median_ms(model, images[1]):.2f} ms, compiled {median_ms(fast, images[1]):.2f} ms"
    )

    model.double()
    for batch, image in images.items():
        exact = model(image.double())[0]
        ours, theirs = ((x - exact).square().mean().sqrt() for x in (got[batch], eager[batch]))
        print(f"batch {batch}: error against float64 {ours:.2e}, eager's {theirs:.2e}")
        if not ours <= 2 * theirs + 1e-7:
            print("FAILED: the compiled model is less accurate than it should be")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
