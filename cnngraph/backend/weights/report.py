"""Whether weights fit a network, determined by keys and shapes: no weight is loaded and no module is built."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from cnngraph.backend.weights.files import Shape, WeightsFile, is_bookkeeping
from cnngraph.backend.weights.renames import Renames
from cnngraph.diagnostics import SpecError
from cnngraph.elaborate.bases import bases
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Node
from cnngraph.numbers import show_sizes

COUNTER = "num_batches_tracked"  # of batch norm; old files lack it, and it has no effect on the output
SHOWN = 8  # the number of keys of each kind that a report shows


@dataclass(frozen=True, slots=True)
class Misshapen:
    """A weight whose shape in the file differs from that in the network."""

    key: str
    in_file: Shape
    in_model: Shape

    def __str__(self) -> str:
        return f"{self.key}: {_shape(self.in_file)} in the file, {_shape(self.in_model)} in the network"


@dataclass(frozen=True, slots=True)
class WeightsReport:
    """The result for every key: `missing` keys are only in the network, `unexpected` keys only in the file.

    If the file fits the network that this one extends, then the weights of a classifier with another number of classes
    are `fresh` (they keep their initial values), and those of auxiliary heads that were removed are `left_out`.
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
        """Whether the file has all weights of the network except those of a changed classifier, and no others."""
        return not (self.missing or self.unexpected or self.misshapen)

    @property
    def expected(self) -> int:
        """The number of weights of the network."""
        return len(self.loaded) + len(self.missing) + len(self.misshapen) + len(self.fresh)

    @property
    def misfits(self) -> dict[str, tuple[object, ...]]:
        """The keys that do not fit, by what is wrong with them."""
        kinds: dict[str, tuple[object, ...]] = {
            "missing": self.missing,
            "with a different shape": self.misshapen,
            "only in the file": self.unexpected,
        }
        return {kind: keys for kind, keys in kinds.items() if keys}

    @property
    def counted(self) -> str:
        """How many weights fit and how many do not: `11 of 15 weights, 4 with a different shape`."""
        weights = "weight" if self.expected == 1 else "weights"
        misfits = [f"{len(keys):,} {kind}" for kind, keys in self.misfits.items()]
        return ", ".join([f"{len(self.loaded):,} of {self.expected:,} {weights}", *misfits])

    @property
    def fresh_layers(self) -> list[str]:
        """The paths of the layers that keep their initial weights."""
        return list(dict.fromkeys(weight.key.rpartition(".")[0] for weight in self.fresh))

    def __str__(self) -> str:
        lines = [f"{self.file}: {len(self.loaded):,} of {self.expected:,} weights loaded"]
        return "\n".join([*lines, *self.details()])

    def details(self, shown: int = SHOWN) -> Iterator[str]:
        """The keys that were not loaded, grouped by the reason; at most `shown` of each group."""
        yield from _listed("missing in the file", self.missing, shown)
        yield from _listed("with a different shape", self.misshapen, shown)
        yield from _listed("only in the file", self.unexpected, shown)
        yield from _listed("initialised, because the number of outputs differs", self.fresh, shown)
        yield from _listed("not loaded, because the network has no auxiliary heads", self.left_out, shown)


def check_weights(file: WeightsFile, graph: Graph, renames: Mapping[str, str] | None = None) -> WeightsReport:
    """Check, key by key, whether the weights fit a network or one that it extends.

    `renames` are by default those of the network's spec. Raises SpecError (E704) if they are invalid.
    """
    shapes = renamed_shapes(file, graph.renames if renames is None else renames)
    report = compare(file.name, shapes, graph.state)
    return report if report.ok else _as_changed(report, shapes, graph)


def renamed_shapes(file: WeightsFile, renames: Mapping[str, str]) -> dict[str, Shape]:
    """The shapes of the weights in a file by their keys in the network."""
    shapes = file.shapes
    return {new: shapes[old] for new, old in Renames(renames).all(shapes, file.name).items()}


def compare(file: str, found: Mapping[str, Shape], expected: Mapping[str, Shape]) -> WeightsReport:
    """Compare the shapes in a file with those of a network, by key."""
    return WeightsReport(
        file,
        loaded=tuple(key for key, shape in expected.items() if found.get(key) == shape),
        missing=tuple(key for key in expected if key not in found and key.rpartition(".")[2] != COUNTER),
        unexpected=tuple(key for key in found if key not in expected and not is_bookkeeping(key)),
        misshapen=tuple(
            Misshapen(key, found[key], shape) for key, shape in expected.items() if key in found and found[key] != shape
        ),
    )


def refuse_misfit(report: WeightsReport, network: str) -> None:
    """Raise SpecError (E706) if the weights do not fit."""
    if report.ok:
        return
    message = f"{report.file} does not fit {network}: {report.counted}"
    notes = tuple(f"{kind}: {_some(keys)}" for kind, keys in report.misfits.items())
    help = "run `cnngraph weights SPEC FILE` to list every key"
    if not (report.missing or report.misshapen):
        help = "run `cnngraph weights SPEC FILE --save weights.safetensors` to write only the weights of the network"
    raise SpecError.of("E706", message, notes=notes, help=help)


def _as_changed(report: WeightsReport, found: Mapping[str, Shape], graph: Graph) -> WeightsReport:
    """The report if the file fits a network that this one extends, changing only its classifier; else the report as is.

    The conditions: the entire file fits the base network; weights with another shape belong to a last layer and differ
    only in the number of outputs; weights that this network lacks belong to an auxiliary head of the base network.
    """
    if report.missing or not report.loaded:
        return report
    last = set(_keys(_last_layers(graph)))
    if not all(weight.key in last and weight.in_file[1:] == weight.in_model[1:] for weight in report.misshapen):
        return report
    for base in bases(graph):
        heads = set(_keys(node for node in base.nodes if node.training_only))
        if heads.issuperset(report.unexpected) and compare(report.file, found, base.state).ok:
            return replace(
                report, misshapen=(), unexpected=(), fresh=report.misshapen, left_out=tuple(report.unexpected)
            )
    return report


def _last_layers(graph: Graph) -> Iterator[Node]:
    """The nodes with no further layer after them: the last convolution or linear layer of an output, and the rest."""
    before: set[int] = set()
    for index in range(len(graph.nodes) - 1, -1, -1):
        node = graph.nodes[index]
        is_layer = any(len(shape) > 1 for shape in node.parameters.values())
        if (is_layer or index in before) and not node.unused:
            before.update(ref.node for ref in node.reads)
    earlier = {graph.nodes[index].shares or graph.nodes[index].path for index in before if index >= 0}
    return (node for node in graph.nodes if node.path not in earlier)


def _keys(nodes: Iterable[Node]) -> Iterator[str]:
    """The state_dict keys of the nodes."""
    for node in nodes:
        for name in (*node.parameters, *node.buffers):
            yield f"{node.path}.{name}" if name else node.path


def _listed(title: str, keys: Iterable[object], shown: int) -> list[str]:
    lines = [str(key) for key in keys]
    if not lines:
        return []
    more = [f"… {len(lines) - shown:,} more"] if len(lines) > shown else []
    return [f"{len(lines):,} {title}:", *(f"  {line}" for line in [*lines[:shown], *more])]


def _some(keys: Iterable[object]) -> str:
    """The first key and the number of the others."""
    first, *more = map(str, keys)
    return f"{first} and {len(more):,} more" if more else first


def _shape(shape: Shape) -> str:
    return show_sizes(shape) if shape else "a single number"
