"""Resolves paths: through the names of a scope and the nodes inside a node, to a tensor of a list.

`x[1]` is tensor 1 of a list, `x[1:]` a list without its first tensor, and `x.1` the node 1 inside x. Version 1.0 of the
language had only `x.1`, which still is the tensor where the nodes inside x have no numbers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from cnngraph.diagnostics import did_you_mean
from cnngraph.elaborate.lookup import Env
from cnngraph.elaborate.messages import (
    BREAK_CYCLE,
    NOT_KNOWN_YET,
    ProblemError,
    UnknownError,
    names_available,
)
from cnngraph.elaborate.shifts import Shift, shifted
from cnngraph.elaborate.values import Bound, Reads, Tensors
from cnngraph.language.expressions.values import count_steps
from cnngraph.language.model import LocatedText
from cnngraph.language.names import first_name, heads, tensor_path, without_index
from cnngraph.text import in_backticks

INDEX = re.compile(r"\[-?[0-9]{1,6}\]")
SLICE = re.compile(r"\[(-?[0-9]{1,6})?:(-?[0-9]{1,6})?(?::(-?[0-9]{1,6})?)?\]")
MAX_MEANINGS = 50  # of one path; several different ones are an error


def find(env: Env, path: LocatedText) -> Bound:
    """What a path refers to. Raises ProblemError if it refers to nothing, or to different tensors."""
    written = env.text(path)
    text = without_index(written)
    search = _Search(env, path, text, _index(written, text, path))
    for head in heads(text):
        rest = text[len(head) + 1 :].split(".") if len(head) < len(text) else []
        for bound in [env.inputs[head]] if head in env.inputs else env.names.all(head):
            search.walk(bound, rest, head)
    return search.result()


def known_reads(env: Env, paths: Sequence[LocatedText] | None) -> Reads:
    """What those of the paths in `from` refer to that are known, for a node with an error."""
    found = []
    for path in paths or ():
        try:
            found.append(find(env, path).tensors())
        except (ProblemError, UnknownError):
            continue
    return Reads(tuple(found), (), True)


def _index(written: str, head: str, path: LocatedText) -> int | slice | None:
    """The index or slice at the end of a path; None for a path without one. Raises ProblemError if it is malformed."""
    index = written[len(head) :]
    if not index:
        return None
    if INDEX.fullmatch(index):
        return int(index[1:-1])
    if found := SLICE.fullmatch(index):
        start, stop, step = (int(bound) if bound else None for bound in found.groups())
        if step == 0:
            raise ProblemError("E301", f"the step in `{written}` must not be 0", path.span)
        return slice(start, stop, step)
    help = "write an integer, a slice or an expression in brackets at the end of the path: `x[0]`, `x[1:]`, `x[$i]`"
    if found := re.match(r"\[(\d+)\]\.", index):
        help = f"a tensor contains no nodes; write `{head}.{found[1]}` for the node {found[1]} inside `{head}`"
    raise ProblemError("E301", f"`{written}` is not a path", path.span, help=help)


class _Meaning(NamedTuple):
    """One interpretation of a path. `text` describes it in a message."""

    bound: Bound
    text: str


@dataclass(slots=True, eq=False, repr=False)
class _Search:
    """Follows all interpretations of a path, of which `text` is all but the `index` at its end."""

    env: Env
    path: LocatedText
    text: str
    index: int | slice | None
    found: list[_Meaning] = field(default_factory=list)
    problems: list[ProblemError] = field(default_factory=list)
    unknown: bool = False  # a node on the way has an error

    def result(self) -> Bound:
        """The one result; raises ProblemError for none or several."""
        if not self.found:
            if self.unknown:
                raise UnknownError
            raise self.problems[0] if self.problems else self.no_node()
        first, *others = (meaning.bound for meaning in self.found)
        for bound in others:
            if first.value is not None and bound.value is not None and bound.value.refs != first.value.refs:
                raise self.ambiguous()
        return first

    def walk(self, bound: Bound, rest: list[str], reached: str) -> None:
        """Follow the remaining parts, through names inside nodes and indices of lists."""
        if len(self.found) == MAX_MEANINGS:
            return
        if not rest:
            kind = "the value of the flat node" if bound.flat else "the node"
            path = reached if bound.flat else bound.path or reached
            if isinstance(self.index, slice):
                self.tensors(bound, self.index, reached)
            elif self.index is not None:
                self.tensor(bound, self.index, reached)
            else:
                self.found.append(_Meaning(bound, f"{kind} `{path}` at {bound.span}"))
            return
        before = len(self.found), len(self.problems), self.unknown
        for length in range(len(rest), 0, -1):
            name = ".".join(rest[:length])
            for inner in bound.names.all(name):
                self.walk(inner, rest[length:], f"{reached}.{name}")
        part = rest[0]
        if (shift := bound.shifts.get(part)) and self.is_shifted(shift, bound, rest):
            raise shifted(f"{reached}.{part}", reached, shift, self.path.span)
        if part.isdecimal() and part not in bound.names:
            self.number(bound, int(part), rest, reached)
        if (len(self.found), len(self.problems), self.unknown) == before:
            self.missing_inside(bound, part, reached)

    def is_shifted(self, shift: Shift, bound: Bound, rest: list[str]) -> bool:
        """Whether a path that goes through this number meant something else before absent iterations were counted.

        Another file cannot name the iterations, and reads the paths that `show` prints.
        """
        if self.index is not None or bound.span.source != self.path.span.source:
            return False
        return shift.inside if len(rest) > 1 else shift.alone

    def number(self, bound: Bound, number: int, rest: list[str], reached: str) -> None:
        """A number that is no node inside: a tensor of a list, if the nodes inside have no numbers."""
        if bound.value is None:
            self.unknown = True
        elif bound.is_numbered:
            self.problems.append(self.no_number(bound, number, reached))
        elif bound.value.is_list or reached in self.env.inputs:
            self.tensor(bound, number, reached, rest[1:])
        elif number < len(bound.iterations) and bound.iterations[number].flat:
            # a flat iteration has no number of its own
            self.walk(bound.iterations[number], rest[1:], f"{reached}.{number}")

    def tensor(self, bound: Bound, index: int, reached: str, rest: Sequence[str] = ()) -> None:
        """A tensor of a list; an input of the scope with a single tensor counts as a list of one."""
        if bound.value is None:
            self.unknown = True
            return
        refs, path = bound.value.refs, tensor_path(reached, index)
        if not (bound.value.is_list or reached in self.env.inputs):
            self.problems.append(self.no_list(bound, reached))
        elif -len(refs) <= index < len(refs):
            part = Bound(Tensors((refs[index],)), self.path.span, unused=bound.unused)
            if rest:
                self.missing_inside(part, rest[0], path)
            else:
                self.found.append(_Meaning(part, f"tensor {index} of the list `{reached}`"))
        elif refs or not bound.absent:
            self.problems.append(self.out_of_range(len(refs), reached))

    def tensors(self, bound: Bound, part: slice, reached: str) -> None:
        """A part of a list."""
        if bound.value is None:
            self.unknown = True
        elif not (bound.value.is_list or reached in self.env.inputs):
            self.problems.append(self.no_list(bound, reached))
        else:
            count_steps(len(bound.value.refs))
            chosen = Tensors(bound.value.refs[part], True)
            self.found.append(_Meaning(Bound(chosen, self.path.span, unused=bound.unused), f"a part of `{reached}`"))

    def no_number(self, bound: Bound, number: int, reached: str) -> ProblemError:
        """The error for a number that is no node, in a node whose nodes are numbered."""
        help: str = names_available(bound.names)
        if bound.value is not None and bound.value.is_list and number < len(bound.value.refs):
            help = f"write `{tensor_path(reached, number)}` for tensor {number} of its list"
        return ProblemError("E301", f"`{reached}` contains no node `{number}`", self.path.span, help=help)

    def no_list(self, bound: Bound, reached: str) -> ProblemError:
        """The error for the index of a single tensor."""
        help = f"write `{reached}`"
        if bound.iterations:
            help = f"write `{reached}.0` for an iteration, or add `gives: all` to `{reached}`"
        message = f"`{reached}` is a single tensor, not a list"
        return ProblemError("E301", message, self.path.span, help=help)

    def missing_inside(self, bound: Bound, part: str, reached: str) -> None:
        """The error for a name that does not exist inside a node."""
        span = self.path.span
        if bound.absent:
            message = f"`{reached}` is absent here, so nothing inside it can be read"
            problem = ProblemError("E304", message, span, notes=(f"its `when` at {bound.span} is false",))
        elif bound.value is None:
            self.unknown = True
            return
        elif not bound.names:
            problem = ProblemError("E301", f"`{reached}` is a single operation and contains no `{part}`", span)
        else:
            help = did_you_mean(part, bound.names)
            problem = ProblemError(
                "E301", f"`{reached}` contains no `{part}`", span, help=help or names_available(bound.names)
            )
        self.problems.append(problem)

    def out_of_range(self, count: int, reached: str) -> ProblemError:
        tensors = {0: "no tensors", 1: f"one tensor, `{tensor_path(reached, 0)}`"}.get(
            count, f"{count} tensors, numbered 0 to {count - 1}"
        )
        return ProblemError("E301", f"`{reached}` is a list of {tensors}", self.path.span)

    def no_node(self) -> ProblemError:
        """The error for a path whose first name is unknown."""
        head = first_name(self.text)
        if later := next((name for name in heads(self.text) if name in self.env.names.later), None):
            if later == self.env.names.current:
                return ProblemError("E315", f"`{later}` reads itself", self.path.span, help=BREAK_CYCLE)
            message = f"`{later}` is not known yet when this node reads it"
            return ProblemError("E315", message, self.path.span, help=NOT_KNOWN_YET)
        options = [*self.env.inputs, *self.env.names]
        help: str = did_you_mean(head, options) or names_available(options)
        if head == "in" and self.env.inputs:
            help = f"name one of the inputs: {in_backticks(self.env.inputs, ' or ')}"
        return ProblemError("E301", f"there is no node `{head}` here", self.path.span, help=help)

    def ambiguous(self) -> ProblemError:
        """The error for a path with two different interpretations."""
        first, *others = self.found
        value = first.bound.value
        other = next(found for found in others if value and found.bound.value and found.bound.value != value)
        return ProblemError(
            "E319",
            f"`{self.text}` is ambiguous",
            self.path.span,
            notes=(f"it refers to {first.text}", f"and to {other.text}"),
            help="rename one of these nodes",
        )
