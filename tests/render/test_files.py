"""`render` to files: every format is well-formed, written atomically and without output."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from cnngraph.render import FORMATS, Settings, render
from tests.library import network
from tests.render.networks import DENSE, INCEPTION, PARTS, graph_of

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(("ending", "start"), [(".png", b"\x89PNG\r\n\x1a\n"), (".pdf", b"%PDF-"), (".svg", b"<?xml")])
def test_formats_with_a_layout(ending: str, start: bytes, tmp_path: Path) -> None:
    file = tmp_path / f"net{ending}"
    render(graph_of(DENSE), file, Settings(fold=True))
    assert file.read_bytes().startswith(start)
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_svg_is_well_formed_and_has_its_texts(tmp_path: Path) -> None:
    file = tmp_path / "net.SVG"
    render(graph_of(PARTS), file, Settings(direction="right", page=None))
    texts = {(element.text or "").strip() for element in ElementTree.parse(file).iter(f"{SVG}tspan")}
    assert {"depthwise conv 3×3, 12", "24×16×16", "logits", "training only"} <= texts


@pytest.mark.parametrize(("ending", "start"), [(".dot", "digraph"), (".gv", "digraph"), (".mmd", "flowchart")])
def test_text_formats(ending: str, start: str, tmp_path: Path) -> None:
    file = tmp_path / f"net{ending}"
    render(graph_of(INCEPTION), file)
    assert file.read_text(encoding="utf-8").startswith(start)


@pytest.mark.parametrize("name", ["net.jpg", "net", "svg"])
def test_an_unknown_ending_lists_the_known_ones(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"must end in \.svg, \.png, \.pdf, \.tex, \.dot"):
        render(graph_of(INCEPTION), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_failure_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "net.mmd"
    file.write_text("old", encoding="utf-8")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space"):
        render(graph_of(INCEPTION), file)
    assert file.read_text(encoding="utf-8") == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["net.mmd"]


def test_no_format_imports_torch_or_prints(tmp_path: Path) -> None:
    code = (
        "import json, sys, cnngraph\nfrom pathlib import Path\nfrom cnngraph.render import FORMATS, render\n"
        "graph = cnngraph.load(sys.argv[1])\n"
        "for ending in FORMATS: render(graph, Path(sys.argv[2]) / f'net{ending}')\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    spec = network("googlenet_mnist")
    ran = subprocess.run([sys.executable, "-c", code, str(spec), str(tmp_path)], capture_output=True, text=True)
    assert ran.stderr == ""
    assert not {"torch", "torchvision", "matplotlib.pyplot"}.intersection(json.loads(ran.stdout))
    assert len(list(tmp_path.iterdir())) == len(FORMATS)
