"""The picture of a network before any layout: boxes, frames and arrows, the same for every format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Shape(StrEnum):
    """What a box stands for, which decides how it is drawn."""

    OPS = "ops"  # one operation, or a chain of them in rows
    SCOPE = "scope"  # a block or repeat that is not opened
    JOIN = "join"  # an implicit concat of a dense block: a small circle
    LABEL = "label"  # the shape of a tensor, on its way
    FORK = "fork"  # where one tensor that enters a frame goes several ways
    INPUT = "input"
    OUTPUT = "output"


class Look(StrEnum):
    """Whether a part runs always, in training mode only, or never."""

    PLAIN = "plain"
    TRAINING = "training"
    UNUSED = "unused"


@dataclass(frozen=True, slots=True)
class Row:
    """One operation inside a box: `conv 3×3, 64, /2`, coloured by the op's kind. `note` stands beside it in grey."""

    text: str
    kind: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Title:
    """The name of a box or frame, the block it is a use of, how many equal ones it stands for, and a note."""

    name: str = ""
    block: str = ""
    times: int = 1
    parallel: bool = False
    note: str = ""

    @property
    def count(self) -> str:
        """`×6` where the box or frame stands for several, else an empty text."""
        if self.times == 1:
            return ""
        return f"×{self.times} in parallel" if self.parallel else f"×{self.times}"

    def __bool__(self) -> bool:
        return bool(self.name or self.block or self.note or self.times > 1)


@dataclass(frozen=True, slots=True)
class Box:
    """One box. `key` is unique and safe in every format; `tip` are the facts a reader sees on pointing at it."""

    key: str
    shape: Shape
    title: Title = Title()
    rows: tuple[Row, ...] = ()
    tip: str = ""
    look: Look = Look.PLAIN


@dataclass(frozen=True, slots=True)
class Frame:
    """A block or repeat drawn open, around its boxes and inner frames."""

    key: str
    title: Title
    members: tuple[Box | Frame, ...]
    tip: str = ""
    look: Look = Look.PLAIN


@dataclass(frozen=True, slots=True)
class Arrow:
    """A tensor on its way; arrows of one `tensor` carry the same.

    `label` is its shape, where the picture says it, `role` what it is to an op whose inputs differ in meaning.
    `main`: along the flow, not beside it.
    """

    tail: str
    head: str
    tensor: str
    label: str = ""
    role: str = ""
    look: Look = Look.PLAIN
    main: bool = True


@dataclass(frozen=True, slots=True)
class Picture:
    """A whole drawing. Members and arrows stand in order of execution."""

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


SIGNS = {"add": "+", "sub": "−", "mul": "×"}


def sign(box: Box) -> str:
    """What stands in the circle of a sum, product or implicit concat; an empty text for what is a box."""
    if box.shape is Shape.JOIN:
        return "c"
    return SIGNS.get(box.rows[0].text, "") if len(box.rows) == 1 and not box.title else ""
