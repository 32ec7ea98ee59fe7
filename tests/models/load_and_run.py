"""Run a saved module in this (new) process: load_and_run.py MODULE INPUTS OUTPUTS.

INPUTS holds a list of input lists, OUTPUTS receives one output list per entry.
"""

from __future__ import annotations

import sys

import torch
import torch_tensorrt


def main(module_path: str, inputs_path: str, outputs_path: str) -> None:
    """Load the module, run every input list, write the outputs."""
    module = torch_tensorrt.load(module_path).module()
    results = []
    with torch.no_grad():
        for inputs in torch.load(inputs_path, weights_only=True):
            outputs = module(*inputs)
            results.append([outputs] if isinstance(outputs, torch.Tensor) else list(outputs))
    torch.save(results, outputs_path)


if __name__ == "__main__":
    main(*sys.argv[1:])
