"""Ctrl-C while something is compiled: the next compilation in that process works."""

import logging
import os
import signal
import subprocess
import sys
import threading

import pytest
import torch
import torch_tensorrt
from torch import nn
from torch_tensorrt import _C
from torch_tensorrt._interrupts import import_whole, uninterrupted
from torch_tensorrt.dynamo import _build, conversion
from torch_tensorrt.dynamo.conversion import _interpreter
from torch_tensorrt.dynamo.lowering import passes

# A package that is imported late, and the interrupt that comes in the middle of it.
LATE = [
    "sympy.functions.elementary.hyperbolic",
    "torch._dynamo.variables.lists",
    "torch._inductor.config",
    "torch_tensorrt.dynamo.conversion._support",
    "torch.export._trace",
]
PROGRAM = """
import signal, sys
import torch, torch_tensorrt

class Interrupt:
    seen = False
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[1] and not self.seen:
            self.seen = True
            signal.raise_signal(signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
sys.meta_path.insert(0, Interrupt())
model, x = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU()).eval(), torch.ones(2, 4)
rows = torch_tensorrt.Input(min_shape=(1, 4), opt_shape=(2, 4), max_shape=(8, 4))
def compile():
    return torch_tensorrt.compile(model, arg_inputs=[rows], require_full_compilation=True)
try:
    compile()
except KeyboardInterrupt:
    assert sys.meta_path[0].seen
    with torch.no_grad():
        torch.testing.assert_close(compile()(x), model(x))
        fast = torch.compile(model, backend="tensorrt")
        torch.testing.assert_close(fast(x), model(x))
    print("works")
"""


@pytest.mark.parametrize("module", LATE)
def test_while_modules_are_imported(module):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, module], capture_output=True, text=True, timeout=240
    )
    assert done.stdout == "works\n", done.stderr


def interrupts_once(monkeypatch, owner, name, call=1):
    """Lets the ``call``-th call of ``owner.name`` end in an interrupt."""
    original, calls = getattr(owner, name), []

    def interrupted(*args, **kwargs):
        calls.append(name)
        if len(calls) == call:
            raise KeyboardInterrupt
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, name, interrupted)


POINTS = {
    "export": (torch.fx.GraphModule, "recompile", 1),
    "lowering": (passes.POST_LOWERING_PASSES, "run", 1),
    "partition": (_build, "partition", 1),
    "conversion": (_interpreter, "core", 2),
    "an engine": (conversion, "convert_module", 1),
    "the builder": (_C, "build", 1),
}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(8, 16), nn.Linear(16, 4)

    def forward(self, x):
        return self.second(self.first(x).relu()).softmax(-1)


@pytest.mark.parametrize("how", ["aot", "jit"])
@pytest.mark.parametrize("point", POINTS)
def test_at_each_stage(point, how, monkeypatch, caplog):
    torch._dynamo.reset()
    model, x = Net().eval().requires_grad_(False), torch.randn(3, 8)
    options = {"require_full_compilation": True}

    def run():
        if how == "jit":
            return torch.compile(model, backend="tensorrt", options=options)(x)
        return torch_tensorrt.compile(model, arg_inputs=[x], **options)(x)

    interrupts_once(monkeypatch, *POINTS[point])
    with pytest.raises(KeyboardInterrupt):
        run()
    with caplog.at_level(logging.INFO, logger="torch_tensorrt"):
        torch.testing.assert_close(run(), model(x))
    assert [r.message for r in caplog.records if r.message.startswith("1 engine")]


@pytest.fixture
def received():
    """Interrupts that arrive in a handler of the test's own."""
    arrived = []
    before = signal.signal(signal.SIGINT, lambda *_: arrived.append("interrupt"))
    yield arrived
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_waits_for_the_end(received):
    before = signal.getsignal(signal.SIGINT)
    with uninterrupted():
        os.kill(os.getpid(), signal.SIGINT)
        assert received == []
    assert received == ["interrupt"]
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_interrupt_comes_through(received):
    with uninterrupted():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        assert received == ["interrupt"]
    assert received == ["interrupt"]


def test_errors_leave_the_handler_as_it_was(received):
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ValueError, match="inside"), uninterrupted():
        raise ValueError("inside")
    assert signal.getsignal(signal.SIGINT) is before
    assert received == []


def test_a_handler_set_inside_stays(received):
    def other(*_):
        received.append("other")

    with uninterrupted():
        signal.signal(signal.SIGINT, other)
    assert signal.getsignal(signal.SIGINT) is other


@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.SIG_DFL])
def test_handlers_that_are_not_pythons(handler):
    before = signal.signal(signal.SIGINT, handler)
    try:
        with uninterrupted():
            assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_change_nothing(received):
    inside = []

    def work():
        with uninterrupted():
            inside.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert inside == [signal.getsignal(signal.SIGINT)]


def test_modules_are_imported_whole(received, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    text = "import signal\nsignal.raise_signal(signal.SIGINT)\nfrom {0} import part\nwhole = True\n"
    package = tmp_path / "halves_of_a_test"
    package.mkdir()
    (package / "__init__.py").write_text(text.format(package.name))
    (package / "part.py").write_text("")

    def stop(*_):
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, stop)
    with pytest.raises(KeyboardInterrupt):
        import_whole(package.name)
    assert sys.modules[package.name].whole
    import_whole(package.name)  # whole already: nothing happens
