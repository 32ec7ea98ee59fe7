"""``as_strided`` of views and of tensors that are not row-major reads what eager reads."""

import pytest
import torch
import torch_tensorrt
from torch import nn

FUNCTIONS = {
    "of a view": lambda x: torch.relu(x).t().as_strided((3, 2), (1, 4)) + 1,
    "of a part": lambda x: torch.relu(x)[1:, 2:].as_strided((2, 2), (2, 1)) + 1,
    "of a part, from the start": lambda x: torch.relu(x)[1:].as_strided((2, 2), (2, 1), 0) + 1,
    "of what keeps another order": lambda x: torch.relu(x.t()).as_strided((3, 2), (1, 4)) + 1,
    "of a view of that": lambda x: torch.relu(x.t())[1:].as_strided((3, 2), (1, 4)) + 1,
    "as output": lambda x: torch.relu(x.t()).as_strided((3, 2), (1, 4)),
    "of an input's view": lambda x: x.t().as_strided((3, 2), (1, 4)) * 2,
    "with ones": lambda x: torch.relu(x[:, None].permute(2, 1, 0)).as_strided((3, 2), (1, 4)) + 1,
}


class Model(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


@pytest.mark.parametrize("left_out", [(), ("aten.as_strided.default",), ("aten.relu.default",)])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_it_reads_the_memory_that_eager_has(name, left_out):
    function = FUNCTIONS[name]
    x = torch.randn(4, 6)
    options = {"min_block_size": 1, "torch_executed_ops": left_out}
    ahead = torch_tensorrt.compile(Model(function).eval(), arg_inputs=[x], **options)
    torch._dynamo.reset()
    jit = torch.compile(function, backend="tensorrt", options=options)
    with torch.no_grad():
        assert torch.equal(ahead(x), function(x))
        assert torch.equal(jit(x), function(x))
