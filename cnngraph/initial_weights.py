"""The initial weights that a person chooses: where they are, which network they belong to, and what may not fit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cnngraph.frozen import frozen
from cnngraph.graph.graph import Graph
from cnngraph.migration import Options

NONE = "none"  # random weights, not even those that the spec names


@frozen
class InitialWeights:
    """The options `weights`, `from`, `partial` and so on of the command line, the Python API and experiments.

    `old` is the network that the weights belong to, if they are to be adapted to another one.
    """

    source: str | None = None
    old: str | Path | Graph | None = None
    partial: bool = False
    fresh: tuple[str, ...] = ()
    leave: tuple[str, ...] = ()
    input_channels: str = ""
    classes: tuple[int, ...] | None = None

    @property
    def migration(self) -> Options:
        """The options for adapting the weights of another network."""
        return Options(self.input_channels, self.classes, self.fresh)

    def contradiction(
        self, spell: Callable[[str], str], *, resumed: bool = False, old_params: str = "", has_old_params: bool = False
    ) -> str | None:
        """What is wrong if an option needs another one, or excludes it, with what to do; None if nothing is.

        `spell` writes the name of an option as a person did. `resumed` says that a run is resumed, `old_params` is
        the option for params of the old network, and `has_old_params` says that it is used.
        """
        given = {
            "weights": self.source is not None,
            "from": self.old is not None,
            "partial": self.partial,
            "fresh": bool(self.fresh),
            "leave": bool(self.leave),
            "input_channels": bool(self.input_channels),
            "classes": self.classes is not None,
            old_params: has_old_params,
        }
        used = [name for name, is_used in given.items() if is_used]
        of_migration = [name for name in ("input_channels", "classes", old_params) if given[name]]
        others = [name for name in used if name != "weights"]
        if resumed and used:
            return f"a resumed run keeps its weights: leave out {spell(used[0])}"
        if of_migration and self.old is None:
            return f"{spell(of_migration[0])} needs {spell('from')}: the network that the weights belong to"
        if others and self.source is None:
            return f"{spell(others[0])} needs {spell('weights')}: a file, or torchvision"
        if others and self.source == NONE:
            return (
                f"{spell(others[0])} has no effect on random weights: leave it out, or name other {spell('weights')} "
                f"than {NONE}"
            )
        excluded = [name for name in ("partial", "leave") if given[name]]
        if self.old is not None and excluded:
            return (
                f"{spell(excluded[0])} cannot be combined with {spell('from')}, which uses every weight that fits: "
                "leave one of them out"
            )
        return None
