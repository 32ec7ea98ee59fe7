"""What a converter written in Python is given."""

from __future__ import annotations

from dataclasses import dataclass

from torch_tensorrt.dynamo._settings import CompilationSettings
from torch_tensorrt.dynamo.conversion._network import NetworkDefinition


@dataclass(frozen=True)
class ConversionContext:
    """State of one conversion.

    Attributes:
        net: The network under construction.
        compilation_settings: Options of this compilation.
    """

    net: NetworkDefinition
    compilation_settings: CompilationSettings
