from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import ONE, Cli
from tests.library import network


@pytest.mark.parametrize(
    ("name", "start"), [("x.svg", b"<?xml"), ("x.dot", b"digraph"), ("x.mmd", b"flowchart"), ("X.SVG", b"<?xml")]
)
def test_extension_selects_the_format(cli: Cli, one: str, folder: Path, name: str, start: bytes) -> None:
    assert cli("render", one, "-o", name) == (0, f"wrote {name}\n", "")
    assert start in (folder / name).read_bytes()[:200]
    assert sorted(path.name for path in folder.iterdir()) == sorted(["one.yaml", name])


def test_depth_and_params_change_the_drawing(cli: Cli, folder: Path) -> None:
    spec = network("googlenet_mnist")
    assert cli("render", spec, "-o", "all.mmd", "--set", "classes=7").code == 0
    assert cli("render", spec, "-o", "top.mmd", "--depth", 1, "--input", "1x32x32").code == 0
    whole, top = (folder / "all.mmd").read_text(), (folder / "top.mmd").read_text()
    assert len(whole) > 2 * len(top)
    assert "linear 7" in whole
    assert "1×32×32" in top


def test_invalid_spec_is_not_drawn(cli: Cli, folder: Path) -> None:
    (folder / "wrong.yaml").write_text(ONE.replace("relu", "rellu"))
    ran = cli("render", "wrong.yaml", "-o", "wrong.svg")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("error[E313]")
    assert not (folder / "wrong.svg").exists()
