"""Shapes that do not fit: changes, additions and removals of numeric parameters upstream of the error."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain

from cnngraph.diagnostics import Cause, Diagnostic, Edit, Question
from cnngraph.diagnostics.repairs import ParameterRepair
from cnngraph.document import Entry, Listing, Table, core_scalar
from cnngraph.fields import fields_of
from cnngraph.fixes.candidate import Candidate
from cnngraph.fixes.values import from_params, usual
from cnngraph.fixes.written import Written, WrittenNode, is_node_key
from cnngraph.language.names import first_name
from cnngraph.ops.registry import builtin_ops

SIZES = ("stride", "padding", "kernel", "dilation", "output_padding", "scale_factor", "ceil_mode", "output", "size")
CHANNELS = ("out", "groups", "chunks", "shape", "channels", "sizes", "factor", "width", "num_groups", "bias")
# parameters that a block of another file, which is not shown by this text, probably has
PASSED_ON = ("stride", "padding", "kernel", "groups", "out")
DEFAULTS = {"stride": ("2", "1"), "padding": ("half",)}  # parameters that are often forgotten
LARGEST = 12  # kernel or padding that is tried
NUMBER = "number"  # guesses that are compared with each other
FAR = 0.05  # the cost of each node between a change and the error


def numbers(written: Written, error: Diagnostic) -> Iterator[Candidate]:
    """Changes of single parameters of the nodes upstream of an error, nearest first."""
    seen: set[tuple[object, ...]] = set()
    # whether a single value is wrong, rather than a relation of several
    is_value = error.code == "E205" and bool(error.causes and error.causes[0].key)
    if is_value and not _is_computed(error):
        return
    distance = -1
    for cause in (*error.causes[:1], *_read_by(written, error), *error.causes[1:]):
        distance += not cause.key
        if cause.span.source != written.source or (
            is_value and cause in (error.causes[0], Cause(error.span or cause.span, cause.key))
        ):
            continue
        far = FAR * min(max(distance, 0), 20)
        entry = written.entry_of(cause.span) if cause.key else None
        if cause.key and entry is not None:
            found: Iterator[Candidate] = _other_value(written, entry, cause, error, far)
            body = written.around(entry.value.span)
            if body is not None and body.scope.block is not None and body.entry is body.scope.block.entry:
                found = chain(found, _of_node(written, body, error, far))  # a block that is one op
        elif not cause.key and (node := written.at(cause.span)):
            found = _of_node(written, node, error, far)
        else:
            continue
        for candidate in found:
            key = tuple((edit.span.line, edit.span.column, edit.text) for edit in candidate.edits)
            if key not in seen:
                seen.add(key)
                yield replace(candidate, guess=NUMBER)


def _read_by(written: Written, error: Diagnostic) -> Iterator[Cause]:
    """The block uses that a node reads, as far as the text shows: blocks of other files are not among the causes."""
    node = written.at(error.span) if error.span else None
    if node is None:
        return
    names = {first_name(str(path.value)) for path in node.reads}
    for other in node.scope.nodes:
        if other.name in names and other.op not in builtin_ops():
            yield Cause(other.start)


def _is_computed(error: Diagnostic) -> bool:
    """Whether the wrong value is computed by an expression, so that another value may be the cause."""
    spans = [span for span in (error.span, *(cause.span for cause in error.causes[:1])) if span is not None]
    return all("$" in span.source.line(span.line)[span.column - 1 : span.end_column - 1] for span in spans)


def _relevant(error: Diagnostic) -> tuple[str, ...]:
    """The parameters that may be wrong."""
    if error.code in ("E202", "E208"):
        return CHANNELS
    if error.code == "E209":
        differs = error.causes[0].differs
        if differs == (0,):
            return CHANNELS
        if differs and 0 not in differs:
            return SIZES
    return SIZES if error.code in ("E203", "E204") else (*SIZES, *CHANNELS)


def _of_node(written: Written, node: WrittenNode, error: Diagnostic, far: float) -> Iterator[Candidate]:
    """Parameters to add to a node, or to remove."""
    op = builtin_ops().get(node.op)
    block = written.blocks.get(node.op)
    fields = list(fields_of(op)) if op else [param.key for param in block.params] if block else list(PASSED_ON)
    relevant = _relevant(error)
    for key in dict.fromkeys(fields):
        entry = node.get(key)
        if entry is None and (key in relevant or (block and key not in (*SIZES, *CHANNELS))):
            for rank, text in enumerate(from_params(written, node, key) if key != "groups" else ()):
                if edit := written.add_entry(node, key, text):
                    title = f"add `{key}: {text}` to the `{node.op}` at {node.start}"
                    cost = 0.7 if text == f"${key}" else 0.9 + 0.1 * rank  # a param passed on under its own name
                    yield Candidate(cost + far, title, (edit,), setting=_setting(node, key, text))
            texts = [*usual(written, node.op, key)[:3], *(DEFAULTS.get(key, ()) if op else ())]
            for rank, text in enumerate(dict.fromkeys(texts)):
                edit = written.add_entry(node, key, text)
                own = {other.key: written.slice(other.value.span) for other in node.entries}
                like = likeness(written, node, {**own, key: text})
                if edit and not (
                    "$" in text and node.scope.block is None and "$in" not in text and "$from" not in text
                ):
                    title = f"add `{key}: {text}` to the `{node.op}` at {node.start}"
                    shrinks = 0.8 if error.code == "E204" else 0.0
                    cost = 1.4 + 0.2 * rank + shrinks + far - like
                    yield Candidate(cost, title, (edit,), setting=_setting(node, key, text))
        elif entry is not None and key in relevant and (edit := written.remove_entry(entry)):
            title = f"remove `{key}: {written.slice(entry.value.span)}` from the `{node.op}` at {node.start}"
            left = {other.key: written.slice(other.value.span) for other in node.entries if other is not entry}
            kept = 0.8 if key == "groups" else 0.0
            yield Candidate(1.8 + kept + far - likeness(written, node, left), title, (edit,))
    if "padding" in fields and node.get("padding") is None and (edit := written.add_entry(node, "padding", "half")):
        cost = 2.2 if error.code == "E204" else 1.1
        title = f"add `padding: half` to the `{node.op}` at {node.start}"
        yield Candidate(cost + far, title, (edit,), setting=_setting(node, "padding", "half"))
    if not op:
        yield from _arguments(written, node, far)
    for overlay in ("first", "last"):
        found = node.get(overlay)
        if found is not None and isinstance(found.value, Table) and (edit := written.remove_entry(found)):
            yield Candidate(2.2 + far, f"remove `{overlay}` from the repeat at {node.start}", (edit,))
    if node.get("repeat") and not node.get("first"):
        edit = written.add_entry(node, "first", "{stride: 2}")
        if edit:
            yield Candidate(1.6 + far, f"add `first: {{stride: 2}}` to the repeat at {node.start}", (edit,))


def _setting(node: WrittenNode, key: str, text: str) -> str:
    """The `setting` of a candidate: padding or a param, which several nodes may lack; empty for other values."""
    return f"{node.op} {key}: {text}" if key == "padding" or text.startswith("$") else ""


def _other_value(written: Written, entry: Entry, cause: Cause, error: Diagnostic, far: float) -> Iterator[Candidate]:
    """Other values of one parameter."""
    if cause.key == "expect":
        yield from _other_expect(written, entry, cause)
        return
    if cause.key not in _relevant(error) and entry.key not in _relevant(error):
        return
    parameter = _Parameter(written, entry, cause, error)
    for cost, text in parameter.proposals(far):
        if text != parameter.raw and parameter.raw:
            title = Question(f"`{entry.key}: {text}` at {entry.key_span}")
            weak = entry.key == "kernel" and written.values.get("kernel", Counter())[text] < 2
            edit = Edit(entry.value.span, text)
            yield Candidate(cost + parameter.surcharge(text) + far, title, (edit,), weak=weak)


@dataclass
class _Parameter:
    """A parameter as written that may be the cause of an error, and the costs of its other values."""

    written: Written
    entry: Entry
    cause: Cause
    error: Diagnostic

    @cached_property
    def raw(self) -> str:
        """The text of the value."""
        return self.written.slice(self.entry.value.span)

    @cached_property
    def node(self) -> WrittenNode | None:
        """The node that has the parameter."""
        return self.written.around(self.entry.value.span)

    @cached_property
    def number(self) -> object:
        """The value, if it is a scalar."""
        return core_scalar(self.raw) if self.raw else None

    @property
    def op(self) -> str:
        """The op of the node."""
        return self.node.op if self.node else ""

    @property
    def pools(self) -> bool:
        """Whether the node is a pooling."""
        return self.op.endswith("pool")

    def proposals(self, far: float) -> Iterator[tuple[float, str]]:
        """Other values and their costs: those that fix the shapes, params, values of similar nodes, near numbers."""
        key, error, node = self.entry.key, self.error, self.node
        for value in self.cause.values:
            natural = error.code != "E209" or value in self.written.values.get(key, {}) or _roundness(self.raw) < 3
            yield (0.9 if natural else 1.7), value
        for rank, param in enumerate(from_params(self.written, node, key)):
            yield 0.9 + 0.1 * rank, param
        padding = self.written.slice(entry.value.span) if node and (entry := node.get("padding")) else ""
        if key == "kernel" and padding.isdecimal() and int(padding):
            yield (1.3 if self.raw in ("1", "3") else 0.8), str(2 * int(padding) + 1)
        if not (error.code == "E209" and self.cause.values and self.raw.isdecimal()):  # else only one value is right
            yield from self._similar(self._base(far))
        if key == "padding":
            yield from ((1.0, "half"), (1.6, "0"), (1.6, "1"))
            if same := _keeping_size(self.written, node, self.raw, error):
                yield 0.0, same

    def _base(self, far: float) -> float:
        """The cost of another kernel: a wrong one is less likely than missing padding, unless it is an odd one out."""
        if self.entry.key != "kernel":
            return 0.0
        is_odd = bool(self.raw) and _is_odd(self.written, self.raw, self.number)
        if self.error.code == "E204" and far < 2 * FAR:
            return -0.3 if is_odd else 0.3
        return -0.4 if self.node and not self.node.get("padding") and is_odd else 0.7

    def _similar(self, base: float) -> Iterator[tuple[float, str]]:
        """Values of the same parameter elsewhere, and numbers nearby."""
        nodes = self.written.nodes
        if not self.pools or any(other.op == self.op and other is not self.node for other in nodes):
            # kernels of convolutions say nothing about poolings
            for rank, sibling in enumerate(usual(self.written, self.op, self.entry.key, self.raw)):
                yield base + 1.1 + 0.15 * rank, sibling
        if type(self.number) is int:
            yield from ((base + 1.3, str(number)) for number in _near(self.number, self.entry.key, self.op))
        elif self.raw:
            yield from ((1.4, variant) for variant in _variants(self.raw))

    def surcharge(self, text: str) -> float:
        """The additional cost of a value; below 0 if it is likelier than others."""
        key, cost = self.entry.key, 0.0
        own = self._arguments
        if self.node and own.get(key) == self.raw:
            cost -= likeness(self.written, self.node, {**own, key: text}) - self._likeness
        gain = _roundness(text) - _roundness(self.raw)
        cost += 0.25 if gain < 0 else -0.4 if gain > 2 and key == "out" else 0.0
        cost += 0.5 if key == "groups" and _roundness(self.raw) > 3 else 0.0
        cost += _kernel_cost(self.cause, text, self.pools) if key == "kernel" else 0.0
        cost += 0.5 if self.error.code == "E204" and key == "output" else 0.0
        return cost - 0.05 * (not self.pools) * min(self.written.values.get(key, Counter())[text], 4)

    @cached_property
    def _arguments(self) -> dict[str, str]:
        """The node's parameters as written."""
        entries = self.node.entries if self.node else ()
        return {entry.key: self.written.slice(entry.value.span) for entry in entries}

    @cached_property
    def _likeness(self) -> float:
        return likeness(self.written, self.node, self._arguments) if self.node else 0.0


