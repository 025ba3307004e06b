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


@pytest.mark.parametrize(
    ("name", "start"), [("x.svg", b"<?xml"), ("x.png", b"\x89PNG"), ("x.pdf", b"%PDF"), ("x.dot", b""), ("x.mmd", b"")]
)
def test_a_spec_with_errors_is_drawn_up_to_the_error(cli: Cli, folder: Path, name: str, start: bytes) -> None:
    (folder / "wrong.yaml").write_text(ONE.replace("relu", "rellu"))
    ran = cli("render", "wrong.yaml", "-o", name)
    assert (ran.code, ran.out) == (1, f"wrote {name}: the network up to the error\n")
    assert ran.err == cli("check", "wrong.yaml").out.partition("\n\nwrong.yaml")[0] + "\n"
    data = (folder / name).read_bytes()
    assert data.startswith(start)
    if name.endswith((".svg", ".dot", ".mmd")):
        assert b"E313" in data


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("cnngraph: 1\ninput: [3, 8, 8]\nnodes: [relu", ()),  # no YAML
        ("cnngraph: 1\ninput: [8, 8]\nnodes: [relu]", ()),  # no input
        (ONE, ("--set", "clases=3")),  # the valid part would ignore the option
    ],
)
def test_without_a_valid_part_no_file_is_written(cli: Cli, folder: Path, text: str, options: tuple[str, ...]) -> None:
    (folder / "wrong.yaml").write_text(text)
    ran = cli("render", "wrong.yaml", "-o", "wrong.svg", *options)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("error[E")
    assert not (folder / "wrong.svg").exists()
