"""Runs as they lie in their folders: read without PyTorch, to be listed and compared."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnngraph import run_files
from cnngraph.compilation import Compilation, compile_spec
from cnngraph.diagnostics import Diagnostic, SpecError
from cnngraph.document import Table
from cnngraph.recipe import load_recipe, to_dict
from cnngraph.recipe.sets import SETS
from cnngraph.stored_documents import read_document

IDLE = {"about", "device", "keep_every", "save_every", "workers"}  # words of a recipe that change no figures
ELSEWHERE = {"data", "epochs"}  # in columns of their own


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run. `epochs` are the rows of its metrics, `held` the part that they measure beside the training images.

    What could not be read is None, or empty. `test` and `best` are figures by name: loss and accuracy. Where the
    figures of the recipe's `normalize` were `measured`, nobody chose them: it had `data` there.
    """

    path: Path
    network: str
    data: str
    parameters: int | None
    planned: int | None
    epochs: tuple[Mapping[str, float], ...]
    held: str
    best_epoch: int | None
    best: Mapping[str, float]
    test: Mapping[str, float]
    seconds: float
    finished: bool
    began: str
    recipe: Mapping[str, Any]
    measured: bool
    problems: tuple[Diagnostic, ...] = ()  # of documents that could not be used

    @property
    def state(self) -> str:
        """Whether the run came to its end."""
        if self.problems:
            return "damaged"
        return "finished" if self.finished else "unfinished"

    @property
    def accuracy(self) -> float | None:
        """The accuracy to report: on the test images, or where there are none the best one on validation images."""
        return self.test.get("accuracy", self.best.get("accuracy"))

    def curve(self, name: str) -> list[float]:
        """`loss` or `accuracy` of the held part, epoch by epoch."""
        return [each[f"{self.held}_{name}"] for each in self.epochs]

    def to_dict(self) -> dict[str, Any]:
        """Everything by its name, for JSON."""
        return {
            "run": str(self.path),
            "network": self.network,
            "data": self.data,
            "parameters": self.parameters,
            "epochs_done": len(self.epochs),
            "epochs": self.planned,
            "best_epoch": self.best_epoch,
            "best": dict(self.best) or None,
            "test": dict(self.test) or None,
            "seconds": self.seconds,
            "state": self.state,
            "began": self.began,
            "recipe": dict(self.recipe),
            "problems": [each.message for each in self.problems],
        }


def find_runs(folders: Iterable[Path]) -> list[Path]:
    """The folders of runs among these and below them, each once, in the order of their names and numbers."""
    found: dict[Path, None] = {}
    for root in folders:
        for place, inner, names in os.walk(root):
            if run_files.SPEC in names and run_files.RECIPE in names:
                found[Path(place)] = None
                inner.clear()
            inner[:] = [each for each in inner if not each.startswith(".")]
    return sorted(found, key=_natural)


def read_run(path: Path) -> RunRow:
    """What a run's folder says; a document that is damaged leaves its figures out, and is among the problems."""
    problems: list[Diagnostic] = []

    def document(kind: str) -> dict[str, Any]:
        try:
            return read_document(path / f"{kind}.json", kind) or {}
        except SpecError as error:
            problems.extend(error.diagnostics)
            return {}

    metrics, data, machine = map(document, ("metrics", "data", "environment"))
    compilation = compile_spec(str(path / run_files.SPEC))
    try:
        recipe = to_dict(load_recipe(str(path / run_files.RECIPE)))
    except SpecError as error:
        problems.extend(error.diagnostics)
        recipe = {}
    epochs = tuple(metrics.get("epochs", ()))
    held = "validation" if epochs and "validation_loss" in epochs[-1] else "test"
    best: Mapping[str, float] = next((each for each in epochs if each["epoch"] == metrics.get("best_epoch")), {})
    name = recipe.get("data", {}).get("name", "")
    return RunRow(
        path=path,
        network=compilation.graph.name if compilation.graph else "?",
        data=data.get("title") or (SETS[name].title if name in SETS else name),
        parameters=compilation.graph.num_params if compilation.graph and compilation.ok else None,
        planned=recipe.get("epochs"),
        epochs=epochs,
        held=held,
        best_epoch=metrics.get("best_epoch"),
        best={each: best[f"{held}_{each}"] for each in ("loss", "accuracy") if f"{held}_{each}" in best},
        test=metrics.get("test") or {},
        seconds=float(metrics.get("seconds", 0.0)),
        finished=bool(metrics.get("finished")),
        began=machine.get("began", ""),
        recipe=recipe,
        measured=_is_measured(compilation),
        problems=tuple(problems),
    )


def _is_measured(compilation: Compilation) -> bool:
    """Whether the spec of a run, which has the recipe as a person wrote it, leaves `normalize` to the data."""
    said = compilation.spec.train if compilation.spec else None
    normalize = said.get("normalize") if isinstance(said, Table) else None
    return normalize is not None and normalize.value.plain() == "data"


SORTS: dict[str, Callable[[Sequence[RunRow]], list[RunRow]]] = {
    "name": lambda rows: sorted(rows, key=lambda each: _natural(each.path)),
    "test": lambda rows: _best_first(rows, lambda each: each.test.get("accuracy")),
    "best": lambda rows: _best_first(rows, lambda each: each.best.get("accuracy")),
    "seconds": lambda rows: sorted(rows, key=lambda each: each.seconds),
    "parameters": lambda rows: sorted(rows, key=lambda each: each.parameters or 0),
    "began": lambda rows: sorted(rows, key=lambda each: each.began),
}


def _best_first(rows: Sequence[RunRow], accuracy: Callable[[RunRow], float | None]) -> list[RunRow]:
    """Those of the highest accuracy first, those without any last."""
    return sorted(rows, key=lambda each: -(accuracy(each) or -1.0))


def differences(rows: Sequence[RunRow]) -> list[dict[str, Any]]:
    """For each run the words of its recipe that are not the same in all of them."""
    flat = [dict(_flat(_choices(row))) for row in rows]
    keys = dict.fromkeys(key for each in flat for key in each)
    differing = [key for key in keys if len({json.dumps(each.get(key)) for each in flat}) > 1]
    return [{key: each[key] for key in differing if key in each} for each in flat]


def _choices(row: RunRow) -> dict[str, Any]:
    """What a person has chosen for a run, and the table has no column for."""
    kept = {key: each for key, each in row.recipe.items() if key not in IDLE | ELSEWHERE}
    return kept | {"normalize": "data"} if row.measured and kept else kept


def _flat(values: Mapping[str, Any], above: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _natural(path: Path) -> list[tuple[int, str]]:
    """net-2 before net-10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", str(path))]