def _keeping_size(written: Written, node: WrittenNode | None, padding: str, error: Diagnostic) -> str | None:
    """The padding that keeps the size of the map, if the author's was meant to, but the kernel is even."""
    kernel = node.get("kernel") if node else None
    half = int(raw) // 2 if kernel and (raw := written.slice(kernel.value.span)).isdecimal() else None
    settings = [
        setting for repair in error.repairs if isinstance(repair, ParameterRepair) for setting in repair.settings
    ]
    names = [setting.value for setting in settings if setting.value in ("same", "tf_same")]
    return names[0] if names and padding in ("half", str(half)) else None


def _arguments(written: Written, node: WrittenNode, far: float) -> Iterator[Candidate]:
    """Other numbers for the parameters of a block."""
    for entry in node.entries:
        raw = written.slice(entry.value.span)
        if is_node_key(entry.key) or not raw.isdecimal():
            continue
        siblings = usual(written, node.op, entry.key, raw)[:3]
        for rank, text in enumerate(dict.fromkeys([*siblings, *map(str, _near(int(raw), entry.key))])):
            gain = _roundness(text) - _roundness(raw) if entry.key == "out" else 0
            cost = 1.5 + 0.1 * rank + far + (0.25 if gain < 0 else -0.5 if gain > 2 else 0.0)
            title = Question(f"`{entry.key}: {text}` at {entry.key_span}")
            yield Candidate(cost, title, (Edit(entry.value.span, text),))


