"""Random networks to draw: several inputs and outputs, skips, concats of many, blocks in blocks, maps of many sizes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from random import Random
from typing import Any

SIZE, CHANNELS = 32, 4
DEPTH = 2  # blocks in blocks

Kind = tuple[int, int]  # channels, and height and width


def random_spec(seed: int) -> str:
    """A valid spec. Odd seeds have blocks; those whose second bit is set have maps of several sizes."""
    random = Random(seed)
    inputs = dict.fromkeys(("x", "y", "z")[: random.choice((1, 1, 2, 3))], (CHANNELS, SIZE))
    scope = _Scope(random, inputs, bool(seed & 1) * DEPTH, bool(seed & 2), random.choice((0.15, 0.4, 0.8)))
    scope.add(random.randint(3, 14))
    own = [name for name in scope.known if name not in inputs]
    outputs = {*scope.unread, *random.sample(own, min(len(own), random.randint(0, 2)))}
    spec: dict[str, Any] = {
        "cnngraph": 1,
        "name": "random",
        "input": {name: [channels, size, size] for name, (channels, size) in inputs.items()},
        "nodes": scope.nodes,
        "outputs": {f"out{number}": name for number, name in enumerate(sorted(outputs))},
    }
    if len(outputs) > 1 and random.random() < 0.2:
        spec["training_only"] = ["out0"]
    return json.dumps(spec, indent=1)


@dataclass
class _Scope:
    """The nodes of a network or block. `far` is how often a node reads any earlier one, not one of the last.

    `known` is what can be read after the nodes, `unread` what of it is not read yet.
    """

    random: Random
    sources: dict[str, Kind]
    depth: int
    has_sizes: bool
    far: float
    nodes: dict[str, Any] = field(default_factory=dict)
    known: dict[str, Kind] = field(default_factory=dict)
    unread: dict[str, None] = field(default_factory=dict)

    def add(self, count: int) -> None:
        """Draw some nodes; the first ones read the sources."""
        self.known |= self.sources
        first = list(self.sources)
        for number in range(max(count, len(first))):
            reads = first[number] if number < len(first) else self._pick(list(self.known))
            name = f"n{number}"
            node, kind = self._node(name, reads)
            self._read(node["from"])
            self.nodes[name], self.known[name], self.unread[name] = node, kind, None

    def _read(self, names: str | list[str]) -> None:
        for name in [names] if isinstance(names, str) else names:
            self.unread.pop(name, None)

    def _pick(self, names: list[str]) -> str:
        waiting = [name for name in names if name in self.unread]
        if waiting and self.random.random() < 0.25:
            return self.random.choice(waiting)
        return self.random.choice(names if self.random.random() < self.far else names[-3:])

    def _node(self, name: str, first: str) -> tuple[dict[str, Any], Kind]:
        channels, size = self.known[first]
        ways = ["relu", "conv", "join", "join", "concat", *["size"] * 2 * self.has_sizes, *["block"] * (self.depth > 0)]
        way = self.random.choice(ways)
        if way == "block":
            return self._block(name, first)
        if way == "conv":
            return {"op": "conv", "from": first, "out": CHANNELS, "kernel": 1}, (CHANNELS, size)
        if way == "size":
            return self._resized(first)
        alike = [
            other
            for other, kind in self.known.items()
            if other != first and kind[1] == size and (way == "concat" or kind[0] == channels)
        ]
        if way == "relu" or not alike:
            return {"op": "relu", "from": first}, (channels, size)
        most = self.random.choice((1, 1, 2, 6 if way == "concat" else 2))
        reads = [first, *dict.fromkeys(self._pick(alike) for _ in range(most))]
        if way == "concat":
            return {"op": "concat", "from": reads}, (sum(self.known[other][0] for other in reads), size)
        return {"op": self.random.choice(("add", "add", "mul")), "from": reads}, (channels, size)

    def _resized(self, first: str) -> tuple[dict[str, Any], Kind]:
        channels, size = self.known[first]
        larger = [name for name, kind in self.known.items() if kind[1] > size]
        if larger and self.random.random() < 0.4:
            like = self.random.choice(larger)
            return {"op": "upsample", "from": [first, like]}, (channels, self.known[like][1])
        if size == SIZE or (size > 4 and self.random.random() < 0.6):
            return {"op": "max_pool", "from": first, "kernel": 2}, (channels, size // 2)
        return {"op": "upsample", "from": first, "scale_factor": 2}, (channels, size * 2)

    def _block(self, name: str, first: str) -> tuple[dict[str, Any], Kind]:
        count = self.random.choice((0, 0, 1, 2))
        reads = list(dict.fromkeys([first, *(self._pick(list(self.known)) for _ in range(count))]))
        sources = ["in"] if len(reads) == 1 else [f"in[{place}]" for place in range(len(reads))]
        kinds = {source: self.known[read] for source, read in zip(sources, reads, strict=True)}
        inner = _Scope(self.random, kinds, self.depth - 1, self.has_sizes, self.far)
        inner.add(self.random.randint(2, 5))
        last = next(reversed(inner.nodes))
        for path, kind in inner.known.items():
            if path not in sources and path != last and (path in inner.unread or self.random.random() < 0.2):
                self.known[f"{name}.{path}"] = kind
                if path in inner.unread:
                    self.unread[f"{name}.{path}"] = None
        return {"from": reads[0] if len(reads) == 1 else reads, "nodes": inner.nodes}, inner.known[last]
