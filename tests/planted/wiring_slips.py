"""Slips in what nodes read and do: another input, a missing branch, another op, a name twice."""

from __future__ import annotations

import re
from random import Random

from cnngraph.diagnostics import Edit, Span
from tests.planted.places import Place, ValidSpec
from tests.planted.slips import Slip, changed, kind, pick, plain, removed

WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
OTHER_OPS = {
    "conv": ["linear", "conv_transpose", "max_pool"],
    "linear": ["conv", "flatten"],
    "concat": ["add", "mul"],
    "add": ["concat", "mul", "sub"],
    "global_avg_pool": ["avg_pool", "adaptive_avg_pool", "flatten"],
    "flatten": ["global_avg_pool", "identity", "relu"],
    "max_pool": ["conv", "global_max_pool", "upsample"],
    "conv_transpose": ["conv", "upsample"],
    "upsample": ["conv_transpose", "max_pool"],
    "chunk": ["split", "flatten"],
}


@kind
def from_other_node(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    place = pick(
        found, random, random.choice(["from", "from item"]), lambda candidate: isinstance(candidate.value, str)
    )
    if place is None:
        return None
    names = {str(place.value) for place in found if place.role in ("from", "from item", "node name")}
    others = sorted(name for name in names if name != place.value and WORD.fullmatch(name))
    return changed(place, random.choice(others)) if others else None


@kind
def from_removed(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    return removed(pick(found, random, "node key", lambda candidate: candidate.value == "from"), spec)


@kind
def branch_missing(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    place = pick(
        found, random, "from", lambda candidate: isinstance(candidate.value, list) and len(candidate.value) > 1
    )
    if place is None or not isinstance(place.value, list):
        return None
    left = list(place.value)
    left.pop(random.randrange(len(left)))
    return changed(place, f"[{', '.join(map(plain, left))}]")


@kind
def from_swapped(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    place = pick(
        found, random, "from", lambda candidate: isinstance(candidate.value, list) and len(candidate.value) == 2
    )
    if place is None or not isinstance(place.value, list):
        return None
    return changed(place, f"[{', '.join(map(plain, place.value[::-1]))}]")


@kind
def node_removed(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    names = [
        place for place in found if place.role == "node name" and place.entry_span and place.entry_span.column == 3
    ]
    if len(names) < 3:
        return None
    place = random.choice(names)
    assert place.entry_span is not None
    whole = place.entry_span
    return Edit(
        Span(whole.source, whole.line, 1, whole.end_line + (whole.end_column > 1), 1), ""
    ), f"{place.value} removed"


@kind
def op_swapped(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    place = pick(found, random, "op", lambda candidate: candidate.value in OTHER_OPS)
    return changed(place, random.choice(OTHER_OPS[str(place.value)])) if place else None


@kind
def node_named_twice(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    names = [
        place for place in found if place.role == "node name" and place.entry_span and place.entry_span.column == 3
    ]
    if len(names) < 2:
        return None
    at = random.randrange(1, len(names))
    return Edit(names[at].span, str(names[at - 1].value)), f"{names[at].value} → {names[at - 1].value}"
