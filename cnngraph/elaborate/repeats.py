"""Repeats: the iterations of a node, each reading what `carry` says."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from cnngraph.document import Value
from cnngraph.elaborate.budget import Budget
from cnngraph.elaborate.earlier import read_back
from cnngraph.elaborate.expect import compare_sizes
from cnngraph.elaborate.lookup import Env
from cnngraph.elaborate.messages import ProblemError
from cnngraph.elaborate.module_paths import Level, Place, Slot, module_tree
from cnngraph.elaborate.nodes import Maker
from cnngraph.elaborate.shifts import Shift, renumbered
from cnngraph.elaborate.values import Argument, Bound, Reads, Row, Tensors
from cnngraph.fields import FieldError, Int, show_value
from cnngraph.graph.nodes import Input, Ref, Scope
from cnngraph.graph.sizes import decide
from cnngraph.language.expressions.values import count_steps
from cnngraph.language.model import BlockSpec, LocatedText, NodeSpec

DIGITS = "0123456789"


class Walker(Protocol):
    """The part of the walker that a repeat uses."""

    budget: Budget
    maker: Maker

    def reads(self, child: NodeSpec, env: Env, before: tuple[Bound | None, str]) -> Reads:
        """What a node reads."""

    def absent(self, child: NodeSpec, env: Env, reads: Reads) -> Bound:
        """The value of a node whose `when` is false."""

    def body(self, child: NodeSpec, overlay: dict[str, Argument], reads: Reads, env: Env, place: Place) -> Bound:
        """The op, block or nodes of a node."""


def repeat(walker: Walker, child: NodeSpec, env: Env, reads: Reads, place: Place, block: BlockSpec | None) -> Bound:
    """The iterations of a repeat, under a level of their own unless it is flat."""
    assert child.repeat is not None
    items = _items(walker, child.repeat.count, env)
    if not items:
        value = Tensors((), True) if child.repeat.gives == "all" else reads.passed_through
        return Bound(value, child.span, absent=True)
    return _Repeat(walker, child, env, reads, place, items).run(block)


@dataclass(slots=True, eq=False, repr=False)
class _Repeat:
    """One repeat while it is elaborated; `items` are the values of `$item`."""

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
        """Elaborate all iterations, and the scope around them."""
        child, maker = self.child, self.walker.maker
        start = len(maker.nodes)
        if child.flat:
            self.level = self.place.level
            self.place.slot.append(self.slot)
            if self.concat_has_its_name:
                self.place.take()  # reserved, so that no iteration takes it
        else:
            self.level = Level(self.place.take(), repeats=True)
        self.bound = Bound(None, child.span, self.level.path, flat=child.flat, start=start)
        self.bound.value = self.iterations()
        if self.gives == "concat" and self.bound.value is not None:
            refs = self.bound.value.refs
            self.bound.value = Tensors(refs) if len(refs) == 1 else self.concat(refs, self.concat_path())
        self.number_absent()
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

    @property
    def gives(self) -> str:
        """What the repeat outputs: last, all or concat."""
        assert self.child.repeat is not None
        return self.child.repeat.gives or {"none": "all"}.get(self.carry, self.carry)

    def iterations(self) -> Tensors | None:
        """Elaborate the iterations in order. Returns the value of the repeat; None if one of them has an error."""
        self.so_far = self.reads.values[0].refs if self.reads.values else ()
        results: list[Ref] = []
        before = [self.reads.passed_through]
        depth = len(self.walker.budget.chain)
        for number, item in enumerate(self.items):
            self.walker.budget.visit(self.child.span, len(self.walker.maker.nodes))
            del self.walker.budget.chain[depth:]
            place = self.place_of(number)
            self.walker.budget.enter_iteration(number, place.peek(), self.child.span)
            bound = self.iteration(number, item, self.carried(number, item, before, place), place)
            self.keep(bound)
            if bound.value is None:
                return None
            value = bound.value
            before.append(value)
            if self.gives == "all":
                count_steps(len(value.refs))
                results += value.refs
            if self.carry == "concat" and not bound.absent:
                self.so_far += value.refs
                self.joined = None
        del self.walker.budget.chain[depth:]
        if self.gives == "all":
            return Tensors(tuple(results), True)
        return (self.joined or Tensors(self.so_far, True)) if self.gives == "concat" else before[-1]

    def place_of(self, number: int) -> Place:
        """The place of an iteration. Under a level of their own, absent iterations keep their numbers."""
        least = 0 if self.child.flat else number
        name = _iteration_name(self.child, number, self.env)
        around = "" if self.child.flat else self.walker.maker.owner(self.level.path) or self.level.path
        return Place(self.level, self.slot, name, self.child.span, around=around, least=least)

    def carried(self, number: int, item: Any, before: list[Tensors], place: Place) -> Reads:
        """What an iteration reads: for the first, and with `carry: none`, what the repeat reads."""
        assert self.child.repeat is not None
        if self.child.repeat.back is not None:
            env = self.env.iteration(number, item, None)
            return read_back(self.child.repeat.back, before, self.reads, env, self.child.name.text)
        if not number or self.carry == "none":
            return self.reads
        value = before[-1]
        if self.carry == "concat":
            value = self.joined = self.joined or self.concat(self.so_far, f"{place.peek()}.in")
        return Reads(
            (value, *self.reads.values[1:]), ("the previous iteration", *self.reads.names[1:]), self.reads.explicit
        )

    def keep(self, bound: Bound) -> None:
        """Make an iteration's names available to paths."""
        self.bound.iterations.append(bound)
        if bound.inserted:
            self.bound.names.join(bound.inserted)
        if bound.flat:
            self.bound.names.join(bound.names)
        elif bound.path:
            self.bound.names.put(bound.path[len(self.level.path) + 1 if self.level.path else 0 :], bound)

    def number_absent(self) -> None:
        """Make absent iterations available to paths, and record which numbers mean another iteration than before."""
        iterations, repeat = self.bound.iterations, self.child.repeat
        assert repeat is not None
        if self.child.flat or any(bound.flat for bound in iterations):
            return
        for number, bound in enumerate(iterations):
            if bound.absent:
                name = _iteration_name(self.child, number, self.env)
                self.bound.names.put(name.text if name else str(number), bound)
                if name and name.text.isdecimal() and not repeat.gives and self.bound.value is not None:
                    self.bound.shifts |= _tensor_before(int(name.text), number, bound, self.bound.value)
        if repeat.name is None and not repeat.gives and self.bound.value is not None:
            self.bound.shifts = _shifts(iterations, self.bound.value)
            modules = [number for number, bound in enumerate(iterations) if bound.stop > bound.start]
            present = [number for number, bound in enumerate(iterations) if not bound.absent or bound.removed]
            if any(present[at] != at for at in range(len(present)) if present[at] in modules):
                self.walker.budget.warn(renumbered(self.bound.path, modules, self.child.span))

    def iteration(self, number: int, item: Any, reads: Reads, place: Place) -> Bound:
        """One iteration: the node without its repeat, with the parameters of its row, `first` and `last` applied."""
        child, repeat = self.child, self.child.repeat
        assert repeat is not None
        if own := read_per_iteration(child):
            named = self.walker.reads(replace(child, reads=own), self.env.iteration(number, item, reads), (None, ""))
            reads = Reads((*reads.values, *named.values), (*reads.names, *named.names), True, reads.passes)
        env = self.env.iteration(number, item, reads)
        overlay = _row_arguments(item)
        for entries, holds in ((repeat.first, number == 0), (repeat.last, number == len(self.items) - 1)):
            if holds:
                overlay.update({entry.key: env.argument(entry.key_span, entry.value) for entry in entries})
        when, expect, otherwise = (overlay.pop(key, None) for key in ("when", "expect", "else"))
        if otherwise is not None and when is None:
            message = f"`else` requires `when`, which iteration {number} of `{child.name}` does not have"
            raise ProblemError("E109", message, otherwise.key_span, help="add `when` next to it")
        if when is not None and not _row_truth(when, env):
            paths = _paths(otherwise) if otherwise else None
            return self.walker.absent(replace(child, otherwise=paths), env, reads)
        once = replace(child, repeat=None, flat=False, when=None)
        bound = self.walker.body(once, overlay, reads, env, place)
        if expect is not None:
            compare_sizes(expect.value, bound, expect.span, self.walker.maker)
        return bound

    def concat(self, refs: tuple[Ref, ...], path: str) -> Tensors:
        """The concatenation that `carry: concat` implies, which can be read by its path like any node."""
        maker, span = self.walker.maker, self.child.span
        before = len(maker.nodes)
        value = maker.concat(refs, path, self.slot, span)
        for node in maker.nodes[before:]:
            name = node.path[len(self.bound.path) + 1 if self.bound.path else 0 :]
            self.bound.names.put(name, Bound(value, span, node.path))
        return value

    def concat_path(self) -> str:
        """The path of the final concatenation of a `carry: concat`."""
        if not self.child.flat:
            return f"{self.level.path}.concat"
        if self.concat_has_its_name:
            return self.place.take()
        last = next((bound.path for bound in reversed(self.bound.iterations) if bound.path and not bound.flat), None)
        if last is None and self.bound.start < len(self.walker.maker.nodes):
            last = self.walker.maker.nodes[-1].path
        return f"{last or self.place.peek()}.concat"  # place.peek(): every iteration passed its input through

    @property
    def concat_has_its_name(self) -> bool:
        """Whether the concatenation of a flat repeat takes the node's name, because an iteration could take it.

        Otherwise it takes no name, since in a flat block the name may belong to another node of the outer scope.
        """
        name = self.place.name
        first = _iteration_name(self.child, 0, self.env) if self.gives == "concat" and name else None
        return bool(first and name and first.text.rstrip(DIGITS) == name.text.rstrip(DIGITS))

    def scope(self, block: BlockSpec | None) -> Scope:
        """The scope around the iterations."""
        maker, bound, child = self.walker.maker, self.bound, self.child
        names = [name.text for name in block.inputs] if block and block.inputs else ["in"]
        values = self.reads.values if len(names) == len(self.reads.values) else (self.reads.joined,)
        if read_per_iteration(child):
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
        """The tensors from outside that the iterations read, without duplicates."""
        start, stop = self.bound.start, self.bound.stop
        nodes = self.walker.maker.nodes[start:stop]
        return tuple(dict.fromkeys(ref for node in nodes for ref in node.reads if ref.node < start))


