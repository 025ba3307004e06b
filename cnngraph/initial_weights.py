"""The initial weights that a person chooses: where they are, which network they belong to, and what may not fit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cnngraph.frozen import frozen
from cnngraph.graph.graph import Graph
from cnngraph.migration import Options

TORCHVISION = "torchvision"
NONE = "none"  # random weights, not even those that the spec names


def is_published(weights: str | Path | None) -> bool:
    """Whether `weights` names published weights, as in `torchvision:IMAGENET1K_V1`."""
    return str(weights or "").partition(":")[0] == TORCHVISION


def file_of(source: str) -> Path:
    """The file of a source that is not published: `theirs.pth` of `theirs.pth:teacher`."""
    file, colon, _ = source.rpartition(":")
    return Path(file) if colon and not Path(source).exists() and Path(file).exists() else Path(source)


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

    def identity(self) -> dict[str, Any]:
        """What determines the weights, as plain data, to compare runs; a file is identified by its contents."""
        file = None
        if self.source is not None and self.source != NONE and not is_published(self.source):
            file = file_of(self.source)
        digest = sha256_of(file) if file is not None and file.is_file() else ""
        return {
            "weights": digest or (None if self.source == NONE else self.source),
            "selected": "" if file is None or self.source is None else self.source.removeprefix(str(file)),
            "from": self.old.name if isinstance(self.old, Graph) else None,
            "partial": self.partial,
            "fresh": [*self.fresh],
            "leave": [*self.leave],
            "input_channels": self.input_channels,
            "classes": None if self.classes is None else [*self.classes],
        }

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


def sha256_of(path: Path) -> str:
    """The digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
