"""Whether weights fit a network, determined by keys and shapes: no weight is loaded and no module is built."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from cnngraph import markup
from cnngraph.backend.weights.files import WeightsFile
from cnngraph.backend.weights.renames import Renames
from cnngraph.backend.weights.tables import Shape, is_bookkeeping
from cnngraph.diagnostics import SpecError
from cnngraph.elaborate.bases import bases_with_params
from cnngraph.frozen import frozen
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Node
from cnngraph.graph.path_patterns import matching_keys
from cnngraph.migration.heads import last_layers
from cnngraph.numbers import show_sizes

COUNTER = "num_batches_tracked"  # of batch norm; old files lack it, and it has no effect on the output
MIN_LOADED = 0.5  # of the weights of a file for a network of which this one is a variant
MAX_LAYERS = 6  # that a summary names
OUTPUTS = "because the number of outputs differs"
NEW, CHANGED = "because they are new in this network", "because this network changes their shape"
SHOWN = 8  # the number of keys of each kind that a report shows


@frozen
class Misshapen:
    """A weight whose shape in the file differs from that in the network."""

    key: str
    in_file: Shape
    in_model: Shape

    def __str__(self) -> str:
        return f"{self.key}: {_shape(self.in_file)} in the file, {_shape(self.in_model)} in the network"


@frozen
class Fresh:
    """A weight that keeps its initial value, and why; `in_file` is None if the file does not have it."""

    key: str
    in_file: Shape | None
    in_model: Shape
    why: str

    def __str__(self) -> str:
        if self.in_file is None:
            return f"{self.key}: {_shape(self.in_model)}"
        return f"{self.key}: {_shape(self.in_file)} in the file, {_shape(self.in_model)} in the network"


@frozen
class WeightsReport:
    """The result for every key: `missing` keys are only in the network, `unexpected` keys only in the file.

    `fresh` weights keep their initial values: a classifier with another number of classes, what a variant changed or
    added in a network that the file fits, and what a person asked for. `left_out` weights of the file are not needed:
    auxiliary heads, what a variant removed, and what a person asked to leave. With `partial`, all others may be
    missing, too.
    """

    file: str
    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    misshapen: tuple[Misshapen, ...]
    fresh: tuple[Fresh, ...] = ()
    left_out: tuple[str, ...] = ()
    partial: bool = False

    @property
    def ok(self) -> bool:
        """Whether the file has all weights of the network that are not fresh, and no others."""
        return not (self.missing or self.unexpected or self.misshapen)

    @property
    def accepted(self) -> bool:
        """Whether the weights fit as far as they have to: partially, if that was asked for."""
        return self.ok or (self.partial and bool(self.loaded))

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
        return list(dict.fromkeys(weight.key.rpartition(".")[0] or weight.key for weight in self.fresh))

    @property
    def summary(self) -> str:
        """`net.pth: 120 of 122 weights loaded, fc freshly initialised`."""
        not_loaded = len(self.missing) + len(self.misshapen)
        facts = [f"{self.file}: {len(self.loaded):,} of {self.expected:,} weights loaded"]
        if not_loaded:
            facts.append(f"{not_loaded:,} {'was' if not_loaded == 1 else 'were'} not and are random")
        return ", ".join([*facts, *([self.fresh_summary] if self.fresh else [])])

    @property
    def fresh_summary(self) -> str:
        """`fc freshly initialised`, with at most some of the layers."""
        fresh = self.fresh_layers
        more = f" and {len(fresh) - MAX_LAYERS:,} more layers" if len(fresh) > MAX_LAYERS else ""
        return f"{', '.join(fresh[:MAX_LAYERS])}{more} freshly initialised"

    def _repr_html_(self) -> str:
        rows = [
            *((key, "missing in the file", None, None) for key in self.missing),
            *((item.key, "different shape", _shape(item.in_file), _shape(item.in_model)) for item in self.misshapen),
            *((key, "only in the file", None, None) for key in self.unexpected),
            *(
                (item.key, f"initialised, {item.why}", item.in_file and _shape(item.in_file), _shape(item.in_model))
                for item in self.fresh
            ),
            *((key, "not loaded", None, None) for key in self.left_out),
        ]
        title, *_ = str(self).splitlines()
        headings = ("weight", "", "in the file", "in the network")
        return markup.page(markup.table(title, headings, rows, len(rows)) if rows else markup.paragraph(title))

    def __str__(self) -> str:
        lines = [f"{self.file}: {len(self.loaded):,} of {self.expected:,} weights loaded"]
        return "\n".join([*lines, *self.details()])

    def details(self, shown: int = SHOWN) -> Iterator[str]:
        """The keys that were not loaded, grouped by the reason; at most `shown` of each group."""
        yield from _listed("missing in the file", self.missing, shown)
        yield from _listed("with a different shape", self.misshapen, shown)
        yield from _listed("only in the file", self.unexpected, shown)
        for why in dict.fromkeys(weight.why for weight in self.fresh):
            yield from _listed(f"initialised, {why}", [weight for weight in self.fresh if weight.why == why], shown)
        yield from _listed("not loaded, because the network does not have them", self.left_out, shown)


def check_weights(file: WeightsFile, graph: Graph, renames: Mapping[str, str] | None = None) -> WeightsReport:
    """Check, key by key, whether the weights fit a network or one that it extends.

    `renames` are by default those of the network's spec. Raises SpecError (E704) if they are invalid, and E706 for a
    pattern of the file's choices that matches nothing.
    """
    renames = graph.renames if renames is None else renames
    file = file.fitted(graph.state, renames)
    shapes = renamed_shapes(file, renames)
    report = check_shapes(file, shapes, graph.state)
    return report if report.ok else _as_changed(report, shapes, graph)


def check_shapes(file: WeightsFile, found: Mapping[str, Shape], expected: Mapping[str, Shape]) -> WeightsReport:
    """Compare the shapes in a file with those of a network, by key, with what a person chose."""
    choices = file.choices
    left = matching_keys(choices.leave, found, "leave", file.name)
    chosen = matching_keys(choices.fresh, expected, "fresh", "the network")
    report = compare(
        file.name,
        {key: shape for key, shape in found.items() if key not in left and key not in chosen},
        {key: shape for key, shape in expected.items() if key not in chosen},
    )
    fresh = tuple(Fresh(key, found.get(key), expected[key], choices.why_fresh) for key in expected if key in chosen)
    return replace(report, fresh=fresh, left_out=tuple(left), partial=choices.partial)


def renamed_shapes(file: WeightsFile, renames: Mapping[str, str]) -> dict[str, Shape]:
    """The shapes of the weights in a file by their keys in the network."""
    shapes = file.shapes
    return {new: shapes[old] for new, old in Renames(file.renames(renames)).all(shapes, file.name).items()}


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
    """Raise SpecError (E706) if the weights do not fit, or with `partial`, if none does."""
    if report.accepted:
        return
    message = f"{report.file} does not fit {network}: {report.counted}"
    notes = tuple(f"{kind}: {_some(keys)}" for kind, keys in report.misfits.items())
    help = (
        "run `cnngraph weights SPEC FILE` to list every key; `--partial` loads those that fit, and `--from OLD` adapts "
        "the weights of another network"
    )
    if not report.loaded:
        help = "run `cnngraph weights SPEC FILE` to list every key, and the renames that would help"
    elif not (report.missing or report.misshapen):
        help = "run `cnngraph weights SPEC FILE --save weights.safetensors` to write only the weights of the network"
    raise SpecError.of("E706", message, notes=notes, help=help)


def _as_changed(report: WeightsReport, found: Mapping[str, Shape], graph: Graph) -> WeightsReport:
    """The report if the file fits a network of which this one is a variant; else the report as is.

    The conditions: the entire file fits the base network. Weights that params change belong to a last layer and differ
    only in the number of outputs, and weights that they remove to an auxiliary head. What the variant's spec changes,
    adds or removes otherwise is fresh, or left out, if at least half of the file is loaded.
    """
    if not report.loaded:
        return report
    last = set(_keys(last_layers(graph)))
    for base, same_params in bases_with_params(graph):
        if not compare(report.file, found, base.state).ok:
            continue
        change = _Change(graph, same_params, last, set(_keys(node for node in base.nodes if node.training_only)))
        fresh = [change.fresh(weight.key, weight.in_file) for weight in report.misshapen]
        fresh += [change.fresh(key, None) for key in report.missing]
        if None in fresh or not all(map(change.removes, report.unexpected)):
            return report
        only_outputs = all(item and item.why == OUTPUTS for item in fresh)
        if len(report.loaded) < MIN_LOADED * len(found) and not only_outputs:
            return report
        return replace(
            report,
            misshapen=(),
            missing=(),
            unexpected=(),
            fresh=(*report.fresh, *(item for item in fresh if item)),
            left_out=(*report.left_out, *report.unexpected),
        )
    return report


@frozen
class _Change:
    """What a variant changes in its base. `same_params` is its base with the params of the variant."""

    graph: Graph
    same_params: Graph | None
    last: set[str]  # keys of the last layers
    heads: set[str]  # keys of auxiliary heads of the base

    def fresh(self, key: str, in_file: Shape | None) -> Fresh | None:
        """The weight if it may be fresh, else None."""
        shape = self.graph.state[key]
        if key in self.last and in_file is not None and in_file[1:] == shape[1:]:
            return Fresh(key, in_file, shape, OUTPUTS)
        if self.same_params is None or self.same_params.state.get(key) == shape:
            return None
        if in_file is None:
            return None if key in self.same_params.state else Fresh(key, None, shape, NEW)
        return Fresh(key, in_file, shape, CHANGED) if self.same_params.state.get(key) == in_file else None

    def removes(self, key: str) -> bool:
        """Whether a weight of the base belongs to an auxiliary head, or the variant's spec removes it."""
        return key in self.heads or (self.same_params is not None and key in self.same_params.state)


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