def _again(walker: Walker, child: NodeSpec, env: Env, reads: Reads, place: Place, block: BlockSpec | None) -> Bound:
    """Run the iterations again on another input, as shared modules."""
    if read_per_iteration(child):
        message = f"`{child.name}` cannot be shared: every iteration reads a different input"
        raise ProblemError("E307", message, place.span, help=f"share a single iteration, such as `{child.name}.0`")
    return repeat(walker, child, env, reads, place, block)


def read_per_iteration(child: NodeSpec) -> tuple[LocatedText, ...]:
    """The trailing paths in a repeat's `from` that are resolved in each iteration, because one contains a `$`.

    The carried input is resolved once; with `carry: none`, all paths are resolved in each iteration.
    """
    if child.repeat is None or child.reads is None:
        return ()
    paths = child.reads if child.repeat.carry == "none" else child.reads[1:]
    return paths if any("$" in path.text for path in paths) else ()


def read_once(child: NodeSpec) -> NodeSpec:
    """The node with only those paths in its `from` that are the same in every iteration."""
    varying = len(read_per_iteration(child))
    return replace(child, reads=child.reads[:-varying]) if child.reads and varying else child


def _items(walker: Walker, count: Value, env: Env) -> list[Any]:
    """The values of `$item`."""
    value = env.always(count, "repeat")
    items: list[Any]
    if isinstance(value, list | tuple):
        items = list(value)
    else:
        try:
            number = Int(0).convert(value)
        except FieldError as error:
            what = "a number of iterations (an integer of at least 0), or a list with an item for each"
            message = f"`repeat` must be {what}, got `{show_value(value)}`"
            raise ProblemError("E205", message, count.span, help=error.help) from None
        walker.budget.visit(count.span, len(walker.maker.nodes), number)
        items = [None] * number
    walker.budget.visit(count.span, len(walker.maker.nodes), len(items))
    return items


