"""Renames that make more of a weights file fit: found by shapes, by what keys end with, and by their order.

A rename is suggested only where every weight that it renames then fits.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from cnngraph.backend.weights.files import Shape, WeightsFile, is_bookkeeping
from cnngraph.backend.weights.renames import Renames
from cnngraph.backend.weights.report import COUNTER, WeightsReport, check_weights
from cnngraph.elaborate.bases import bases
from cnngraph.graph.graph import Graph

MOST_KEYS = 20_000  # of a file, which may be a stranger's
LONGEST_KEY, MOST_PARTS = 300, 30
MOST_STEPS = 300_000  # keys that are compared with patterns
MOST_STARS = 4
MOST_NEAR = 8  # keys with the same ending that one is compared with
MOST_PAIRS = 20_000
MOST_RENAMES = 12  # of a round
ROUNDS = 4  # what is left over from one may be clear in the next
WORTH = 0.5  # of a network's weights must fit

Rename = tuple[str, str]


def suggest_renames(file: WeightsFile, graph: Graph) -> tuple[dict[str, str], WeightsReport] | None:
    """Renames for the spec, those that it has included, and what the file then is to the network.

    None, where there are none that help: what little fits by chance is not worth telling.
    """
    now = check_weights(file, graph)
    best = dict(graph.renames), now
    for wanted in () if now.ok else (graph, *bases(graph)):
        renames = dict(graph.renames)
        for _ in range(ROUNDS):
            more = dict(_Search(file, wanted.state, Renames(renames)).run())
            if not more:
                break
            renames = more | {old: new for old, new in renames.items() if old not in more}
        report = check_weights(file, graph, renames)
        if (report.ok, len(report.loaded)) > (best[1].ok, len(best[1].loaded)):
            best = renames, report
    return best if best[1] is not now and len(best[1].loaded) >= WORTH * best[1].expected else None


@dataclass(slots=True)
class _Search:
    """A search for renames among what is left over on both sides."""

    file: WeightsFile
    wanted: Mapping[str, Shape]
    renames: Renames
    left: dict[str, Shape] = field(default_factory=dict)  # of the file
    open: dict[str, Shape] = field(default_factory=dict)  # of the network
    below: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))  # the file's keys by their prefixes
    steps: int = 0

    def run(self) -> list[Rename]:
        """Renames, those of most keys first."""
        found = {key: shape for key, shape in self.file.shapes.items() if not is_bookkeeping(key)}
        if len(found) > MOST_KEYS or not all(map(_is_plain, found)):
            return []
        placed = {key: self.renames.new(key) for key in found}
        taken = {new for new in placed.values() if new in self.wanted}
        self.left = {key: shape for key, shape in found.items() if placed[key] not in taken}
        self.open = {key: shape for key, shape in self.wanted.items() if key not in taken}
        for key in found:
            for prefix in ("", *_prefixes(key)):
                self.below[prefix].append(key)
        ordered = dict.fromkeys(_patterns(self.pairs_in_order()))
        choices: dict[str, list[_Choice]] = defaultdict(list)
        for old, new in ordered | dict.fromkeys(_patterns(islice(self.pairs_by_ending(), MOST_PAIRS))):
            if self.steps > MOST_STEPS:
                break
            if fitting := self.fitting(old, new):
                choices[old].append(_Choice(old, new, fitting, (old, new) in ordered))
        clear = (each for several in choices.values() for each in several if each.sure or len(several) == 1)
        return list(islice(_chosen(clear), MOST_RENAMES))

    def fitting(self, old: str, new: str) -> dict[str, str]:
        """The keys that a rename is for, with their new names, if all of them then fit; else none."""
        head = old.removesuffix("**").removesuffix(".")
        if "*" in head:
            rule = Renames({old: new})
            root = head.partition("*")[0].rpartition(".")[0]
            self.steps += len(self.below[root])
            renamed = ((key, rule.new(key)) for key in self.below[root])
            pairs = ((one, two) for one, two in renamed if one != two)
        else:
            start = new.removesuffix("**")
            self.steps += 1
            pairs = ((key, start + key[len(old) - 2 :]) for key in self.below[head])
        fitting = {}
        for key, name in pairs:
            if key not in self.left or self.open.get(name) != self.left[key]:
                return {}
            fitting[key] = name
        return fitting

    def pairs_by_ending(self) -> Iterator[tuple[str, str]]:
        """Keys of the file and of the network of one shape that end alike, as far as any do."""
        endings: dict[tuple[str, Shape], list[str]] = defaultdict(list)
        for key, shape in self.open.items():
            for ending in _endings(key):
                endings[ending, shape].append(key)
        for key, shape in self.left.items():
            near = next((endings[each, shape] for each in _endings(key) if (each, shape) in endings), [])
            yield from ((key, each) for each in near[:MOST_NEAR])

    def pairs_in_order(self) -> Iterator[tuple[str, str]]:
        """All that is left with all that is open, where the file keeps the order, and shapes and last words agree."""
        theirs, ours = _no_counters(self.left), _no_counters(self.open)
        if self.file.in_order and len(theirs) == len(ours):
            pairs = list(zip(theirs, ours, strict=True))
            if all(self.left[one] == self.open[two] and _last(one) == _last(two) for one, two in pairs):
                yield from pairs


@dataclass(frozen=True, slots=True)
class _Choice:
    """A rename, the new names that it makes, and whether the order of the file speaks for it."""

    old: str
    new: str
    fitting: Mapping[str, str]
    sure: bool

    @property
    def rank(self) -> tuple[int, bool, int, str, str]:
        """What comes first: a rename of many keys, with few stars."""
        return -len(self.fitting), not self.sure, self.old.count("*"), self.old, self.new


def _chosen(choices: Iterable[_Choice]) -> Iterator[Rename]:
    """Renames of different keys to different ones, the largest first."""
    used: set[str] = set()
    made: set[str] = set()
    for each in sorted(choices, key=lambda each: each.rank):
        if used.isdisjoint(each.fitting) and made.isdisjoint(each.fitting.values()):
            used.update(each.fitting)
            made.update(each.fitting.values())
            yield each.old, each.new


def _patterns(pairs: Iterable[tuple[str, str]]) -> Iterator[Rename]:
    """For keys that end alike, what renames all that is below one prefix: of every length, and of every number.

    Where they begin alike, too, what differs may be renamed wherever it stands.
    """
    for old, new in pairs:
        theirs, ours = old.split("."), new.split(".")
        if found := _inner(theirs, ours):
            yield found
        while theirs and ours and theirs.pop() == ours.pop():
            rename = ".".join(theirs), ".".join(ours)
            yield _below(rename)
            if starred := _starred(*rename):
                yield _below(starred)


def _below(rename: Rename) -> Rename:
    """The patterns for all keys below two prefixes."""
    old, new = (f"{each}.**" if each else "**" for each in rename)
    return old, new


def _inner(old: list[str], new: list[str]) -> Rename | None:
    """What differs between keys that begin and end alike."""
    short = min(len(old), len(new))
    start = next((at for at in range(short) if old[at] != new[at]), short)
    end = next((at for at in range(short - start) if old[-1 - at] != new[-1 - at]), short - start)
    one, two = ".".join(old[start : len(old) - end]), ".".join(new[start : len(new) - end])
    return (f"**.{one}.**", f"**.{two}.**") if start and end and one and two else None


def _starred(old: str, new: str) -> Rename | None:
    """The same for every number, where both have the same numbers."""
    numbers = re.findall(r"\d+", old)
    if not 1 <= len(numbers) <= MOST_STARS or numbers != re.findall(r"\d+", new):
        return None
    return re.sub(r"\d+", "*", old), re.sub(r"\d+", "*", new)


def _prefixes(key: str) -> Iterator[str]:
    """`a` and `a.b` of `a.b.weight`."""
    at = key.find(".")
    while at >= 0:
        yield key[:at]
        at = key.find(".", at + 1)


def _endings(key: str) -> Iterator[str]:
    """The key, and what is behind each of its dots: the longest first."""
    yield key
    at = key.find(".")
    while at >= 0:
        yield key[at + 1 :]
        at = key.find(".", at + 1)


def _is_plain(key: str) -> bool:
    """Whether a key is as keys are: a stranger's may have more prefixes than there is memory for."""
    return "*" not in key and len(key) <= LONGEST_KEY and key.count(".") < MOST_PARTS


def _last(key: str) -> str:
    return key.rpartition(".")[2]


def _no_counters(shapes: Mapping[str, Shape]) -> list[str]:
    return [key for key in shapes if _last(key) != COUNTER]
