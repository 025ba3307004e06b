"""Random networks at sizes that they were not built for: equal to a build at that size, or a clear error.

The default suite tries a hundred; `pytest -m fuzz` many, with the options of `test_specs.py`.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cnngraph.backend.modules import wrong_input
from cnngraph.graph import graph as graphs
from tests.fuzz import other_sizes
from tests.fuzz.cases import CHUNK, Failure

CHUNKS = 1  # in the default suite


def check_all(seeds: range, folder: Path, record: Any) -> None:
    counts: Counter[str] = Counter()
    failures = [failure for seed in seeds if (failure := other_sizes.run(seed, folder, counts))]
    record("sizes", dict(counts))
    assert not failures, "\n\n".join(map(str, failures))
    if len(seeds) == CHUNK:
        assert counts["equal"] > CHUNK / 2
        assert counts["input for which the spec has an error or other weights"] > 0


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_random_networks_at_other_sizes(chunk: int, tmp_path: Path, record_property: Any) -> None:
    check_all(range(chunk * CHUNK, (chunk + 1) * CHUNK), tmp_path, record_property)


@pytest.mark.fuzz
def test_many_random_networks_at_other_sizes(seeds: range, tmp_path: Path, record_property: Any) -> None:
    check_all(seeds, tmp_path, record_property)


def first_failure(folder: Path) -> Failure:
    found = (other_sizes.run(seed, folder, Counter()) for seed in range(1000))
    return next(failure for failure in found if failure)


def test_a_missing_check_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(wrong_input, "check_inputs", lambda *_: None)
    assert first_failure(tmp_path)


def test_a_missing_limit_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(graphs.Graph, "size_limits", ())
    assert first_failure(tmp_path)
