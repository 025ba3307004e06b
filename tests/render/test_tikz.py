"""TikZ: drawings that compile alone and in a paper, in which every text is only text."""

from __future__ import annotations

import re
import sys
import unicodedata
from pathlib import Path
from typing import Any, Literal

import pytest

from cnngraph import load
from cnngraph.render import PAGES, Settings, draw
from cnngraph.render.latex_text import latex
from cnngraph.render.tikz import MAX_SIZE
from tests.render.networks import INCEPTION, SKIPS, graph_of
from tests.render.test_strangers import NASTY, renamed
from tests.render.tex import has, needs_tex, typeset

TEX = [
    r"\immediate\write18{touch evil}",
    r"}}\input{/etc/passwd}{{",
    r"\end{tikzpicture}\end{document}",
    "^^5cundefined ^^M ^^41",
    "%comment $x_1^2$ #1 & ~",
    "\"a \"| :;!? `` '' -- --- << >> ,, ?` !`",
    r"\\[1cm] \cnnrun \relax \par \catcode`\%=12",
    "naïve Ångström œuvre ſ Ðęð ế ǹ αβΓ ≤ ∞ → ⊕ ½ — “x” “",
]
SAFE = re.compile(
    r"(?:[A-Za-z0-9 ./()+*@\[\]?-]|,\{\}|\\[{}$&#%_]|\{\\char\d+\}|\\ensuremath\{[\\a-zA-Z^{}0-9-]+\}"
    r"|\\(?:text[a-z]+|ldots|copyright|ss|ae|AE|oe|OE|o|O|l|L|i|S|P)\{\}|\\cnnchar\{\d+\}\{[^\\{}%#$&^_~ ]\}"
    r"""|\\[`'^~=.u"rHvdcb]\{(?:[A-Za-z]|\\[ij]|\\[`'^~=.u"rHvdcb]\{(?:[A-Za-z]|\\[ij])\})\})*"""
)
PREAMBLE = "\\documentclass{article}\n\\usepackage{tikz}\n\\usepackage[margin=2cm]{geometry}\n"


def tikz_of(text: str, **options: Any) -> str:
    """The drawing of a small network."""
    return draw(graph_of(text), "tikz", Settings(**options)).decode()


def drawn(name: str, **options: Any) -> str:
    """The drawing of a bundled network."""
    return draw(load(name), "tikz", Settings(**options)).decode()


def skeleton(text: str) -> str:
    """A file without its texts, sizes and colours: the commands in their order."""
    text = re.sub(r"%.*", "", text, count=1)  # the name of the network in the first line
    runs = re.sub(r"(\\cnn(?:run|bold)\{[\d.]+\}\{[\w-]+\})\{" + f"(?:{SAFE.pattern})" + r"\}", r"\1{}", text)
    runs = re.sub(r"\\(?:def\\cnnchar|definecolor).*\n", "", runs)
    runs = re.sub(r"(?: \.\. controls \S+ and \S+ \.\. [^\s;]+)+", " .. curve", runs)
    return re.sub(r"-?\d+(?:\.\d+)?", "0", runs)


def test_every_character_is_text() -> None:
    for code in (*range(0x3000), *range(0x3000, sys.maxunicode + 1, 97)):
        assert SAFE.fullmatch(latex(chr(code))), hex(code)


@pytest.mark.parametrize("style", ["boxes", "volumes"])
@pytest.mark.parametrize("name", [*NASTY, *TEX])
def test_names_and_titles_run_no_command(name: str, style: Literal["boxes", "volumes"]) -> None:
    graph = graph_of(INCEPTION)
    wicked, tame = (
        draw(renamed(graph, text), "tikz", Settings(style=style, title=text, page=None)).decode()
        for text in (name, "plain")
    )
    assert latex(name.strip()[:5]) in wicked
    assert skeleton(wicked) == skeleton(tame)


def test_colours_have_names_and_are_defined_once() -> None:
    text = tikz_of(INCEPTION)
    defined = re.findall(r"\\definecolor\{(.*?)\}", text)
    assert len(defined) == len(set(defined))
    used = set(re.findall(r"(?:fill|draw)=([\w-]+)", text))
    assert used <= set(defined)
    assert {"cnn-conv", "cnn-pool", "cnn-line"} <= used


def test_boxes_are_nodes_that_can_be_annotated() -> None:
    assert re.search(r"\\node\[box=.*fill=cnn-conv.*\] \(node\d+\) at", tikz_of(INCEPTION))


def test_options_change_the_drawing() -> None:
    plain = tikz_of(SKIPS, page=None)
    assert tikz_of(SKIPS, page=None, theme="dark") != plain
    assert r"\fill[cnn-ground]" in tikz_of(SKIPS, page=None, theme="dark")
    assert "A title" in tikz_of(SKIPS, page=None, title="A title")
    assert "convolution" in tikz_of(SKIPS, page=None, legend=True)
    assert size(tikz_of(SKIPS, page=None, scale=2.0)) == pytest.approx([2 * side for side in size(plain)], abs=0.1)


