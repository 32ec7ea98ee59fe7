"""torch.compile(backend="tensorrt"): same results as eager in every situation Dynamo brings
about."""

import copy
import logging

import pytest
import torch
from torch import nn

OPTIONS = {"min_block_size": 1, "pass_through_build_failures": True}
TOLERANCE = {"rtol": 1e-5, "atol": 1e-5}


@pytest.fixture(autouse=True)
def fresh_dynamo():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def jit(model, **options):
    return torch.compile(model, backend="tensorrt", options={**OPTIONS, **options})


def same(got, expected):
    torch.testing.assert_close(got, expected, **TOLERANCE)


class Builds(logging.Handler):
    """Counts the summary lines of builds and keeps warnings."""

    def __init__(self):
        super().__init__()
        self.engines = 0
        self.warnings = []

    def emit(self, record):
        if " build, " in record.getMessage():
            self.engines += int(record.getMessage().split()[0])
        elif record.levelno >= logging.WARNING:
            self.warnings.append(record.getMessage())


@pytest.fixture
def builds():
    logger = logging.getLogger("torch_tensorrt")
    handler, level = Builds(), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.norm = nn.BatchNorm1d(4)
        self.register_buffer("steps", torch.zeros(4))
        self.scale = torch.full((4,), 2.0)

    def forward(self, x, n):
        self.steps.add_(1.0)
        y = self.norm(self.linear(x) * n) * self.scale + self.steps
        return y, y, x, x.view(-1), x.shape[0], None, self.linear.weight, x.shape[0] * 2 + n


def test_aliases_writes_sizes_and_none(builds):
    eager = Layer().eval()
    compiled = jit(copied := copy.deepcopy(eager))
    with torch.no_grad():
        for rows, n in ((3, 2), (5, 3), (7, 4), (1, 5)):
            x = torch.randn(rows, 4)
            expected, got = eager(x, n), compiled(x, n)
            same(got[0], expected[0])
            assert got[2] is x
            assert got[6] is copied.linear.weight
            assert got[4:6] == expected[4:6]
            assert got[7] == expected[7]
            same(copied.steps, eager.steps)
            got[3].zero_()
            assert x.abs().sum() == 0
    assert builds.engines == 3


def test_weights_that_change_are_seen(builds):
    eager = Layer().eval()
    compiled = jit(copied := copy.deepcopy(eager))
    x = torch.randn(5, 4)
    with torch.no_grad():
        same(compiled(x, 3)[0], eager(x, 3)[0])
        for model in (eager, copied):
            model.linear.weight.mul_(2)
        same(compiled(x, 3)[0], eager(x, 3)[0])
        state = {k: v + 1 if v.is_floating_point() else v for k, v in eager.state_dict().items()}
        for model in (eager, copied):
            model.load_state_dict(state)
        same(compiled(x, 3)[0], eager(x, 3)[0])
        weight = torch.randn(4, 4)
        for model in (eager, copied):
            model.linear.weight = nn.Parameter(weight.clone())
        same(compiled(x, 3)[0], eager(x, 3)[0])
        for model in (eager, copied):
            model.linear.weight.data = weight * 3
        same(compiled(x, 3)[0], eager(x, 3)[0])
        for model in (eager, copied):
            model.linear.weight.data.copy_(weight - 1)
        same(compiled(x, 3)[0], eager(x, 3)[0])
    assert any("weights of a compiled graph have changed" in w for w in builds.warnings)


def test_weights_made_and_changed_in_inference_mode():
    with torch.inference_mode():
        model = nn.Sequential(nn.Linear(4, 4), nn.ReLU()).eval()
        compiled, x = jit(model), torch.randn(2, 4)
        same(compiled(x), model(x))
        model[0].weight.mul_(2)
        same(compiled(x), model(x))


def test_weights_that_change_all_the_time_end_in_pytorch(builds):
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU()).eval()
    compiled = jit(model)
    with torch.no_grad():
        for _ in range(10):
            model[0].weight.add_(0.1)
            x = torch.randn(2, 4)
            same(compiled(x), model(x))
    assert builds.engines <= 6


def test_code_shared_by_modules_keeps_their_weights_apart():
    layers = [nn.Linear(4, 4) for _ in range(4)]

    def block(layer, x):
        return layer(x).relu() + 1

    compiled = jit(block)
    with torch.no_grad():
        for _ in range(2):
            for layer in layers:
                x = torch.randn(2, 4)
                same(compiled(layer, x), block(layer, x))


def test_gradients_through_weights_are_exact(builds):
    model = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 2)).eval()
    compiled = jit(model)
    x = torch.randn(3, 4)
    compiled(x).square().sum().backward()
    got = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    model(x).square().sum().backward()
    same(got, [p.grad for p in model.parameters()])
    assert builds.engines == 1


@pytest.mark.parametrize("reason", ["input", "dropout", "norm"])
def test_training_runs_in_pytorch_with_a_message(builds, reason):
    model = {
        "input": nn.Linear(4, 4).eval(),
        "dropout": nn.Sequential(nn.Linear(4, 4), nn.Dropout()).train(),
        "norm": nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)).train(),
    }[reason]
    x = torch.randn(3, 4, requires_grad=reason == "input")
    torch.manual_seed(0)
    jit(model)(x).sum().backward()
    assert model.get_parameter(next(iter(dict(model.named_parameters())))).grad is not None
    assert builds.engines == 0
    assert any("gradients may be needed" in w for w in builds.warnings)


