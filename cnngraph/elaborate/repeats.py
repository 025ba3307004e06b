"""Repeats: the rounds of a node, each reading what `carry` says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from cnngraph.document import Value
from cnngraph.elaborate.budget import Budget
from cnngraph.elaborate.expect import compare_sizes
from cnngraph.elaborate.lookup import Env
from cnngraph.elaborate.messages import ProblemError
from cnngraph.elaborate.module_paths import Level, Place, Slot, module_tree
from cnngraph.elaborate.nodes import Maker
from cnngraph.elaborate.values import Bound, Given, Reads, Row, Tensors
from cnngraph.fields import FieldError, Int, show_value
from cnngraph.graph.nodes import Input, Ref, Scope
from cnngraph.graph.sizes import decide
from cnngraph.language.expressions.values import spend
from cnngraph.language.model import BlockSpec, NodeSpec, Word

DIGITS = "0123456789"


class Walker(Protocol):
    """What a repeat needs of the walk around it."""

    budget: Budget
    maker: Maker

    def reads(self, child: NodeSpec, env: Env, before: tuple[Bound | None, str]) -> Reads:
        """What a node reads."""

    def absent(self, child: NodeSpec, env: Env, reads: Reads) -> Bound:
        """What a node is whose `when` is false."""

    def body(self, child: NodeSpec, overlay: dict[str, Given], reads: Reads, env: Env, place: Place) -> Bound:
        """The op, block or nodes of a node."""


def repeat(walker: Walker, child: NodeSpec, env: Env, reads: Reads, place: Place, block: BlockSpec | None) -> Bound:
    """The iterations of a repeat, under a level of their own unless it is flat."""
    assert child.repeat is not None
    items = _items(walker, child.repeat.count, env)
    if not items:
        return Bound(reads.wire, child.span, absent=True)
    return _Repeat(walker, child, env, reads, place, items).run(block)


@dataclass(slots=True)
class _Repeat:
    """One repeat while it is elaborated: `items` is what `$item` is in each iteration."""

    walker: Walker
    child: NodeSpec
    env: Env
    reads: Reads
    place: Place
    items: list[Any]
    slot: Slot = field(default_factory=list)
    level: Level = field(init=False)
    bound: Bound = field(init=False)
    so_far: tuple[Ref, ...] = ()  # the tensors that `carry: concat` concatenates
    joined: Tensors | None = None  # their concatenation; an absent iteration leaves it to the next

    def run(self, block: BlockSpec | None) -> Bound:
        """All iterations, and the node or scope that they make."""
        child, maker = self.child, self.walker.maker
        start = len(maker.nodes)
        if child.flat:
            self.level = self.place.level
            self.place.slot.append(self.slot)
            if self.concat_has_its_name:
                self.place.take()  # so no iteration may
        else:
            self.level = Level(self.place.take())
        self.bound = Bound(None, child.span, self.level.path, flat=child.flat, start=start)
        self.bound.value = self.iterations()
        if self.carry == "concat" and self.bound.value is not None:
            refs = self.bound.value.refs
            self.bound.value = Tensors(refs) if len(refs) == 1 else self.concat(refs, self.concat_path())
        self.bound.stop = len(maker.nodes)
        if not child.flat and self.bound.stop > start:
            self.place.slot.append(self.scope(block))
        walker, env = self.walker, self.env
        self.bound.again = lambda reads, place: _again(walker, child, env.reading(reads), reads, place, block)
        return self.bound

    @property
    def carry(self) -> str:
        """What the next iteration reads: last, concat or none."""
        assert self.child.repeat is not None
        return self.child.repeat.carry

    def iterations(self) -> Tensors | None:
        """Each iteration in turn, reading what `carry` says; the value of the whole, None if one of them failed."""
        self.so_far = self.reads.values[0].refs if self.reads.values else ()
        results: list[Ref] = []
        value = self.reads.wire
        depth = len(self.walker.budget.chain)
        for number, item in enumerate(self.items):
            self.walker.budget.visit(self.child.span, len(self.walker.maker.nodes))
            del self.walker.budget.chain[depth:]
            place = Place(self.level, self.slot, _iteration_name(self.child, number, self.env), self.child.span)
            self.walker.budget.enter_round(number, place.peek(), self.child.span)
            bound = self.iteration(number, item, self.carried(number, value, place), place)
            self.keep(bound)
            if bound.value is None:
                return None
            value = bound.value
            if self.carry == "none":
                spend(len(value.refs))
                results += value.refs
            if self.carry == "concat" and not bound.absent:
                self.so_far += value.refs
                self.joined = None
        del self.walker.budget.chain[depth:]
        if self.carry == "none":
            return Tensors(tuple(results), True)
        return (self.joined or Tensors(self.so_far, True)) if self.carry == "concat" else value

    def carried(self, number: int, before: Tensors, place: Place) -> Reads:
        """What an iteration reads: for the first, and with `carry: none`, what the repeat reads."""
        if not number or self.carry == "none":
            return self.reads
        if self.carry == "concat":
            self.joined = self.joined or self.concat(self.so_far, f"{place.peek()}.in")
            before = self.joined
        return Reads(
            (before, *self.reads.values[1:]), ("the previous iteration", *self.reads.names[1:]), self.reads.explicit
        )

    def keep(self, bound: Bound) -> None:
        """Make an iteration's names known to those who read it by path."""
        self.bound.rounds.append(bound)
        if bound.flat:
            self.bound.names.join(bound.names)
        elif bound.path:
            self.bound.names.put(bound.path[len(self.level.path) + 1 if self.level.path else 0 :], bound)

    def iteration(self, number: int, item: Any, reads: Reads, place: Place) -> Bound:
        """One iteration: the keys of the node without its repeat, over them the row, `first` and `last`."""
        child, repeat = self.child, self.child.repeat
        assert repeat is not None
        if own := read_by_rounds(child):
            named = self.walker.reads(replace(child, reads=own), self.env.round(number, item, reads), (None, ""))
            reads = Reads((*reads.values, *named.values), (*reads.names, *named.names), True)
        env = self.env.round(number, item, reads)
        overlay = _row_words(item, child)
        for entries, holds in ((repeat.first, number == 0), (repeat.last, number == len(self.items) - 1)):
            if holds:
                overlay.update({entry.key: env.given(entry.key_span, entry.value) for entry in entries})
        when, expect, otherwise = (overlay.pop(key, None) for key in ("when", "expect", "else"))
        if otherwise is not None and when is None:
            message = f"`else` requires `when`, which iteration {number} of `{child.name}` does not have"
            raise ProblemError("E109", message, otherwise.key_span, help="add `when` next to it")
        if when is not None and not _row_truth(when, env):
            words = _paths(otherwise) if otherwise else None
            return self.walker.absent(replace(child, otherwise=words), env, reads)
        once = replace(child, repeat=None, flat=False, when=None)
        bound = self.walker.body(once, overlay, reads, env, place)
        if expect is not None:
            compare_sizes(expect.value, bound, expect.span, self.walker.maker)
        return bound

    def concat(self, refs: tuple[Ref, ...], path: str) -> Tensors:
        """The concatenation that `carry: concat` implies, which can be read by its path as any node."""
        maker, span = self.walker.maker, self.child.span
        before = len(maker.nodes)
        value = maker.concat(refs, path, self.slot, span)
        for node in maker.nodes[before:]:
            name = node.path[len(self.bound.path) + 1 if self.bound.path else 0 :]
            self.bound.names.put(name, Bound(value, span, node.path))
        return value

    def concat_path(self) -> str:
        """The path of the concatenation that is the value of a `carry: concat`."""
        if not self.child.flat:
            return f"{self.level.path}.concat"
        if self.concat_has_its_name:
            return self.place.take()
        last = next((bound.path for bound in reversed(self.bound.rounds) if bound.path and not bound.flat), None)
        if last is None and self.bound.start < len(self.walker.maker.nodes):
            last = self.walker.maker.nodes[-1].path
        return f"{last or self.place.peek()}.concat"  # place.peek(): every iteration passed its input through

    @property
    def concat_has_its_name(self) -> bool:
        """Whether the concatenation of a flat repeat has the node's name: where an iteration may have it, too.

        Else it takes none, since a flat block brings that name into the scope around it, where other nodes may have it.
        """
        name = self.place.name
        first = _iteration_name(self.child, 0, self.env) if self.carry == "concat" and name else None
        return bool(first and name and first.text.rstrip(DIGITS) == name.text.rstrip(DIGITS))

    def scope(self, block: BlockSpec | None) -> Scope:
        """The scope around the iterations."""
        maker, bound, child = self.walker.maker, self.bound, self.child
        names = [word.text for word in block.inputs] if block and block.inputs else ["in"]
        values = self.reads.values if len(names) == len(self.reads.values) else (self.reads.joined,)
        if read_by_rounds(child):
            names, values = ["in"], (Tensors(self.outside(), True),)
        return Scope(
            path=bound.path,
            kind="repeat",
            block=block.name.text if block else None,
            inputs=tuple(Input(name, value.refs) for name, value in zip(names, values, strict=False)),
            value=bound.value.refs if bound.value else (),
            children=module_tree(bound.path, self.slot, maker.nodes, maker.implicit),
            start=bound.start,
            stop=bound.stop,
            span=child.span,
            shares=maker.owner(bound.path),
        )

    def outside(self) -> tuple[Ref, ...]:
        """The tensors that the iterations' nodes read from before them, each once."""
        start, stop = self.bound.start, self.bound.stop
        nodes = self.walker.maker.nodes[start:stop]
        return tuple(dict.fromkeys(ref for node in nodes for ref in node.reads if ref.node < start))


