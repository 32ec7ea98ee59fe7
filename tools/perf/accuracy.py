"""Error against float64, judged relative to eager PyTorch's own error.

The reference is the same module in double precision. A result passes when its RMSE is at most
``FACTOR[dtype]`` times eager's; a small floor keeps outputs that eager gets exactly right from
demanding the impossible.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

Outputs = torch.Tensor | Sequence[torch.Tensor]

FACTOR: Mapping[torch.dtype, float] = {
    torch.float32: 2.0,
    torch.bfloat16: 3.0,
    torch.float16: 3.0,
}


@dataclass(frozen=True)
class Deviation:
    """Errors of the worst output, as root mean squares against float64.

    Attributes:
        index: Which output is the worst one.
        ours: RMSE of the result under test.
        eager: RMSE of eager PyTorch in the same dtype.
        limit: The largest RMSE that passes.
    """

    index: int
    ours: float
    eager: float
    limit: float

    @property
    def passes(self) -> bool:
        """True when within the limit (a NaN never is)."""
        return self.ours <= self.limit

    @property
    def ratio(self) -> float:
        """Our error over eager's; 1 when both are exact."""
        if self.eager == 0.0:
            return 1.0 if self.ours == 0.0 else float("inf")
        return self.ours / self.eager

    def __str__(self) -> str:
        return (
            f"output {self.index}: RMSE {self.ours:.3e}, eager {self.eager:.3e}, "
            f"limit {self.limit:.3e}"
        )


def flatten(outputs: Outputs) -> list[torch.Tensor]:
    """A module's output as a list of tensors."""
    return [outputs] if isinstance(outputs, torch.Tensor) else list(outputs)


@torch.no_grad()
def exact_outputs(module: nn.Module, inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Outputs of a double-precision copy of ``module`` (its weights as they are, widened)."""
    double = copy.deepcopy(module).double()
    return flatten(double(*(x.double() if x.is_floating_point() else x for x in inputs)))


def _rmse(values: torch.Tensor, exact: torch.Tensor) -> float:
    if values.numel() == 0:
        return 0.0
    return float((values.double() - exact.double()).square().mean().sqrt())


def deviation(got: Outputs, eager: Outputs, exact: Sequence[torch.Tensor]) -> Deviation:
    """Compare a result with eager's.

    Raises:
        ValueError: The number of outputs, a shape or a dtype differs from eager's.
    """
    ours, theirs = flatten(got), flatten(eager)
    if len(ours) != len(theirs):
        raise ValueError(f"{len(ours)} outputs where eager has {len(theirs)}")
    worst: Deviation | None = None
    for index, (a, b, c) in enumerate(zip(ours, theirs, exact, strict=True)):
        if a.shape != b.shape or a.dtype != b.dtype:
            raise ValueError(
                f"output {index} is {a.dtype} {tuple(a.shape)}, eager's {b.dtype} {tuple(b.shape)}"
            )
        scale = float(c.double().square().mean().sqrt()) if c.numel() else 0.0
        eps = torch.finfo(b.dtype).eps if b.is_floating_point() else 0.0
        limit = FACTOR.get(b.dtype, 1.0) * _rmse(b, c) + 0.1 * eps * scale
        found = Deviation(index, _rmse(a, c), _rmse(b, c), limit)
        if worst is None or _excess(found) > _excess(worst):
            worst = found
    if worst is None:
        raise ValueError("the module has no outputs")
    return worst


def _excess(found: Deviation) -> float:
    if found.ours != found.ours:  # NaN is worse than anything
        return float("inf")
    if found.limit == 0.0:
        return 0.0 if found.ours == 0.0 else float("inf")
    return found.ours / found.limit
