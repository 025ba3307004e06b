"""Resolves paths: through the names of a scope, the nodes inside a node, and the tensors of a list."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from cnngraph.diagnostics import did_you_mean
from cnngraph.elaborate.lookup import Env
from cnngraph.elaborate.messages import BREAK_CYCLE, NOT_KNOWN_YET, ProblemError, UnknownError, names_available
from cnngraph.elaborate.values import Bound, Tensors
from cnngraph.language.model import LocatedText
from cnngraph.language.names import heads
from cnngraph.text import in_backticks

MAX_MEANINGS = 50  # of one path; several different ones are an error


def find(env: Env, path: LocatedText) -> Bound:
    """What a path refers to. Raises ProblemError if it refers to nothing, or to different tensors."""
    text = env.text(path)
    search = _Search(env, path, text)
    for head in heads(text):
        rest = text[len(head) + 1 :].split(".") if len(head) < len(text) else []
        for bound in [env.inputs[head]] if head in env.inputs else env.names.all(head):
            search.walk(bound, rest, head)
    return search.result()


class _Meaning(NamedTuple):
    """One interpretation of a path. `text` describes it in a message; `is_tensor`: it is one tensor of a list."""

    bound: Bound
    text: str
    is_tensor: bool = False


@dataclass(slots=True)
class _Search:
    """Follows all interpretations of a path.

    A number in a path is a node inside, or else a tensor of the node's list.
    """

    env: Env
    path: LocatedText
    text: str
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
            self.found.append(_Meaning(bound, f"{kind} `{path}` at {bound.span}"))
            return
        before = len(self.found), len(self.problems), self.unknown
        for length in range(len(rest), 0, -1):
            name = ".".join(rest[:length])
            for inner in bound.names.all(name):
                self.walk(inner, rest[length:], f"{reached}.{name}")
        part = rest[0]
        if part.isdecimal():
            self.number(bound, int(part), rest, reached)
        if (len(self.found), len(self.problems), self.unknown) == before:
            self.missing_inside(bound, part, reached)

    def number(self, bound: Bound, number: int, rest: list[str], reached: str) -> None:
        """A tensor of a list; an input with a single tensor counts as a list of one."""
        if bound.value is None:
            self.unknown = self.unknown or rest[0] not in bound.names
            return
        tensors = bound.value
        if tensors.is_list or reached in self.env.inputs:
            if number < len(tensors.refs):
                part = Bound(Tensors((tensors.refs[number],)), self.path.span)
                if len(rest) == 1:
                    self.found.append(_Meaning(part, f"tensor {number} of the list `{reached}`", is_tensor=True))
                else:
                    self.walk(part, rest[1:], f"{reached}.{number}")
            elif rest[0] not in bound.names and not (bound.absent and not tensors.refs):
                self.problems.append(self.out_of_range(len(tensors.refs), reached))
        elif rest[0] not in bound.names and number < len(bound.iterations) and bound.iterations[number].flat:
            # a flat iteration has no number of its own
            self.walk(bound.iterations[number], rest[1:], f"{reached}.{number}")

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
        tensors = {0: "no tensors", 1: f"one tensor, `{reached}.0`"}.get(
            count, f"{count} tensors, numbered 0 to {count - 1}"
        )
        return ProblemError("E301", f"`{reached}` is a list of {tensors}", self.path.span)

    def no_node(self) -> ProblemError:
        """The error for a path whose first name is unknown."""
        head = self.text.partition(".")[0]
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
        help = "rename one of these nodes"
        if other.is_tensor:
            base = self.text.rpartition(".")[0]
            copy = f"`{{op: identity, from: {base}}}`"
            naming = f"name the nodes in `{base}` (in a repeat, `name: path1`)"
            help = f"{naming}, or give the list of tensors another name: {copy}"
        return ProblemError(
            "E319",
            f"`{self.text}` is ambiguous",
            self.path.span,
            notes=(f"it refers to {first.text}", f"and to {other.text}"),
            help=help,
        )
