"""What names mean at one point of the elaboration: params, indices, inputs and the nodes in reach."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from cnngraph.diagnostics import Cause, Diagnostic, Known, Span, Suggestion
from cnngraph.diagnostics.repairs import Repair
from cnngraph.document import Listing, Scalar, Table, Value
from cnngraph.graph.nodes import Ref
from cnngraph.graph.sizes import Sized, decide, trial, watched, watched_expression
from cnngraph.language.expressions.evaluate import ExpressionError, Reference, evaluate, parse_expression, substitute
from cnngraph.language.expressions.values import MAX_ELEMENTS, SHAPE_WORDS, Fault, ShapeValue, check_size, spend
from cnngraph.language.model import Library, Word
from cnngraph.language.names import better_name
from cnngraph.nearest import nearest
from cnngraph.tensor_type import TensorType

MOST_LISTED = 12  # names of those that are in reach


class ProblemError(Exception):
    """A mistake that ends the elaboration of one node."""

    def __init__(
        self,
        code: str,
        message: str,
        span: Span,
        *,
        notes: Iterable[str] = (),
        help: str | None = None,
        key: str = "",
        causes: Iterable[Cause] = (),
        repairs: Iterable[Repair] = (),
    ) -> None:
        super().__init__(message)
        self.diagnostic = Diagnostic(
            code,
            message,
            span,
            notes=tuple(notes),
            help=help,
            key=key,
            causes=tuple(causes),
            repairs=tuple(repairs),
        )

    def moved(self, span: Span) -> ProblemError:
        """The same error, reported where a module runs again rather than where it is written."""
        self.diagnostic = moved(self.diagnostic, span)
        return self


def moved(diagnostic: Diagnostic, span: Span) -> Diagnostic:
    """The diagnostic at another place; its own becomes a note."""
    notes = diagnostic.notes if diagnostic.span == span else (f"{diagnostic.span} runs again here", *diagnostic.notes)
    return replace(diagnostic, span=span, notes=notes)


class UnknownError(Exception):
    """What is asked for hangs on a node that failed: stay silent, its own mistake is told."""


class Tensors(NamedTuple):
    """What a node gives: one tensor, or a flat list of them."""

    refs: tuple[Ref, ...]
    is_list: bool = False


class Given(NamedTuple):
    """An evaluated word: its value, where its name and its value stand, and where the value was first written.

    The last two differ where the text is a bare `$param`. `meant` is the expression that a text may have been meant as.
    `sized` is there where the value was computed from sizes of tensors.
    """

    key_span: Span
    span: Span
    value: Any
    origin: Span
    meant: str = ""
    sized: Sized | None = None


class Row(dict[str, Any]):
    """A table's values, with the place of each in `given`."""

    given: dict[str, Given]


@dataclass(slots=True)
class Bound:
    """What a name stands for: the value (None: unknown, since it failed), and the names inside.

    `flat`: its nodes are in the scope around it, and it has no module. `rounds` are the iterations of a repeat.
    """

    value: Tensors | None
    span: Span
    path: str = ""
    names: Reach = field(default_factory=lambda: Reach())
    absent: bool = False
    unused: bool = False
    flat: bool = False
    start: int = 0
    stop: int = 0
    again: Callable[..., Bound] | None = None
    shares: str = ""  # whose module it runs
    rounds: list[Bound] = field(default_factory=list)

    def tensors(self) -> Tensors:
        """The value; raises UnknownError where there is none."""
        if self.value is None:
            raise UnknownError
        return self.value


class Reach(dict[str, Bound]):
    """The nodes in reach by name, and the rivals of each: `flat` may bring a node of the same name into a scope.

    A path that begins with such a name is ambiguous where the two differ.
    """

    __slots__ = ("later", "rivals")

    def __init__(self) -> None:
        self.rivals: dict[str, list[Bound]] | None = None  # most nodes have no names inside, let alone rivals
        self.later: Set[str] = frozenset()  # nodes of the scope that are elaborated after the one at hand

    def put(self, name: str, bound: Bound) -> None:
        """Give a node its own name in the scope."""
        known = self.get(name)
        if known is not None and known is not bound:
            self.add_rivals(name, [known])
        self[name] = bound

    def join(self, inner: Reach) -> None:
        """Bring the names inside a flat node into the scope around it."""
        spend(len(inner))
        for name, bound in inner.items():
            if self.setdefault(name, bound) is not bound:
                self.add_rivals(name, [bound])
        for name, bounds in (inner.rivals or {}).items():
            self.add_rivals(name, bounds)

    def add_rivals(self, name: str, bounds: list[Bound]) -> None:
        """Keep nodes that have the same name."""
        if self.rivals is None:
            self.rivals = {}
        self.rivals.setdefault(name, []).extend(bounds)

    def all(self, name: str) -> list[Bound]:
        """Every node of that name, the scope's own first."""
        known = self.get(name)
        if known is None:
            return []
        return [known, *self.rivals.get(name, ())] if self.rivals else [known]


