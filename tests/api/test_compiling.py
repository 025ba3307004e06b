"""`load`, `check`, `build` and `render`: arguments, results and exceptions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

import cnngraph
from cnngraph.render import FORMATS
from tests.ops.test_registry import PLUGIN


def test_params_are_keywords_or_a_mapping(spec: str) -> None:
    assert cnngraph.load(spec).num_params == 49 * 8 + 8 + 8 * 10 + 10
    assert cnngraph.load(spec, classes=3, params={"input": 2}).num_params == 49 * 2 + 2 + 2 * 3 + 3
    with pytest.raises(TypeError, match="`classes` is passed twice"):
        cnngraph.load(spec, classes=3, params={"classes": 4})


def test_the_input_is_replaced(spec: str) -> None:
    assert cnngraph.load(spec, input=(1, 56, 56)).input_shapes == {"in": (1, 56, 56)}
    assert cnngraph.load(spec, input=torch.Size([1, 28, 28])).num_params == cnngraph.load(spec).num_params
    assert cnngraph.build(spec, input=[3, 32, 32])(torch.zeros(2, 3, 32, 32)).shape == (2, 10)
    with pytest.raises(cnngraph.SpecError, match="E"):
        cnngraph.load(spec, input=(0, 28, 28))


def test_numpy_numbers_are_accepted(spec: str) -> None:
    assert cnngraph.load(spec, classes=np.int64(3)).params["classes"] == 3
    assert cnngraph.load("mobilenet_v2", width=np.float32(0.5)).params["width"] == 0.5


def test_an_unknown_param_lists_the_known_ones(spec: str) -> None:
    with pytest.raises(cnngraph.SpecError) as raised:
        cnngraph.load(spec, clases=3)
    assert "classes" in str(raised.value)
    with pytest.raises(TypeError, match=r"classes: .* not object"):
        cnngraph.load(spec, classes=object())


def test_a_graph_takes_no_params(spec: str) -> None:
    graph = cnngraph.load(spec, classes=3)
    assert cnngraph.build(graph)(torch.zeros(1, 1, 28, 28)).shape == (1, 3)
    more: dict[str, Any]
    for more in ({"classes": 4}, {"input": (1, 28, 28)}, {"plugins": "mine"}):
        with pytest.raises(TypeError, match="only be passed with a spec"):
            cnngraph.build(graph, **more)


def test_the_repr_of_a_graph_is_one_line(spec: str) -> None:
    assert repr(cnngraph.load(spec)) == "<Graph spots: 1×28×28 → 10, 490 parameters, 472 MACs, 5 operations>"
    assert repr(cnngraph.load("googlenet")).startswith("<Graph googlenet: 3×224×224 → 1000 1000 1000, ")


def test_ops_of_plugins(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("api_ops.py").write_text(PLUGIN, encoding="utf-8")
    monkeypatch.syspath_prepend(Path.cwd())
    text = "{cnngraph: 1, input: [1, 2, 2], nodes: [shrink]}"
    Path("net.yaml").write_text(text, encoding="utf-8")
    assert not cnngraph.check("net.yaml").ok
    for plugins in ("api_ops", ["api_ops"]):
        assert [node.op for node in cnngraph.load("net.yaml", plugins=plugins).nodes] == ["shrink"]


def test_a_check_has_errors_and_warnings(spec: str) -> None:
    fine = cnngraph.check(spec)
    assert (fine.ok, fine.diagnostics, str(fine)) == (True, (), "spots.yaml: ok")
    fine.raise_for_errors()
    mismatch = cnngraph.check(spec, classes=3)
    assert (mismatch.ok, [found.code for found in mismatch.warnings], mismatch.errors) == (True, ["W611"], ())
    wrong = cnngraph.check(spec, classes=-1)
    assert (wrong.ok, len(wrong), [found.code for found in wrong]) == (False, 1, ["E205"])
    assert "E205" in str(wrong)
    with pytest.raises(cnngraph.SpecError, match="E205"):
        wrong.raise_for_errors()


def test_a_library_of_blocks_is_not_a_network() -> None:
    with pytest.raises(cnngraph.SpecError, match="E107"):
        cnngraph.load(Path(__file__).parents[2] / "specs" / "blocks" / "residual.yaml")


@pytest.mark.parametrize(("ending", "format"), FORMATS.items())
def test_every_format_of_render(spec: str, ending: str, format: Any) -> None:
    depth: dict[str, Any] = {} if format == "model-explorer" else {"depth": 1}
    drawing = cnngraph.render(spec, f"net{ending}", **depth)
    assert (drawing.format, drawing.path) == (format, Path(f"net{ending}"))
    assert Path(f"net{ending}").read_bytes() == drawing.data
    again = cnngraph.render(cnngraph.load(spec), format=format, **depth)
    assert again.data == drawing.data or format == "pdf"  # PDF contains the creation date


@pytest.mark.parametrize(
    ("function", "wrong", "right"),
    [
        (cnngraph.render, "pages", "page"),
        (cnngraph.render, "classe", "classes"),
        (cnngraph.load, "max_node", "max_nodes"),
        (cnngraph.build, "plugin", "plugins"),
        (cnngraph.check, "recipes", "recipe"),
        (lambda name, **more: cnngraph.backbone(name, ["features"], **more), "plugin", "plugins"),
        (cnngraph.measure_times, "devices", "device"),
    ],
)
def test_a_misspelled_argument_is_no_param(function: Callable[..., Any], wrong: str, right: str) -> None:
    try:
        result = function("alexnet", **{wrong: 3})
        (error,) = result.diagnostics
    except cnngraph.SpecError as raised:
        (error,) = raised.diagnostics
    assert (error.code, str(error.help)) == ("E303", f"did you mean `{right}`?")


def test_a_drawing_is_displayed_in_a_notebook(spec: str) -> None:
    drawing = cnngraph.render(spec)
    svg = drawing._repr_svg_()
    assert svg is not None
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert (drawing._repr_png_(), drawing._repr_markdown_()) == (None, None)
    png = cnngraph.render(spec, format="png")
    assert (png._repr_png_() or b"")[:4] == b"\x89PNG"
    assert str(png) == f"PNG drawing, {len(png.data):,} bytes"
    mermaid = cnngraph.render(spec, format="mermaid")
    assert (mermaid._repr_markdown_() or "").startswith("```mermaid\nflowchart TB\n")


def test_invalid_arguments_of_render(spec: str) -> None:
    more: dict[str, Any]
    for more in ({"format": "gif"}, {"depth": 0}):
        with pytest.raises(ValueError, match="must be"):
            cnngraph.render(spec, **more)
    with pytest.raises(ValueError, match="must end in"):
        cnngraph.render(spec, "net.gif")
    with pytest.raises(ValueError, match=r"format 'png' contradicts the extension of .*\.svg"):
        cnngraph.render(spec, "net.svg", format="png")
    assert not list(Path().glob("net*"))


def test_check_of_other_files(spec: str) -> None:
    Path("mine.yaml").write_text("{data: digits, epochs: 2, optimizer: adam}")
    Path("bad.yaml").write_text("{data: digits, epochs: none, optimizer: adam}")
    Path("widths.yaml").write_text("{specs: [{spec: spots.yaml, params: {classes: 3}}], recipes: [mine.yaml]}")
    assert cnngraph.check("mine.yaml").ok
    assert [found.code for found in cnngraph.check("bad.yaml").errors] == ["E603"]
    assert [found.code for found in cnngraph.check("widths.yaml").errors] == ["E611"]
    everything = cnngraph.check(".")
    assert sorted(Path(file).name for file in everything.files) == [
        "bad.yaml",
        "mine.yaml",
        "spots.yaml",
        "widths.yaml",
    ]
    assert sorted(found.code for found in everything.errors) == ["E603", "E611"]
    assert cnngraph.check("blocks/residual.yaml").ok


def test_check_of_recipe_and_data(spec: str) -> None:
    Path("images").mkdir()
    assert cnngraph.check(spec, recipe="digits").ok
    assert [found.code for found in cnngraph.check(spec, recipe="cifar").errors] == ["E610"]
    assert [found.code for found in cnngraph.check(spec, changes={"epochs": 0}).errors] == ["E603"]
    assert not cnngraph.check(spec, recipe="photos", data_dir="images").ok
    with pytest.raises(ValueError, match="there is no folder nowhere"):
        cnngraph.check(spec, recipe="photos", data_dir="nowhere")
