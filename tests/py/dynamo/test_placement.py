"""Where engines go: the option, the graph, and what disagrees."""

from __future__ import annotations

import pytest
import torch
import torch_tensorrt
from torch import fx
from torch_tensorrt._Device import Device
from torch_tensorrt._exceptions import InvalidOptionError
from torch_tensorrt.dynamo._placement import graph_device, place, stays_behind
from torch_tensorrt.dynamo._settings import CompilationSettings, require_target


class _OnDevice(torch.Tensor):
    """A tensor that says it is on a device of which there is none here."""

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return torch.device("cuda", 1)


def graph(*values: torch.Tensor) -> fx.GraphModule:
    made = fx.Graph()
    nodes = [made.placeholder(f"x{i}") for i in range(len(values))]
    for node, value in zip(nodes, values, strict=True):
        node.meta["val"] = value
    made.output(tuple(nodes))
    return fx.GraphModule({}, made)


CPU = torch.ones(2)
CUDA = torch.ones(2).as_subclass(_OnDevice)


def test_engines_go_where_the_graph_computes() -> None:
    settings = CompilationSettings()
    assert place(graph(CPU), settings).device == Device("cpu")
    assert place(graph(), settings).device == Device("cpu")
    assert place(graph(CPU, CUDA), settings).device == Device("cuda:1")
    assert graph_device(graph()) is None


def test_the_option_must_agree_with_the_graph() -> None:
    wanted = CompilationSettings(device=Device("cuda:1"))
    assert place(graph(CUDA), wanted).device == Device("cuda:1")
    assert place(graph(), wanted).device == Device("cuda:1")
    with pytest.raises(InvalidOptionError, match="are on the CPU"):
        place(graph(CPU), wanted)
    with pytest.raises(InvalidOptionError, match=r"cuda:1.*module.to\('cpu'\)"):
        place(graph(CUDA), CompilationSettings(device=Device("cpu")))


def test_nodes_of_another_device_stay_in_pytorch() -> None:
    node = next(iter(graph(CPU).graph.nodes))
    assert stays_behind(node, CompilationSettings()) is None
    assert stays_behind(node, CompilationSettings(device=Device("cpu"))) is None
    reason = stays_behind(node, CompilationSettings(device=Device("cuda:1")))
    assert reason == "its result is on cpu, the engines are for cuda:1"


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(InvalidOptionError, match="DLA"):
        require_target(CompilationSettings(device=Device("dla:0")))
    if torch.cuda.is_available():
        pytest.skip("there is a GPU, so that device is there")
    with pytest.raises(InvalidOptionError, match=r"cuda:0.*CUDA"):
        require_target(CompilationSettings(device=Device("cuda:0")))


def test_the_mode_of_cuda_graphs_is_kept() -> None:
    before = torch.ops.tensorrt.get_cudagraphs_mode()
    assert before is True
    torch_tensorrt.runtime.set_cudagraphs_mode(False)
    try:
        assert torch.ops.tensorrt.get_cudagraphs_mode() is False
        assert torch_tensorrt.runtime.get_cudagraphs_mode() is False
    finally:
        torch_tensorrt.runtime.set_cudagraphs_mode(before)
    assert torch_tensorrt.runtime.get_cudagraphs_mode() is torch.cuda.is_available()
