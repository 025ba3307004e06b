"""Random variants: `change` and `net` never fail in an unforeseen way, and mean what they say.

The default suite tries a few hundred; `pytest -m fuzz` many, with the options of `test_specs.py`.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cnngraph.elaborate.changes import Changed, NodeUse
from cnngraph.elaborate.file_scope import Match
from tests.fuzz import rule_cases
from tests.fuzz.cases import CHUNK, Failure

CHUNKS = 2  # in the default suite


def check_all(seeds: range, folder: Path, record: Any) -> None:
    counts: Counter[str] = Counter()
    failures = [failure for seed in seeds if (failure := rule_cases.run(seed, folder, counts))]
    record("fuzz", dict(counts))
    assert not failures, "\n\n".join(map(str, failures))
    if len(seeds) == CHUNK:
        assert counts["accepted"] > CHUNK / 6
        assert counts["refused"] > 0


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_random_variants(chunk: int, tmp_path: Path, record_property: Any) -> None:
    check_all(range(chunk * CHUNK, (chunk + 1) * CHUNK), tmp_path, record_property)


@pytest.mark.fuzz
def test_many_random_variants(seeds: range, tmp_path: Path, record_property: Any) -> None:
    check_all(seeds, tmp_path, record_property)


def first_failure(folder: Path) -> Failure:
    found = (rule_cases.run(seed, folder, Counter()) for seed in range(1000))
    return next(failure for failure in found if failure)


def test_an_op_that_is_not_changed_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    original = Changed.set_parameters

    def keeps_the_op(self: Changed, match: Match, use: NodeUse) -> None:
        op, library = use.op, use.library
        original(self, match, use)
        use.op, use.library = op, library

    monkeypatch.setattr(Changed, "set_parameters", keeps_the_op)
    assert " is still " in str(first_failure(tmp_path))
