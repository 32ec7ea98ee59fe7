"""Entry points: subgraph to network, subgraph to a module that runs an engine."""

from __future__ import annotations

from typing import Any

from torch import fx

from torch_tensorrt.dynamo._settings import CompilationSettings
from torch_tensorrt.dynamo._symbols import Ranges
from torch_tensorrt.dynamo.conversion._interpreter import NetworkInterpreter


def network_from_module(
    module: fx.GraphModule,
    settings: CompilationSettings | None = None,
    input_ranges: dict[str, tuple[int, int, int]] | None = None,
) -> Any:
    """The ``_C.Network`` of a lowered subgraph; see :class:`NetworkInterpreter`.

    Raises:
        ConversionError: a node cannot be converted.
    """
    return NetworkInterpreter(module, settings or CompilationSettings(), input_ranges).run()


def convert_module(
    module: fx.GraphModule,
    settings: CompilationSettings | None = None,
    *,
    name: str = "engine",
    input_ranges: dict[str, tuple[int, int, int]] | None = None,
) -> Any:
    """Build an engine for a lowered subgraph.

    Args:
        module: The subgraph; its constants are used in place, not copied.
        settings: Compilation options.
        name: Label of the engine.
        input_ranges: ``(min, opt, max)`` of every symbol in the inputs; a :class:`Ranges` has
            further sizes to tune for.

    Returns:
        A :class:`TorchTensorRTModule` that takes and gives what the subgraph does.

    Raises:
        ConversionError: a node cannot be converted.
        EngineBuildError: no kernel can run a layer.
    """
    from torch_tensorrt.dynamo.runtime import build_engine

    settings = settings or CompilationSettings()
    network = network_from_module(module, settings, input_ranges)
    points = input_ranges.points if isinstance(input_ranges, Ranges) else ()
    return build_engine(network, settings, name=name, points=points)
