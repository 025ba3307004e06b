from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import ONE, Cli
from tests.library import ROOT, network


@pytest.mark.parametrize(
    ("name", "start"), [("x.svg", b"<?xml"), ("x.dot", b"digraph"), ("x.mmd", b"flowchart"), ("X.SVG", b"<?xml")]
)
def test_extension_selects_the_format(cli: Cli, one: str, folder: Path, name: str, start: bytes) -> None:
    assert cli("render", one, "-o", name) == (0, f"wrote {name}\n", "")
    assert start in (folder / name).read_bytes()[:200]
    assert sorted(path.name for path in folder.iterdir()) == sorted(["one.yaml", name])


def test_words_of_options_may_be_in_upper_case(cli: Cli, one: str, folder: Path) -> None:
    assert cli("render", one, "-o", "x.svg", "--page", "slide", "--theme", "dark").code == 0
    assert cli("render", one, "-o", "y.svg", "--page", "Slide", "--theme", "DARK").code == 0
    assert (folder / "x.svg").read_text() == (folder / "y.svg").read_text()


def test_text_that_is_too_small_is_reported(cli: Cli, folder: Path) -> None:
    convs = "".join(f"  conv{i}: {{op: conv, out: {i + 1}, kernel: 3, padding: half}}\n" for i in range(400))
    (folder / "long.yaml").write_text(f"cnngraph: 1\ninput: [3, 8, 8]\nnodes:\n{convs}")
    ran = cli("render", "long.yaml", "-o", "x.svg", "--page", "column")
    assert (ran.code, ran.out) == (0, "wrote x.svg\n")
    assert re.match(r"note: the smallest text is [0-5]\.\d pt on the page; .*--node PATH.*--page none", ran.err)
    assert cli("render", "long.yaml", "-o", "x.svg", "--page", "none").err == ""
    assert cli("render", "long.yaml", "-o", "x.mmd", "--page", "column").err == ""


def test_a_link_is_written_through(cli: Cli, one: str, folder: Path) -> None:
    (folder / "drawings").mkdir()
    (folder / "x.svg").symlink_to("drawings/x.svg")
    assert cli("render", one, "-o", "x.svg") == (0, "wrote x.svg\n", "")
    assert (folder / "x.svg").is_symlink()
    assert (folder / "drawings" / "x.svg").read_bytes().startswith(b"<?xml")


def test_depth_and_params_change_the_drawing(cli: Cli, folder: Path) -> None:
    spec = network("googlenet_mnist")
    assert cli("render", spec, "-o", "all.mmd", "--set", "classes=7").code == 0
    assert cli("render", spec, "-o", "top.mmd", "--depth", 1, "--input", "1x32x32").code == 0
    whole, top = (folder / "all.mmd").read_text(), (folder / "top.mmd").read_text()
    assert len(whole) > 2 * len(top)
    assert "linear 7" in whole
    assert "1×32×32" in top


def test_times_are_measured_for_a_page(cli: Cli, folder: Path) -> None:
    ran = cli("render", network("googlenet_mnist"), "-o", "x.html", "--time", "--device", "cpu")
    assert (ran.code, ran.err) == (0, "")
    assert re.fullmatch(r"wrote x\.html: [\d.]+ (s|ms|µs) on cpu, \d+ threads?, \d+ forward pass(es)?\n", ran.out)
    assert '"timing":{"on":"cpu, ' in (folder / "x.html").read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("-o", "x.svg", "--time"), "--time needs an .html file"),
        (("-o", "x.html", "--device", "cpu"), "--device is where --time measures"),
    ],
)
def test_times_need_a_page(cli: Cli, one: str, folder: Path, options: tuple[str, ...], message: str) -> None:
    ran = cli("render", one, *options)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert [path.name for path in folder.iterdir()] == ["one.yaml"]


def test_a_spec_with_errors_is_drawn_without_times(cli: Cli, folder: Path) -> None:
    (folder / "wrong.yaml").write_text(ONE.replace("relu", "rellu"))
    ran = cli("render", "wrong.yaml", "-o", "x.html", "--time")
    assert (ran.code, ran.out) == (1, "wrote x.html: the network up to the error, without times\n")


def test_a_page_without_times_needs_no_pytorch(one: str, folder: Path) -> None:
    code = (
        "import sys\n"
        "from cnngraph.cli.process import run\n"
        f"assert run(['render', {one!r}, '-o', 'x.html']) == 0\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=60)


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
