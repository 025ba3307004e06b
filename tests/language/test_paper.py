"""`paper` and `published`: reading, inheritance and errors."""

from __future__ import annotations

from pathlib import Path

import pytest

import cnngraph
from cnngraph.compilation import Compilation, compile_spec, compile_text
from cnngraph.diagnostics import Source, Span
from cnngraph.document import value_of
from cnngraph.language.write import write_spec

HEAD = "cnngraph: 1\n"
NOT_PERCENT = "the error on `imagenet` must be a number from 0 to 100 (percent)"
TAIL = "input: [1, 4, 4]\nparams: {classes: 2}\nnodes: [flatten, {op: linear, out: $classes}]\n"
SPEC = f"{HEAD}about: Small.\npaper: Somebody 1990, A Title\npublished: {{mnist: 4.7, cifar10+: 30}}\n{TAIL}"


def compiled(text: str, folder: Path) -> Compilation:
    return compile_text(Source("spec.yaml", text), folder)


@pytest.fixture
def spec_file(tmp_path: Path) -> Path:
    path = tmp_path / "full.yaml"
    path.write_text(SPEC)
    return path


def test_spec_and_graph_have_them(spec_file: Path) -> None:
    compilation = compile_spec(spec_file)
    assert compilation.graph
    assert compilation.spec
    for result in (compilation.graph, compilation.spec):
        assert result.paper == "Somebody 1990, A Title"
        assert result.published == {"mnist": 4.7, "cifar10+": 30}


def test_both_are_optional(tmp_path: Path) -> None:
    graph = compiled(HEAD + TAIL, tmp_path).graph
    assert graph
    assert (graph.paper, graph.published) == ("", {})


def test_a_variant_inherits_the_paper_but_not_the_published_error(spec_file: Path, tmp_path: Path) -> None:
    graph = compiled(f"{HEAD}extends: full.yaml\n", tmp_path).graph
    assert graph
    assert (graph.about, graph.paper, graph.published) == ("Small.", "Somebody 1990, A Title", {})
    graph = compiled(f"{HEAD}extends: full.yaml\npaper: Another\npublished: {{mnist: 3}}\n", tmp_path).graph
    assert graph
    assert (graph.paper, graph.published) == ("Another", {"mnist": 3})


def test_a_changed_network_has_no_published_error(spec_file: Path) -> None:
    assert cnngraph.load(spec_file, classes=3).published == {}
    sizes = value_of([1, 5, 5], Span(Source("test", ""), 1, 1, 1, 1))
    graph = compile_spec(spec_file, input=sizes).graph
    assert graph
    assert graph.published == {}


@pytest.mark.parametrize(
    ("line", "column", "message"),
    [
        ("paper: [a, b]", 8, "`paper` must be a string, got `[a, b]`"),
        ("paper:", 7, "`paper` must be a string, got `null`"),
        (f"paper: {'x' * 10_001}", 8, "`paper` has 10,001 characters, the maximum is 10,000"),
        ("published: 30.2", 12, "`published` must be a mapping of data sets to errors, got `30.2`"),
        ("published: [imagenet, 3]", 12, "`published` must be a mapping of data sets to errors, got `[imagenet, 3]`"),
        (
            "published: {imagenet: a third}",
            23,
            f"{NOT_PERCENT}, got `",
        ),
        ("published: {imagenet: $x}", 23, f"{NOT_PERCENT}, got `"),
        (
            "published: {imagenet: true}",
            23,
            f"{NOT_PERCENT}, got `true`",
        ),
        ("published: {imagenet: 100.5}", 23, f"{NOT_PERCENT}, got `"),
        ("published: {imagenet: -1}", 23, f"{NOT_PERCENT}, got `-1`"),
        ("published: {imagenet: .nan}", 23, f"{NOT_PERCENT}, got `"),
        (
            "published: {imagenet: [3]}",
            23,
            f"{NOT_PERCENT}, got `[3]`",
        ),
        ("published: {image net: 3}", 13, "`image net` is not a valid data set name: use letters, digits and `_.+-`"),
        ("publised: {imagenet: 3}", 1, "a spec has no key `publised`"),
    ],
)
def test_errors_are_reported_at_their_place(line: str, column: int, message: str, tmp_path: Path) -> None:
    (error,) = compiled(f"{HEAD}{line}\n{TAIL}", tmp_path).diagnostics
    assert error.message.startswith(message)
    assert (error.line, error.span and error.span.column) == (2, column)


def test_write_spec_keeps_them(spec_file: Path, tmp_path: Path) -> None:
    spec = compile_spec(spec_file).spec
    assert spec
    again = compiled(write_spec(spec), tmp_path).spec
    assert again
    assert (again.paper, again.published) == (spec.paper, spec.published)
