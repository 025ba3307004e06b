"""Groups the keys of weights by block, for tables: top-level modules, of which a large one is split into its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cnngraph.cli.iterations import folded

LARGE = 0.5  # a block with more than this fraction of the keys is split


class KeyBlocks:
    """The blocks of a list of keys."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._split = _large(list(keys))

    def of(self, key: str) -> str:
        """The block of a key."""
        parts = key.split(".")
        length = 1
        while length < len(parts) - 1 and ".".join(parts[:length]) in self._split:
            length += 1
        return ".".join(parts[:length])


def _large(keys: list[str]) -> set[str]:
    """The paths of the blocks to split."""
    split: set[str] = set()
    path = ""
    while True:
        inside = [key.removeprefix(path).split(".") for key in keys if key.startswith(path)]
        counts: dict[str, int] = {}
        for name, *rest in inside:
            if len(rest) > 1:
                counts[name] = counts.get(name, 0) + 1
        name = max(counts, key=counts.__getitem__, default="")
        if not name or counts[name] <= LARGE * len(keys):
            return split
        split.add(path + name)
        path += f"{name}."


def by_iterations(rows: Mapping[str, Mapping[str, int]]) -> list[tuple[str, dict[str, int]]]:
    """Rows of numbers by block, in which equal iterations of a repeat are one row with their sums."""
    values = list(rows.values())
    lines = folded([(name, " ".join(f"{key} {number}" for key, number in row.items())) for name, row in rows.items()])
    return [
        (line.path, {key: sum(values[member][key] for member in line.members) for key in values[line.members[0]]})
        for line in lines
    ]
