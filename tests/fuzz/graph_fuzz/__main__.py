"""``python -m tests.fuzz.graph_fuzz --count 20000 --seed 1 --jobs 2``: see README.md."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.fuzz.graph_fuzz.generate import generate, options
from tests.fuzz.graph_fuzz.runner import run_seeds


def main() -> int:
    """Exit status 1 when a program failed."""
    parser = argparse.ArgumentParser(prog="graph_fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=300, help="number of graphs")
    parser.add_argument("--seed", type=int, default=1, help="the first seed; others follow it")
    parser.add_argument("--jobs", type=int, default=2, help="worker processes")
    parser.add_argument("--show", action="store_true", help="print the seed's program and stop")
    parser.add_argument("--whole", action="store_true", help="do not minimise failures")
    parser.add_argument("--same", type=int, default=3, help="failures minimised per signature")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after these")
    parser.add_argument(
        "--varied", type=int, default=0, metavar="N", help="compile every Nth graph in all variants"
    )
    parser.add_argument("--out", type=Path, help="file for the failing tests")
    arguments = parser.parse_args()
    if arguments.show:
        print(generate(arguments.seed).source(), generate(arguments.seed).inputs)
        print(options(arguments.seed))
        return 0

    def say(text: str) -> None:
        print(text, flush=True)
        if arguments.out is not None:
            with arguments.out.open("a") as file:
                file.write(text + "\n\n")

    seeds = range(arguments.seed, arguments.seed + arguments.count)
    report = run_seeds(
        seeds,
        arguments.jobs,
        not arguments.whole,
        say,
        arguments.same,
        arguments.seconds,
        arguments.varied,
    )
    print(report.summary())
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
