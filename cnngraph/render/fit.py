"""Choosing the picture with the most detail that fits the page, and its scale."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count, islice
from operator import attrgetter

from cnngraph.frozen import frozen
from cnngraph.graph.graph import Graph
from cnngraph.render.arrows import TooMuchError
from cnngraph.render.closed import FACTS
from cnngraph.render.compose import Composed, Detail, candidates, composed
from cnngraph.render.coverage import Coverage, Opening, openings
from cnngraph.render.layout import boxes
from cnngraph.render.layout.boxes import SMALL
from cnngraph.render.layout.drawing import Drawing
from cnngraph.render.layout.nest import lay_out
from cnngraph.render.layout.surroundings import surrounded
from cnngraph.render.layout.ushape import skips_of
from cnngraph.render.picture import Box, Frame, Picture, Row, Shape
from cnngraph.render.settings import PAGES, Page, Settings
from cnngraph.render.tree import Group, build_tree
from cnngraph.render.volumes import with_volumes

ROUNDING = 1e-6
MOST_INK = 0.45  # the part of a page that boxes can cover; drawings with more are not tried,
DENSER = 1.15  # … or with so many times that of a drawing of the same network whose text was much too small
TRIALS = 16  # drawings with one more block open, for each level of nesting
FEW = 0.7  # the part of a network that a drawing with shapes has to show
WORTH = 1.1  # … and how much more one without them does
LEVELS = 2  # of nesting that are tried
TORN = 1  # frames that are cut needlessly in a drawing with all blocks open
ATTEMPTS = 3  # … that show the same: one in another place may fit,
NEARLY = 0.88  # if the text was not smaller than this part of the least size
TOGETHER = 32  # blocks that are opened together
SIZES = (1.0, 0.85, 0.7, 0.5)  # of volumes
# Lines in closed blocks: before the text gets too small, one with more has only the facts, in several lines if 0.
BRIEF = (3, 1, 0)


@frozen
class _Form:
    """How large the volumes of a U are, and whether its rows are low. It cannot be broken into columns."""

    size: float
    is_low: bool = False


FORMS = tuple(_Form(size, is_low) for is_low in (False, True) for size in SIZES)


@frozen
class Fitted:
    """A drawing, and the scale at which it fits its page."""

    drawing: Drawing
    scale: float

    @property
    def least_text(self) -> float:
        """The size of the smallest text on the page, in points."""
        return SMALL * self.scale


def fitted(graph: Graph, settings: Settings) -> Fitted:
    """The drawing of a graph: of those whose text is large enough on the page, the one with the most detail.

    If the text is too small in all, the drawing is the one in which it is largest, in either direction unless one is
    given: many branches beside each other are wide if the flow is down. Raises what `compose` raises.
    """
    found = _fitted(graph, settings)
    if settings.page is None or settings.direction or settings.style == "volumes":
        return found
    if is_large_enough(found, PAGES[settings.page]):
        return found
    turned = _fitted(graph, replace(settings, direction="right" if settings.flow == "down" else "down"))
    return max(found, turned, key=lambda fit: fit.least_text)


def _fitted(graph: Graph, settings: Settings) -> Fitted:
    """The drawing in one direction."""
    page = PAGES[settings.page] if settings.page else None
    if page is None:
        picture = _in_style(next(candidates(graph, settings)).picture, settings)
        drawing = lay_out(picture, settings).drawing()
        return Fitted(surrounded(drawing, settings.title, settings.has_legend), 1.0)
    pictures = _Pictures(graph, settings)
    first = _Fitting(pictures, settings, page).best()
    keeps_shapes = settings.style == "volumes" and first.fit.drawing.is_u  # a row is one size of map
    if not settings.shapes or (first.is_large and (first.shown >= FEW or keeps_shapes)):
        return first.fit
    bare = replace(settings, shapes=False)  # shapes are what can be spared first, then what is in closed blocks
    other = _Fitting(pictures, bare, page).best()
    if first.is_large:
        return other.fit if other.is_large and other.shown > WORTH * first.shown else first.fit
    for most in BRIEF:
        if not other.is_large or (pictures.has_u and not other.fit.drawing.is_u):
            other = max(other, _Fitting(pictures, bare, page, most).best(), key=_Best.key)
    return max(first, other, key=_Best.key).fit


@frozen
class _Best:
    """The best drawing of some, and the part of the network that it shows.

    `is_large` is whether its text is large enough, in columns of which none has only an input or an output.
    """

    fit: Fitted
    shown: float
    is_large: bool

    def key(self) -> tuple[bool, bool, float]:
        """What makes a drawing better than another one."""
        return self.is_large, self.is_large and self.fit.drawing.is_u, self.fit.scale


def is_large_enough(fit: Fitted, page: Page) -> bool:
    """Whether the text of a drawing is as large as the page requires."""
    return fit.least_text >= page.least - ROUNDING


class _Pictures:
    """The pictures of a graph that are tried, of which each is composed once."""

    def __init__(self, graph: Graph, settings: Settings) -> None:
        self.coverage = Coverage(graph, build_tree(graph, settings.node))
        self.made: list[tuple[Composed, bool]] = []
        self.others = _distinct(candidates(graph, settings))
        self.known: dict[tuple[int, Detail], Composed | None] = {}
        self.has_u = False  # whether one was drawn in the shape of a U

    def choices(self) -> Iterator[tuple[Composed, bool]]:
        """The pictures from the most detailed one, composed when they are needed, and whether each is the last one."""
        for place in count():
            if place == len(self.made):
                self.made += islice(self.others, 1)
            if place == len(self.made):
                return
            yield self.made[place]

    def opened(self, choice: Composed, opening: Opening, is_u: bool) -> Composed | None:
        """A picture with one more group open and its companions, or None if it shows no more, or has too many boxes."""
        detail = choice.detail
        paths = self.coverage.companions.of(opening.group.scope.path, is_u=is_u)
        if len(paths) > TOGETHER:
            return None
        if opening.is_whole:
            detail = replace(detail, whole=detail.whole | paths)
        else:
            detail = replace(detail, shown=detail.shown | paths)
        key = id(choice.tree), detail
        if key not in self.known:
            self.known[key] = self._composed(choice, detail, opening.leads_on)
        return self.known[key]

    def _composed(self, choice: Composed, detail: Detail, leads_on: bool) -> Composed | None:
        try:
            tried = composed(choice.tree, detail, choice.known)
        except TooMuchError:
            return None
        return tried if leads_on or self.coverage.shown(tried) > self.coverage.shown(choice) else None


@dataclass(slots=True)
class _Fitting:
    """The search for the drawing of a graph on a page.

    The levels of nesting are opened one after the other as long as the drawing fits. Then one example of each kind of
    block that is still closed is opened, if it fits: of all levels, that with the most to see is chosen. Closed blocks
    with more lines than `lines` have only the facts.
    """

    pictures: _Pictures
    settings: Settings
    page: Page
    lines: int | None = None
    most_ink: float = field(init=False)
    fits: dict[Picture, Fitted] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.most_ink = MOST_INK * self.page.width * self.page.height * (SMALL / self.page.least) ** 2

    @property
    def coverage(self) -> Coverage:
        return self.pictures.coverage

    def best(self) -> _Best:
        """The drawing with the most detail, or else with the largest text."""
        largest: Fitted | None = None
        most, found, levels = (False, False, False, 0.0), None, 0
        for choice, is_last in self.pictures.choices():
            if self._is_full(choice.picture) and not is_last:
                continue
            fit = self._fit(choice.picture)
            largest = fit if largest is None or fit.scale > largest.scale else largest
            if not is_large_enough(fit, self.page):
                continue
            if self._is_fixed:
                return _Best(fit, 1.0, True)
            choice, fit = self._opened(choice, fit)
            levels += 1
            drawn = fit.drawing
            worth = not drawn.is_lone, drawn.torn <= TORN, drawn.is_u, self.coverage.gain(self.coverage.shown(choice))
            if found is None or worth > most:
                most, found = worth, fit
            if (worth[0] and worth[1] and not openings(self.coverage, choice)) or levels == LEVELS:
                break
        shown = most[-1] / max(self.coverage.gain(self.coverage.counts.keys()), 1.0)
        assert largest is not None
        return _Best(found or largest, shown, found is not None and most[0])

    @property
    def _is_fixed(self) -> bool:
        return self.settings.depth is not None or bool(self.settings.open)

    def _opened(self, choice: Composed, fit: Fitted) -> tuple[Composed, Fitted]:
        """A picture with examples opened as long as it fits, and no more blocks have to be cut for it."""
        failed: Counter[object] = Counter()
        too_large: list[Group] = []
        trials = TRIALS
        while True:
            for opening in openings(self.coverage, choice):
                place, kind = (opening.group.scope.path, opening.is_whole), (opening.words, opening.is_whole)
                if failed[place] or failed[kind] >= ATTEMPTS or not trials or _is_most_of(opening, too_large):
                    continue
                trials -= 1
                more = self._tried(choice, opening, fit.drawing.is_u)
                size = more[1].least_text / self.page.least if more else 0.0
                if more and size >= 1 - ROUNDING and _is_no_worse(more[1].drawing, fit.drawing):
                    choice, fit = more
                    break
                failed.update({place: 1, kind: 1 if size >= NEARLY else ATTEMPTS})
                if size < NEARLY and opening.is_whole:
                    too_large.append(opening.group)
            else:
                return choice, fit

    def _tried(self, choice: Composed, opening: Opening, is_u: bool) -> tuple[Composed, Fitted] | None:
        """A picture with one more group open, if it shows more and is not too full."""
        tried = self.pictures.opened(choice, opening, is_u)
        return None if tried is None or self._is_full(tried.picture) else (tried, self._fit(tried.picture))

    def _fit(self, picture: Picture) -> Fitted:
        """The drawing of a picture; often several ways of opening blocks lead to the same one."""
        if picture not in self.fits:
            self.fits[picture] = self._new_fit(picture)
        return self.fits[picture]

    def _new_fit(self, picture: Picture) -> Fitted:
        """The drawing of a picture; of a U in volumes, with the largest volumes at which the text is large enough."""
        whole, *others = FORMS
        best = self._fit_at(picture, whole)
        for form in others if best.drawing.is_u and self.settings.style == "volumes" else ():
            if is_large_enough(best, self.page):
                break
            best = max(best, self._fit_at(picture, form), key=attrgetter("scale"))
        if best.least_text < NEARLY * self.page.least:
            self.most_ink = min(self.most_ink, DENSER * self._ink(picture))
        return best

    def _fit_at(self, picture: Picture, form: _Form) -> Fitted:
        page, enlarged = self.page, SMALL / self.page.least
        drawing = lay_out(self._in_style(picture, form), self.settings).drawing(
            (page.width * enlarged, page.height * enlarged), page.most * enlarged
        )
        self.pictures.has_u |= drawing.is_u
        drawing = surrounded(drawing, self.settings.title, self.settings.has_legend)
        return Fitted(drawing, min(page.most, page.width / drawing.width, page.height / drawing.height))

    def _in_style(self, picture: Picture, form: _Form) -> Picture:
        if self.lines is not None:
            members = tuple(_brief(member, self.lines) for member in picture.members)
            picture = replace(picture, members=members)
        return _in_style(picture, self.settings, form)

    def _is_full(self, picture: Picture) -> bool:
        """Whether a picture has more boxes than can be on the page."""
        return self._ink(picture) > self.most_ink

    def _ink(self, picture: Picture) -> float:
        """The area that the boxes of a picture cover."""
        is_u = self.settings.style == "volumes" and skips_of(picture)
        drawn = self._in_style(picture, FORMS[-1] if is_u else FORMS[0])
        return sum(width * height for width, height in map(boxes.size, drawn.boxes()))


def _is_no_worse(drawing: Drawing, before: Drawing) -> bool:
    """Whether a drawing with more detail is not cut more than the one before."""
    return drawing.torn <= before.torn and drawing.is_lone <= before.is_lone


def _is_most_of(opening: Opening, groups: Iterable[Group]) -> bool:
    """Whether a group that would be opened with everything in it has nearly all operations of one around it."""
    path, least = opening.group.scope.path, len(opening.group.indices()) / NEARLY
    around = (group for group in groups if opening.is_whole and path.startswith(f"{group.scope.path}."))
    return any(len(group.indices()) <= least for group in around)


def _in_style(picture: Picture, settings: Settings, form: _Form = FORMS[0]) -> Picture:
    """A picture in the style of the drawing."""
    if settings.style != "volumes":
        return picture
    return with_volumes(picture, shapes=settings.shapes, scale=form.size, is_low=form.is_low)


def _brief(member: Box | Frame, most: int) -> Box | Frame:
    """A box or frame with only the facts in each closed block that has more lines than that; with 0, each in a line."""
    if isinstance(member, Frame):
        return replace(member, members=tuple(_brief(inner, most) for inner in member.members))
    if member.shape is not Shape.SCOPE or len(member.rows) <= most:
        return member
    facts = member.rows[-1]
    return replace(member, rows=(facts,) if most else tuple(Row(text, facts.kind) for text in facts.text.split(FACTS)))


def _distinct(choices: Iterable[Composed]) -> Iterator[tuple[Composed, bool]]:
    """The pictures without those that equal the one before, and whether each is the last one."""
    found: Composed | None = None
    for choice in choices:
        if found is not None and choice.picture != found.picture:
            yield found, False
            found = choice
        found = found or choice
    if found is not None:
        yield found, True
