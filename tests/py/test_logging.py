"""What the package's logging prints, in processes of their own: pytest sets up logging."""

import os
import subprocess
import sys

import pytest

LOG = "import logging, torch_tensorrt as t\nlog = logging.getLogger('torch_tensorrt')\n"


def printed(code):
    run = subprocess.run(
        [sys.executable, "-c", LOG + code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": ""},
    )
    return run.stdout + run.stderr


def test_set_level_prints_without_basic_config():
    said = printed("t.logging.set_level('INFO'); log.info('one'); log.debug('two')")
    assert (said.count("one"), said.count("two")) == (1, 0)


def test_a_level_context_prints_and_restores():
    code = "with t.logging.debug(): log.debug('one')\nlog.debug('two'); log.warning('three')"
    said = printed(code)
    assert (said.count("one"), said.count("two"), said.count("three")) == (1, 0, 1)


@pytest.mark.parametrize("first", [True, False])
def test_no_line_comes_twice(first):
    config, level = "logging.basicConfig()\n", "t.logging.set_level('INFO')\n"
    said = printed((config + level if first else level + config) + "log.info('one')")
    assert said.count("one") == 1
    assert "INFO:torch_tensorrt:one" in said


@pytest.mark.parametrize("first", [True, False])
def test_a_handler_of_the_users_is_the_only_one(first):
    handler, level = "log.addHandler(logging.StreamHandler())\n", "t.logging.set_level('INFO')\n"
    said = printed((handler + level if first else level + handler) + "log.info('one')")
    assert said == "one\n"