def _iteration_name(child: NodeSpec, number: int, env: Env) -> LocatedText | None:
    """The name of an iteration: the number at the end of `denselayer1` is incremented."""
    assert child.repeat is not None
    name = child.repeat.name
    if name is None:
        return None
    text = env.text(name)
    stem = text.rstrip(DIGITS)
    if stem == text:
        message = f"`name` names the first iteration and must end in a number, got `{text}`"
        raise ProblemError("E205", message, name.span, help=f"write `name: {text}1`")
    digits = text[len(stem) :]
    return LocatedText(f"{stem}{int(digits) + number:0{len(digits)}}", name.span)


def _shifts(iterations: list[Bound], value: Tensors) -> dict[str, Shift]:
    """The numbers that meant another iteration, or another tensor of the list, while absent ones were not counted."""
    counted = [number for number, bound in enumerate(iterations) if not bound.absent or bound.removed]
    absent = next((number for number, bound in enumerate(iterations) if number not in counted), len(iterations))
    shifts: dict[str, Shift] = {}
    for number in range(absent, len(iterations)):
        was = [iterations[counted[number]].tensors().refs] if number < len(counted) else []
        was += [value.refs[number : number + 1]] if value.is_list and number < len(value.refs) else []
        one_meaning = len(set(was)) == 1
        alone = one_meaning and was[0] != iterations[number].tensors().refs
        if number < len(counted):
            shifts[str(number)] = Shift(f"iteration {counted[number]}", absent, alone, inside=True)
        elif alone:
            shifts[str(number)] = Shift(f"tensor {number} of its list", absent, alone, inside=False)
    return shifts


def _tensor_before(name: int, number: int, absent: Bound, value: Tensors) -> dict[str, Shift]:
    """The number of an absent iteration that had no node, and so meant a tensor of the list, if that was another."""
    was = value.refs[name : name + 1] if value.is_list else ()
    if not was or was == absent.tensors().refs:
        return {}
    return {str(name): Shift(f"tensor {name} of its list", number, alone=True, inside=False, tensor=name)}


def _row_arguments(item: Any) -> dict[str, Argument]:
    return dict(item.cells) if isinstance(item, Row) else {}


def _paths(argument: Argument) -> tuple[LocatedText, ...]:
    """The paths of an `else` in a row: one, or a list."""
    decide(argument.sized, "else", argument.span)
    values = argument.value if isinstance(argument.value, list) else [argument.value]
    return tuple(LocatedText(str(value), argument.span) for value in values)


def _row_truth(when: Argument, env: Env) -> bool:
    value = when.value
    decide(when.sized, "when", when.span)
    if isinstance(value, str):
        value = env.decided(value, when.span, "when")
    if not isinstance(value, bool):
        raise ProblemError("E205", f"`when` must be true or false, got `{show_value(value)}`", when.span)
    return value
