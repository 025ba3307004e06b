"""Suggestions of renames for weights files, found by the shapes, the endings and the order of keys.

A rename is suggested only if every weight that it renames then fits.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from cnngraph.backend.weights.files import WeightsFile
from cnngraph.backend.weights.renames import Renames
from cnngraph.backend.weights.report import COUNTER, WeightsReport, check_weights
from cnngraph.backend.weights.tables import Shape, is_bookkeeping
from cnngraph.elaborate.bases import bases
from cnngraph.frozen import frozen
from cnngraph.graph.graph import Graph

MAX_KEYS = 20_000  # of a file, which may be untrusted
MAX_KEY_LENGTH, MAX_PARTS = 300, 30
MAX_STEPS = 300_000  # keys that are compared with patterns
MAX_STARS = 4
MAX_CANDIDATES = 8  # keys with the same ending that a key is compared with
MAX_PAIRS = 20_000
MAX_RENAMES = 12  # per iteration
ITERATIONS = 4  # a key that is ambiguous in one iteration may be unambiguous in the next
MIN_LOADED = 0.5  # the fraction of a network's weights that must fit

Rename = tuple[str, str]


def suggest_renames(file: WeightsFile, graph: Graph) -> tuple[dict[str, str], WeightsReport] | None:
    """Suggest renames for the spec, including those that it already has, and the report with them.

    None if there are none that help. If only a few weights fit, that is probably a coincidence.
    """
    now = check_weights(file, graph)
    best = dict(graph.renames), now
    for network in () if now.ok else (graph, *bases(graph)):
        renames = dict(graph.renames)
        for _ in range(ITERATIONS):
            more = dict(_Search(file, network.state, Renames(renames)).run())
            if not more:
                break
            renames = more | {old: new for old, new in renames.items() if old not in more}
        report = check_weights(file, graph, renames)
        if (report.ok, len(report.loaded)) > (best[1].ok, len(best[1].loaded)):
            best = renames, report
    return best if best[1] is not now and len(best[1].loaded) >= MIN_LOADED * best[1].expected else None


@dataclass(slots=True)
class _Search:
    """A search for renames among the unmatched keys of the file and the network."""

    file: WeightsFile
    expected: Mapping[str, Shape]  # the weights of the network
    renames: Renames
    unused: dict[str, Shape] = field(default_factory=dict)  # unmatched keys of the file
    missing: dict[str, Shape] = field(default_factory=dict)  # unmatched keys of the network
    below: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))  # keys of the file by prefix
    steps: int = 0

    def run(self) -> list[Rename]:
        """The renames, sorted by the number of keys that they rename."""
        found = {key: shape for key, shape in self.file.shapes.items() if not is_bookkeeping(key)}
        if len(found) > MAX_KEYS or not all(map(_is_plain, found)):
            return []
        placed = {key: self.renames.new(key) for key in found}
        taken = {new for new in placed.values() if new in self.expected}
        self.unused = {key: shape for key, shape in found.items() if placed[key] not in taken}
        self.missing = {key: shape for key, shape in self.expected.items() if key not in taken}
        for key in found:
            for prefix in ("", *_prefixes(key)):
                self.below[prefix].append(key)
        ordered = dict.fromkeys(_patterns(self.pairs_in_order()))
        choices: dict[str, list[_Choice]] = defaultdict(list)
        for old, new in ordered | dict.fromkeys(_patterns(islice(self.pairs_by_ending(), MAX_PAIRS))):
            if self.steps > MAX_STEPS:
                break
            if fitting := self.fitting(old, new):
                choices[old].append(_Choice(old, new, fitting, (old, new) in ordered))
        clear = (choice for several in choices.values() for choice in several if choice.sure or len(several) == 1)
        return list(islice(_chosen(clear), MAX_RENAMES))

    def fitting(self, old: str, new: str) -> dict[str, str]:
        """The new keys of the keys that a rename applies to, if all of them then fit; otherwise empty."""
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
            if key not in self.unused or self.missing.get(name) != self.unused[key]:
                return {}
            fitting[key] = name
        return fitting

    def pairs_by_ending(self) -> Iterator[tuple[str, str]]:
        """Pairs of keys of the file and the network with the same shape and the longest common ending."""
        endings: dict[tuple[str, Shape], list[str]] = defaultdict(list)
        for key, shape in self.missing.items():
            for ending in _endings(key):
                endings[ending, shape].append(key)
        for key, shape in self.unused.items():
            candidates = next((endings[ending, shape] for ending in _endings(key) if (ending, shape) in endings), [])
            yield from ((key, candidate) for candidate in candidates[:MAX_CANDIDATES])

    def pairs_in_order(self) -> Iterator[tuple[str, str]]:
        """All unmatched keys in order, if the file preserves the order and all shapes and last components agree."""
        theirs, ours = _no_counters(self.unused), _no_counters(self.missing)
        if self.file.in_order and len(theirs) == len(ours):
            pairs = list(zip(theirs, ours, strict=True))
            if all(self.unused[one] == self.missing[two] and _last(one) == _last(two) for one, two in pairs):
                yield from pairs


@frozen
class _Choice:
    """A rename, the keys that it produces, and whether it follows the order of the file."""

    old: str
    new: str
    fitting: Mapping[str, str]
    sure: bool

    @property
    def rank(self) -> tuple[int, bool, int, str, str]:
        """A sort key: renames of many keys first, then those with few stars."""
        return -len(self.fitting), not self.sure, self.old.count("*"), self.old, self.new


def _chosen(choices: Iterable[_Choice]) -> Iterator[Rename]:
    """Renames that do not overlap, those of most keys first."""
    used: set[str] = set()
    produced: set[str] = set()
    for choice in sorted(choices, key=lambda choice: choice.rank):
        if used.isdisjoint(choice.fitting) and produced.isdisjoint(choice.fitting.values()):
            used.update(choice.fitting)
            produced.update(choice.fitting.values())
            yield choice.old, choice.new


def _patterns(pairs: Iterable[tuple[str, str]]) -> Iterator[Rename]:
    """Renames of everything below a prefix, for keys with the same ending: for every prefix, and for every number.

    If the keys also begin with the same components, the components in between may be renamed wherever they occur.
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
    old, new = (f"{pattern}.**" if pattern else "**" for pattern in rename)
    return old, new