def _other_expect(written: Written, entry: Entry, cause: Cause) -> Iterator[Candidate]:
    """The inferred sizes instead of those that differ."""
    found = [size.strip() for size in cause.values[0].strip("[]").split(",")]
    items = entry.value.items if isinstance(entry.value, Listing) else ()
    expected = [written.slice(item.span) for item in items]
    if len(expected) != len(found):
        yield Candidate(1.5, Question(f"`expect: {cause.values[0]}`"), (Edit(entry.value.span, cause.values[0]),))
        return
    wrong = [at for at, (a, b) in enumerate(zip(expected, found, strict=True)) if a not in ("_", b)]
    new = [b if at in wrong else a for at, (a, b) in enumerate(zip(expected, found, strict=True))]
    # only one of height and width differs: `expect` is probably wrong
    alone = len(wrong) == 1 and (wrong != [0] or len(expected) == 1)
    text = f"[{', '.join(new)}]"
    edits = tuple(Edit(items[at].span, found[at]) for at in wrong)
    yield Candidate(0.5 if alone else 1.45 if wrong == [0] else 2.2, Question(f"`expect: {text}`"), edits)


def likeness(written: Written, node: WrittenNode, entries: dict[str, str]) -> float:
    """The similarity of a node with these entries to another one of the file: from 0 to 0.4."""
    mine = {(key, text) for key, text in entries.items() if key not in ("from", "out", "expect", "when")}
    best = 0.0
    for other in written.nodes:
        if other is node or other.op != node.op:
            continue
        theirs = {
            (entry.key, written.slice(entry.value.span))
            for entry in other.entries
            if entry.key not in ("from", "out", "expect", "when")
        }
        best = max(best, len(mine & theirs) / max(1, len(mine | theirs)))
    return 0.4 * best


