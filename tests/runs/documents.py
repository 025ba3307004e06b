"""Replacing single values of a run's documents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import yaml

DEEP: list[Any] = []


for _ in range(200):
    DEEP = [DEEP]
VALUES: tuple[Any, ...] = (
    None, [], {}, [None], {"a": 1}, "", "text", "1", "\0", "x" * 5000, True, 0, -1, 3.5, 2**70, -(10**300), 1e308,
    float("nan"), float("inf"), DEEP, [[1, 2], [3]], {"": {"": None}},
)  # fmt: skip


def places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all values of a document, including mappings and lists."""
    yield above
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in inner:
        yield from places(child, (*above, key))


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """The document with the value at a path replaced."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = put(copy[path[0]], path[1:], new)
    return copy


def parsed(name: str, text: str) -> Any:
    return json.loads(text) if name.endswith(".json") else yaml.safe_load(text)


def dumped(name: str, value: Any) -> str:
    return json.dumps(value) if name.endswith(".json") else yaml.safe_dump(value, sort_keys=False)
