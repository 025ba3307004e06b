"""A migration plan as a value: for every tensor of the new network where it comes from, and what is preserved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from typing import Literal, TypeAlias

from cnngraph.diagnostics import Diagnostic, Span
from cnngraph.frozen import frozen
from cnngraph.graph.nodes import Ref
from cnngraph.numbers import show_sizes

Shape: TypeAlias = tuple[int, ...]
Kind: TypeAlias = Literal["copied", "renamed", "adapted", "fresh"]
KINDS: tuple[Kind, ...] = ("copied", "renamed", "adapted", "fresh")


@frozen
class Take:
    """Select entries of an axis by index; an index may occur several times. `shares` are factors of the entries."""

    axis: int
    index: tuple[int, ...]
    shares: tuple[float, ...] = ()


@frozen
class Centre:
    """Put a kernel of another size, in height and width, into the centre, or cut out the centre."""

    kernel: tuple[int, ...]


@frozen
class InputChannels:
    """Change the number of input channels on axis 1: by their `sum` or `mean`, or in a `cycle`."""

    mode: str
    count: int


@frozen
class Multiply:
    """Multiply by a number."""

    factor: float


@frozen
class FoldNorm:
    """Fold the batch norm at a path of the old network into the weight or the bias of the convolution before it.

    `has_bias` says whether that convolution has a bias.
    """

    norm: str
    eps: float
    has_bias: bool


@frozen
class Resize:
    """Resize a square grid of positions bilinearly; `extra` first entries, such as a class token, are kept.

    `axis` is that of the positions; -1 for a map of C×H×W.
    """

    axis: int
    extra: int


@frozen
class Fill:
    """A tensor with one value."""

    value: float


@frozen
class Delta:
    """A convolution or linear layer that returns its input."""

    groups: int = 1


Step: TypeAlias = Take | Centre | InputChannels | Multiply | FoldNorm | Resize
Initial: TypeAlias = Fill | Delta


@frozen
class TensorPlan:
    """A tensor of the new network: from `source` by `steps`, or fresh: `initial`, or as the network initialises it."""

    key: str
    shape: Shape
    kind: Kind
    source: str | None = None
    source_shape: Shape | None = None
    steps: tuple[Step, ...] = ()
    initial: Initial | None = None
    note: str = ""


@frozen
class Dropped:
    """A tensor of the old network that the new one does not use."""

    key: str
    shape: Shape
    note: str = ""


@frozen
class Claim:
    """What is preserved of an output: the tensor `new` equals the tensor `old` in eval mode.

    `channels` are the channels of the old tensor, None for all in order. `at` is what is compared: the output itself,
    or the last tensor before it of which this can be said. `grey` limits it to inputs whose channels are all equal.
    `tolerance` is above rounding errors if gates are only nearly open.
    """

    output: str
    preserved: bool
    at: str = ""
    new: Ref | None = None
    old: Ref | None = None
    channels: tuple[int, ...] | None = None
    grey: bool = False
    nearly: bool = False
    reason: str = ""

    def __str__(self) -> str:
        limits = " for inputs whose channels are equal" * self.grey
        how = f"{'nearly ' * self.nearly}preserved in eval mode{limits}" + self.nearly * " (gates are almost open)"
        if self.preserved:
            some = f", for {len(self.channels):,} of the old outputs" if self.channels is not None else ""
            return f"{self.output}: function {how}{some}"
        before = f"; up to {self.at} the function is {how}" if self.new is not None else ""
        return f"{self.output}: function not preserved, {self.reason}{before}"


@frozen
class Plan:
    """The plan: every tensor of the new network in its order, every tensor that is dropped, and the claims."""

    old: str
    new: str
    tensors: tuple[TensorPlan, ...]
    dropped: tuple[Dropped, ...]
    claims: tuple[Claim, ...]

    @property
    def counts(self) -> dict[str, int]:
        """The number of tensors of each kind."""
        found = Counter(tensor.kind for tensor in self.tensors)
        return {**{kind: found[kind] for kind in KINDS}, "dropped": len(self.dropped)}

    @property
    def kept(self) -> int:
        """The number of weights that come from the old network; counters of batches do not count."""
        return sum(tensor.kind != "fresh" and bool(tensor.shape) for tensor in self.tensors)

    @property
    def compared(self) -> tuple[Claim, ...]:
        """The claims that can be measured."""
        return tuple(claim for claim in self.claims if claim.new is not None)

    def _repr_html_(self) -> str:
        return self.html(map(str, self.claims))

    def html(self, claims: Iterable[str]) -> str:
        """The plan as a notebook shows it: the claims, and every tensor that is not simply copied."""
        from cnngraph import markup  # only notebooks need it

        counts = ", ".join(f"{number:,} {kind}" for kind, number in self.counts.items() if number)
        changed = [tensor for tensor in self.tensors if tensor.kind != "copied"]
        rows: list[tuple[object, ...]] = [
            (
                item.key,
                item.kind,
                sizes(item.shape),
                item.source,
                item.source_shape and sizes(item.source_shape),
                item.note,
            )
            for item in changed
        ]
        rows += [(None, "dropped", None, item.key, sizes(item.shape), item.note) for item in self.dropped]
        head = f"<p><b>{markup.text(f'{self.old} → {self.new}')}</b>: {markup.text(counts)}</p>"
        headings = (self.new, "", "shape", self.old, "old shape", "")
        table = [markup.table("", headings, rows, len(rows))] if rows else []
        return markup.page(head, *map(markup.paragraph, claims), *table)

    def to_dict(self) -> dict[str, object]:
        """The plan as plain data."""
        return {
            "old": self.old,
            "new": self.new,
            "counts": self.counts,
            "tensors": [_tensor_dict(tensor) for tensor in self.tensors],
            "dropped": [{"key": item.key, "shape": list(item.shape), "note": item.note} for item in self.dropped],
            "outputs": [
                {
                    "output": claim.output,
                    "preserved": claim.preserved,
                    "nearly": claim.nearly,
                    "equal_input_channels": claim.grey,
                    "compared_at": claim.at if claim.new is not None else None,
                    "statement": str(claim),
                    "difference": None,
                    "magnitude": None,
                }
                for claim in self.claims
            ],
        }


def nothing_kept(plan: Plan, span: Span | None = None) -> Diagnostic:
    """The error for a plan that keeps no weights although they were asked for."""
    help = "name the network that the weights belong to; `cnngraph migrate` prints why nothing fits"
    return Diagnostic("E707", f"`{plan.new}` keeps none of the weights of `{plan.old}`", span, help=help)


def _tensor_dict(tensor: TensorPlan) -> dict[str, object]:
    return {
        "key": tensor.key,
        "kind": tensor.kind,
        "shape": list(tensor.shape),
        "source": tensor.source,
        "source_shape": None if tensor.source_shape is None else list(tensor.source_shape),
        "steps": [{"step": _name(step), **asdict(step)} for step in tensor.steps],
        "initial": None
        if tensor.initial is None
        else {"value": _name(tensor.initial), **asdict(tensor.initial)}
        if isinstance(tensor.initial, Delta)
        else {"value": tensor.initial.value},
        "note": tensor.note,
    }


def _name(value: object) -> str:
    return {"InputChannels": "input_channels", "FoldNorm": "fold_norm"}.get(
        type(value).__name__, type(value).__name__.lower()
    )


def sizes(shape: Shape) -> str:
    """A shape for a note."""
    return show_sizes(shape) if shape else "a single number"
