"""The weights that a spec names for the networks that are its nodes: `weights: {backbone: torchvision}`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from cnngraph.backend.weights.files import Choices, WeightsFile
from cnngraph.backend.weights.load import renamed_tensors
from cnngraph.backend.weights.published import open_weights
from cnngraph.backend.weights.report import check_shapes, renamed_shapes
from cnngraph.backend.weights.tables import Shape, Table
from cnngraph.diagnostics import SpecError
from cnngraph.elaborate.bases import base_names
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import NetworkWeights

NONE = "none"  # not even the weights that the spec names


def initial_weights(source: str | None, graph: Graph, choices: Choices | None = None) -> WeightsFile | None:
    """The weights of a source; without one, those that the spec names for its networks. None for random weights.

    Raises SpecError (E704, E705, E706).
    """
    if source is None:
        return WeightsOfNetworks(graph) if graph.weights else None
    return None if source == NONE else open_weights(source, base_names(graph), choices)


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
