"""Whether weights fit a network, told by keys and shapes alone: nothing is loaded, no module is built."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from cnngraph.backend.weights.files import Shape, WeightsFile, is_bookkeeping
from cnngraph.backend.weights.renames import Renames
from cnngraph.diagnostics import Diagnostic, SpecError
from cnngraph.elaborate.bases import bases
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Node
from cnngraph.numbers import show_sizes

COUNTER = "num_batches_tracked"  # of batch norm; old files lack it, and nothing hangs on it
SHOWN = 8  # keys of a kind that a report shows


@dataclass(frozen=True, slots=True)
class Misshapen:
    """A weight whose shape in the file is not the network's."""

    key: str
    in_file: Shape
    in_model: Shape

    def __str__(self) -> str:
        return f"{self.key}: {_shape(self.in_file)} in the file, {_shape(self.in_model)} in the network"


@dataclass(frozen=True, slots=True)
class WeightsReport:
    """What becomes of every key: `missing` are the network's that the file lacks, `unexpected` the file's own.

    A file may fit the network before it was changed: a classifier with another number of classes then begins `fresh`,
    and auxiliary heads that the network no longer has are `left_out`.
    """

    file: str
    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    misshapen: tuple[Misshapen, ...]
    fresh: tuple[Misshapen, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every weight of the network comes from the file but those of a changed classifier."""
        return not (self.missing or self.unexpected or self.misshapen)

    @property
    def expected(self) -> int:
        """How many weights the network has."""
        return len(self.loaded) + len(self.missing) + len(self.misshapen) + len(self.fresh)

    @property
    def misfits(self) -> dict[str, tuple[object, ...]]:
        """The keys that do not fit, by what is wrong with them."""
        kinds: dict[str, tuple[object, ...]] = {
            "missing": self.missing,
            "of another shape": self.misshapen,
            "in the file only": self.unexpected,
        }
        return {kind: keys for kind, keys in kinds.items() if keys}

    @property
    def counted(self) -> str:
        """`11 of 15 weights, 4 of another shape`: how many fit, and how many do not."""
        weights = "weight" if self.expected == 1 else "weights"
        misfits = [f"{len(keys):,} {kind}" for kind, keys in self.misfits.items()]
        return ", ".join([f"{len(self.loaded):,} of {self.expected:,} {weights}", *misfits])

    @property
    def fresh_layers(self) -> list[str]:
        """The paths of the layers that begin fresh."""
        return list(dict.fromkeys(each.key.rpartition(".")[0] for each in self.fresh))

    def __str__(self) -> str:
        lines = [f"{self.file}: {len(self.loaded):,} of {self.expected:,} weights loaded"]
        return "\n".join([*lines, *self.details()])

    def details(self, shown: int = SHOWN) -> Iterator[str]:
        """Every key that was not loaded, by what became of it; of many the first."""
        yield from _listed("missing in the file", self.missing, shown)
        yield from _listed("of another shape", self.misshapen, shown)
        yield from _listed("in the file only", self.unexpected, shown)
        yield from _listed("fresh, for another number of outputs", self.fresh, shown)
        yield from _listed("left in the file, of auxiliary heads that the network does not have", self.left_out, shown)


def check_weights(file: WeightsFile, graph: Graph, renames: Mapping[str, str] | None = None) -> WeightsReport:
    """Whether the weights fit a network, or one that it is a change of, key by key.

    `renames` are by default those of the network's spec. Raises SpecError (E704) where they cannot be.
    """
    shapes = renamed_shapes(file, graph.renames if renames is None else renames)
    report = compare(file.name, shapes, graph.state)
    return report if report.ok else _as_changed(report, shapes, graph)


def renamed_shapes(file: WeightsFile, renames: Mapping[str, str]) -> dict[str, Shape]:
    """The shapes of a file by the keys that its weights have in the network."""
    shapes = file.shapes
    return {new: shapes[old] for new, old in Renames(renames).all(shapes, file.name).items()}


def compare(file: str, found: Mapping[str, Shape], wanted: Mapping[str, Shape]) -> WeightsReport:
    """What the file has of what is wanted."""
    return WeightsReport(
        file,
        loaded=tuple(key for key, shape in wanted.items() if found.get(key) == shape),
        missing=tuple(key for key in wanted if key not in found and key.rpartition(".")[2] != COUNTER),
        unexpected=tuple(key for key in found if key not in wanted and not is_bookkeeping(key)),
        misshapen=tuple(
            Misshapen(key, found[key], shape) for key, shape in wanted.items() if key in found and found[key] != shape
        ),
    )


def refuse_misfit(report: WeightsReport, network: str) -> None:
    """Raise SpecError (E706) where weights do not fit."""
    if report.ok:
        return
    message = f"{report.file} does not fit {network}: {report.counted}"
    notes = tuple(f"{kind}: {_some(keys)}" for kind, keys in report.misfits.items())
    help = "cnngraph weights SPEC FILE lists every key"
    if not (report.missing or report.misshapen):
        help = "cnngraph weights SPEC FILE --save weights.safetensors writes those of the network alone"
    raise SpecError([Diagnostic("E706", message, notes=notes, help=help)])


def _as_changed(report: WeightsReport, found: Mapping[str, Shape], graph: Graph) -> WeightsReport:
    """The report, where the file fits a network that this one is a change of, and the change is but at its end.

    That is: all of the file fits that network. What has another shape here belongs to a last layer, and differs in the
    number of its outputs alone. What this network does not have at all belongs to an auxiliary head there.
    """
    if report.missing or not report.loaded:
        return report
    last = set(_keys(_last_layers(graph)))
    if not all(each.key in last and each.in_file[1:] == each.in_model[1:] for each in report.misshapen):
        return report
    for base in bases(graph):
        heads = set(_keys(node for node in base.nodes if node.training_only))
        if heads.issuperset(report.unexpected) and compare(report.file, found, base.state).ok:
            return replace(
                report, misshapen=(), unexpected=(), fresh=report.misshapen, left_out=tuple(report.unexpected)
            )
    return report


def _last_layers(graph: Graph) -> Iterator[Node]:
    """The nodes after which no more layer comes: an output's last convolution or linear, and what is behind it."""
    before: set[int] = set()
    for index in range(len(graph.nodes) - 1, -1, -1):
        node = graph.nodes[index]
        is_layer = any(len(shape) > 1 for shape in node.parameters.values())
        if (is_layer or index in before) and not node.unused:
            before.update(ref.node for ref in node.reads)
    earlier = {graph.nodes[index].shares or graph.nodes[index].path for index in before if index >= 0}
    return (node for node in graph.nodes if node.path not in earlier)


def _keys(nodes: Iterable[Node]) -> Iterator[str]:
    """The keys of the nodes' weights."""
    for node in nodes:
        for name in (*node.parameters, *node.buffers):
            yield f"{node.path}.{name}" if name else node.path


def _listed(title: str, keys: Iterable[object], shown: int) -> list[str]:
    lines = [str(each) for each in keys]
    if not lines:
        return []
    more = [f"… {len(lines) - shown:,} more"] if len(lines) > shown else []
    return [f"{len(lines):,} {title}:", *(f"  {each}" for each in [*lines[:shown], *more])]


def _some(keys: Iterable[object]) -> str:
    """The first few keys."""
    first, *more = map(str, keys)
    return f"{first} and {len(more):,} more" if more else first


def _shape(shape: Shape) -> str:
    return show_sizes(shape) if shape else "one number"
