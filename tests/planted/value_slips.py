"""Slips in values: of another type, misspelt, or that do not fit the shapes."""

from __future__ import annotations

import re
from random import Random

from cnngraph.diagnostics import Edit
from tests.planted.places import Place, ValidSpec
from tests.planted.slips import Slip, changed, end_of, is_map, kind, line_of, misspelt, pick, removed, source_text

WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@kind
def parameter_missing(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    place = pick(found, random, "parameter name", lambda candidate: candidate.entry_span is not None)
    return removed(place, spec)


@kind
def number_quoted(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    place = pick(found, random, "parameter value", lambda candidate: type(candidate.value) is int)
    return changed(place, f'"{place.value}"') if place else None


@kind
def number_impossible(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    place = pick(found, random, "parameter value", lambda candidate: type(candidate.value) is int)
    if place is None or type(place.value) is not int:
        return None
    return changed(place, random.choice([-place.value, place.value + 0.5, f"{place.value}px", 0, "null"]))


@kind
def bool_wrong(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    roles = ("parameter value", "flat", "unused")
    place = pick(found, random, random.choice(roles), lambda candidate: isinstance(candidate.value, bool))
    if place is None:
        return None
    return changed(place, random.choice(["yes", "on", 1, "True1"] if place.value else ["no", "off", 0, "none"]))


@kind
def choice_misspelt(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    place = pick(
        found,
        random,
        "parameter value",
        lambda candidate: isinstance(candidate.value, str) and WORD.fullmatch(candidate.value) is not None,
    )
    return misspelt(place, random)


@kind
def carry_wrong(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    place = pick(found, random, "carry")
    return changed(place, random.choice(["cat", "conat", "lst", "nothing", "true", "1"]))


@kind
def repeat_wrong(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    place = pick(found, random, "repeat", lambda candidate: type(candidate.value) is int and 0 < candidate.value < 6)
    if place is None or type(place.value) is not int:
        return None
    words = ("one", "two", "three", "four", "five")
    slips = [-place.value, place.value + 0.5, f"'{place.value}'", words[place.value - 1], "true"]
    return changed(place, random.choice(slips))


@kind
def when_wrong(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    place = pick(found, random, "when", lambda candidate: isinstance(candidate.value, str) and "=" in candidate.value)
    if place is None:
        return None
    text = source_text(spec.text, place.span)
    new = random.choice([text.replace("==", "=", 1), text.replace("!=", "=!", 1), text.replace(" and ", " && ", 1)])
    return changed(place, new)


@kind
def channels_wrong(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    place = pick(
        found, random, "parameter value", lambda candidate: candidate.key == "out" and type(candidate.value) is int
    )
    if place is None or type(place.value) is not int:
        return None
    value = place.value
    return changed(place, random.choice([value * 2, value + 1, max(1, value // 2), value + 16, value * 10]))


@kind
def kernel_wrong(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    place = pick(
        found, random, "parameter value", lambda candidate: candidate.key == "kernel" and type(candidate.value) is int
    )
    return changed(place, random.choice([2, 4, 5, 7, 1, 3, 33]))


@kind
def stride_wrong(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    place = pick(
        found, random, "parameter value", lambda candidate: candidate.key == "stride" and type(candidate.value) is int
    )
    return changed(place, random.choice([1, 2, 3, 4]))


@kind
def padding_wrong(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    place = pick(found, random, "parameter value", lambda candidate: candidate.key == "padding")
    return changed(place, random.choice([0, 1, 2, 3, 5]))


@kind
def groups_wrong(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    place = pick(found, random, "parameter value", lambda candidate: candidate.key in ("groups", "chunks"))
    return changed(place, random.choice([3, 5, 7, 13]))


@kind
def stride_added(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    place = pick(
        found, random, "parameter value", lambda candidate: candidate.key == "kernel" and candidate.owner == "conv"
    )
    return (
        (Edit(end_of(place.span), ", stride: 2"), "stride: 2 added") if place and "{" in line_of(spec, place) else None
    )


@kind
def stride_or_padding_removed(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    return removed(
        pick(found, random, "parameter name", lambda candidate: candidate.value in ("stride", "padding")), spec
    )


@kind
def input_wrong(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    place = pick(found, random, "input", is_map)
    if place is None or not isinstance(place.value, list):
        return None
    c, h, w = place.value
    return changed(
        place,
        random.choice([[c, h], [c, h + 1, w + 1], [h, w], [c, 0, w], [1, c, h, w], [c, h // 2 + 1, w]]),
    )


@kind
def expect_wrong(found: list[Place], spec: ValidSpec, random: Random) -> Slip | None:
    place = pick(found, random, "expect item", lambda candidate: type(candidate.value) is int)
    return changed(place, place.value * 2 if type(place.value) is int else 1) if place else None