def _again(walker: Walker, child: NodeSpec, env: Env, reads: Reads, place: Place, block: BlockSpec | None) -> Bound:
    """The iterations on something else, as shared modules."""
    if read_by_rounds(child):
        message = f"`{child.name}` cannot be shared: every iteration reads a different input"
        raise ProblemError("E307", message, place.span, help=f"share a single iteration, such as `{child.name}.0`")
    return repeat(walker, child, env, reads, place, block)


def read_by_rounds(child: NodeSpec) -> tuple[Word, ...]:
    """The last words of a repeat's `from`, where each round has a path of its own in place of them: `$i` is in one.

    What is carried is read once. Where nothing is, every round reads what it names itself.
    """
    if child.repeat is None or child.reads is None:
        return ()
    words = child.reads if child.repeat.carry == "none" else child.reads[1:]
    return words if any("$" in word.text for word in words) else ()


def read_once(child: NodeSpec) -> NodeSpec:
    """The node with only that in its `from` which is the same in every round."""
    varying = len(read_by_rounds(child))
    return replace(child, reads=child.reads[:-varying]) if child.reads and varying else child


def _items(walker: Walker, count: Value, env: Env) -> list[Any]:
    """What `$item` is in each round."""
    value = env.always(count, "repeat")
    items: list[Any]
    if isinstance(value, list | tuple):
        items = list(value)
    else:
        try:
            number = Int(0).convert(value)
        except FieldError as error:
            message = f"`repeat` {error.message}"
            help = error.help or "write a number of iterations (`repeat: 4`) or a list of rows"
            raise ProblemError("E205", message, count.span, help=help) from None
        walker.budget.visit(count.span, len(walker.maker.nodes), number)
        items = [None] * number
    walker.budget.visit(count.span, len(walker.maker.nodes), len(items))
    return items


