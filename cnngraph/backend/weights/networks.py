"""The weights that a spec names for the networks that are its nodes: `weights: {backbone: torchvision}`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from cnngraph.backend.weights.files import Choices, WeightsFile
from cnngraph.backend.weights.load import renamed_tensors
from cnngraph.backend.weights.migrate import MigratedWeights
from cnngraph.backend.weights.published import open_weights
from cnngraph.backend.weights.report import check_shapes, check_weights, refuse_misfit, renamed_shapes
from cnngraph.backend.weights.tables import Shape, Table
from cnngraph.diagnostics import SpecError
from cnngraph.elaborate.bases import base_names
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import NetworkWeights
from cnngraph.initial_weights import NONE, InitialWeights


def initial_weights(chosen: InitialWeights, graph: Graph, old: Graph | None = None) -> WeightsFile | None:
    """The chosen weights; by default those that the spec names for its networks. None for random weights.

    Those of an `old` network are adapted. Raises SpecError (E704 to E707).
    """
    opened = _opened(chosen, graph, old)
    if opened is not None:
        opened.chosen = replace(chosen, old=old).identity()
    return opened


def _opened(chosen: InitialWeights, graph: Graph, old: Graph | None) -> WeightsFile | None:
    if chosen.source is None:
        return WeightsOfNetworks(graph) if graph.weights else None
    if chosen.source == NONE:
        return None
    if old is not None:
        return MigratedWeights.open(chosen.source, old, graph, chosen.migration)
    return open_weights(chosen.source, base_names(graph), Choices(chosen.partial, chosen.fresh, chosen.leave))


def check_initial(chosen: InitialWeights, graph: Graph, old: Graph | None = None) -> None:
    """Check whether the chosen weights can be used, without reading them all. Raises SpecError (E704 to E706)."""
    if old is not None and chosen.source is not None:
        report = check_weights(open_weights(chosen.source, base_names(old)), old)
        refuse_misfit(report, old.name)
    elif (opened := _opened(chosen, graph, None)) is not None:
        refuse_misfit(check_weights(opened, graph), graph.name)


class WeightsOfNetworks(WeightsFile):
    """The weights of a network's networks, by their keys in it. All others keep their initial values."""

    in_order = True
    is_computed = True

    def __init__(self, graph: Graph) -> None:
        self._state: dict[str, Tensor] = {}
        statements = []
        for wanted in graph.weights:
            found, of = _weights_of(wanted, graph.state)
            self._state |= found
            statements.append(f"{len(found):,} of {of:,} weights of `{wanted.path}` from {wanted.source}")
        self._statements = tuple(statements)
        table = Table((), {key: tuple(tensor.shape) for key, tensor in self._state.items()})
        super().__init__(Path(), f"the `weights` of {graph.name}", [table])
        fresh = tuple(key for key in graph.state if key not in self._state)
        self.choices = Choices(fresh=fresh, why_fresh="since `weights` names none for them")

    @property
    def statements(self) -> tuple[str, ...]:
        """How many weights each network has got."""
        return self._statements

    def renames(self, given: Mapping[str, str]) -> Mapping[str, str]:
        """None: the keys are those of the network."""
        return {}

    def stored(self) -> Mapping[str, Tensor]:
        """All weights."""
        return self._state


def _weights_of(wanted: NetworkWeights, state: Mapping[str, Shape]) -> tuple[dict[str, Tensor], int]:
    """The weights of one network, and the number that it needs.

    Weights for what was left out of the network may be superfluous. Raises SpecError (E706) if less than half fit.
    """
    prefix = f"{wanted.path}."
    expected = {key.removeprefix(prefix): shape for key, shape in state.items() if key.startswith(prefix)}
    file = open_weights(wanted.source, wanted.names).fitted(expected, wanted.renames)
    report = check_shapes(file, renamed_shapes(file, wanted.renames), expected)
    if 2 * len(report.loaded) < report.expected:
        message = f"{file.name} does not fit `{wanted.path}`: {report.counted}"
        raise SpecError.of("E706", message, wanted.span, help="name the weights of this network, or remove the entry")
    tensors = renamed_tensors(file, wanted.renames, report.loaded)
    return {f"{prefix}{key}": tensor for key, tensor in tensors.items()}, report.expected
