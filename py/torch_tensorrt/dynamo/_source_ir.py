"""Where a graph came from."""

from __future__ import annotations

from enum import Enum


class SourceIR(Enum):
    """Kind of the operators in a graph."""

    NN = "nn"
    ACC = "acc"
    ATEN = "aten"
    PRIM = "prim"
    TORCHTRT_LOWERED = "torchtrt_lowered"
    UNKNOWN = "unknown"

    def __str__(self) -> str:
        return self.value
