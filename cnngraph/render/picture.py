"""The picture of a network before layout: boxes, frames and arrows, the same for all formats."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum

from cnngraph.frozen import frozen
from cnngraph.tensor_type import TensorType


class Shape(StrEnum):
    """What a box represents, which determines how it is drawn."""

    OPS = "ops"  # one operation, or a chain of them in rows
    SCOPE = "scope"  # a block or repeat that is not opened
    JOIN = "join"  # an implicit concat of a dense block: a small circle
    LABEL = "label"  # the shape of a tensor, on an arrow
    FORK = "fork"  # the point at which a tensor that enters a frame splits into several arrows
    INPUT = "input"
    OUTPUT = "output"
    ERROR = "error"  # a node with an error, in the valid part of a spec


class Look(StrEnum):
    """Whether a box or frame runs always, only in training mode, or never."""

    PLAIN = "plain"
    TRAINING = "training"
    UNUSED = "unused"


class Trait(StrEnum):
    """What is marked by a sign beside the text."""

    GATE = "gate"
    DILATED = "dilated"
    DEPTHWISE = "depthwise"
    GROUPED = "grouped"


class Change(StrEnum):
    """How a box changes the height and width of the map that it reads."""

    NONE = "none"
    SMALLER = "smaller"
    LARGER = "larger"


SIZE_ONLY = "like"  # the name of inputs of which only the size is read


class Flow(StrEnum):
    """What an arrow is: data, data on a shortcut with operations of its own, or only the size of a map."""

    DATA = "data"
    PROJECTION = "projection"
    SIZE = "size"


@frozen
class Traits:
    """What is marked on a row or a box.

    `window` is the kernel and the stride, and `detail` the dilation and the groups, which volumes show. `colour` is the
    kind whose colour it has, if not its own.
    """

    marks: tuple[Trait, ...] = ()
    dilation: int = 1
    window: str = ""
    detail: str = ""
    colour: str = ""

    @property
    def level(self) -> int:
        """How deep the colour is: 0 without dilation, 1 for 2, 2 for 4, 3 for 8 and more."""
        return min(3, (self.dilation - 1).bit_length())


@frozen
class Row:
    """One operation in a box: `conv 3×3, 64, /2`, coloured by the kind of the op. `note` follows in grey."""

    text: str
    kind: str
    note: str = ""
    traits: Traits = Traits()

    @property
    def colour(self) -> str:
        """The kind whose colour it has."""
        return self.traits.colour or self.kind


@frozen
class Title:
    """The name of a box or frame, the block it is a use of, how many equal ones it represents, and a note."""

    name: str = ""
    block: str = ""
    times: int = 1
    parallel: bool = False
    note: str = ""

    @property
    def count(self) -> str:
        """`×6` if the box or frame represents several, otherwise an empty string."""
        if self.times == 1:
            return ""
        return f"×{self.times} in parallel" if self.parallel else f"×{self.times}"

    def __bool__(self) -> bool:
        return bool(self.name or self.block or self.note or self.times > 1)


@frozen
class Slice:
    """A slice of a volume: the kind whose colour it has, its thickness in points, and how deep the colour is."""

    kind: str
    thickness: float
    level: int = 0


@frozen
class Slab:
    """A part of a volume with one number of channels, its label: slices of operations, from left to right.

    `window` is the kernel and the stride of the operation, `detail` its dilation and groups, and `times` how many equal
    ones it has. With `is_spare` it is a pooling, whose label can be left out, since the channels do not change; `pool`
    is its window if it touches other operations.
    """

    slices: tuple[Slice, ...]
    label: str
    window: str = ""
    detail: str = ""
    pool: str = ""
    times: int = 1
    is_spare: bool = False

    @property
    def thickness(self) -> float:
        """The sum of all slices."""
        return sum(slice.thickness for slice in self.slices)

    @property
    def texts(self) -> tuple[str, str, str]:
        """What is below it: the channels, the kernel and stride, the dilation and groups."""
        return self.label, self._counted(self.window), self.detail

    @property
    def words(self) -> tuple[str, ...]:
        """What its texts say about one of its operations."""
        return self.label, self.window, self.detail, self.pool

    @property
    def above(self) -> str:
        """What is above it: the window of a pooling, which makes the map whose size is there."""
        return self._counted(self.pool)

    def _counted(self, text: str) -> str:
        return f"[{text}] ×{self.times}" if text and self.times > 1 else text


@frozen
class Volume:
    """A tensor in perspective, in points. `size` is a label above it, `name` one below it.

    With a `sign`, it is the activation of a sum or product, whose circle is at the middle, before it.
    """

    slabs: tuple[Slab, ...]
    height: float
    depth: float
    size: str = ""
    name: str = ""
    sign: str = ""

    @property
    def thickness(self) -> float:
        """The sum of all slabs."""
        return sum(slab.thickness for slab in self.slabs)


@frozen
class Box:
    """One box. `key` is unique and safe in every format; `tip` is the tooltip.

    `nodes` are the indices of all nodes of the graph that it represents, including those hidden by folding.
    `types` are the tensors that it computes, and `volume` is what is drawn instead of the box, if anything.
    `traits` are those of a closed block or a circle; other boxes have them in their rows.
    """

    key: str
    shape: Shape
    title: Title = Title()
    rows: tuple[Row, ...] = ()
    tip: str = ""
    look: Look = Look.PLAIN
    nodes: tuple[int, ...] = ()
    types: tuple[TensorType, ...] = ()
    volume: Volume | None = None
    traits: Traits = Traits()
    change: Change = Change.NONE

    @property
    def is_one(self) -> bool:
        """Whether it is one coloured box, not a white one with a coloured row for each operation."""
        return len(self.rows) == 1 or self.shape in (Shape.SCOPE, Shape.ERROR)

    @property
    def marks(self) -> tuple[Trait, ...]:
        """Everything that is marked on the box and its rows."""
        return tuple(mark for traits in (self.traits, *(row.traits for row in self.rows)) for mark in traits.marks)


@frozen
class Frame:
    """A block or repeat drawn open, around its boxes and inner frames."""

    key: str
    title: Title
    members: tuple[Box | Frame, ...]
    tip: str = ""
    look: Look = Look.PLAIN


@frozen
class Arrow:
    """An arrow from a box to another; arrows with the same `tensor` carry the same tensor.

    `source` is the tensor as it is drawn: of iterations that are folded, that of the iteration which stands for all.
    `label` is the shape, if it is shown. `role` is the name of the input, for ops whose inputs differ in meaning.
    `main` arrows follow the main flow, others run beside it. `size` is the height and width of the map, if it is one.
    `places` are the numbers of the inputs that it is, from 1, if the op distinguishes them by their order. `mark` is a
    short text at its head that tells them apart: a sign, or a number where the drawing does not show the order.
    """

    tail: str
    head: str
    tensor: str
    label: str = ""
    role: str = ""
    look: Look = Look.PLAIN
    main: bool = True
    source: str = ""
    size: tuple[int, int] | None = None
    flow: Flow = Flow.DATA
    places: tuple[int, ...] = ()
    mark: str = ""


@frozen
class Picture:
    """A complete drawing. Members and arrows are in order of execution."""

    name: str
    members: tuple[Box | Frame, ...]
    arrows: tuple[Arrow, ...]

    def boxes(self) -> Iterator[Box]:
        """Every box, in order."""
        return (member for member in self._all() if isinstance(member, Box))

    def frames(self) -> Iterator[Frame]:
        """Every frame, an outer one before those inside."""
        return (member for member in self._all() if isinstance(member, Frame))

    def _all(self) -> Iterator[Box | Frame]:
        waiting: list[Box | Frame] = [*reversed(self.members)]
        while waiting:
            member = waiting.pop()
            yield member
            if isinstance(member, Frame):
                waiting += reversed(member.members)


def without_shapes(picture: Picture) -> Picture:
    """The picture without the shapes of tensors on its arrows."""
    return replace(picture, arrows=tuple(replace(arrow, label="") for arrow in picture.arrows))


SIGNS = {"add": "+", "sub": "−", "mul": "×"}


def sign(box: Box) -> str:
    """The sign in the circle of a sum, product or implicit concat; an empty string if it is drawn as a box."""
    if box.shape is Shape.JOIN:
        return "c"
    if box.volume:
        return box.volume.sign
    return SIGNS.get(box.rows[0].text, "") if len(box.rows) == 1 and not box.title else ""
