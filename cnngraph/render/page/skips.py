"""The skips of a page: what a network in the shape of a U has between its encoder and its decoder.

The page draws such a network as a chain without its skips, bends it to a U and adds the skips across, whatever is open.
So it needs a second drawing of each block that contains an end of a skip.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from cnngraph.frozen import frozen
from cnngraph.graph.nodes import Ref
from cnngraph.render.arrows import TooMuchError
from cnngraph.render.compose import Detail, composed
from cnngraph.render.layout.row_parts import levels_of
from cnngraph.render.layout.ushape import LEAST, skips_of
from cnngraph.render.picture import Arrow, Box, Picture
from cnngraph.render.tree import Tree, readers_of


@frozen
class Skip:
    """A tensor that skips the inner part of a U: what computes it, the operations that read it, and its arrow."""

    ref: Ref
    readers: tuple[int, ...]
    arrow: Arrow


def skips_in(tree: Tree) -> tuple[Skip, ...]:
    """The skips of a network from the outermost, as they are with as many blocks open as possible; often none."""
    known: dict[object, Box] = {}
    for depth in range(tree.height + 1, 0, -1):
        try:
            picture = composed(tree, Detail(depth, opens_inline=True), known).picture
        except TooMuchError:
            continue
        found = skips_of(_with_last_arrows(picture))
        if found and len(chosen := levels_of(picture, found.skips)) >= LEAST:
            start = [box.key for box in picture.boxes()].index(found.main.head)
            skips = tuple(_skip(tree, picture, arrow, start) for arrow in chosen)
            return skips if all(skip.readers for skip in skips) else ()
    return ()


def _with_last_arrows(picture: Picture) -> Picture:
    """The picture with the last arrow of each tensor only: a block may read a skip twice, to gate it."""
    place = {box.key: position for position, box in enumerate(picture.boxes())}
    last: dict[tuple[str, str], Arrow] = {}
    for arrow in picture.arrows:
        before = last.setdefault((arrow.tail, arrow.source), arrow)
        if place[arrow.head] > place[before.head]:
            last[arrow.tail, arrow.source] = arrow
    return replace(picture, arrows=tuple(last.values()))


def _skip(tree: Tree, picture: Picture, arrow: Arrow, start: int) -> Skip:
    """The skip of an arrow, with everything after a box that reads it."""
    node, output = map(int, arrow.source.split("."))
    ref = Ref(node, output)
    heads = {other.head for other in picture.arrows if (other.tail, other.source) == (arrow.tail, arrow.source)}
    boxes = [box for box in list(picture.boxes())[start:] if box.key in heads]
    inside = (index for box in boxes for index in box.nodes if index not in tree.stand_in)
    return Skip(ref, tuple(index for index in inside if ref in map(tree.drawn_ref, tree.reads[index])), arrow)


def without_skips(tree: Tree, skips: Sequence[Skip]) -> Tree:
    """The tree in which nothing reads the tensors that skip a part of the network."""
    edges = {(reader, skip.ref) for skip in skips for reader in skip.readers}

    def kept(index: int) -> Iterator[Ref]:
        shown = tree.drawn(index)  # what an iteration reads is left out where the one that is drawn reads a skip
        for ref, drawn in zip(tree.reads[index], tree.reads[shown], strict=True):
            if (shown, tree.drawn_ref(drawn)) not in edges:
                yield ref

    touched = {reader for skip in skips for reader in skip.readers}
    reads = tuple(tuple(kept(index)) if tree.drawn(index) in touched else refs for index, refs in enumerate(tree.reads))
    return replace(tree, reads=reads, readers=readers_of(tree.graph, reads))


def ends_of(skips: Sequence[Skip]) -> frozenset[int]:
    """The operations at the ends of all skips."""
    return frozenset(node for skip in skips for node in (skip.ref.node, *skip.readers))
