"""Makes this checkout importable in the environment that runs the script.

Writes ``torch_tensorrt_dev.pth`` (the path to ``py/``) and a ``.dist-info`` with the version and
the entry points of pyproject.toml, so that ``torch.compile`` finds the backends as it does in an
installed package. ``pip uninstall torch_tensorrt`` takes both away.

Usage: ``python tools/link_checkout.py``.
"""

from __future__ import annotations

import sysconfig
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def link(root: Path, site_packages: Path) -> Path:
    """Write the files for the checkout ``root``; returns the ``.dist-info`` folder."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    folder = site_packages / f"{project['name']}-{project['version']}.dist-info"
    for old in site_packages.glob(f"{project['name']}-*.dist-info"):
        if (old / "INSTALLER").read_text().strip() != "link_checkout":
            raise SystemExit(f"{old.name} is installed already: pip uninstall {project['name']}")
        for file in old.iterdir():
            file.unlink()
        old.rmdir()
    path_file = f"{project['name']}_dev.pth"
    (site_packages / path_file).write_text(f"{root / 'py'}\n")
    files = {
        "METADATA": f"Metadata-Version: 2.1\nName: {project['name']}\n"
        f"Version: {project['version']}\n",
        "entry_points.txt": _entry_points(project),
        "INSTALLER": "link_checkout\n",
    }
    names = [path_file, *(f"{folder.name}/{name}" for name in (*files, "RECORD"))]
    files["RECORD"] = "".join(f"{name},,\n" for name in names)
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def _entry_points(project: dict[str, Any]) -> str:
    groups = []
    for group, entries in project.get("entry-points", {}).items():
        lines = [f"{name} = {target}" for name, target in entries.items()]
        groups.append("\n".join([f"[{group}]", *lines, ""]))
    return "\n".join(groups)


if __name__ == "__main__":
    link(ROOT, Path(sysconfig.get_path("purelib")))
