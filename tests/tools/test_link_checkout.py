"""The files that make a checkout importable."""

import importlib.metadata

import pytest

from tools.link_checkout import link

PROJECT = """\
[project]
name = "some_package"
version = "{version}"

[project.entry-points.torch_dynamo_backends]
fast = "some_package.backend:fast"
"""


def make(tmp_path, version):
    root, site = tmp_path / "checkout", tmp_path / "site"
    for folder in (root, site):
        folder.mkdir(exist_ok=True)
    (root / "pyproject.toml").write_text(PROJECT.format(version=version))
    return root, site


def test_entry_points_and_path(tmp_path):
    root, site = make(tmp_path, "1.2")
    found = importlib.metadata.Distribution.at(link(root, site))
    assert (found.metadata["Name"], found.version) == ("some_package", "1.2")
    (point,) = found.entry_points
    assert (point.group, point.name) == ("torch_dynamo_backends", "fast")
    assert point.value == "some_package.backend:fast"
    assert (site / "some_package_dev.pth").read_text() == f"{root}/py\n"
    assert all(found.locate_file(file).exists() for file in found.files)


def test_a_new_version_replaces_the_old_one(tmp_path):
    link(*make(tmp_path, "1.2"))
    root, site = make(tmp_path, "1.3")
    link(root, site)
    assert [f.name for f in site.glob("*.dist-info")] == ["some_package-1.3.dist-info"]


def test_an_installed_package_is_left_alone(tmp_path):
    root, site = make(tmp_path, "1.2")
    (site / "some_package-1.1.dist-info").mkdir()
    (site / "some_package-1.1.dist-info" / "INSTALLER").write_text("pip\n")
    with pytest.raises(SystemExit, match="pip uninstall some_package"):
        link(root, site)
    assert not list(site.glob("*.pth"))
