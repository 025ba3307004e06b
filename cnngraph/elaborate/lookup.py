"""Resolves names during elaboration and evaluates expressions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from cnngraph.diagnostics import Span
from cnngraph.document import Listing, Scalar, Table, Value
from cnngraph.elaborate.file_scope import FileScope
from cnngraph.elaborate.messages import (
    ProblemError,
    ambiguous_shape,
    no_number,
    too_late,
    unknown_name,
    wrong_expression,
)
from cnngraph.elaborate.shifts import shifted_shape
from cnngraph.elaborate.values import Argument, Bound, Reads, Row, Tensors, VisibleNodes
from cnngraph.frozen import frozen
from cnngraph.graph.nodes import Ref
from cnngraph.graph.sizes import Sized, decide, trial, watched, watched_expression
from cnngraph.language.expressions.evaluate import ExpressionError, Reference, evaluate, parse_expression, substitute
from cnngraph.language.expressions.values import (
    MAX_ELEMENTS,
    SHAPE_ATTRIBUTES,
    Fault,
    ShapeValue,
    check_size,
    count_steps,
)
from cnngraph.language.model import Library, LocatedText
from cnngraph.tensor_type import TensorType

MOST_LISTED = 12  # available names in a message


@frozen
class Env:
    """The visible names. `names` is filled while the scope is walked; `inputs` are `in` or the named inputs.

    `library` and `params` are those of the block, or of the `file` outside of blocks.
    """

    library: Library
    params: dict[str, Argument]
    inputs: dict[str, Bound]
    names: VisibleNodes
    type_of: Callable[[Ref], TensorType]
    file: FileScope
    index: tuple[int, Any] | None = None
    reads: Reads | None = None

    def reading(self, reads: Reads | None) -> Env:
        """The environment with `$from`; None if it differs between iterations."""
        return Env(self.library, self.params, self.inputs, self.names, self.type_of, self.file, self.index, reads)

    def iteration(self, index: int, item: Any, reads: Reads | None) -> Env:
        """The environment of one iteration, with `$i`, `$item` and `$from`."""
        return Env(self.library, self.params, self.inputs, self.names, self.type_of, self.file, (index, item), reads)

    def inside(self, inputs: dict[str, Bound]) -> Env:
        """The environment of inline nodes: the outer params and indices, but new inputs and names."""
        return Env(self.library, self.params, inputs, VisibleNodes(), self.type_of, self.file, self.index)

    # -- values

    def evaluate(self, value: Value) -> Any:
        """Evaluate the expressions in a document value. Raises ProblemError or UnknownError."""
        if isinstance(value, Scalar):
            if isinstance(value.value, str) and "$" in value.value:
                return self.expression(value.value, value.span, value.quoted)[0]
            return value.value
        if isinstance(value, Listing):
            elements = [self.evaluate(item) for item in value.items[: MAX_ELEMENTS + 1]]
            _check_size(elements, value.span)
            return elements
        row = self.row(value)
        _check_size(row, value.span)
        return row

    def row(self, table: Table) -> Row:
        """Evaluate a mapping, keeping the locations of its values."""
        cells = {entry.key: self.argument(entry.key_span, entry.value) for entry in table}
        row = Row({key: cell.value for key, cell in cells.items()})
        row.cells = cells
        return row

    def argument(self, key_span: Span, value: Value) -> Argument:
        """Evaluate an argument, keeping the location of its value."""
        text = value.value if isinstance(value, Scalar) else None
        if isinstance(value, Scalar) and not (isinstance(text, str) and "$" in text):
            return Argument(key_span, value.span, text, value.span, self.as_expression(text))
        evaluated, sized = self.watched(value)
        origin = self.origin(text, value.span) if isinstance(text, str) else value.span
        return Argument(key_span, value.span, evaluated, origin, sized=sized)

    def watched(self, value: Value, always: bool = False) -> tuple[Any, Sized | None]:
        """Evaluate a value and record the sizes it depends on. With `always`, any string is an expression."""
        if isinstance(value, Listing):
            elements, sized = watched(lambda: self.evaluate(value))
            if sized is not None:
                inner = (self.watched(item)[1] for item in value.items)
                sized.parts = tuple(part for part in inner if part is not None)
            return elements, sized
        if not (isinstance(value, Scalar) and isinstance(value.value, str) and (always or "$" in value.value)):
            return watched(lambda: self.evaluate(value))
        text, span, quoted = value.value, value.span, value.quoted
        result, sized = watched(lambda: self.expression(text, span, quoted)[0])
        if sized is not None:
            bare = self.bare_param(text)
            sized = bare.sized if bare else watched_expression(parse_expression(text).root, self.lookup)[1]
        return result, sized

    def as_expression(self, value: Any) -> str:
        """`$classes` for the string `classes`, if that name is defined here."""
        name = value.partition(".")[0] if isinstance(value, str) else ""
        return f"${value}" if name and (name in self.params or name in self.inputs or name in self.names) else ""

    def always(self, value: Value, what: str) -> Any:
        """The value of `when` or `repeat`, an expression even without `$`, which decides the network's structure."""
        result, sized = self.watched(value, always=True)
        decide(sized, what, value.span)
        return result

    def decided(self, text: str, span: Span, what: str) -> Any:
        """The value of an expression that decides the network's structure."""
        result, sized = watched(lambda: self.expression(text, span)[0])
        decide(sized, what, span)
        return result

    def expression(self, text: str, span: Span, quoted: bool = False) -> tuple[Any, Span]:
        """The value of an expression, and the location where it was first written."""
        count_steps(1 + len(text) // 8)
        try:
            parsed = parse_expression(text)
            value = evaluate(parsed, self.lookup)
        except ExpressionError as error:
            raise wrong_expression(error, text, span, quoted, self.names) from None
        return value, self.origin(text, span)

    def origin(self, text: str, span: Span) -> Span:
        """Where a value was first written: for a bare `$param`, where the param's value was."""
        bare = self.bare_param(text)
        return bare.origin if bare else span

    def bare_param(self, text: str) -> Argument | None:
        """The param, if the expression is a bare `$param`."""
        bare = parse_expression(text).bare_reference
        return self.params.get(bare.name) if bare and not bare.trail else None

    def text(self, written: LocatedText) -> str:
        """A path or a name with its `$i` and `${…}` written out."""
        if "$" not in written.text:
            return written.text
        try:
            value, sized = watched(lambda: substitute(written.text, self.lookup))
            decide(sized, written.text, written.span)
            return str(value)
        except ExpressionError as error:
            raise wrong_expression(error, written.text, written.span, False, ()) from None

    def lookup(self, reference: Reference) -> tuple[Any, int]:
        """The value of `$name`, and how many parts of its trail belong to the path of a node."""
        name = reference.name
        if name in self.params:
            argument = self.params[name]
            return argument.sized.current_value() if argument.sized else argument.value, 0
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
            raise unknown_name(reference, [*self.params, *self.inputs, *self.names], in_repeat=self.index is not None)
        readable = [match for match in found if _has_sizes(*match, reference)] or found[:1]
        if any(match != readable[0] for match in readable):
            raise ambiguous_shape(reference)
        return readable[0]

    def shape_read(self, reference: Reference) -> ShapeValue:
        """The value of `$from`."""
        if self.reads is None:
            message = "`$from` is not available here; it is the input of a node"
            help = "where iterations read different inputs, `$from` is only available inside the repeat"
            raise ExpressionError(message, reference.start, reference.end, code="E402", help=help)
        return self.shape(self.reads.joined)

    def shape_within(self, bound: Bound, reference: Reference) -> tuple[ShapeValue, int]:
        """`$block.conv.channels`: the shape of a node reached by a path."""
        used = 0
        for part in reference.trail:
            if part not in bound.names or (part in SHAPE_ATTRIBUTES and used + 1 == len(reference.trail)):
                break
            inner = bound.names[part]
            if shift := bound.shifts.get(part):
                rest = reference.trail[used + 1 :]
                if shift.inside if rest and rest[0] in inner.names else shift.alone:
                    raise shifted_shape(reference, used + 1, shift)
            bound = inner
            used += 1
        if used < len(reference.trail) and reference.trail[used].isdecimal() and bound.is_numbered:
            raise no_number(reference, used)
        return self.shape(bound.tensors()), used

    def shape(self, tensors: Tensors) -> ShapeValue:
        """The shape of a node's value."""
        tried = trial.get()
        type_of = tried.type_of if tried else self.type_of
        types = tuple(type_of(ref) for ref in tensors.refs)
        return ShapeValue(types if tensors.is_list else types[0], tensors.refs)


def _check_size(made: list[Any] | Row, span: Span) -> None:
    """Raise ProblemError for a value that is too large: a few lines can double a list again and again."""
    try:
        check_size(made)
    except Fault as fault:
        raise ProblemError(fault.code, fault.message, span, help=fault.help) from None


def _has_sizes(shape: ShapeValue, used: int, reference: Reference) -> bool:
    """Whether the rest of a reference is a valid member of the tensor that its path leads to."""
    rest = reference.trail[used:]
    return not rest or rest[0] in SHAPE_ATTRIBUTES or (rest[0].isdecimal() and isinstance(shape.type, tuple))
