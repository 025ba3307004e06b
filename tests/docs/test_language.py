"""The language guide: every example is run and its output is compared with the page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cnngraph import diagnostics, document
from cnngraph.compilation import compile_text
from cnngraph.diagnostics import Source
from cnngraph.document import core_scalar, yaml_text
from cnngraph.elaborate import budget
from cnngraph.fields import show_value
from cnngraph.language import load, names, parse, reader
from cnngraph.language.expressions import values
from cnngraph.language.expressions.evaluate import Reference, ShapeValue, evaluate, parse_expression
from cnngraph.language.expressions.functions import FUNCTIONS
from cnngraph.language.expressions.parser import MAX_DEPTH, MAX_LENGTH
from cnngraph.language.keys import BLOCK_KEYS, CHANGE_KEYS, FILE_KEYS
from cnngraph.lint.run import Lint
from cnngraph.ops import op as ops
from cnngraph.ops.reshape import MAX_TENSORS
from cnngraph.tensor_type import TensorType
from tests.docs.console import session
from tests.docs.page import LANGUAGE, Example, Page, completed, outcome
from tests.library import ROOT

SPECS = [example for example in LANGUAGE.examples() if example.language == "yaml"]
CONSOLES = [example for example in LANGUAGE.examples() if example.language == "console"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the page names."""
    root = tmp_path_factory.mktemp("language")
    for spec in SPECS:
        if spec.file:
            path = root / spec.file
            path.parent.mkdir(exist_ok=True)
            path.write_text(spec.text, encoding="utf-8")
    return root


# -- examples


def compare(example: Example, found: str, refresh: bool) -> None:
    """Compare the output below the example; with --refresh-golden, rewrite it."""
    if refresh and example.below is not None and example.below != found:
        above = f"```{example.language}\n{example.text}```\n```text\n"
        LANGUAGE.refresh(f"{above}{example.below}```\n", f"{above}{found}```\n")
        return
    if example.below is not None:
        assert found == example.below


@pytest.fixture
def refresh(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--refresh-golden"))


@pytest.mark.parametrize("example", SPECS, ids=lambda value: value.name)
def test_example(example: Example, folder: Path, refresh: bool) -> None:
    source = Source(example.file or "example.yaml", completed(example.text))
    compilation = Lint().run(compile_text(source, folder, fixes=True))
    compare(example, outcome(compilation), refresh)
    if example.below is None:
        assert compilation.ok


@pytest.mark.parametrize("example", CONSOLES, ids=lambda value: value.name)
def test_command(
    example: Example, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], refresh: bool
) -> None:
    monkeypatch.chdir(folder)
    found = session(example.text, capsys)
    if refresh and found != example.text:
        LANGUAGE.refresh(f"```console\n{example.text}```", f"```console\n{found}```")
        return
    assert found == example.text


# -- tables, compared with the package


def rows(title: str, header: str) -> list[list[str]]:
    """The rows of the table of a section with this header in the first column."""
    lines = LANGUAGE.section(title).splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {header} |"))
    found = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return found


def words(title: str, header: str) -> list[str]:
    """The code spans in the first column of a table."""
    return [word for row in rows(title, header) for word in re.findall(r"`([^`]+)`", row[0])]


def test_every_key_links_to_its_section() -> None:
    sections = {key.section for key in (*FILE_KEYS.values(), *BLOCK_KEYS.values(), *CHANGE_KEYS.values())}
    pages = {section.partition("#")[0] for section in sections}
    assert sections <= {f"{name}#{anchor}" for name in pages for anchor in Page(ROOT / "docs" / name).anchors()}


def test_every_function_is_in_the_table() -> None:
    assert {word.partition("(")[0] for word in words("Functions", "function")} == set(FUNCTIONS)


def test_scalars_are_read_as_in_the_table() -> None:
    for written, read, *_ in rows("How YAML is read", "written"):
        for name in re.findall(r"`([^`]+)`", written):
            value = core_scalar(name)
            shown = f'the string "{value}"' if isinstance(value, str) else show_value(value)
            assert shown == read.replace("`", ""), name


def test_expressions_evaluate_as_in_the_table() -> None:
    (example,) = [spec for spec in SPECS if spec.name == "Operators 1"]
    compilation = compile_text(Source("example.yaml", completed(example.text)), LANGUAGE.path.parent)
    assert compilation.graph is not None
    params = compilation.graph.params

    def lookup(reference: Reference) -> tuple[object, int]:
        known = {**params, "in": ShapeValue(TensorType.map(64, 28, 28)), "i": 1}
        return known[reference.name], 0

    found = rows("Operators", "expression")
    assert len(found) > 20
    for expression, value in found:
        text = expression.strip("`")
        assert show_value(evaluate(parse_expression(text), lookup)) == value.strip("`"), text


BOUNDS: dict[str, int] = {
    "single operations": budget.MAX_NODES,
    "steps": budget.MAX_NODES * budget.STEPS_PER_NODE,
    "characters of a path": names.MAX_PATH,
    "characters of a name": names.MAX_NAME,
    "parts of a dotted name": names.MAX_PARTS,
    "characters in all imported and extended files": load.MAX_IMPORTED,
    "rules of `init`": parse.MAX_RULES,
    "entries of `ignore` in a file": reader.MAX_IGNORED,
    "stars in the old name of a rename": parse.MAX_STARS,
    "nested uses of blocks": budget.MAX_NESTING,
    "numbers in one tensor": ops.MAX_ELEMENTS,
    "outputs of `chunk` or `split`": MAX_TENSORS,
    "bytes in a file": document.LIMITS.bytes,
    "levels of YAML": yaml_text.MAX_NESTING,
    "values in a file": document.LIMITS.values,
    "characters of a key": yaml_text.MAX_KEY,
    "reported errors": diagnostics.MAX_ERRORS,
    "files that are opened": load.MAX_FILES,
    "files that extend each other": load.MAX_EXTENDS,
    "elements of a list": values.MAX_ELEMENTS,
    "nested lists": values.MAX_LIST_DEPTH,
    "characters of a string": values.MAX_TEXT,
    "characters of an expression": MAX_LENGTH,
    "levels of an expression": MAX_DEPTH,
}


@pytest.mark.parametrize("bound", BOUNDS)
def test_limits_are_those_of_the_table(bound: str) -> None:
    found = {row[0].partition(",")[0]: row[1] for row in rows("Bounds", "at most")}
    assert found[bound] == f"{BOUNDS[bound]:,}"


def test_every_limit_is_tested() -> None:
    assert {row[0].partition(",")[0] for row in rows("Bounds", "at most")} == set(BOUNDS)
