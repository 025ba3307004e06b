"""Slips in names: of ops, blocks, parameters, nodes and in expressions."""

from __future__ import annotations

import re
from random import Random

from cnngraph.diagnostics import Edit
from tests.planted.places import Place, ValidSpec
from tests.planted.slips import Slip, changed, in_comment, is_op, kind, misspell, misspelt, pick, source_text, span_of

NAME = re.compile(r"\$([A-Za-z_]\w*)")


@kind
def op_misspelt(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    return misspelt(pick(found, random, "op", is_op), random)


@kind
def block_misspelt(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    return misspelt(pick(found, random, "op", lambda candidate: not is_op(candidate)), random)


@kind
def parameter_misspelt(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    return misspelt(pick(found, random, "parameter name"), random)


@kind
def node_key_misspelt(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    role = random.choice(["node key", "node key", "op key"])
    return misspelt(pick(found, random, role), random)


@kind
def top_key_misspelt(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    keys = ("nodes", "blocks", "params", "input", "import", "init", "cnngraph")
    return misspelt(pick(found, random, "top key", lambda candidate: candidate.value in keys), random)


@kind
def node_misspelt_in_from(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    role = random.choice(["from", "from item"])
    return misspelt(pick(found, random, role, lambda candidate: candidate.value != "in"), random)


@kind
def node_name_misspelt(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    read = {str(place.value).partition(".")[0] for place in found if place.role in ("from", "from item")}
    return misspelt(pick(found, random, "node name", lambda candidate: candidate.value in read), random)


@kind
def param_name_misspelt(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    return misspelt(pick(found, random, "param name"), random)


@kind
def block_name_misspelt(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    return misspelt(pick(found, random, "block name"), random)


@kind
def expression_name_misspelt(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    matches = [
        place for place in NAME.finditer(spec.text) if len(place[1]) > 1 and not in_comment(spec.text, place.start())
    ]
    if not matches:
        return None
    match = random.choice(matches)
    new = misspell(match[1], random)
    return Edit(span_of(found, spec.text, match.start(1), match.end(1)), new), f"${match[1]} → ${new}"


@kind
def member_misspelt(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    matches = [
        place
        for place in re.finditer(r"\$\w+\.(channels|height|width|features)\b", spec.text)
        if not in_comment(spec.text, place.start())
    ]
    if not matches:
        return None
    match = random.choice(matches)
    new = misspell(match[1], random)
    return Edit(span_of(found, spec.text, match.start(1), match.end(1)), new), f"{match[0]} → {new}"


@kind
def dollar_missing(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    place = pick(
        found, random, "parameter value", lambda candidate: isinstance(candidate.value, str) and "$" in candidate.value
    )
    if place is None:
        return None
    new = source_text(spec.text, place.span).replace("$", "", 1)
    return Edit(place.span, new), f"{place.value} without $"


@kind
def parameter_of_another_library(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    other = {"kernel": "kernel_size", "out": random.choice(["out_channels", "filters"]), "stride": "strides"}
    place = pick(found, random, "parameter name", lambda candidate: candidate.value in other)
    return changed(place, other[str(place.value)]) if place else None
