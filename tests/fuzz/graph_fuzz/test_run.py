"""How a long run is started, kept, cut short and gone on with."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fuzz.graph_fuzz import __main__ as command
from tests.fuzz.graph_fuzz import runner
from tests.fuzz.graph_fuzz.check import Verdict
from tests.fuzz.graph_fuzz.generate import Options, generate
from tests.fuzz.graph_fuzz.program import Leaf, Program
from tests.fuzz.graph_fuzz.runner import Failure, Report, Worker, nothing, receive, run_seeds

BAD = Failure(7, Verdict("mismatch", "error 3"), generate(7), Options(), "avx2")


@pytest.mark.parametrize("text", ["5", "5:5", "9:5", "a:7", "-1:3", ""])
def test_seeds_that_are_no_range(text: str) -> None:
    with pytest.raises(SystemExit):
        command.main(["--seeds", text])


def test_a_folder_keeps_failures_and_what_is_through(tmp_path: Path) -> None:
    folder = command.Folder(tmp_path / "new" / "fuzz")
    folder.done(3, Verdict("pass"))
    folder.done(5, Verdict("crash", "the process ended"))
    with (tmp_path / "new" / "fuzz" / "done.txt").open("a") as file:
        file.write("6")  # cut off by a power cut
    again = command.Folder(tmp_path / "new" / "fuzz")
    assert again.left(range(2, 8)) == [2, 4, 6, 7]
    again.done(7, Verdict("pass"))
    assert again.left(range(2, 8)) == [2, 4, 6]
    first, second = again.keep(BAD), again.keep(BAD)
    assert [first.name, second.name] == ["test_seed_7.py", "test_seed_7_2.py"]
    seen: list[Program] = []
    scope: dict[str, object] = {}
    exec(compile(first.read_text(), str(first), "exec"), scope)
    scope["require_pass"] = lambda program, options: seen.append(program)
    scope[f"test_seed_{BAD.program.seed}"]()  # type: ignore[operator]
    assert seen == [BAD.program]


def test_the_command_goes_on_where_it_was_cut_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[list[int]] = []

    def run(seeds, jobs, small, found, same, seconds, varied, done, device):  # type: ignore[no-untyped-def]
        asked.append(list(seeds))
        for seed in asked[-1][:2]:
            done(seed, Verdict("pass"))
        found(BAD)
        return Report(failures=[BAD])

    monkeypatch.setattr(command, "run_seeds", run)
    line = ["--seeds", "1:6", "--jobs", "3", "--out", str(tmp_path)]
    assert [command.main(line), command.main(line)] == [1, 1]
    assert asked == [[1, 2, 3, 4, 5], [3, 4, 5]]
    assert "test_seed_7.py" in capsys.readouterr().out


class _Broken(Worker):
    """Answers without a process: seed 2 could not be made, seed 3 fails and cannot be shrunk."""

    def check(
        self, program: Program | None, seed: int, chosen: Options | None
    ) -> tuple[Verdict, Program, Options]:
        made = program or Program((Leaf("x0", ((2,),)),), (), ("v0 = x0 + 1",), ("v0",), seed)
        kinds = {2: Verdict("hang", "no result"), 3: Verdict("build", "boom")}
        made = nothing(seed) if seed == 2 else made
        return kinds.get(seed, Verdict("pass")), made, Options()


def test_no_single_graph_ends_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def shrink(failure: Failure, worker: Worker) -> Failure:
        raise RuntimeError("the minimiser is at fault")

    monkeypatch.setattr(runner, "Worker", _Broken)
    monkeypatch.setattr(runner, "shrink", shrink)
    through: list[int] = []
    report = run_seeds(range(1, 6), 2, done=lambda seed, verdict: through.append(seed))
    assert sorted(through) == [1, 2, 3, 4, 5]
    assert report.verdicts == {"pass": 3, "hang": 1, "build": 1}
    texts = {failure.seed: failure.text() for failure in report.failures}
    assert texts[2] == "# seed 2: hang: no result"
    assert "v0 = x0 + 1" in texts[3]


def _process(text: str) -> subprocess.Popen[bytes]:
    code = f"import sys, time; sys.stdout.buffer.write({text}); sys.stdout.flush(); "
    return subprocess.Popen([sys.executable, "-c", code + "time.sleep(5)"], stdout=subprocess.PIPE)


def test_an_answer_that_stops_half_way_is_a_hang_and_then_a_crash() -> None:
    process = _process("(100).to_bytes(8, 'little') + b'abc'")
    try:
        with pytest.raises(TimeoutError):
            receive(process, time.monotonic() + 1)
        process.kill()
        with pytest.raises(EOFError):
            receive(process, time.monotonic() + 5)
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_a_short_run(tmp_path: Path) -> None:
    assert command.main(["--seeds", "1:4", "--jobs", "1", "--out", str(tmp_path)]) == 0
    lines = (tmp_path / "done.txt").read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["1", "2", "3"]