class Reads(NamedTuple):
    """What a node reads: a value for each path of its `from`, with the path as written."""

    values: tuple[Tensors, ...]
    names: tuple[str, ...]
    explicit: bool

    @property
    def refs(self) -> tuple[Ref, ...]:
        """All tensors, lists spread."""
        if len(self.values) == 1:
            return self.values[0].refs
        spend(sum(len(each.refs) for each in self.values))
        return tuple(ref for each in self.values for ref in each.refs)

    @property
    def joined(self) -> Tensors:
        """The one value that inline nodes call `in`."""
        if len(self.values) == 1:
            return self.values[0]
        return Tensors(self.refs, True)

    @property
    def wire(self) -> Tensors:
        """What an absent node is: its first input."""
        return self.values[0] if self.values else Tensors((), True)


@dataclass(frozen=True, slots=True)
class Env:
    """The names in reach. `names` is filled while the scope is walked; `inputs` are `in` or the named inputs."""

    library: Library
    params: dict[str, Given]
    inputs: dict[str, Bound]
    names: Reach
    type_of: Callable[[Ref], TensorType]
    index: tuple[int, Any] | None = None
    reads: Reads | None = None

    def reading(self, reads: Reads | None) -> Env:
        """The same, where a node reads these: `$from`; None, where that differs from round to round."""
        return Env(self.library, self.params, self.inputs, self.names, self.type_of, self.index, reads)

    def round(self, index: int, item: Any, reads: Reads | None) -> Env:
        """The same in one round of a repeat: `$i`, `$item`, `$from`."""
        return Env(self.library, self.params, self.inputs, self.names, self.type_of, (index, item), reads)

    def inside(self, inputs: dict[str, Bound]) -> Env:
        """The params and indices around inline nodes, with inputs and names of their own."""
        return Env(self.library, self.params, inputs, Reach(), self.type_of, self.index)

    # -- values

    def evaluate(self, value: Value) -> Any:
        """A value of the document with its expressions evaluated. Raises ProblemError or UnknownError."""
        if isinstance(value, Scalar):
            if isinstance(value.value, str) and "$" in value.value:
                return self.expression(value.value, value.span, value.quoted)[0]
            return value.value
        if isinstance(value, Listing):
            elements = [self.evaluate(each) for each in value.items[: MAX_ELEMENTS + 1]]
            _check_size(elements, value.span)
            return elements
        row = self.row(value)
        _check_size(row, value.span)
        return row

    def row(self, table: Table) -> Row:
        """A table's values with their places."""
        given = {each.key: self.given(each.key_span, each.value) for each in table}
        row = Row({key: each.value for key, each in given.items()})
        row.given = given
        return row

    def given(self, key_span: Span, value: Value) -> Given:
        """A word's value with its place."""
        text = value.value if isinstance(value, Scalar) else None
        if isinstance(value, Scalar) and not (isinstance(text, str) and "$" in text):
            return Given(key_span, value.span, text, value.span, self.meant(text))
        evaluated, sized = self.watched(value)
        origin = self.origin(text, value.span) if isinstance(text, str) else value.span
        return Given(key_span, value.span, evaluated, origin, sized=sized)

    def watched(self, value: Value, always: bool = False) -> tuple[Any, Sized | None]:
        """A value, and what it says of sizes; a text is an expression if it has a `$`, or `always`."""
        if isinstance(value, Listing):
            elements, sized = watched(lambda: self.evaluate(value))
            if sized is not None:
                inner = (self.watched(each)[1] for each in value.items)
                sized.parts = tuple(each for each in inner if each is not None)
            return elements, sized
        if not (isinstance(value, Scalar) and isinstance(value.value, str) and (always or "$" in value.value)):
            return watched(lambda: self.evaluate(value))
        text, span, quoted = value.value, value.span, value.quoted
        result, sized = watched(lambda: self.expression(text, span, quoted)[0])
        if sized is not None:
            bare = self.bare_param(text)
            sized = bare.sized if bare else watched_expression(parse_expression(text).root, self.lookup)[1]
        return result, sized

    def meant(self, value: Any) -> str:
        """`$classes` for the text `classes`, if something is called so here."""
        name = value.partition(".")[0] if isinstance(value, str) else ""
        return f"${value}" if name and (name in self.params or name in self.inputs or name in self.names) else ""

    def always(self, value: Value, what: str) -> Any:
        """The value of a word that is always an expression, `$` or not: when, repeat. The network depends on it."""
        result, sized = self.watched(value, always=True)
        decide(sized, what, value.span)
        return result

    def decided(self, text: str, span: Span, what: str) -> Any:
        """An expression's value, on which the network depends."""
        result, sized = watched(lambda: self.expression(text, span)[0])
        decide(sized, what, span)
        return result

    def expression(self, text: str, span: Span, quoted: bool = False) -> tuple[Any, Span]:
        """An expression's value, and the place where it was first written."""
        spend(1 + len(text) // 8)
        try:
            parsed = parse_expression(text)
            value = evaluate(parsed, self.lookup)
        except ExpressionError as error:
            raise wrong_expression(error, text, span, quoted, self.names) from None
        return value, self.origin(text, span)

    def origin(self, text: str, span: Span) -> Span:
        """Where an expression's value was first written: for a bare `$param`, where that has it from."""
        bare = self.bare_param(text)
        return bare.origin if bare else span

    def bare_param(self, text: str) -> Given | None:
        """The param, if an expression is nothing but its name."""
        bare = parse_expression(text).bare_reference
        return self.params.get(bare.name) if bare and not bare.trail else None

    def text(self, word: Word) -> str:
        """A path or a name with its `$i` and `${…}` written out."""
        if "$" not in word.text:
            return word.text
        try:
            written, sized = watched(lambda: substitute(word.text, self.lookup))
            decide(sized, word.text, word.span)
            return str(written)
        except ExpressionError as error:
            raise wrong_expression(error, word.text, word.span, False, ()) from None

    def lookup(self, reference: Reference) -> tuple[Any, int]:
        """The value of `$name`, and how many of the parts behind it belong to the name."""
        name = reference.name
        if name in self.params:
            given = self.params[name]
            return given.sized.look() if given.sized else given.value, 0
        if name in ("i", "item"):
            if self.index is None:
                raise unknown_name(reference, [])
            return self.index[0 if name == "i" else 1], 0
        if name == "from":
            return self.shape_read(reference), 0
        bounds = [self.inputs[name]] if name in self.inputs else self.names.all(name)
        found = [self.shape_within(bound, reference) for bound in bounds]
        for length in range(1, len(reference.trail)):
            for bound in self.names.all(".".join((name, *reference.trail[:length]))):
                shape, used = self.shape_within(bound, replace(reference, trail=reference.trail[length:]))
                found.append((shape, used + length))
        if not found:
            if name in self.names.later:
                raise ExpressionError(*too_late(name, reference.start, reference.end))
            raise unknown_name(reference, [*self.params, *self.inputs, *self.names], in_round=self.index is not None)
        readable = [each for each in found if _has_sizes(*each, reference)] or found[:1]
        if any(each != readable[0] for each in readable):
            raise ambiguous_shape(reference)
        return readable[0]

    def shape_read(self, reference: Reference) -> ShapeValue:
        """`$from`."""
        if self.reads is None:
            message = "there is no $from here: it is what a node reads"
            help = "where each round reads something of its own, $from is known in the rounds alone"
            raise ExpressionError(message, reference.start, reference.end, code="E402", help=help)
        return self.shape(self.reads.joined)

    def shape_within(self, bound: Bound, reference: Reference) -> tuple[ShapeValue, int]:
        """`$block.conv.channels`: the shape of a node reached by a path."""
        used = 0
        for part in reference.trail:
            if part not in bound.names or (part in SHAPE_WORDS and used + 1 == len(reference.trail)):
                break
            inner = bound.names[part]
            if part.isdecimal() and self.is_other_tensor(bound, int(part), inner, reference.trail[used + 1 :]):
                raise ambiguous_shape(reference)
            bound = inner
            used += 1
        return self.shape(bound.tensors()), used

    def is_other_tensor(self, bound: Bound, number: int, inner: Bound, rest: tuple[str, ...]) -> bool:
        """Whether a number is both a node inside and, with another shape, a tensor of the list that the node gives."""
        value = bound.value
        goes_on = rest and (
            rest[0] in inner.names or rest[0].isdecimal()
        )  # inside the node, where a tensor has nothing
        if value is None or not value.is_list or number >= len(value.refs) or goes_on:
            return False
        return self.shape(inner.tensors()).type != self.type_of(value.refs[number])

    def shape(self, tensors: Tensors) -> ShapeValue:
        """The shape of a value."""
        tried = trial.get()
        type_of = tried.type_of if tried else self.type_of
        types = tuple(type_of(ref) for ref in tensors.refs)
        return ShapeValue(types if tensors.is_list else types[0], tensors.refs)


def _check_size(made: list[Any] | Row, span: Span) -> None:
    """Refuse what would take too long to go through: a few lines can name a list twice over and over."""
    try:
        check_size(made)
    except Fault as fault:
        raise ProblemError(fault.code, fault.message, span, help=fault.help) from None


def wrong_expression(error: ExpressionError, text: str, span: Span, quoted: bool, names: Iterable[str]) -> ProblemError:
    """What is wrong with an expression, at its place; `names` are those of the nodes in reach."""
    hyphened = next((each for each in names if "-" in each and f"${each}" in text), None)
    help = f"a hyphen is minus here: read {hyphened} by from, and say $from for it" if hyphened else error.help
    return ProblemError(error.code, error.message, _part_of(span, error, quoted), help=help)


def _part_of(span: Span, error: ExpressionError, quoted: bool) -> Span:
    """The part of an expression's place that an error is about."""
    if span.line != span.end_line:
        return span
    column = span.column + quoted
    return replace(span, column=column + error.start, end_column=max(column + error.end, column + error.start + 1))


def bad_name(name: str, reason: str, span: Span) -> ProblemError:
    """A node's name that no module can have."""
    return ProblemError("E302", f"{name} cannot be a node's name: {reason}", span, help=f"say {better_name(name)}")


def _has_sizes(shape: ShapeValue, used: int, reference: Reference) -> bool:
    """Whether what follows a path can be asked of the tensor that it leads to."""
    rest = reference.trail[used:]
    return not rest or rest[0] in SHAPE_WORDS or (rest[0].isdecimal() and isinstance(shape.type, tuple))


NOT_KNOWN_YET = "it is defined further down and reads this node, or the path to it depends on a shape"


def too_late(name: str, start: int, end: int) -> tuple[str, int, int, str, str]:
    """What an ExpressionError says of a node that is elaborated later."""
    return f"${name} is not known yet where this node asks for it", start, end, NOT_KNOWN_YET, "E315"


def ambiguous_shape(reference: Reference) -> ExpressionError:
    """A path in an expression leads to tensors of different shapes."""
    message = f"{reference} is ambiguous: it leads to tensors of different shapes"
    help = "write [0] for a tensor of a list, as in $x[0].channels, or give one of the nodes another name"
    return ExpressionError(message, reference.start, reference.end, help, "E319")


def unknown_name(reference: Reference, known: list[str], in_round: bool = False) -> ExpressionError:
    """`$name` means nothing here."""
    name = reference.name
    start, end = reference.start, reference.end
    if name in ("i", "item") and not in_round:
        message = f"there is no ${name} here: it is known in the rounds of a repeat only"
        help = "rows, when, name and what is carried are read once, before the rounds; the node's words in each"
        return ExpressionError(message, start, end, help=help, code="E402")
    near = nearest(name, [*known, *(("i", "item") if in_round else ())])
    help = Suggestion(f"${near}") if near else _known(known)
    return ExpressionError(f"${name} is not known here", start, end, help=help, code="E402")


def _known(known: list[str]) -> Known:
    names = [f"${name}" for name in known]
    return Known.listed("known here:", names, MOST_LISTED) if names else Known("no names are known here")


def in_reach(options: Iterable[str]) -> Known:
    """The names that a path may begin with, some of them."""
    return Known.listed("in reach:", options, MOST_LISTED)
