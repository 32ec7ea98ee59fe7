"""A network trained on real images (scikit-learn's digits) keeps every prediction."""

from __future__ import annotations

import pytest
import torch
import torch_tensorrt
from sklearn.datasets import load_digits
from torch import nn

CLASSES = 10
TRAINING_IMAGES = 1300


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    """1797 images ``[N, 1, 8, 8]`` in [0, 1] and their labels, in a fixed random order."""
    data = load_digits()
    images = torch.tensor(data.images, dtype=torch.float32).unsqueeze(1) / 16.0
    labels = torch.tensor(data.target, dtype=torch.int64)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    return images[order], labels[order]


class DigitsCnn(nn.Module):
    """Two convolutions with batch norm, one pooling, one residual branch, dropout, two linears."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU())
        self.branch = nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.BatchNorm2d(16))
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Sequential(
            nn.Flatten(), nn.Linear(16 * 4 * 4, 64), nn.GELU(), nn.Dropout(0.2), nn.Linear(64, 10)
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.stem(images)
        return self.head(self.pool(torch.relu(x + self.branch(x))))


@pytest.fixture(scope="module")
def trained() -> DigitsCnn:
    images, labels = digits()
    images, labels = images[:TRAINING_IMAGES], labels[:TRAINING_IMAGES]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the layers are too small to share out
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = DigitsCnn()
        optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
        for _ in range(6):
            for chosen in torch.randperm(len(labels)).split(50):
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(model(images[chosen]), labels[chosen])
                loss.backward()
                optimizer.step()
    torch.set_num_threads(threads)
    return model.eval().requires_grad_(False)


@torch.no_grad()
def assert_same_predictions(model: DigitsCnn, compiled: nn.Module) -> None:
    """Every test image, in batches of several sizes, is classified as eager classifies it."""
    images, labels = (x[TRAINING_IMAGES:] for x in digits())
    want = model(images)
    assert (want.argmax(1) == labels).double().mean() > 0.96
    for batch in (1, 7, 64):
        got = torch.cat([compiled(part) for part in images.split(batch)])
        assert torch.equal(got.argmax(1), want.argmax(1))
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)


def test_compile_keeps_every_prediction(trained: DigitsCnn) -> None:
    declared = torch_tensorrt.Input(
        min_shape=(1, 1, 8, 8), opt_shape=(64, 1, 8, 8), max_shape=(64, 1, 8, 8)
    )
    compiled = torch_tensorrt.compile(trained, arg_inputs=[declared], require_full_compilation=True)
    assert_same_predictions(trained, compiled)


def test_backend_keeps_every_prediction(trained: DigitsCnn) -> None:
    torch._dynamo.reset()
    options = {"require_full_compilation": True}
    compiled = torch.compile(trained, backend="tensorrt", fullgraph=True, options=options)
    assert_same_predictions(trained, compiled)
