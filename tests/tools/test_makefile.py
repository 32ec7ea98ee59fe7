"""What the test targets of the Makefile run."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def plan(target):
    """The commands that ``make target`` would run."""
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    return subprocess.run(
        ["make", "-n", target], cwd=ROOT, env=env, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize(
    ("target", "runs"), [("test", "ctest"), ("test-core", "ctest"), ("test-py", "pytest")]
)
def test_tests_are_built_once_before_they_run(target, runs):
    commands = plan(target)
    assert commands.count("cmake --build") == 1
    assert commands.index("cmake --build") < commands.index(runs)


def test_no_tests_at_all_is_an_error():
    assert "--no-tests=error" in plan("test-core")


@pytest.mark.parametrize("target", ["test", "test-core", "test-py"])
def test_help_lists_the_target(target):
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert target in [line.split()[0] for line in listed.stdout.splitlines() if line.strip()]
