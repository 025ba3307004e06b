"""Where the language is stricter than PyTorch, with the sentence of the documentation that says so."""

from __future__ import annotations

from dataclasses import dataclass

from cnngraph.ops.op import Op, OpError


@dataclass(frozen=True)
class Stricter:
    """One code for some ops (all if none are named); `sentence` is in docs/`page`."""

    code: str
    ops: tuple[str, ...]
    page: str
    sentence: str

    def covers(self, op: Op, error: OpError) -> bool:
        """Whether this entry covers an error."""
        return error.code == self.code and (not self.ops or op.name in self.ops)


STRICTER = (
    Stricter("E202", ("mean",), "ops.md", "all shapes equal"),
    Stricter("E203", ("mean",), "ops.md", "all shapes equal"),
    Stricter("E202", ("gate",), "ops.md", "Both inputs must have the same shape"),
    Stricter("E203", ("gate",), "ops.md", "Both inputs must have the same shape"),
    Stricter("E208", ("chunk",), "ops.md", "number of chunks; must divide the size of the axis"),
    Stricter("E202", ("scale",), "ops.md", "Either constant may be a list with one number per channel"),
    Stricter("E211", (), "ops.md", "Axes keep their names: after a permute to H×W×C, C is still the\nchannel axis."),
    Stricter("E204", ("drop_block",), "ops.md", "side length of the square regions; must be odd"),
    Stricter("E210", (), "ops.md", "Reads one tensor."),
    Stricter("E205", (), "ops.md", "An axis (`dim`) is a\nname, or PyTorch's index"),
    Stricter("E212", (), "ops.md", "A free parameter has none; it can be an input of the ops marked with"),
    Stricter("E502", (), "reference/yaml.md", "numbers in one tensor, for one image"),
)


def is_stricter(op: Op, error: OpError) -> bool:
    """Whether the documentation says that this is an error."""
    return any(limit.covers(op, error) for limit in STRICTER)
