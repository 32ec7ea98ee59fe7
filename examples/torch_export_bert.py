"""Ahead-of-time compilation of BERT with dynamic shapes: compile once, save, load, run any size.

    python examples/torch_export_bert.py [--small]

Random seeded weights; results are checked against eager PyTorch in float64.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import torch
import torch_tensorrt
from transformers import BertConfig, BertModel


class Encoder(torch.nn.Module):
    """Token ids and mask ``[N, S]`` to hidden states ``[N, S, C]``."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.bert = BertModel(config, add_pooling_layer=False)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return self.bert(input_ids=input_ids, attention_mask=attention_mask, return_dict=False)[0]


def build_model(small: bool) -> Encoder:
    """BERT-base, or two narrow layers."""
    torch.manual_seed(0)
    config = BertConfig()
    if small:
        config = BertConfig(
            hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128
        )
    return Encoder(config).eval().requires_grad_(False)


def tokens() -> torch_tensorrt.Input:
    """1 to 8 sentences of 2 to 256 tokens; names tie the sizes of ids and mask together."""
    return torch_tensorrt.Input(
        min_shape=(1, 2),
        opt_shape=(1, 128),
        max_shape=(8, 256),
        dtype=torch.int64,
        shared_dims={0: "batch", 1: "length"},
    )


def check(model: Encoder, exact: Encoder, compiled: torch.nn.Module) -> bool:
    """Compare at several sizes with eager, both against float64."""
    good = True
    for batch, length in ((1, 2), (1, 128), (3, 57), (8, 31)):
        ids = torch.randint(0, 1000, (batch, length))
        mask = torch.ones_like(ids)
        mask[-1, length // 2 + 1 :] = 0
        truth = exact(ids, mask)
        ours = (compiled(ids, mask) - truth).square().mean().sqrt()
        eager = (model(ids, mask) - truth).square().mean().sqrt()
        print(f"  {batch} x {length}: error {ours:.2e}, eager's {eager:.2e}")
        good = good and bool(ours <= 2 * eager + 1e-7)
    return good


@torch.no_grad()
def main() -> int:
    """Compile, check, save, load, check again. Returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--small", action="store_true", help="two narrow layers")
    small = parser.parse_args().small
    model, exact = build_model(small), build_model(small).double()

    begin = time.perf_counter()
    inputs = [tokens(), tokens()]
    compiled = torch_tensorrt.compile(model, arg_inputs=inputs, require_full_compilation=True)
    print(f"compiled in {time.perf_counter() - begin:.2f} s")
    good = check(model, exact, compiled)

    with tempfile.TemporaryDirectory() as directory:
        path = str(Path(directory) / "trt.ep")
        torch_tensorrt.save(compiled, path, arg_inputs=inputs)
        begin = time.perf_counter()
        loaded = torch_tensorrt.load(path).module()
        print(f"saved, loaded in {time.perf_counter() - begin:.2f} s")
        good = check(model, exact, loaded) and good
    print("OK" if good else "FAILED: the compiled model is less accurate than it should be")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