def size(text: str) -> list[float]:
    """The width and height of a drawing."""
    (found,) = re.findall(r"\\useasboundingbox \(0,0\) rectangle \(([\d.]+),([\d.]+)\)", text)
    return [float(side) for side in found]


def test_a_drawing_larger_than_tex_can_is_smaller() -> None:
    assert max(size(tikz_of(SKIPS, page=None, scale=100.0))) == pytest.approx(MAX_SIZE, abs=1)


def test_a_font_is_refused() -> None:
    with pytest.raises(ValueError, match="`font` has no effect"):
        tikz_of(SKIPS, font="Arial")


@needs_tex
@pytest.mark.parametrize("style", ["boxes", "volumes"])
def test_drawings_compile_alone(style: Literal["boxes", "volumes"], tmp_path: Path) -> None:
    for name in ("resnet18", "unet"):
        assert typeset(drawn(name, style=style, legend=True, title="50 % of 1×1"), tmp_path, name=name) == (1, [])


@needs_tex
def test_a_paper_can_include_drawings(tmp_path: Path) -> None:
    parts = []
    networks = ["vgg16", "alexnet", "googlenet_mnist", "vit_b_16", "unet", "densenet121"]
    for name in networks:
        for style in ("boxes", "volumes"):
            file = f"{name}_{style}.tex"
            (tmp_path / file).write_text(drawn(name, style=style, page="column", theme="print"), encoding="utf-8")
            parts.append(
                f"\\begin{{figure}}[p]\\centering\\input{{{file}}}\\caption{{One.}}\\end{{figure}}\\clearpage\n"
            )
    paper = f"{PREAMBLE}\\begin{{document}}\n{''.join(parts)}\\end{{document}}\n"
    assert typeset(paper, tmp_path) == (2 * len(networks), [])


CVPR = (
    "\\documentclass[10pt,twocolumn,letterpaper]{article}\n"
    "\\setlength{\\textheight}{8.875in}\\setlength{\\textwidth}{6.875in}\\setlength{\\columnsep}{0.3125in}\n"
)


@needs_tex
def test_a_column_of_a_paper_has_room_for_a_drawing_and_its_caption(tmp_path: Path) -> None:
    caption = "\\caption{One.\\newline Two.\\newline Three.}"
    body = []
    for name in ("alexnet", "vgg16"):
        drawing = drawn(name, page="column")
        (tmp_path / f"{name}.tex").write_text(drawing, encoding="utf-8")
        body.append(f"\\begin{{figure}}\\centering\\input{{{name}}}{caption}\\end{{figure}}\n")
        page = PAGES["column"]
        width, height = size(drawing)
        assert width > 0.95 * page.width or height > 0.95 * page.height
    text = f"{CVPR}\\usepackage{{tikz}}\\begin{{document}}Text.\n{''.join(body)}\\end{{document}}\n"
    assert typeset(text, tmp_path) == (2, [])


@needs_tex
def test_a_paper_without_tikz_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "net.tex").write_text(tikz_of(SKIPS), encoding="utf-8")
    paper = "\\documentclass{article}\\begin{document}\\input{net}\\end{document}"
    _, trouble = typeset(paper, tmp_path)
    assert trouble[0] == r"! A drawing by cnngraph needs \usepackage{tikz} in the preamble."


@needs_tex
@pytest.mark.parametrize("engine", ["pdflatex", "lualatex"])
@pytest.mark.parametrize("encoding", ["", "\\usepackage[T1]{fontenc}\\usepackage{lmodern}"])
def test_every_text_compiles(engine: str, encoding: str, tmp_path: Path) -> None:
    if not has(engine, "lmodern.sty", "lmroman10-regular.otf", "luaotfload.sty"):
        pytest.skip(f"there is no {engine} with Latin Modern")
    picture = tikz_of(SKIPS, title="名")
    macros = "\n".join(re.findall(r"\\def\\cnnchar.*", picture))
    rare = range(0x180, 0x250), range(0x1E00, 0x1F00)  # Latin Modern lacks some of their accents in Unicode
    latin = [code for codes in rare for code in codes] if engine == "pdflatex" else []
    letters = [chr(code) for code in (*range(0x20, 0x180), *range(0x370, 0x400), *latin)]
    signs = [chr(code) for code in (*range(0x2010, 0x2040), *range(0x2190, 0x21D5), *range(0x2200, 0x22A0))]
    texts = ["".join(map(latex, line)) for line in (*NASTY[:-1], *TEX)]
    texts += [latex(sign) for sign in (*letters, *signs) if unicodedata.category(sign) != "Cn"]
    body = "\\par\n".join(f"\\textbf{{x}}{text}" for text in texts)
    active = "\\catcode34=13 \\catcode96=13 \\def^^22{\\errmessage{active}}\\def^^60{\\errmessage{active}}"
    text = f"{PREAMBLE}{encoding}\\begin{{document}}{macros}{active}\\raggedright\n{body}\n\\end{{document}}\n"
    pages, trouble = typeset(text, tmp_path, engine)
    assert pages > 5
    assert trouble == []
