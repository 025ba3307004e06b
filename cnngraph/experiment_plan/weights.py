"""The initial weights of each network of an experiment, and whether networks can keep any of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from cnngraph.compilation import compile_spec, network_of
from cnngraph.diagnostics import Diagnostic, Span, SpecError
from cnngraph.document import Listing, Table
from cnngraph.experiment_plan.model import Experiment, NetworkEntry
from cnngraph.experiment_plan.reading import LoadedExperiment
from cnngraph.graph.graph import Graph
from cnngraph.initial_weights import NONE, InitialWeights, file_of, is_published
from cnngraph.library import is_name
from cnngraph.migration import nothing_kept, plan
from cnngraph.text import in_backticks

KEYS = ("weights", "from", "partial", "fresh", "leave", "input_channels", "classes")


@dataclass
class WeightsOfNetworks:
    """The chosen weights by the number of a network in `specs`, and the networks that they belong to by name."""

    loaded: LoadedExperiment
    graphs: dict[str, Graph] = field(default_factory=dict)
    checked: dict[tuple[int, int], tuple[Diagnostic, ...]] = field(default_factory=dict)

    def of(self, number: int) -> InitialWeights:
        """The weights of a network: its own keys, and those of the experiment unless it has its own `weights`.

        Raises SpecError if keys contradict each other, or the network of `from` has errors.
        """
        experiment, entry = self.loaded.experiment, self.loaded.experiment.specs[number]
        values = _given(self.item(number), entry)
        if "weights" not in values:
            values = _given(self.loaded.table, experiment) | values
        fresh, leave = ((value,) if isinstance(value := values.get(key, ()), str) else value for key in KEYS[3:5])
        chosen = InitialWeights(
            self.source(values.get("weights")),
            values.get("from"),
            values.get("partial", False),
            fresh,
            leave,
            values.get("input_channels") or "",
            values.get("classes"),
        )
        if problem := chosen.contradiction(lambda name: in_backticks([name])):
            raise SpecError.of("E605", problem, self.span(number))
        if chosen.source is None or chosen.old is None:
            return chosen
        old = self.old(str(chosen.old), self.span(number, "from"))
        return replace(chosen, old=old)

    def source(self, text: str | None) -> str | None:
        """The source of weights; files are relative to the experiment's folder."""
        if text is None or is_published(text) or text == NONE:
            return text
        return str(self.loaded.folder / text)

    def old(self, name: str, span: Span) -> Graph:
        """The network that weights belong to. Raises SpecError."""
        if name not in self.graphs:
            path = name if is_name(name) else str(self.loaded.folder / name)
            self.graphs[name] = network_of(compile_spec(path), name)
        return self.graphs[name]

    def problems(self, number: int, chosen: InitialWeights, graph: Graph) -> tuple[Diagnostic, ...]:
        """The errors of a network and its weights that can be found without reading them."""
        key = number, id(graph)
        if key not in self.checked:
            self.checked[key] = tuple(self._problems(number, chosen, graph))
        return self.checked[key]

    def _problems(self, number: int, chosen: InitialWeights, graph: Graph) -> Iterator[Diagnostic]:
        in_file = chosen.source is not None and chosen.source != NONE and not is_published(chosen.source)
        if in_file and not (file := file_of(str(chosen.source))).exists():
            yield Diagnostic("E704", f"cannot read {file}: file not found", self.span(number, "weights"))
        if isinstance(chosen.old, Graph):
            try:
                planned = plan(chosen.old, graph, chosen.migration)
            except SpecError as error:
                yield from error.diagnostics
                return
            if not planned.kept:
                yield nothing_kept(planned, self.span(number, "from"))

    def span(self, number: int, key: str = "") -> Span:
        """Where a key is written, or the first one of all: for the network, else for the experiment."""
        for table in (self.item(number), self.loaded.table):
            for entry in table:
                if entry.key == key or (not key and entry.key in KEYS):
                    return entry.value.span if key else entry.key_span
        return self.item(number).span

    def item(self, number: int) -> Table:
        """The mapping of a network in `specs`."""
        specs = self.loaded.table.get("specs")
        assert specs
        assert isinstance(specs.value, Listing)
        item = specs.value.items[number]
        assert isinstance(item, Table)
        return item


def _given(table: Table, record: Experiment | NetworkEntry) -> dict[str, Any]:
    """The values of the keys that are written."""
    return {key: getattr(record, "from_" if key == "from" else key) for key in KEYS if table.get(key)}
