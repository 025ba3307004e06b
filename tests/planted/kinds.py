"""The kinds of slip: each damages a spec at one random place, as a slip of the hand or of the mind does."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from cnngraph.diagnostics import Edit, Span, apply_edits
from cnngraph.ops.registry import builtin_ops
from tests.planted.places import Good, Place, places

LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
NAME = re.compile(r"\$([A-Za-z_]\w*)")
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


@dataclass(frozen=True)
class Plant:
    """A spec with one error: `line` is where it is, in the damaged text, and `what` says what was changed."""

    kind: str
    good: Good
    text: str
    line: int
    what: str


Slip = tuple[Edit, str]
Kind = Callable[[list[Place], Good, Random], Slip | None]
KINDS: dict[str, Kind] = {}


def kind(function: Kind) -> Kind:
    """Register a kind under its function's name."""
    KINDS[function.__name__] = function
    return function


def plant(name: str, good: Good, random: Random) -> Plant | None:
    """A slip of a kind in a spec, if it has a place for one."""
    slip = KINDS[name](places(good), good, random)
    if slip is None:
        return None
    edit, what = slip
    text = apply_edits(good.text, [edit])
    return Plant(name, good, text, edit.span.line, what) if text != good.text else None


def misspell(word: str, random: Random) -> str:
    """A word with one letter too many, too few, another one, or two exchanged."""
    at = random.randrange(len(word))
    match random.choice(["more", "less", "other", "swap"]):
        case "more":
            return word[:at] + random.choice(LETTERS) + word[at:]
        case "less" if len(word) > 2:
            return word[:at] + word[at + 1 :]
        case "swap" if len(word) > 2 and at + 1 < len(word) and word[at] != word[at + 1]:
            return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[:at] + random.choice([letter for letter in LETTERS if letter != word[at]]) + word[at + 1 :]


def _pick(
    found: list[Place], random: Random, role: str, test: Callable[[Place], bool] = lambda _: True
) -> Place | None:
    fitting = [place for place in found if place.role == role and test(place)]
    return random.choice(fitting) if fitting else None


def _misspelt(place: Place | None, random: Random) -> Slip | None:
    if place is None or not isinstance(place.value, str) or len(place.value) < 2 or "$" in place.value:
        return None
    new = misspell(place.value, random)
    return Edit(place.span, new), f"{place.value} → {new}"


def _change(place: Place | None, new: object) -> Slip | None:
    return (Edit(place.span, str(new)), f"{place.key}: {place.value} → {new}") if place is not None else None


def _is_map(place: Place) -> bool:
    return isinstance(place.value, list) and [type(size) for size in place.value] == [int, int, int]


def _is_op(place: Place) -> bool:
    return place.value in builtin_ops()


# -- names


@kind
def op_misspelt(found: list[Place], good: Good, random: Random) -> Slip | None:
    return _misspelt(_pick(found, random, "op", _is_op), random)


@kind
def block_misspelt(found: list[Place], good: Good, random: Random) -> Slip | None:
    return _misspelt(_pick(found, random, "op", lambda candidate: not _is_op(candidate)), random)


@kind
def word_misspelt(found: list[Place], good: Good, random: Random) -> Slip | None:
    return _misspelt(_pick(found, random, "word key"), random)


@kind
def node_key_misspelt(found: list[Place], good: Good, random: Random) -> Slip | None:
    role = random.choice(["node key", "node key", "op key"])
    return _misspelt(_pick(found, random, role), random)


@kind
def top_key_misspelt(found: list[Place], good: Good, random: Random) -> Slip | None:
    wanted = ("nodes", "blocks", "params", "input", "import", "init", "cnngraph")
    return _misspelt(_pick(found, random, "top key", lambda candidate: candidate.value in wanted), random)


@kind
def node_misspelt_in_from(found: list[Place], good: Good, random: Random) -> Slip | None:
    role = random.choice(["from", "from item"])
    return _misspelt(_pick(found, random, role, lambda candidate: candidate.value != "in"), random)


@kind
def node_name_misspelt(found: list[Place], good: Good, random: Random) -> Slip | None:
    read = {str(place.value).partition(".")[0] for place in found if place.role in ("from", "from item")}
    return _misspelt(_pick(found, random, "node name", lambda candidate: candidate.value in read), random)


