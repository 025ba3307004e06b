"""`migrate`: the weights of a network for a changed one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cnngraph.api.arguments import InputShape, Params, Plugins, checked_channels, patterns
from cnngraph.api.compiling import graph_of
from cnngraph.api.readable import Readable
from cnngraph.elaborate.bases import base_names
from cnngraph.elaborate.elaborate import MAX_NODES
from cnngraph.frozen import frozen
from cnngraph.graph.graph import Graph
from cnngraph.migration import Options, Plan
from cnngraph.packages import explained

if TYPE_CHECKING:
    from torch import Tensor

    from cnngraph.backend import Migration


@frozen
class MigrationResult(Readable):
    """The weights of a changed network: `plan` says for every tensor where it comes from, `state` is the state_dict.

    `differences` are the measured maximum differences by output, where the plan says that something is preserved.
    """

    plan: Plan
    state: dict[str, Tensor] = field(repr=False)
    differences: dict[str, float]
    _migration: Migration = field(repr=False)

    @property
    def preserved(self) -> bool:
        """Whether all outputs are those of the old network in eval mode."""
        return all(claim.preserved and not claim.nearly for claim in self.plan.claims)

    def to_dict(self) -> dict[str, Any]:
        """The plan and the differences as plain data, as in the JSON output of `cnngraph migrate`."""
        return self._migration.to_dict()

    def _repr_html_(self) -> str:
        return self.plan.html(str(self).splitlines()[1:])

    def save(self, path: str | Path) -> None:
        """Write the weights as safetensors, atomically. Raises WriteError, an OSError."""
        from cnngraph.backend.weights.load import save_tensors

        save_tensors(self.state, path)

    def __str__(self) -> str:
        counts = ", ".join(f"{number:,} {kind}" for kind, number in self.plan.counts.items() if number)
        measured = {item.claim.output: f" ({item})" for item in self._migration.differences}
        claims = [f"{claim}{measured.get(claim.output, '')}" for claim in self.plan.claims]
        return "\n".join([f"{self.plan.old} → {self.plan.new}: {counts}", *claims])


@explained()
def migrate(
    old: str | Path | Graph,
    new: str | Path | Graph,
    weights: str | Path,
    /,
    *,
    out: str | Path | None = None,
    input_channels: Literal["sum", "mean", "cycle"] | None = None,
    classes: Sequence[int] | None = None,
    fresh: str | Iterable[str] = (),
    params: Params | None = None,
    old_params: Params | None = None,
    input: InputShape | None = None,
    seed: int = 0,
    plugins: Plugins = (),
    max_nodes: int = MAX_NODES,
) -> MigrationResult:
    """Carry the weights of a network over to a changed one.

    `old` and `new` are specs, by name or path, or graphs of `load`; `params` and `input` override those of the new
    spec, `old_params` those of the old one. `weights` are those of the old network: a file, or `"torchvision"`. Every
    weight is copied, renamed, adapted or fresh; see docs/guide/migration.md. Inserted modules start such that the
    network computes the same as before, where that is possible; this is measured on random inputs.

    `input_channels` says how the first layer is adapted to another number of channels: each new one gets an equal part
    of the `"sum"` of the old weights, their `"mean"`, or the old weights in a `"cycle"`. `classes` are the old outputs
    to keep as the outputs of the new classifier. Modules that match the patterns `fresh` are initialised, with `seed`.
    With `out` the weights are also written to a .safetensors file.

    Raises SpecError: errors of the specs, E704 to E706 for the weights, E707 for an impossible migration.
    """
    channels = checked_channels(input_channels)
    graphs = [
        graph_of(spec, shape, () if isinstance(spec, Graph) else plugins, max_nodes, changes)
        for spec, shape, changes in ((old, None, old_params), (new, input, params))
    ]

    from cnngraph import backend

    options = Options(channels, None if classes is None else tuple(map(int, classes)), patterns(fresh))
    opened = backend.open_weights(weights, base_names(graphs[0]))
    done = backend.migrate(opened, graphs[0], graphs[1], options, seed)
    differences = {item.claim.output: item.difference for item in done.differences if not item.problem}
    result = MigrationResult(done.plan, dict(done.state), differences, done)
    if out is not None:
        result.save(out)
    return result
