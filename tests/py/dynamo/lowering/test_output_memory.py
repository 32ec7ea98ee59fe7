"""Outputs are the buffer where eager's are, and memory of their own where eager's are not."""

import pytest
import torch
import torch_tensorrt
from torch import nn
from torch_tensorrt.dynamo.lowering._write_in_place import MIN_BYTES

LARGE = MIN_BYTES // (64 * 4)


def alias(rows, x, at):
    rows.index_copy_(0, at, x)
    return rows


def alias_of_result(rows, x, at):
    return rows.index_copy_(0, at, x)


def view_of_alias(rows, x, at):
    rows.index_copy_(0, at, x)
    return rows[0]


def composite_view(rows, x, at):
    rows.index_copy_(0, at, x)
    return rows.reshape(-1)


def composite_copy(rows, x, at):
    rows.index_copy_(0, at, x)
    return rows.t().reshape(-1)


def item_of_split(rows, x, at):
    rows.index_copy_(0, at, x)
    return rows.split(4)[1]


def alias_of_copy(rows, x, at):
    rows.copy_(torch.index_copy(rows, 0, at, x))
    return rows


def new_value(rows, x, at):
    new = torch.index_copy(rows, 0, at, x)
    rows.copy_(new)
    return new


def view_of_new_value(rows, x, at):
    return new_value(rows, x, at)[0]


def both(rows, x, at):
    new = new_value(rows, x, at)
    return new[1], rows[1], new, rows


def written_input(rows, x, at):
    rows.mul_(2)
    return x.mul_(3)


def new_value_of_input(rows, x, at):
    new = x * 2
    x.copy_(new)
    rows.add_(new.sum())
    return new


def input_written_to_rows(rows, x, at):
    rows[:2].copy_(x)
    return x


KINDS = [
    *(alias, alias_of_result, view_of_alias, composite_view, composite_copy, item_of_split),
    *(alias_of_copy, new_value, view_of_new_value, both, written_input, new_value_of_input),
    input_written_to_rows,
]


class Rows(nn.Module):
    def __init__(self, kind, count):
        super().__init__()
        self.kind = kind
        self.register_buffer("rows", torch.zeros(count, 64))

    def forward(self, x, at):
        return self.kind(self.rows, x, at)


def owners(results, rows, x):
    """Whose memory each result is: the buffer's, the input's, or the number of the first result
    that has the same."""
    known = {rows.untyped_storage().data_ptr(): "rows", x.untyped_storage().data_ptr(): "x"}
    return [known.setdefault(r.untyped_storage().data_ptr(), str(i)) for i, r in enumerate(results)]


def as_tuple(results):
    return results if isinstance(results, tuple) else (results,)


def arguments(step):
    return torch.randn(2, 64), torch.tensor([step, 5])


def check(module, holder, model):
    for step in range(2):
        x, at = arguments(step)
        own = x.clone()
        with torch.no_grad():
            wanted, got = as_tuple(model(x, at)), as_tuple(module(own, at))
        torch.testing.assert_close(got, wanted)
        torch.testing.assert_close(holder.rows, model.rows)
        torch.testing.assert_close(own, x)
        assert owners(got, holder.rows, own) == owners(wanted, model.rows, x)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(("count", "full"), [(8, False), (LARGE, False), (LARGE, True)])
def test_compiled(kind, count, full):
    module = torch_tensorrt.compile(
        Rows(kind, count).eval(),
        arg_inputs=arguments(0),
        min_block_size=1,
        require_full_compilation=full,
    )
    check(module, module, Rows(kind, count).eval())


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("retrace", [False, True])
def test_saved(kind, retrace, tmp_path):
    module = torch_tensorrt.compile(Rows(kind, 8).eval(), arg_inputs=arguments(0), min_block_size=1)
    path = str(tmp_path / "rows.ep")
    torch_tensorrt.save(module, path, retrace=retrace)
    loaded = torch_tensorrt.load(path).module()
    check(loaded, loaded, Rows(kind, 8).eval())


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_backend(kind):
    torch._dynamo.reset()
    own = Rows(kind, 8).eval()
    module = torch.compile(own, backend="tensorrt", options={"min_block_size": 1})
    check(module, own, Rows(kind, 8).eval())


@pytest.mark.parametrize("kind", [alias, new_value, view_of_new_value, both])
def test_functional_programs_do_not_tell_and_get_copies(kind):
    program = torch.export.export(Rows(kind, 8).eval(), arguments(0)).run_decompositions({})
    module = torch_tensorrt.dynamo.compile(program, arg_inputs=arguments(0), min_block_size=1)
    model = Rows(kind, 8).eval()
    for step in range(2):
        x, at = arguments(step)
        wanted, got = as_tuple(model(x, at)), as_tuple(module(x, at))
        torch.testing.assert_close(got, wanted)
        torch.testing.assert_close(module.rows, model.rows)
        assert {"rows", "x"}.isdisjoint(owners(got, module.rows, x))


@pytest.mark.parametrize("kind", [alias, new_value])
def test_program_from_a_file(kind, tmp_path):
    path = str(tmp_path / "program.pt2")
    torch.export.save(torch.export.export(Rows(kind, 8).eval(), arguments(0)), path)
    module = torch_tensorrt.dynamo.compile(
        torch.export.load(path), arg_inputs=arguments(0), min_block_size=1
    )
    check(module, module, Rows(kind, 8).eval())


class Twice(nn.Module):
    """One value that is written to two buffers, of which the first is handed out."""

    def __init__(self):
        super().__init__()
        self.register_buffer("rows", torch.zeros(4))
        self.register_buffer("other", torch.zeros(4))

    def forward(self, x):
        new = x * 2
        self.rows.copy_(new)
        self.other.copy_(new)
        return self.rows


def test_the_buffer_of_two_that_eager_hands_out():
    module = torch_tensorrt.compile(Twice().eval(), arg_inputs=(torch.ones(4),), min_block_size=1)
    assert module(torch.ones(4)).data_ptr() == module.rows.data_ptr()
    torch.testing.assert_close(module.other, torch.full((4,), 2.0))