@kind
def param_name_misspelt(found: list[Place], good: Good, random: Random) -> Slip | None:
    return _misspelt(_pick(found, random, "param name"), random)


@kind
def block_name_misspelt(found: list[Place], good: Good, random: Random) -> Slip | None:
    return _misspelt(_pick(found, random, "block name"), random)


@kind
def expression_name_misspelt(found: list[Place], good: Good, random: Random) -> Slip | None:
    matches = [
        place for place in NAME.finditer(good.text) if len(place[1]) > 1 and not _in_comment(good.text, place.start())
    ]
    if not matches:
        return None
    match = random.choice(matches)
    new = misspell(match[1], random)
    return Edit(_span(found, good.text, match.start(1), match.end(1)), new), f"${match[1]} → ${new}"


@kind
def member_misspelt(found: list[Place], good: Good, random: Random) -> Slip | None:
    matches = [
        place
        for place in re.finditer(r"\$\w+\.(channels|height|width|features)\b", good.text)
        if not _in_comment(good.text, place.start())
    ]
    if not matches:
        return None
    match = random.choice(matches)
    new = misspell(match[1], random)
    return Edit(_span(found, good.text, match.start(1), match.end(1)), new), f"{match[0]} → {new}"


@kind
def dollar_missing(found: list[Place], good: Good, random: Random) -> Slip | None:
    place = _pick(found, random, "word", lambda candidate: isinstance(candidate.value, str) and "$" in candidate.value)
    if place is None:
        return None
    new = _source(good.text, place.span).replace("$", "", 1)
    return Edit(place.span, new), f"{place.value} without $"


@kind
def parameter_of_another_library(found: list[Place], good: Good, random: Random) -> Slip | None:
    other = {"kernel": "kernel_size", "out": random.choice(["out_channels", "filters"]), "stride": "strides"}
    place = _pick(found, random, "word key", lambda candidate: candidate.value in other)
    return _change(place, other[str(place.value)]) if place else None


# -- values


@kind
def word_missing(found: list[Place], good: Good, random: Random) -> Slip | None:
    place = _pick(found, random, "word key", lambda candidate: candidate.whole is not None)
    return _removed(place, good)


@kind
def number_quoted(found: list[Place], good: Good, random: Random) -> Slip | None:
    place = _pick(found, random, "word", lambda candidate: type(candidate.value) is int)
    return _change(place, f'"{place.value}"') if place else None


@kind
def number_impossible(found: list[Place], good: Good, random: Random) -> Slip | None:
    place = _pick(found, random, "word", lambda candidate: type(candidate.value) is int)
    if place is None or type(place.value) is not int:
        return None
    return _change(place, random.choice([-place.value, place.value + 0.5, f"{place.value}px", 0, "null"]))


@kind
def bool_wrong(found: list[Place], good: Good, random: Random) -> Slip | None:
    roles = ("word", "flat", "unused")
    place = _pick(found, random, random.choice(roles), lambda candidate: isinstance(candidate.value, bool))
    if place is None:
        return None
    return _change(place, random.choice(["yes", "on", 1, "True1"] if place.value else ["no", "off", 0, "none"]))


@kind
def choice_misspelt(found: list[Place], good: Good, random: Random) -> Slip | None:
    place = _pick(
        found,
        random,
        "word",
        lambda candidate: isinstance(candidate.value, str) and WORD.fullmatch(candidate.value) is not None,
    )
    return _misspelt(place, random)


@kind
def carry_wrong(found: list[Place], good: Good, random: Random) -> Slip | None:
    place = _pick(found, random, "carry")
    return _change(place, random.choice(["cat", "conat", "lst", "nothing", "true", "1"]))


@kind
def repeat_wrong(found: list[Place], good: Good, random: Random) -> Slip | None:
    place = _pick(found, random, "repeat", lambda candidate: type(candidate.value) is int and 0 < candidate.value < 6)
    if place is None or type(place.value) is not int:
        return None
    words = ("one", "two", "three", "four", "five")
    slips = [-place.value, place.value + 0.5, f"'{place.value}'", words[place.value - 1], "true"]
    return _change(place, random.choice(slips))


@kind
def when_wrong(found: list[Place], good: Good, random: Random) -> Slip | None:
    place = _pick(found, random, "when", lambda candidate: isinstance(candidate.value, str) and "=" in candidate.value)
    if place is None:
        return None
    text = _source(good.text, place.span)
    new = random.choice([text.replace("==", "=", 1), text.replace("!=", "=!", 1), text.replace(" and ", " && ", 1)])
    return _change(place, new)