def _inner(old: list[str], new: list[str]) -> Rename | None:
    """The rename of the components that differ between keys with the same beginning and ending."""
    short = min(len(old), len(new))
    start = next((at for at in range(short) if old[at] != new[at]), short)
    end = next((at for at in range(short - start) if old[-1 - at] != new[-1 - at]), short - start)
    one, two = ".".join(old[start : len(old) - end]), ".".join(new[start : len(new) - end])
    return (f"**.{one}.**", f"**.{two}.**") if start and end and one and two else None


def _starred(old: str, new: str) -> Rename | None:
    """The same rename for every number, if both keys have the same numbers."""
    numbers = re.findall(r"\d+", old)
    if not 1 <= len(numbers) <= MAX_STARS or numbers != re.findall(r"\d+", new):
        return None
    return re.sub(r"\d+", "*", old), re.sub(r"\d+", "*", new)


def _prefixes(key: str) -> Iterator[str]:
    """`a` and `a.b` of `a.b.weight`."""
    at = key.find(".")
    while at >= 0:
        yield key[:at]
        at = key.find(".", at + 1)


def _endings(key: str) -> Iterator[str]:
    """The key and its suffixes that start after a dot, longest first."""
    yield key
    at = key.find(".")
    while at >= 0:
        yield key[at + 1 :]
        at = key.find(".", at + 1)


def _is_plain(key: str) -> bool:
    """Whether a key is of ordinary length and depth; an untrusted one could have too many prefixes to store."""
    return "*" not in key and len(key) <= MAX_KEY_LENGTH and key.count(".") < MAX_PARTS


def _last(key: str) -> str:
    return key.rpartition(".")[2]


def _no_counters(shapes: Mapping[str, Shape]) -> list[str]:
    return [key for key in shapes if _last(key) != COUNTER]
