"""Sphinx configuration. Build with ``make docs``."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent / "py")]

project = "torch_tensorrt"
author = "the torch_tensorrt engine authors"
copyright = f"2026, {author}"
release = "0.1.0"

extensions = ["settings_table", "tag_table"]
exclude_patterns = ["_ext", "performance_table.rst", "performance_gpu_table.rst"]
html_theme = "alabaster"
html_theme_options = {"page_width": "1100px", "fixed_sidebar": True}
html_copy_source = False
