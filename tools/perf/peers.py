"""The candidates of the benchmark: eager, Inductor, ONNX Runtime, OpenVINO and this project.

A candidate turns a zoo case into a ``Built``: a callable taking torch tensors, with what the setup
cost. Each import is local, so a missing package only removes its candidate. Add one by writing a
function and decorating it with ``@candidate``.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch._dynamo

from tools.perf.machine import resident_bytes
from tools.perf.models import Case
from tools.perf.wrappers import repeated_heads

Run = Callable[..., Any]

_dynamo_clock = torch._dynamo.utils.compilation_time_metrics
_TRACED, _COMPILED = "_compile.compile_inner", "OutputGraph.call_user_compiler"


class Unavailable(Exception):
    """The candidate cannot run this case, with the reason."""


@dataclass
class Built:
    """A ready candidate.

    Attributes:
        run: Takes the case's inputs as torch tensors, returns tensors (or arrays for peers).
        capture_s: Seconds in torch.export, Dynamo or ONNX export, where they can be told apart.
        build_s: Seconds in everything after capture, first call included.
        engines: Statistics of our engines, one dict each; empty for peers.
        keep: Objects that must live as long as ``run``.
    """

    run: Run
    capture_s: float = 0.0
    build_s: float = 0.0
    engines: list[dict[str, Any]] = field(default_factory=list)
    keep: list[Any] = field(default_factory=list)
    peak_rss_mb: float = 0.0


Builder = Callable[[Case], Built]
CANDIDATES: dict[str, Builder] = {}
OURS = ("ours", "ours_jit")


def candidate(name: str) -> Callable[[Builder], Builder]:
    """Register a builder under ``name``."""

    def register(builder: Builder) -> Builder:
        CANDIDATES[name] = builder
        return builder

    return register


def build(name: str, case: Case) -> Built:
    """Build a candidate and run it once; adds the peak resident memory of the setup.

    Raises:
        Unavailable: Package missing, dtype refused, or the candidate failed; with the reason.
    """
    try:
        with PeakMemory() as memory, torch.no_grad():
            built = CANDIDATES[name](case)
    except Unavailable:
        raise
    except ImportError as error:
        raise Unavailable(f"not installed: {error}") from error
    except Exception as error:  # a peer's failure is a result of the comparison, not ours
        first = str(error).strip().splitlines() or [""]
        raise Unavailable(f"{type(error).__name__}: {first[0][:300]}") from error
    built.peak_rss_mb = memory.peak_mb
    return built


class PeakMemory:
    """Highest resident memory within the block, above that at its start, sampled each 5 ms."""

    def __enter__(self) -> PeakMemory:
        self._start = self._peak = resident_bytes()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.005):
            self._peak = max(self._peak, resident_bytes())

    @property
    def peak_mb(self) -> float:
        """Megabytes above the start of the block."""
        return (self._peak - self._start) / 2**20


def _dtype(case: Case) -> torch.dtype:
    return next(p.dtype for p in case.module.parameters())


@candidate("eager")
def eager(case: Case) -> Built:
    """PyTorch as it is."""
    case.module(*case.inputs)
    return Built(case.module)


def _just_in_time(run: Run, inputs: Sequence[torch.Tensor]) -> Built:
    # The first call compiles. Dynamo's own clock tells its tracing from the backend's work.
    _dynamo_clock.clear()
    begin = time.perf_counter()
    run(*inputs)
    total = time.perf_counter() - begin
    inside = {name: sum(_dynamo_clock.get(name, ())) for name in (_TRACED, _COMPILED)}
    capture = max(0.0, inside[_TRACED] - inside[_COMPILED])
    return Built(run, capture, total - capture)


@candidate("inductor")
def inductor(case: Case) -> Built:
    """torch.compile with its defaults."""
    run = torch.compile(case.module, fullgraph=True)
    return _just_in_time(run, case.inputs)


@candidate("freezing")
def inductor_freezing(case: Case) -> Built:
    """torch.compile with weights frozen into the program."""
    run = torch.compile(case.module, fullgraph=True, options={"freezing": True})
    return _just_in_time(run, case.inputs)


@candidate("ort")
def onnx_runtime(case: Case) -> Built:
    """ONNX Runtime on the model exported by torch.onnx."""
    import onnxruntime as ort

    if _dtype(case) is torch.bfloat16:
        raise Unavailable("its CPU kernels refuse bf16 models")
    begin = time.perf_counter()
    program = torch.onnx.export(case.module, case.inputs, dynamo=True, verbose=False)
    if program is None:
        raise Unavailable("torch.onnx gave no program")
    directory = tempfile.TemporaryDirectory()
    path = Path(directory.name) / "model.onnx"
    program.save(str(path), external_data=True)
    capture = time.perf_counter() - begin
    begin = time.perf_counter()
    options = ort.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]

    def run(*inputs: torch.Tensor) -> list[torch.Tensor]:
        feed = {name: x.numpy() for name, x in zip(names, inputs, strict=True)}
        return [torch.from_numpy(array) for array in session.run(None, feed)]

    run(*case.inputs)
    return Built(run, capture, time.perf_counter() - begin, keep=[directory, session])


def _leave_out_empty(gm: torch.fx.GraphModule) -> None:
    """Take empty one-dimensional tensors out of concatenations, which ignore them: a decoder's
    empty cache begins as one, and OpenVINO refuses it."""
    for node in gm.graph.find_nodes(op="call_function", target=torch.ops.aten.cat.default):
        parts = node.args[0]
        kept = [part for part in parts if part.meta["val"].shape != (0,)]
        if len(kept) == 1:
            node.replace_all_uses_with(kept[0])
            gm.graph.erase_node(node)
        elif len(kept) < len(parts):
            node.args = (kept, *node.args[1:])
    gm.graph.eliminate_dead_code()
    gm.recompile()


@candidate("openvino")
def openvino(case: Case) -> Built:
    """OpenVINO on the torch.export program, latency mode; bf16 through its precision hint."""
    import openvino as ov

    half = _dtype(case) is torch.bfloat16
    module, inputs = case.module, case.inputs
    if half:  # its users keep the model in f32 and ask for bf16 execution
        module = case.module.float()
        inputs = tuple(x.float() if x.is_floating_point() else x for x in inputs)
    begin = time.perf_counter()
    with repeated_heads(module):
        exported = torch.export.export(module, inputs, strict=False)
    _leave_out_empty(exported.graph_module)
    capture = time.perf_counter() - begin
    begin = time.perf_counter()
    config = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": str(torch.get_num_threads()),
        "INFERENCE_PRECISION_HINT": "bf16" if half else "f32",
    }
    compiled = ov.Core().compile_model(ov.convert_model(exported), "CPU", config)
    request = compiled.create_infer_request()

    def run(*arguments: torch.Tensor) -> list[torch.Tensor]:
        feed = [x.float() if x.dtype is torch.bfloat16 else x for x in arguments]
        result = request.infer([x.numpy() for x in feed], share_inputs=True, share_outputs=True)
        return [torch.from_numpy(result[port]) for port in compiled.outputs]

    run(*case.inputs)
    built = Built(run, capture, time.perf_counter() - begin, keep=[request, compiled, exported])
    if half:
        case.module.bfloat16()
    return built


def _engine_statistics(module: torch.nn.Module) -> list[dict[str, Any]]:
    from torch_tensorrt.dynamo.runtime import TorchTensorRTModule

    return [dict(m.stats()) for m in module.modules() if isinstance(m, TorchTensorRTModule)]


@candidate("ours")
def ours(case: Case) -> Built:
    """torch_tensorrt.compile, capture and build timed apart."""
    import torch_tensorrt

    inputs = list(case.inputs)
    begin = time.perf_counter()
    exported = torch_tensorrt.dynamo.trace(case.module, arg_inputs=inputs)
    capture = time.perf_counter() - begin
    begin = time.perf_counter()
    run = torch_tensorrt.dynamo.compile(exported, arg_inputs=inputs, require_full_compilation=True)
    run(*case.inputs)
    seconds = time.perf_counter() - begin
    return Built(run, capture, seconds, _engine_statistics(run), [exported])


@candidate("ours_jit")
def ours_jit(case: Case) -> Built:
    """torch.compile(backend="tensorrt"); an operator left in PyTorch counts as a failure."""
    import torch_tensorrt  # noqa: F401

    options: dict[str, Any] = {"require_full_compilation": True}
    run = torch.compile(case.module, backend="tensorrt", fullgraph=True, options=options)
    return _just_in_time(run, case.inputs)
