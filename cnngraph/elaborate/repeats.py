"""Repeats: the rounds of a node, each reading what `carry` says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from cnngraph.diagnostics import Span
from cnngraph.document import Value
from cnngraph.elaborate.budget import Ledger
from cnngraph.elaborate.module_paths import Level, Place, module_tree, type_of_slot
from cnngraph.elaborate.names import Bound, Env, Given, ProblemError, Reads, Row, Tensors
from cnngraph.elaborate.nodes import Maker
from cnngraph.fields import FieldError, Int, show_value
from cnngraph.graph.nodes import Input, Ref, Scope
from cnngraph.graph.sizes import decide
from cnngraph.language.expressions.values import spend
from cnngraph.language.model import BlockSpec, NodeSpec, Word

DIGITS = "0123456789"


class Walker(Protocol):
    """What a repeat needs of the walk around it."""

    ledger: Ledger
    maker: Maker

    def reads(self, child: NodeSpec, env: Env, before: tuple[Bound | None, str]) -> Reads:
        """What a node reads."""

    def absent(self, child: NodeSpec, env: Env, reads: Reads) -> Bound:
        """What a node is whose `when` is false."""

    def body(self, child: NodeSpec, overlay: dict[str, Given], reads: Reads, env: Env, place: Place) -> Bound:
        """The op, block or nodes of a node."""

    def compare_expect(self, value: Value, bound: Bound, span: Span) -> None:
        """Compare an `expect` with what a node gives."""


def repeat(walker: Walker, child: NodeSpec, env: Env, reads: Reads, place: Place, block: BlockSpec | None) -> Bound:
    """The rounds of a repeat, under a level of their own unless it is flat."""
    assert child.repeat is not None
    items = _items(walker, child.repeat.count, env)
    if not items:
        return Bound(reads.wire, child.span, absent=True)
    start = len(walker.maker.nodes)
    slot: type_of_slot = []
    if child.flat:
        level = place.level
        place.slot.append(slot)
        if _concat_has_its_name(child, place, env):
            place.take()  # so no iteration may
    else:
        level = Level(place.take())
    bound = Bound(None, child.span, level.path, flat=child.flat, start=start)
    bound.value = _run_rounds(walker, child, items, env, reads, level, slot, bound)
    bound.stop = len(walker.maker.nodes)
    if child.repeat.carry == "concat" and bound.value is not None and len(bound.value.refs) == 1:
        bound.value = Tensors(bound.value.refs)
    elif child.repeat.carry == "concat" and bound.value is not None:
        path = _concat_path(walker, child, level, place, bound, env)
        bound.value = _concat(walker, bound.value.refs, path, slot, bound, child.span)
        bound.stop = len(walker.maker.nodes)
    if not child.flat and bound.stop > start:
        names = [each.text for each in block.inputs] if block and block.inputs else ["in"]
        values = reads.values if len(names) == len(reads.values) else (reads.joined,)
        if read_by_rounds(child):
            names, values = ["in"], (Tensors(_outside(walker, start, bound.stop), True),)
        inputs = tuple(Input(name, each.refs) for name, each in zip(names, values, strict=False))
        value = bound.value.refs if bound.value else ()
        tree = module_tree(level.path, slot, walker.maker.nodes, walker.maker.implicit)
        name = block.name.text if block else None
        span = child.span
        owner = walker.maker.owner(level.path)
        place.slot.append(Scope(level.path, "repeat", name, inputs, value, tree, start, bound.stop, span, owner))
    bound.again = lambda reads, place: _again(walker, child, env.reading(reads), reads, place, block)
    return bound


def _again(walker: Walker, child: NodeSpec, env: Env, reads: Reads, place: Place, block: BlockSpec | None) -> Bound:
    """The rounds on something else, as shared modules."""
    if read_by_rounds(child):
        message = f"each round of {child.name} reads something of its own, so they cannot run on another input"
        raise ProblemError("E307", message, place.span, help=f"share a single round, as {child.name}.0")
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


def _concat_has_its_name(child: NodeSpec, place: Place, env: Env) -> bool:
    """Whether the concatenation of a flat repeat has the node's name: where an iteration may have it, too.

    Else it takes none, since a flat block brings that name into the scope around it, where other nodes may have it.
    """
    assert child.repeat is not None
    first = _round_name(child, 0, env) if child.repeat.carry == "concat" and place.name else None
    return bool(first and place.name and first.text.rstrip(DIGITS) == place.name.text.rstrip(DIGITS))


def _concat_path(walker: Walker, child: NodeSpec, level: Level, place: Place, bound: Bound, env: Env) -> str:
    """The path of the concatenation that is the value of a `carry: concat`."""
    if not child.flat:
        return f"{level.path}.concat"
    if _concat_has_its_name(child, place, env):
        return place.take()
    last = next((each.path for each in reversed(bound.rounds) if each.path and not each.flat), None)
    if last is None and bound.start < len(walker.maker.nodes):
        last = walker.maker.nodes[-1].path
    return f"{last or place.peek()}.concat"  # place.peek(): every iteration passed its input through


def _concat(walker: Walker, refs: tuple[Ref, ...], path: str, slot: type_of_slot, around: Bound, span: Span) -> Tensors:
    """The concatenation that `carry: concat` implies, which can be read by its path as any node."""
    before = len(walker.maker.nodes)
    value = walker.maker.concat(refs, path, slot, span)
    for node in walker.maker.nodes[before:]:
        name = node.path[len(around.path) + 1 if around.path else 0 :]
        around.names.put(name, Bound(value, span, node.path))
    return value


def _outside(walker: Walker, start: int, stop: int) -> tuple[Ref, ...]:
    """The tensors that some nodes read from before them, each once."""
    nodes = walker.maker.nodes[start:stop]
    return tuple(dict.fromkeys(ref for node in nodes for ref in node.reads if ref.node < start))


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
            message = f"repeat {error.message}"
            help = error.help or "repeat: 4, or a list of rows"
            raise ProblemError("E205", message, count.span, help=help) from None
        walker.ledger.visit(count.span, len(walker.maker.nodes), number)
        items = [None] * number
    walker.ledger.visit(count.span, len(walker.maker.nodes), len(items))
    return items


def _run_rounds(
    walker: Walker,
    child: NodeSpec,
    items: list[Any],
    env: Env,
    reads: Reads,
    level: Level,
    slot: type_of_slot,
    around: Bound,
) -> Tensors | None:
    """Each round in turn, reading what `carry` says; the value of the whole, None if a round failed."""
    assert child.repeat is not None
    carry = child.repeat.carry
    first = Tensors(reads.values[0].refs if reads.values else ())
    so_far: tuple[Ref, ...] = first.refs
    joined: Tensors | None = None  # what there is so far, concatenated; a round that is absent leaves it to the next
    results: list[Ref] = []
    value = reads.wire
    depth = len(walker.ledger.chain)
    once = replace(child, repeat=None, flat=False, when=None)
    for number, item in enumerate(items):
        walker.ledger.visit(child.span, len(walker.maker.nodes))
        del walker.ledger.chain[depth:]
        place = Place(level, slot, _round_name(child, number, env), child.span)
        walker.ledger.enter_round(number, place.peek(), child.span)
        carried = reads
        if number and carry == "concat":
            joined = joined or _concat(walker, so_far, f"{place.peek()}.in", slot, around, child.span)
            carried = _carrying(reads, joined)
        elif number and carry == "last":
            carried = _carrying(reads, value)
        bound = _round(walker, child, once, number, item, len(items), carried, env, place)
        around.rounds.append(bound)
        if bound.flat:
            around.names.join(bound.names)
        elif bound.path:
            around.names.put(bound.path[len(level.path) + 1 if level.path else 0 :], bound)
        if bound.value is None:
            return None
        value = bound.value
        if carry == "none":
            spend(len(value.refs))
            results += value.refs
        if carry == "concat" and not bound.absent:
            so_far += value.refs
            joined = None
    del walker.ledger.chain[depth:]
    if carry == "none":
        return Tensors(tuple(results), True)
    return (joined or Tensors(so_far, True)) if carry == "concat" else value


def _round_name(child: NodeSpec, number: int, env: Env) -> Word | None:
    """`denselayer1` counts on with the rounds."""
    assert child.repeat is not None
    word = child.repeat.name
    if word is None:
        return None
    text = env.text(word)
    stem = text.rstrip(DIGITS)
    if stem == text:
        message = f"name is the first round's name and must end in a number, got {text}"
        raise ProblemError("E205", message, word.span, help=f"name: {text}1")
    digits = text[len(stem) :]
    return Word(f"{stem}{int(digits) + number:0{len(digits)}}", word.span)


def _round(
    walker: Walker,
    child: NodeSpec,
    once: NodeSpec,
    number: int,
    item: Any,
    count: int,
    reads: Reads,
    env: Env,
    place: Place,
) -> Bound:
    """One round: the words of the node (`once`: without its repeat), over them the row, `first` and `last`."""
    assert child.repeat is not None
    own = read_by_rounds(child)
    if own:
        named = walker.reads(replace(child, reads=own), env.round(number, item, reads), (None, ""))
        reads = Reads((*reads.values, *named.values), (*reads.names, *named.names), True)
    env = env.round(number, item, reads)
    overlay: dict[str, Given] = _row_words(item, child)
    for entries, holds in ((child.repeat.first, number == 0), (child.repeat.last, number == count - 1)):
        if holds:
            overlay.update({each.key: env.given(each.key_span, each.value) for each in entries})
    when = overlay.pop("when", None)
    expect = overlay.pop("expect", None)
    otherwise = overlay.pop("else", None)
    if otherwise is not None and when is None:
        message = f"else goes with when, and iteration {number} of {child.name} has no when"
        raise ProblemError("E109", message, otherwise.key_span, help="add when: beside it")
    if when is not None and not _row_truth(when, env):
        words = _paths(otherwise) if otherwise else None
        return walker.absent(replace(child, otherwise=words), env, reads)
    bound = walker.body(once, overlay, reads, env, place)
    if expect is not None:
        walker.compare_expect(expect.value, bound, expect.span)
    return bound


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
        raise ProblemError("E205", f"when must be true or false, got {show_value(value)}", when.span)
    return value


def _carrying(reads: Reads, value: Tensors) -> Reads:
    """The first input is what is carried; the others are the same in every round."""
    return Reads((value, *reads.values[1:]), ("the round before", *reads.names[1:]), reads.explicit)
