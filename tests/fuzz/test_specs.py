"""Random specs compared with PyTorch: accepted specs are built and run; what ops reject, PyTorch rejects too.

The default suite tries a few hundred, `pytest -m fuzz -n 2` fifty thousand; `--fuzz-specs` and `--fuzz-seed` choose
the number and the first seed. A failure prints its seed and minimised files;
`pytest -m fuzz --fuzz-specs 1 --fuzz-seed SEED` repeats it.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cnngraph.ops.conv import Conv
from cnngraph.ops.norm import LayerNorm
from cnngraph.ops.op import OpError, infer_types, make_op
from cnngraph.ops.pool import MaxPool
from cnngraph.tensor_type import TensorType
from tests.fuzz import cases
from tests.fuzz.checks import check_refusal
from tests.fuzz.stricter import STRICTER, Stricter
from tests.library import ROOT

CHUNKS = 3  # in the default suite


def try_all(seeds: range, folder: Path) -> tuple[list[cases.Failure], Counter[str]]:
    counts: Counter[str] = Counter()
    failures = [failure for seed in seeds if (failure := cases.run(seed, folder, counts))]
    return failures, counts


def check_all(seeds: range, folder: Path, record: Any) -> None:
    failures, counts = try_all(seeds, folder)
    record("fuzz", dict(counts))
    assert not failures, "\n\n".join(map(str, failures))
    if len(seeds) == cases.CHUNK:
        assert counts["accepted"] > cases.CHUNK / 2
        assert counts["refused"] > 0


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_random_specs(chunk: int, tmp_path: Path, record_property: Any) -> None:
    check_all(range(chunk * cases.CHUNK, (chunk + 1) * cases.CHUNK), tmp_path, record_property)


@pytest.mark.fuzz
def test_many_random_specs(seeds: range, tmp_path: Path, record_property: Any) -> None:
    check_all(seeds, tmp_path, record_property)


@pytest.mark.parametrize("rule", STRICTER, ids=lambda rule: f"{rule.code}-{'-'.join(rule.ops)}")
def test_the_documentation_says_where_the_language_is_stricter(rule: Stricter) -> None:
    assert rule.sentence in (ROOT / "docs" / rule.page).read_text(encoding="utf-8")


def test_a_refusal_for_two_reasons_is_accepted() -> None:
    op = make_op(Conv, {"out": 4, "kernel": [3, 1], "groups": 3})  # neither the groups nor the pair suit a signal
    signal = TensorType.of((4, 9))
    with pytest.raises(OpError) as caught:
        infer_types(op, (signal,))
    assert caught.value.code == "E208"
    check_refusal(op, (signal,), caught.value)


def first_failure(folder: Path, start: int = 0) -> cases.Failure:
    found = (cases.run(seed, folder, Counter()) for seed in range(start, 1000))
    return next(failure for failure in found if failure)


def test_a_wrong_shape_rule_is_found_and_minimised(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    right = MaxPool.infer

    def infer(self: MaxPool, *inputs: TensorType) -> TensorType:
        result = right(self, *inputs)
        return result.with_sizes(H=result.sizes[1] + 1)

    monkeypatch.setattr(MaxPool, "infer", infer)
    failure = first_failure(tmp_path, 57)  # a large spec, as that of 43, is not minimised completely
    assert "max_pool" in str(failure)
    assert "not (" in str(failure.error)
    assert str(failure).count("op:") < 4


def test_a_wrong_layer_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(LayerNorm, "parameters", lambda self, *inputs: {})
    failure = first_failure(tmp_path)
    assert "layer_norm" in str(failure)
    assert "keys: " in str(failure.error)
