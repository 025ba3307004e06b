"""Reports as GitHub commands, SARIF and JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from jsonschema import Draft202012Validator

from cnngraph.checking import CheckReport, FileReport, Kind, check_paths
from cnngraph.checking.formats.github import to_github
from cnngraph.checking.formats.json import to_json
from cnngraph.checking.formats.sarif import to_sarif
from cnngraph.diagnostics import Cause, Diagnostic, Edit, Fix, Severity, Source, Span, apply_edits
from tests.library import ROOT

ERRORS = sorted((ROOT / "tests/golden/errors").glob("*.yaml"))
STRANGE = Source("a b,c:d/50%é.yaml", "nodes: [x]\nmore: y\n")


@pytest.fixture(scope="module")
def report() -> CheckReport:
    """The report of all golden errors."""
    return check_paths(map(str, ERRORS))


def strange(**more: Any) -> CheckReport:
    span = Span(STRANGE, 1, 9, 1, 10)
    diagnostic = Diagnostic("E313", "100 % wrong,\nhere: \x1b[31m\r", span, notes=("a, b",), help="fix: it", **more)
    return CheckReport((FileReport("a b,c:d/50%é.yaml", Kind.SPEC, (diagnostic,)),))


def test_github_escapes_special_characters() -> None:
    assert to_github(strange()) == (
        "::error file=a b%2Cc%3Ad/50%25é.yaml,line=1,endLine=1,col=9,endColumn=10,title=cnngraph E313::"
        "100 %25 wrong,\\nhere: \\x1b[31m\\r%0Aa, b%0Ahelp: fix: it\n"
    )


def test_github_has_one_line_per_diagnostic(report: CheckReport) -> None:
    lines = to_github(report).splitlines()
    assert len(lines) == len(list(report.each_once()))
    place = r"file=[^,:]+,line=\d+,endLine=\d+(,col=\d+,endColumn=\d+)?"
    form = re.compile(rf"::(error|warning) {place},title=cnngraph [EW]\d+::.+")
    assert all(form.fullmatch(line) for line in lines)


def test_places_outside_files_refer_to_the_checked_file() -> None:
    option = Span(Source("command line", "--set a=1"), 1, 7, 1, 8)
    found = FileReport("net.yaml", Kind.SPEC, (Diagnostic("E303", "no a", option), Diagnostic("E101", "cannot read")))
    assert to_github(CheckReport((found,))) == (
        "::error file=net.yaml,title=cnngraph E303::no a\n::error file=net.yaml,title=cnngraph E101::cannot read\n"
    )
    results = to_sarif(CheckReport((found,)))["runs"][0]["results"]
    assert [result["locations"] for result in results] == 2 * [
        [{"physicalLocation": {"artifactLocation": {"uri": "net.yaml"}}}]
    ]


def obj(required: str, optional: str = "", **properties: Any) -> dict[str, Any]:
    """The schema of an object with exactly these properties."""
    names = required.split() + optional.split()
    assert set(names) == set(properties)
    return {
        "type": "object",
        "required": required.split(),
        "additionalProperties": False,
        "properties": properties,
    }


TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
NUMBER: dict[str, Any] = {"type": "integer", "minimum": 1}
MESSAGE = obj("text", text=TEXT)
LEVEL = {"enum": ["none", "note", "warning", "error"]}
REGION = obj(
    "startLine", "startColumn endLine endColumn", startLine=NUMBER, startColumn=NUMBER, endLine=NUMBER, endColumn=NUMBER
)
ARTIFACT = obj("uri", uri={"type": "string", "pattern": r"^([A-Za-z0-9._~/-]|%[0-9A-F]{2})+$|^file:///"})
PHYSICAL = obj("artifactLocation", "region", artifactLocation=ARTIFACT, region=REGION)
LOGICAL = obj("fullyQualifiedName kind", fullyQualifiedName=TEXT, kind=TEXT)
LOCATION = obj(
    "physicalLocation",
    "message logicalLocations",
    physicalLocation=PHYSICAL,
    message=MESSAGE,
    logicalLocations={"type": "array", "items": LOGICAL, "uniqueItems": True},
)
LOCATIONS = {"type": "array", "items": LOCATION, "minItems": 1, "uniqueItems": True}
CONTENT = obj("text", text={"type": "string"})
REPLACEMENT = obj("deletedRegion insertedContent", deletedRegion=REGION, insertedContent=CONTENT)
CHANGE = obj(
    "artifactLocation replacements",
    artifactLocation=ARTIFACT,
    replacements={"type": "array", "items": REPLACEMENT, "minItems": 1},
)
FIX = obj(
    "artifactChanges description",
    description=MESSAGE,
    artifactChanges={"type": "array", "items": CHANGE, "minItems": 1, "uniqueItems": True},
)
RESULT = obj(
    "ruleId ruleIndex level message locations",
    "relatedLocations fixes",
    ruleId=TEXT,
    ruleIndex={"type": "integer", "minimum": 0},
    level=LEVEL,
    message=MESSAGE,
    locations=LOCATIONS,
    relatedLocations=LOCATIONS,
    fixes={"type": "array", "items": FIX, "minItems": 1, "uniqueItems": True},
)
RULE = {
    "type": "object",
    "required": ["id", "defaultConfiguration"],
    "additionalProperties": False,
    "properties": {
        "id": TEXT,
        "defaultConfiguration": obj("level", level=LEVEL),
        "shortDescription": MESSAGE,
        "fullDescription": MESSAGE,
        "help": MESSAGE,
        "helpUri": TEXT,
    },
}
DRIVER = obj("name version rules", name=TEXT, version=TEXT, rules={"type": "array", "items": RULE, "uniqueItems": True})
RUN = obj(
    "tool columnKind results",
    tool=obj("driver", driver=DRIVER),
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    results={"type": "array", "items": RESULT},
)
RUNS = {"type": "array", "items": RUN, "minItems": 1}
LOG = {
    "type": "object",
    "required": ["version", "runs"],
    "additionalProperties": False,
    "properties": {"$schema": TEXT, "version": {"const": "2.1.0"}, "runs": RUNS},
}
"""The used parts of SARIF 2.1.0, as strict as the specification (sections 3.13 to 3.58)."""


def test_sarif_is_valid(report: CheckReport) -> None:
    Draft202012Validator.check_schema(LOG)
    empty = CheckReport((FileReport("net.yaml", Kind.SPEC),))
    warning = CheckReport((FileReport("x", None, (Diagnostic("W320", "x", severity=Severity.WARNING),)),))
    for checked in (report, strange(), empty, warning):
        Draft202012Validator(LOG).validate(to_sarif(checked))


def test_sarif_has_every_diagnostic_with_its_rule(report: CheckReport) -> None:
    (run,) = to_sarif(report)["runs"]
    rules = run["tool"]["driver"]["rules"]
    found = [diagnostic for _, diagnostic in report.each_once()]
    assert [result["ruleId"] for result in run["results"]] == [diagnostic.code for diagnostic in found]
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in run["results"])
    assert all(rule["shortDescription"]["text"] and rule["help"]["text"] for rule in rules)
    assert [len(result.get("fixes", ())) for result in run["results"]] == [
        len(diagnostic.fixes) for diagnostic in found
    ]


def test_sarif_fixes_equal_the_edits(report: CheckReport) -> None:
    """Applied as specified, they give the same text as our edits."""
    (run,) = to_sarif(report)["runs"]
    found = [diagnostic for _, diagnostic in report.each_once()]
    tried = 0
    for result, diagnostic in zip(run["results"], found, strict=True):
        for plain, fix in zip(result.get("fixes", ()), diagnostic.fixes, strict=True):
            (change,) = plain["artifactChanges"]
            path = Path(unquote(urlsplit(change["artifactLocation"]["uri"]).path))
            text = path.read_text(encoding="utf-8")
            assert replaced(text, change["replacements"]) == apply_edits(text, fix.edits)
            tried += 1
    assert tried > 10


def replaced(text: str, replacements: list[dict[str, Any]]) -> str:
    lines = text.splitlines(keepends=True)

    def offset(line: int, column: int) -> int:
        return sum(map(len, lines[: line - 1])) + column - 1

    places = [
        (
            offset(replacement["deletedRegion"]["startLine"], replacement["deletedRegion"]["startColumn"]),
            offset(replacement["deletedRegion"]["endLine"], replacement["deletedRegion"]["endColumn"]),
            replacement["insertedContent"]["text"],
        )
        for replacement in replacements
    ]
    for start, end, new in sorted(places, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def test_sarif_names_files_as_uris() -> None:
    cause = Cause(Span(STRANGE, 2, 7, 2, 8), "more", ("z",))
    fix = Fix("write z", (Edit(cause.span, "z"),))
    (result,) = to_sarif(strange(causes=(cause,), fixes=(fix,)))["runs"][0]["results"]
    uri = "a%20b%2Cc%3Ad/50%25%C3%A9.yaml"
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri
    assert result["fixes"][0]["artifactChanges"][0]["artifactLocation"]["uri"] == uri
    assert result["relatedLocations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": uri},
                "region": {"startLine": 2, "startColumn": 7, "endLine": 2, "endColumn": 8},
            },
            "message": {"text": "because of more: y, which should be z"},
        }
    ]


def test_an_error_in_a_shared_import_is_reported_once(tmp_path: Path) -> None:
    (tmp_path / "parts.yaml").write_text("cnngraph: 1\nblocks: {part: {op: conv, kernel: 3, kernal: 3, out: 2}}\n")
    for name in ("one", "two"):
        text = "cnngraph: 1\nimport: parts.yaml\ninput: [1, 4, 4]\nnodes: [part]\n"
        (tmp_path / f"{name}.yaml").write_text(text)
    report = check_paths([str(tmp_path / "one.yaml"), str(tmp_path / "two.yaml")])
    assert len(report.files[1].diagnostics) == len(report.files[0].diagnostics) == 1
    assert len(to_github(report).splitlines()) == 1
    assert len(to_sarif(report)["runs"][0]["results"]) == 1


def test_json_matches_the_text(report: CheckReport) -> None:
    plain = json.loads(json.dumps(to_json(report)))
    for file, found in zip(plain["files"], report.files, strict=True):
        for fact, diagnostic in zip(file["diagnostics"], found.diagnostics, strict=True):
            rendered = [fact["code"], fact["message"], *fact["notes"], fact["help"] or ""]
            assert rendered == [diagnostic.code, diagnostic.message, *diagnostic.notes, diagnostic.help or ""]
            assert (fact["end_line"], fact["end_column"]) >= (fact["line"], fact["column"])