def _iteration_name(child: NodeSpec, number: int, env: Env) -> Word | None:
    """`denselayer1` counts on with the rounds."""
    assert child.repeat is not None
    word = child.repeat.name
    if word is None:
        return None
    text = env.text(word)
    stem = text.rstrip(DIGITS)
    if stem == text:
        message = f"`name` names the first iteration and must end in a number, got `{text}`"
        raise ProblemError("E205", message, word.span, help=f"write `name: {text}1`")
    digits = text[len(stem) :]
    return Word(f"{stem}{int(digits) + number:0{len(digits)}}", word.span)


def _row_words(item: Any, child: NodeSpec) -> dict[str, Given]:
    if isinstance(item, Row):
        return dict(item.given)
    if isinstance(item, Mapping):
        span = child.span
        return {key: Given(span, span, each, span) for key, each in item.items()}
    return {}


def _paths(given: Given) -> tuple[Word, ...]:
    """The paths of an `else` in a row: one, or a list."""
    decide(given.sized, "else", given.span)
    values = given.value if isinstance(given.value, list) else [given.value]
    return tuple(Word(str(each), given.span) for each in values)


def _row_truth(when: Given, env: Env) -> bool:
    value = when.value
    decide(when.sized, "when", when.span)
    if isinstance(value, str):
        value = env.decided(value, when.span, "when")
    if not isinstance(value, bool):
        raise ProblemError("E205", f"`when` must be true or false, got `{show_value(value)}`", when.span)
    return value
