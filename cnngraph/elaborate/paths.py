"""Resolves paths: through the names of a scope, the nodes inside a node, and the tensors of a list."""

from __future__ import annotations

from dataclasses import dataclass, field

from cnngraph.diagnostics import did_you_mean
from cnngraph.elaborate.lookup import Env
from cnngraph.elaborate.messages import NOT_KNOWN_YET, ProblemError, UnknownError, in_reach
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


@dataclass(slots=True)
class _Search:
    """Follows all interpretations of a path.

    A number in a path is a node inside, or else a tensor of the node's list.
    """

    env: Env
    path: LocatedText
    text: str
    found: list[tuple[Bound, str]] = field(default_factory=list)  # each with its description in a message
    problems: list[ProblemError] = field(default_factory=list)
    unknown: bool = False  # a node on the way has an error

    def result(self) -> Bound:
        """The one result; raises ProblemError for none or several."""
        if not self.found:
            if self.unknown:
                raise UnknownError
            raise self.problems[0] if self.problems else self.no_node()
        (first, _), *others = self.found
        for bound, _ in others:
            if first.value is not None and bound.value is not None and bound.value.refs != first.value.refs:
                raise self.ambiguous()
        return first

    def walk(self, bound: Bound, rest: list[str], reached: str) -> None:
        """Follow the remaining parts, through names inside nodes and indices of lists."""
        if len(self.found) == MAX_MEANINGS:
            return
        if not rest:
            kind = "the value of the flat node" if bound.flat else "the node"
            self.found.append((bound, f"{kind} `{reached if bound.flat else bound.path or reached}` at {bound.span}"))
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
            self.nothing(bound, part, reached)

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
                    self.found.append((part, f"tensor {number} of the list `{reached}`"))
                else:
                    self.walk(part, rest[1:], f"{reached}.{number}")
            elif rest[0] not in bound.names and not (bound.absent and not tensors.refs):
                self.problems.append(self.out_of_range(len(tensors.refs), reached))
        elif rest[0] not in bound.names and number < len(bound.iterations) and bound.iterations[number].flat:
            self.walk(
                bound.iterations[number], rest[1:], f"{reached}.{number}"
            )  # a flat iteration has no number of its own

    def nothing(self, bound: Bound, part: str, reached: str) -> None:
        """The error for a name that does not exist inside a node."""
        span = self.path.span
        if bound.absent:
            message = f"`{reached}` is absent here, so nothing inside it can be read"
            problem = ProblemError("E304", message, span, notes=(f"its `when` at {bound.span} is false",))
        elif bound.value is None:
            self.unknown = True
            return
        elif not bound.names:
            problem = ProblemError("E301", f"`{reached}` is a single operation, it contains no `{part}`", span)
        else:
            help = did_you_mean(part, bound.names)
            problem = ProblemError(
                "E301", f"`{reached}` contains no `{part}`", span, help=help or in_reach(bound.names)
            )
        self.problems.append(problem)

    def out_of_range(self, count: int, reached: str) -> ProblemError:
        tensors = {0: "no tensors", 1: f"one tensor, `{reached}.0`"}.get(count, f"{count} tensors, 0 to {count - 1}")
        return ProblemError("E301", f"`{reached}` is a list of {tensors}", self.path.span)

    def no_node(self) -> ProblemError:
        """The error for a path whose first name is unknown."""
        head = self.text.partition(".")[0]
        if later := next((name for name in heads(self.text) if name in self.env.names.later), None):
            message = f"`{later}` is not known yet when this node reads it"
            return ProblemError("E315", message, self.path.span, help=NOT_KNOWN_YET)
        options = [*self.env.inputs, *self.env.names]
        help: str = did_you_mean(head, options) or in_reach(options)
        if head == "in" and self.env.inputs:
            help = f"name one of the inputs: {in_backticks(self.env.inputs, ' or ')}"
        return ProblemError("E301", f"there is no node `{head}` here", self.path.span, help=help)

    def ambiguous(self) -> ProblemError:
        """The error for a path with two different interpretations."""
        (first, what), *others = self.found
        other = next(meaning for bound, meaning in others if bound.value and first.value and bound.value != first.value)
        help = "rename one of these nodes"
        if other.startswith("tensor "):
            base = self.text.rpartition(".")[0]
            help = (
                f"name the nodes in `{base}` (in a repeat, `name: path1`), or give the list of tensors another name: "
            )
            help += f"`{{op: identity, from: {base}}}`"
        return ProblemError(
            "E319",
            f"`{self.text}` is ambiguous",
            self.path.span,
            notes=(f"it refers to {what}", f"and to {other}"),
            help=help,
        )
