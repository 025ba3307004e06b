"""Where the language is stricter than PyTorch, each with the sentence of the documentation that says so."""

from __future__ import annotations

from dataclasses import dataclass

from cnngraph.ops.op import Op, OpError


@dataclass(frozen=True)
class Stricter:
    """Refusals of some ops (all, where none are named) by one code; `says` stands in docs/`page`."""

    code: str
    ops: tuple[str, ...]
    page: str
    says: str

    def covers(self, op: Op, error: OpError) -> bool:
        """Whether a refusal is one of these."""
        return error.code == self.code and (not self.ops or op.name in self.ops)


STRICTER = (
    Stricter("E202", ("add", "sub", "maximum", "mean"), "ops.md", "All shapes must be equal; nothing broadcasts."),
    Stricter("E203", ("add", "sub", "maximum", "mean"), "ops.md", "The shapes must be equal; nothing broadcasts."),
    Stricter("E202", ("gate",), "ops.md", "Both shapes must be equal, and stay."),
    Stricter("E203", ("gate",), "ops.md", "Both shapes must be equal, and stay."),
    Stricter("E203", ("mul",), "ops.md", "Inputs\nneed equally many axes"),
    Stricter("E208", ("chunk",), "ops.md", "how many parts; divides the axis"),
    Stricter("E202", ("scale",), "ops.md", "Either may be a list of a number for each channel"),
    Stricter(
        "E211", (), "ops.md", "Axes keep their names: after a\npermute to H×W×C the channels are still the channels."
    ),
    Stricter("E204", ("drop_block",), "ops.md", "side of the squares, an odd number"),
    Stricter("E210", (), "ops.md", "Reads one tensor."),
    Stricter("E205", (), "ops.md", "An axis (`dim`) goes by its name, or by PyTorch's number"),
    Stricter("E212", (), "ops.md", "A free parameter, which has none, goes into `add`, `sub`, `mul` and `maximum`."),
    Stricter("E502", (), "reference/yaml.md", "numbers in one tensor, of one image"),
)


def is_stricter(op: Op, error: OpError) -> bool:
    """Whether the documentation says that this is refused."""
    return any(limit.covers(op, error) for limit in STRICTER)
