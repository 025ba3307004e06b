"""DEVELOPERS.md: the paths and names exist, and its example op works."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

from cnngraph.compilation import compile_text
from cnngraph.diagnostics import Source
from cnngraph.fields import fields_of
from cnngraph.lint.network import Network
from cnngraph.lint.rule import Rule, example_text
from cnngraph.ops import activation
from cnngraph.ops.op import make_op
from tests.library import ROOT
from tests.ops.support import expected, make_function, make_inputs, sizes_of

TEXT = (ROOT / "DEVELOPERS.md").read_text(encoding="utf-8")


def test_every_path_exists() -> None:
    paths = set(re.findall(r"(?:cnngraph|tests|benchmarks|specs|docs)/[\w./]*[\w/]", TEXT))
    assert len(paths) > 60
    missing = {path for path in paths if not (ROOT / path).exists() and "NAME" not in path}
    assert missing == set()


def test_names_are_in_the_files_given() -> None:
    found = re.findall(r"`([A-Za-z_.]+)` in `(cnngraph/[\w/.]+\.py)`", " ".join(TEXT.split()))
    assert len(found) > 15
    for name, path in found:
        text = (ROOT / path).read_text(encoding="utf-8")
        for part in name.split("."):
            assert re.search(rf"^\s*(?:def |class |){part}\b", text, re.MULTILINE), (name, path)


def test_every_package_is_in_the_table() -> None:
    table = TEXT[TEXT.index("| layer of") : TEXT.index("`[tool.importlinter]`")]
    rooms = {
        path.stem for path in (ROOT / "cnngraph").iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    named = {name.removesuffix("/").removesuffix(".py") for name in re.findall(r"`([\w/]+(?:\.py)?)`", table)}
    assert {room for room in rooms if not room.startswith("_")} <= named


def test_the_map_has_the_layers_in_their_order() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        layers = tomllib.load(file)["tool"]["importlinter"]["contracts"][0]["layers"]
    rows = re.findall(
        r"^\| (`.*?`) \| ", TEXT[TEXT.index("| layer of") : TEXT.index("`[tool.importlinter]`")], re.MULTILINE
    )
    shown = [{name.removesuffix("/").removesuffix(".py") for name in re.findall(r"`([^`]+)`", row)} for row in rows]
    assert shown == [{room.strip().removeprefix("cnngraph.") for room in layer.split("|")} for layer in layers]


def test_the_example_op() -> None:
    source = re.search(r"```python\n(class Softsign.*?)```", TEXT, re.DOTALL)
    assert source
    scope: dict[str, Any] = dict(vars(activation))
    exec(source[1], scope)
    cls = scope["Softsign"]
    assert fields_of(cls) == {}
    for example in cls.examples:
        op, types = make_op(cls, example.arguments), example.types()
        shapes = sizes_of(make_function(op, types)(*make_inputs(types)))
        assert shapes == expected(op.infer(*types)) == (2, *example.output)


def test_the_example_rule() -> None:
    source = re.search(r'```python\n("""W404.*?)```', TEXT, re.DOTALL)
    assert source
    scope: dict[str, Any] = {"__name__": "example"}
    sys.modules["example"] = ModuleType("example")  # where dataclasses look up annotations
    exec(source[1], scope)
    rule: Rule = scope["IdleDropout"]()
    for example, expected_count in (*((bad, 1) for bad in rule.bad), *((good, 0) for good in rule.good)):
        text = example_text(example)
        compilation = compile_text(Source("net.yaml", text), Path())
        assert compilation.spec
        assert compilation.graph
        network = Network(compilation.spec, compilation.graph, Path(), None, False, ())
        assert len(list(rule.check(network))) == expected_count