# -- numbers that do not fit


@kind
def channels_wrong(found: list[Place], good: Good, random: Random) -> Slip | None:
    place = _pick(found, random, "word", lambda candidate: candidate.key == "out" and type(candidate.value) is int)
    if place is None or type(place.value) is not int:
        return None
    value = place.value
    return _change(place, random.choice([value * 2, value + 1, max(1, value // 2), value + 16, value * 10]))


@kind
def kernel_wrong(found: list[Place], good: Good, random: Random) -> Slip | None:
    place = _pick(found, random, "word", lambda candidate: candidate.key == "kernel" and type(candidate.value) is int)
    return _change(place, random.choice([2, 4, 5, 7, 1, 3, 33]))


@kind
def stride_wrong(found: list[Place], good: Good, random: Random) -> Slip | None:
    place = _pick(found, random, "word", lambda candidate: candidate.key == "stride" and type(candidate.value) is int)
    return _change(place, random.choice([1, 2, 3, 4]))


@kind
def padding_wrong(found: list[Place], good: Good, random: Random) -> Slip | None:
    place = _pick(found, random, "word", lambda candidate: candidate.key == "padding")
    return _change(place, random.choice([0, 1, 2, 3, 5]))


@kind
def groups_wrong(found: list[Place], good: Good, random: Random) -> Slip | None:
    place = _pick(found, random, "word", lambda candidate: candidate.key in ("groups", "chunks"))
    return _change(place, random.choice([3, 5, 7, 13]))


@kind
def stride_added(found: list[Place], good: Good, random: Random) -> Slip | None:
    place = _pick(found, random, "word", lambda candidate: candidate.key == "kernel" and candidate.owner == "conv")
    return (Edit(_after(place.span), ", stride: 2"), "stride: 2 added") if place and "{" in _line(good, place) else None


@kind
def stride_or_padding_removed(found: list[Place], good: Good, random: Random) -> Slip | None:
    return _removed(_pick(found, random, "word key", lambda candidate: candidate.value in ("stride", "padding")), good)


@kind
def input_wrong(found: list[Place], good: Good, random: Random) -> Slip | None:
    place = _pick(found, random, "input", _is_map)
    if place is None or not isinstance(place.value, list):
        return None
    c, h, w = place.value
    return _change(
        place,
        random.choice([[c, h], [c, h + 1, w + 1], [h, w], [c, 0, w], [1, c, h, w], [c, h // 2 + 1, w]]),
    )


@kind
def expect_wrong(found: list[Place], good: Good, random: Random) -> Slip | None:
    place = _pick(found, random, "expect item", lambda candidate: type(candidate.value) is int)
    return _change(place, place.value * 2 if type(place.value) is int else 1) if place else None


# -- edges


@kind
def from_other_node(found: list[Place], good: Good, random: Random) -> Slip | None:
    place = _pick(
        found, random, random.choice(["from", "from item"]), lambda candidate: isinstance(candidate.value, str)
    )
    if place is None:
        return None
    names = {str(place.value) for place in found if place.role in ("from", "from item", "node name")}
    others = sorted(name for name in names if name != place.value and WORD.fullmatch(name))
    return _change(place, random.choice(others)) if others else None


@kind
def from_removed(found: list[Place], good: Good, random: Random) -> Slip | None:
    return _removed(_pick(found, random, "node key", lambda candidate: candidate.value == "from"), good)


@kind
def branch_missing(found: list[Place], good: Good, random: Random) -> Slip | None:
    place = _pick(
        found, random, "from", lambda candidate: isinstance(candidate.value, list) and len(candidate.value) > 1
    )
    if place is None or not isinstance(place.value, list):
        return None
    left = list(place.value)
    left.pop(random.randrange(len(left)))
    return _change(place, f"[{', '.join(map(_plain, left))}]")


@kind
def from_swapped(found: list[Place], good: Good, random: Random) -> Slip | None:
    place = _pick(
        found, random, "from", lambda candidate: isinstance(candidate.value, list) and len(candidate.value) == 2
    )
    if place is None or not isinstance(place.value, list):
        return None
    return _change(place, f"[{', '.join(map(_plain, place.value[::-1]))}]")


@kind
def node_removed(found: list[Place], good: Good, random: Random) -> Slip | None:
    names = [place for place in found if place.role == "node name" and place.whole and place.whole.column == 3]
    if len(names) < 3:
        return None
    place = random.choice(names)
    assert place.whole is not None
    whole = place.whole
    return Edit(
        Span(whole.source, whole.line, 1, whole.end_line + (whole.end_column > 1), 1), ""
    ), f"{place.value} removed"


@kind
def op_swapped(found: list[Place], good: Good, random: Random) -> Slip | None:
    place = _pick(found, random, "op", lambda candidate: candidate.value in OTHER_OPS)
    return _change(place, random.choice(OTHER_OPS[str(place.value)])) if place else None


# -- names given twice


@kind
def node_named_twice(found: list[Place], good: Good, random: Random) -> Slip | None:
    names = [place for place in found if place.role == "node name" and place.whole and place.whole.column == 3]
    if len(names) < 2:
        return None
    at = random.randrange(1, len(names))
    return Edit(names[at].span, str(names[at - 1].value)), f"{names[at].value} → {names[at - 1].value}"


# -- YAML


@kind
def colon_glued(found: list[Place], good: Good, random: Random) -> Slip | None:
    return _replaced(found, good, random, r"(?<=\w): (?=\S)", ":")


@kind
def colon_missing(found: list[Place], good: Good, random: Random) -> Slip | None:
    return _replaced(found, good, random, r"(?<=\w): (?=\S)", " ")


@kind
def bracket_missing(found: list[Place], good: Good, random: Random) -> Slip | None:
    return _replaced(found, good, random, r"[\[\]{}]", "")


@kind
def bracket_too_many(found: list[Place], good: Good, random: Random) -> Slip | None:
    return _replaced(found, good, random, r"(?<=[\]}])", random.choice("]}"))


@kind
def comma_missing(found: list[Place], good: Good, random: Random) -> Slip | None:
    return _replaced(found, good, random, r", (?=\w+: )", " ")


@kind
def quote_missing(found: list[Place], good: Good, random: Random) -> Slip | None:
    return _replaced(found, good, random, r"[\"']", "")


@kind
def indentation(found: list[Place], good: Good, random: Random) -> Slip | None:
    return _replaced(found, good, random, r"(?m)^ {2,}(?=\S)", random.choice([" ", "   ", "     ", "\t"]))


def _replaced(found: list[Place], good: Good, random: Random, pattern: str, new: str) -> Slip | None:
    start = good.text.find("\ninput:")  # what is above it are texts about the network
    matches = [
        place
        for place in re.finditer(pattern, good.text)
        if place.start() > start and not _in_comment(good.text, place.start())
    ]
    if not matches:
        return None
    match = random.choice(matches)
    return Edit(_span(found, good.text, match.start(), match.end()), new), f"{match[0]!r} → {new!r} at {match.start()}"


def _removed(place: Place | None, good: Good) -> Slip | None:
    """An entry of a flow mapping, with one of the commas around it; or a line of its own."""
    if place is None or place.whole is None or place.whole.line != place.whole.end_line:
        return None
    whole = place.whole
    line = good.text.splitlines()[whole.line - 1]
    start, end = whole.column - 1, whole.end_column - 1
    if line[end : end + 2] == ", ":
        end += 2
    elif line[start - 2 : start] == ", ":
        start -= 2
    elif line[start - 1 : start] != "{":
        return None
    return Edit(Span(whole.source, whole.line, start + 1, whole.line, end + 1), ""), f"{place.value} removed"


def _in_comment(text: str, at: int) -> bool:
    return "#" in text[text.rfind("\n", 0, at) + 1 : at]


def _plain(value: object) -> str:
    return f'"{value}"' if any(bracket in str(value) for bracket in "{}[]") else str(value)


def _source(text: str, span: Span) -> str:
    return text.splitlines()[span.line - 1][span.column - 1 : span.end_column - 1]


def _line(good: Good, place: Place) -> str:
    return good.text.splitlines()[place.span.line - 1]


def _after(span: Span) -> Span:
    return Span(span.source, span.end_line, span.end_column, span.end_line, span.end_column)


def _span(found: list[Place], text: str, start: int, end: int) -> Span:
    def at(offset: int) -> tuple[int, int]:
        return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)

    return Span(found[0].span.source, *at(start), *at(end))
