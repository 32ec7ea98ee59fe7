"""Which device the engines of a graph run on."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import torch
from torch import fx

from torch_tensorrt._Device import Device
from torch_tensorrt._exceptions import InvalidOptionError
from torch_tensorrt.dynamo._settings import CompilationSettings

_CPU = torch.device("cpu")


def place(gm: fx.GraphModule, settings: CompilationSettings) -> CompilationSettings:
    """``settings`` with the device that the engines of ``gm`` are built for.

    Without the option that is where the graph's inputs and constants are: a GPU when one of them
    is on it.

    Raises:
        InvalidOptionError: the option names another kind of device than the graph computes on.
    """
    found = graph_device(gm)
    wanted = None if settings.device is None else settings.device.to(torch.device)
    if wanted is None or (found is not None and wanted == found):
        return dataclasses.replace(settings, device=Device(found or _CPU))
    if found is not None:
        raise disagreement(wanted, found)
    return settings


def disagreement(wanted: torch.device, found: torch.device) -> InvalidOptionError:
    """The error of a ``device`` option for a module that is elsewhere."""
    there = "the CPU" if found.type == "cpu" else str(found)
    return InvalidOptionError(
        f"[settings] device {wanted}, but the module and its inputs are on {there}; "
        f"drop the option, or move both: module.to('{wanted}'), tensor.to('{wanted}')"
    )


def graph_device(gm: fx.GraphModule) -> torch.device | None:
    """The device that ``gm`` computes on; None when it holds no tensor.

    CPU tensors beside those of a GPU do not count: they are scalars, or stay in PyTorch.
    """
    found: torch.device | None = None
    for device in _devices(gm):
        if device.type == "cuda":
            return torch.device("cuda", device.index or 0)
        found = found or device
    return found


def stays_behind(node: fx.Node, settings: CompilationSettings) -> str | None:
    """Why ``node`` cannot be in an engine for the settings' device; None when it can."""
    if settings.device is None:
        return None
    wanted = settings.device.to(torch.device)
    for device in _devices_of(node.meta.get("val")):
        if device.type != wanted.type:
            return f"its result is on {device}, the engines are for {wanted}"
    return None


def _devices(gm: fx.GraphModule) -> Iterator[torch.device]:
    for node in gm.graph.nodes:
        if node.op != "output":
            yield from _devices_of(node.meta.get("val"))


def _devices_of(value: Any) -> Iterator[torch.device]:
    if isinstance(value, torch.Tensor):
        yield value.device
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _devices_of(one)
