"""Slips in the YAML: colons, brackets, commas, quotes, indentation."""

from __future__ import annotations

import re
from random import Random

from cnngraph.diagnostics import Edit
from tests.planted.places import Place, ValidSpec
from tests.planted.slips import Slip, in_comment, kind, span_of


@kind
def colon_glued(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    return _replaced(found, spec, random, r"(?<=\w): (?=\S)", ":")


@kind
def colon_missing(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    return _replaced(found, spec, random, r"(?<=\w): (?=\S)", " ")


@kind
def bracket_missing(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    return _replaced(found, spec, random, r"[\[\]{}]", "")


@kind
def bracket_too_many(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    return _replaced(found, spec, random, r"(?<=[\]}])", random.choice("]}"))


@kind
def comma_missing(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    return _replaced(found, spec, random, r", (?=\w+: )", " ")


@kind
def quote_missing(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    return _replaced(found, spec, random, r"[\"']", "")


@kind
def indentation(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    return _replaced(found, spec, random, r"(?m)^ {2,}(?=\S)", random.choice([" ", "   ", "     ", "\t"]))


def _replaced(found: list[Place], spec: ValidSpec, random: Random, pattern: str, new: str) -> Slip | None:
    start = spec.text.find("\ninput:")  # the lines above are descriptions
    matches = [
        place
        for place in re.finditer(pattern, spec.text)
        if place.start() > start and not in_comment(spec.text, place.start())
    ]
    if not matches:
        return None
    match = random.choice(matches)
    return Edit(
        span_of(found, spec.text, match.start(), match.end()), new
    ), f"{match[0]!r} → {new!r} at {match.start()}"
