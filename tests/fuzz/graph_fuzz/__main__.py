"""``python -m tests.fuzz.graph_fuzz --seeds 1:20001 --jobs 16 --out build/fuzz``: see README.md."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from tests.fuzz.graph_fuzz.check import Verdict
from tests.fuzz.graph_fuzz.generate import generate, options
from tests.fuzz.graph_fuzz.runner import Failure, run_seeds

#: Seconds between two lines of progress.
EVERY = 30.0
_IMPORTS = '''"""{note}"""

from tests.fuzz.graph_fuzz.check import require_pass
from tests.fuzz.graph_fuzz.generate import Options
from tests.fuzz.graph_fuzz.program import Leaf, Program


'''


class Folder:
    """Where a run leaves its failures, a test file each, and which seeds are through."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._journal = path / "done.txt"
        path.mkdir(parents=True, exist_ok=True)
        if self._journal.exists() and not self._journal.read_text().endswith("\n"):
            with self._journal.open("a") as file:  # ends a line that was cut off
                file.write("\n")

    def left(self, seeds: Iterable[int]) -> list[int]:
        """The seeds that no earlier run into this folder has finished."""
        lines = self._journal.read_text().splitlines() if self._journal.exists() else []
        through = {int(line.split()[0]) for line in lines if line.count(" ") == 1}
        return [seed for seed in seeds if seed not in through]

    def done(self, seed: int, verdict: Verdict) -> None:
        """Notes that a seed is through."""
        with self._journal.open("a") as file:
            file.write(f"{seed} {verdict.kind}\n")

    def keep(self, failure: Failure) -> Path:
        """Writes a file of a failure; one seed may have several."""
        name, count = f"test_seed_{failure.seed}", 1
        while (path := self._path / f"{name}{f'_{count}' if count > 1 else ''}.py").exists():
            count += 1
        path.write_text(_IMPORTS.format(note=failure.verdict.signature) + failure.text())
        return path


class Progress:
    """Counts seeds and says now and then how far a run is."""

    def __init__(self, total: int) -> None:
        self._total, self._count, self._bad = total, 0, 0
        self._start = self._said = time.monotonic()

    def done(self, verdict: Verdict) -> None:
        """One more seed is through."""
        self._count += 1
        self._bad += verdict.failed
        now = time.monotonic()
        if now - self._said < EVERY:
            return
        self._said = now
        rate = self._count / (now - self._start)
        print(
            f"{self._count} of {self._total}, {self._bad} failed, {rate:.1f}/s, "
            f"{(self._total - self._count) / rate / 60:.0f} min left",
            flush=True,
        )


def _seeds(text: str) -> range:
    """``FROM:TO`` without TO."""
    first, _, last = text.partition(":")
    if not (first.isdigit() and last.isdigit() and int(first) < int(last)):
        raise argparse.ArgumentTypeError(f"{text!r} is not FROM:TO with FROM below TO")
    return range(int(first), int(last))


def main(argv: list[str] | None = None) -> int:
    """Exit status 1 when a program failed."""
    arguments = _parser().parse_args(argv)
    seeds: Iterable[int] = arguments.seeds
    if arguments.show:
        for seed in seeds:
            print(generate(seed).source(), generate(seed).inputs)
            print(options(seed))
        return 0
    folder = Folder(arguments.out) if arguments.out is not None else None
    if folder is not None:
        seeds = folder.left(seeds)
    progress = Progress(len(list(seeds)))

    def found(failure: Failure) -> None:
        print(failure.text() if folder is None else f"failed: {folder.keep(failure)}", flush=True)

    def done(seed: int, verdict: Verdict) -> None:
        progress.done(verdict)
        if folder is not None:
            folder.done(seed, verdict)

    report = run_seeds(
        seeds,
        arguments.jobs,
        not arguments.whole,
        found,
        arguments.same,
        arguments.seconds,
        arguments.varied,
        done,
        arguments.device,
    )
    print(report.summary())
    return 1 if report.failures else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="graph_fuzz", description=__doc__)
    parser.add_argument(
        "--seeds", type=_seeds, default=range(1, 301), metavar="FROM:TO", help="without TO"
    )
    parser.add_argument("--jobs", type=int, default=2, help="worker processes")
    parser.add_argument("--device", default="cpu", help="cpu (default) or cuda")
    parser.add_argument("--out", type=Path, help="folder for failures; its seeds are not run again")
    parser.add_argument("--show", action="store_true", help="print the programs and stop")
    parser.add_argument("--whole", action="store_true", help="do not minimise failures")
    parser.add_argument("--same", type=int, default=3, help="failures minimised per signature")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after these")
    parser.add_argument(
        "--varied", type=int, default=0, metavar="N", help="compile every Nth graph in all variants"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
