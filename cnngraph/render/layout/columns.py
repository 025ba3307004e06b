"""Breaking a long drawing into columns, like text, so that it fits a page.

Of the choices with which the text is large enough, the one is taken that disturbs the structure least: it cuts few
frames that would fit one column, and keeps what belongs together in one. Columns may be of different height.
Coordinates are abstract: y is along the flow.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

from cnngraph.frozen import frozen
from cnngraph.render.layout.breaks import Break, Costs
from cnngraph.render.layout.drawing import Drawing
from cnngraph.render.layout.pieces import OUTER, Pieces

GUTTER = 26.0  # between columns
TURN = 9.0  # how far below and above the columns a line continues
BORDER = 6.0
AROUND = 2 * TURN + 2 * BORDER  # what the columns need along the flow besides their height

SMALLER = 8.0  # the cost of text that is smaller, by the logarithm
STEP = 1.08  # between the scales that are tried
BEYOND = 1.5  # how far they are tried above the largest scale, for columns of equal height
COMPACT = 0.05  # the gain of a drawing that would fit at a larger scale, by the logarithm
FITTING = 0.75  # the part of a column that a frame may fill which should not be cut
LONELY = (4.0, 4.0, 0.5)  # the costs of a column with no, one, two boxes
SHORT, SHORT_PART = 1.0, 0.3  # … of one that is short, and the part of the page that is not
SEARCHES = 7  # steps to the largest scale of a drawing that does not fit
EVEN = 0.5  # the cost of a full column, by the square of its height: the least if columns are equally high
SAME = 0.04  # costs that differ less are equal


@frozen
class Columns:
    """A choice of breaks, with the size that the drawing has then, across and along the flow.

    See `Drawing.torn` and `Drawing.is_lone`.
    """

    breaks: tuple[Break, ...]
    across: float
    along: float
    torn: int = 0
    is_lone: bool = False


@frozen
class _Piece:
    """A piece from one break to another, by the second, with its size and the number of its boxes."""

    stop: int
    across: float
    along: float
    count: int


@frozen
class _Choice:
    """A choice of breaks: their cost, the width of the columns with a gutter after each, and how uneven these are.

    `uneven` is part of the cost; it is no reason for smaller text.
    """

    cost: float
    across: float
    stops: tuple[int, ...] = ()
    uneven: float = 0.0

    def then(self, stop: int, cost: float, across: float, uneven: float) -> _Choice:
        """The choice with one more column."""
        return _Choice(self.cost + cost, across, (*self.stops, stop), self.uneven + uneven)


def fitting(drawing: Drawing, breaks: Sequence[Break], across: float, along: float, most: float) -> Columns:
    """The columns of a drawing on a page, which has this size at scale 1, across and along the flow.

    At scale 1 text is as small as it may be; the drawing is never enlarged more than `most`.
    """
    whole = Columns((), drawing.width, drawing.height)
    if not breaks or min(across / whole.across, along / whole.along) >= most:
        return whole
    return _Search(drawing, breaks, across, along, most).best(whole)


class _Search:
    """The search for the best columns, by dynamic programming over the breaks for every scale that is tried."""

    def __init__(self, drawing: Drawing, breaks: Sequence[Break], across: float, along: float, most: float) -> None:
        self.breaks, self.page, self.most = breaks, (across, along), most
        self.pieces, self.costs = Pieces(drawing, breaks), Costs(drawing, breaks)
        self.known: list[list[_Piece]] = [[] for _ in self.pieces.sections]
        self.growing = [self._grown(start) for start in range(len(self.known))]

    def best(self, whole: Columns) -> Columns:
        """The best columns, or the whole drawing in one."""
        scale = self._scale(whole)
        options = [(0.0, whole)] if scale >= 1 else []
        tried = 1.0
        while tried <= self.most * BEYOND and (found := self._choice(tried)):
            options.append((found.cost - found.uneven, self._columns(found.stops)))
            tried *= STEP
        if options:
            return min(options, key=self._total)[1]
        found = self._largest(scale)
        return self._columns(found.stops) if found else whole

    def _largest(self, low: float) -> _Choice | None:
        """The best choice at the largest scale, if that is larger than one which is too small."""
        found, high = None, 1.0
        for _ in range(SEARCHES):
            tried = (low + high) / 2
            if choice := self._choice(tried, is_free=True):
                low, found = tried, choice
            else:
                high = tried
        return found and self._choice(low)

    def _total(self, option: tuple[float, Columns]) -> float:
        """The cost of columns with that of small text."""
        cost, columns = option
        scale = self._scale(columns)
        return cost + SMALLER * math.log(self.most / min(scale, self.most)) - COMPACT * math.log(scale)

    def _scale(self, columns: Columns) -> float:
        return min(self.page[0] / columns.across, self.page[1] / columns.along)

    def _choice(self, scale: float, *, is_free: bool = False) -> _Choice | None:
        """The choice of breaks with the least cost at a scale; without costs, any."""
        across, along = self.page[0] / scale - 2 * BORDER + GUTTER, self.page[1] / scale - AROUND
        fronts: list[list[_Choice]] = [[_Choice(0.0, 0.0)], *([] for _ in self.known)]
        for start, front in enumerate(fronts[:-1]):
            for piece in self._pieces(start, along) if front else ():
                uneven = EVEN * (piece.along / along) ** 2
                more = 0.0 if is_free else self._cost(piece, along) + uneven
                for choice in front:
                    width = choice.across + piece.across + GUTTER
                    if width <= across:
                        _keep(fronts[piece.stop], choice.then(piece.stop, more, width, uneven))
        return min(fronts[-1], key=lambda choice: choice.cost, default=None)

    def _cost(self, piece: _Piece, height: float) -> float:
        """The cost of a column and of the break at its end."""
        cost = sum(LONELY[piece.count : piece.count + 1]) + SHORT * max(0.0, 1 - piece.along / height / SHORT_PART)
        return cost + (self.costs.at(piece.stop - 1, height) if piece.stop < len(self.known) else 0.0)

    def _pieces(self, start: int, along: float) -> Iterator[_Piece]:
        """The pieces from a break that are not higher than a column."""
        known = self.known[start]
        while not known or known[-1].along <= along:
            piece = next(self.growing[start], None)
            if piece is None:
                break
            known.append(piece)
        return (piece for piece in known if piece.along <= along)

    def _grown(self, start: int) -> Iterator[_Piece]:
        pieces, count = self.pieces, 0
        for stop, spans in pieces.grown(start):
            count += pieces.counts[stop - 1]
            if pieces.ys[stop] - pieces.ys[start] >= pieces.least[start]:
                left, right = spans[OUTER]
                yield _Piece(stop, right - left, pieces.height(start, stop), count)

    def _columns(self, stops: Sequence[int]) -> Columns:
        pieces = list(pairwise([0, *stops]))
        spans = [self.pieces.spans(start, stop)[OUTER] for start, stop in pieces]
        across = sum(right - left for left, right in spans) + GUTTER * (len(spans) - 1) + 2 * BORDER
        along = max(self.pieces.height(start, stop) for start, stop in pieces) + AROUND
        counts = [sum(self.pieces.counts[start:stop]) for start, stop in pieces]
        lonely = sum(count < 2 for count in counts)
        torn = sum(self.costs.needless(stop - 1, FITTING * self.page[1]) for stop in stops[:-1])
        return Columns(tuple(self.breaks[stop - 1] for stop in stops[:-1]), across, along, torn + lonely, 0 in counts)


def _keep(front: list[_Choice], new: _Choice) -> None:
    """Add a choice to those of which none is better in both cost and width."""
    if any(one.cost <= new.cost + SAME and one.across <= new.across for one in front):
        return
    front[:] = [one for one in front if not (new.cost <= one.cost and new.across <= one.across)]
    front.append(new)