def test_writes_to_inputs():
    def write(x, y):
        x.add_(y)
        return (x * 2).relu_(), x

    x = torch.randn(3, 4)
    y, twin = torch.randn(3, 4), x.clone()
    same(jit(write)(twin, y), write(x, y))
    same(twin, x)


def test_graph_breaks():
    def branch(x):
        y = x.sin() * 2 + 1
        return y.cos() + 1 if y.sum() > 0 else y.exp()

    compiled = jit(branch)
    for offset in (1.0, -2.0):
        x = torch.rand(6) + offset
        same(compiled(x), branch(x))


def test_data_dependent_shapes():
    def positive(x):
        index = torch.nonzero(x > 0)[:, 0]
        return (x[index] * 2 + 1).sum(0), index * 2

    with torch._dynamo.config.patch(capture_dynamic_output_shape_ops=True):
        compiled = jit(positive)
        for size in (6, 9):
            x = torch.randn(size)
            same(compiled(x), positive(x))


def test_torch_executed_ops(builds):
    def work(x):
        return (x + 1).sin() * 2

    x = torch.randn(5)
    same(jit(work, torch_executed_ops={"aten.sin"})(x), work(x))
    assert builds.engines == 2


def test_modes():
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU()).eval()
    compiled = jit(model)
    x = torch.randn(2, 4)
    with torch.inference_mode():
        same(compiled(x), model(x))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        got, expected = compiled(x), model(x)
        assert got.dtype == expected.dtype == torch.bfloat16
        torch.testing.assert_close(got, expected, rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("name", ["tensorrt", "torch_tensorrt", "aot_torch_tensorrt_aten"])
def test_backend_names(name):
    def work(x):
        return (x + 1) * 2

    x = torch.randn(3)
    same(torch.compile(work, backend=name, options=OPTIONS)(x), work(x))


def test_bad_option_and_full_compilation():
    with pytest.raises(Exception, match="did you mean 'min_block_size'"):
        torch.compile(torch.sin, backend="tensorrt", options={"min_block_sise": 1})(torch.ones(2))
    full = jit(lambda x: torch.linalg.qr(x + 1)[1], require_full_compilation=True)
    with pytest.raises(Exception, match="UnsupportedOperatorException"):
        full(torch.randn(4, 2))


def test_a_changed_shape_makes_one_dynamic_engine(builds):
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU()).eval().requires_grad_(False)
    compiled = jit(model)
    for count, rows in ((1, 3), (1, 3), (2, 5), (2, 9), (2, 3), (2, 64)):
        x = torch.randn(rows, 4)
        same(compiled(x), model(x))
        assert builds.engines == count, rows
    assert builds.warnings == []


def test_guards_on_python_values(builds):
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(4, 4)
            self.factor = 2

        def forward(self, x, *, square=False):
            y = self.linear(x) * self.factor
            return y * y if square else y

    model = Scaled().eval().requires_grad_(False)
    compiled, x = jit(model), torch.randn(3, 4)
    same(compiled(x), model(x))
    same(compiled(x, square=True), model(x, square=True))
    model.factor = 5
    same(compiled(x), model(x))
    same(compiled(x.double().float(), square=True), model(x, square=True))
    assert builds.engines >= 3


def test_float_arguments_capture_again(builds):
    def scale(x, factor):
        return x.clamp(max=factor) + 1

    # Dynamo starts with a symbolic float; the bound of clamp makes it a constant after all.
    options = {"min_block_size": 1}
    compiled = torch.compile(scale, backend="tensorrt", dynamic=True, options=options)
    for factor in (1.5, -2.5, 0.25):
        x = torch.randn(3, 4)
        same(compiled(x, factor), scale(x, factor))
    assert builds.engines >= 1
    assert builds.warnings == []


def test_a_rolled_axis_whose_size_is_not_known_to_be_positive(builds):
    def roll(x):
        return torch.roll(x[:, 1:-1], (-3, 2), (1, 2)).relu() + 1

    options = {**OPTIONS, "require_full_compilation": True}
    compiled = torch.compile(
        roll, backend="tensorrt", dynamic=True, fullgraph=True, options=options
    )
    for rows, columns in ((7, 5), (4, 6), (33, 4)):
        x = torch.randn(2, rows, columns)
        same(compiled(x), roll(x))
    assert builds.engines >= 1


@pytest.mark.parametrize("cell", [torch.nn.GRU, torch.nn.LSTM])
def test_recurrent_layers_compile_when_dynamo_may_trace_them(cell):
    layer = cell(4, 8, batch_first=True).eval()
    x = torch.randn(2, 3, 4)
    torch._dynamo.reset()
    with torch.no_grad(), torch._dynamo.config.patch(allow_rnn=True):
        result = torch.compile(layer, backend="tensorrt", fullgraph=True)(x)[0]
        torch.testing.assert_close(result, layer(x)[0])