def _is_odd(written: Written, kernel: str, number: object) -> bool:
    """Whether a kernel has an unusual size that occurs nowhere else in the file."""
    return type(number) is int and number not in (1, 3) and written.values["kernel"][kernel] == 1


def _kernel_cost(cause: Cause, kernel: str, pools: bool) -> float:
    """How unlikely a kernel is: even ones for a convolution, 1 for a pooling unless nothing else fits into the map."""
    if kernel == "1":
        return 1.0 if pools else -0.5 if cause.values == ("1",) else 0.0
    return 0.3 if not pools and kernel.isdecimal() and int(kernel) % 2 == 0 else 0.0


def _roundness(text: str) -> int:
    """How often a number can be halved: 256 is more likely a width than 272 or 255. Small ones count alike."""
    number = int(text) if text.isdecimal() else 0
    return 0 if number < 4 else (number & -number).bit_length()


def _near(number: int, key: str, op: str = "") -> list[int]:
    """Numbers that are easily confused with this one."""
    if key in ("out", "shape", "channels"):
        found = [number - 1, number + 1, number * 2, number // 2, number // 10, number * 10, number - 16]
    elif key == "stride":
        found = [1, 2]
    elif key in ("groups", "chunks"):
        found = [2] if key == "chunks" or op == "channel_shuffle" else []
    else:
        found = [2, 3, 1] if op.endswith("pool") else [1, 2, 3, 4]
        found += [candidate for candidate in (number - 1, number + 1, number // 2, number * 2) if candidate < LARGEST]
    return [value for value in dict.fromkeys(found) if value != number and (value > 0 or key == "padding")]


def _variants(raw: str) -> Iterator[str]:
    """An expression with one of its numbers changed."""
    for match in list(re.finditer(r"(?<![\w.$])\d+(?![\w.])", raw))[:3]:
        for number in _near(int(match[0]), "kernel")[:4]:
            yield raw[: match.start()] + str(number) + raw[match.end() :]
