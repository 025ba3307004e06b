"""Listing and comparing the runs in some folders, without PyTorch."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

from cnngraph import run_files
from cnngraph.compilation import Compilation, compile_spec
from cnngraph.diagnostics import Diagnostic, SpecError
from cnngraph.document import Table
from cnngraph.frozen import frozen
from cnngraph.graph.graph import Graph
from cnngraph.recipe import load_recipe, to_dict
from cnngraph.recipe.sets import SETS
from cnngraph.stored_documents import read_document

KEYS_WITHOUT_EFFECT = {"about", "device", "keep_every", "save_every", "workers"}  # on the metrics
KEYS_WITH_COLUMN = {"data", "epochs"}


@frozen
class RunRow:
    """One run, as listed. Values that cannot be read are None or empty.

    `epochs` are the rows of its metrics, and `split` is the one evaluated after each epoch: validation or test. `best`
    and `test` are loss and accuracy by name. `measured` is true if the recipe as written has `normalize: data`, so the
    mean and std in `recipe` were measured, not chosen. Networks with the same name and another `variant` differ, for
    example in `params`.
    """

    path: Path
    network: str
    data: str
    parameters: int | None
    planned: int | None
    epochs: tuple[Mapping[str, float], ...]
    split: str
    best_epoch: int | None
    best: Mapping[str, float]
    test: Mapping[str, float]
    seconds: float
    finished: bool
    began: str
    recipe: Mapping[str, Any]
    measured: bool
    problems: tuple[Diagnostic, ...] = ()  # in files that cannot be used
    params: Mapping[str, Any] = field(default_factory=dict)
    variant: str = ""

    @property
    def state(self) -> str:
        """`finished`, `unfinished` or `damaged`."""
        if self.problems:
            return "damaged"
        return "finished" if self.finished else "unfinished"

    @property
    def accuracy(self) -> float | None:
        """The test accuracy; without test images, the best validation accuracy."""
        return self.test.get("accuracy", self.best.get("accuracy"))

    def curve(self, name: str) -> list[float]:
        """The `loss` or `accuracy` after each epoch on `split`."""
        return [epoch[f"{self.split}_{name}"] for epoch in self.epochs]

    def to_dict(self) -> dict[str, Any]:
        """The row as plain values, for JSON."""
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
            "problems": [problem.message for problem in self.problems],
        }


def find_runs(folders: Iterable[Path]) -> list[Path]:
    """The folders of runs in and below these folders, without duplicates, sorted by name with numbers in order."""
    found: dict[Path, None] = {}
    for root in folders:
        for folder, subfolders, names in os.walk(root):
            if run_files.SPEC in names and run_files.RECIPE in names:
                found[Path(folder)] = None
                subfolders.clear()
            subfolders[:] = [name for name in subfolders if not name.startswith(".")]
    return sorted(found, key=_natural)


def read_run(path: Path) -> RunRow:
    """Read the folder of a run. A damaged file is reported in `problems`, and its values are missing."""
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
    split = "validation" if epochs and "validation_loss" in epochs[-1] else "test"
    best: Mapping[str, float] = next((epoch for epoch in epochs if epoch["epoch"] == metrics.get("best_epoch")), {})
    name = recipe.get("data", {}).get("name", "")
    return RunRow(
        path=path,
        network=compilation.graph.name if compilation.graph else "?",
        data=data.get("title") or (SETS[name].title if name in SETS else name),
        parameters=compilation.graph.num_params if compilation.graph and compilation.ok else None,
        planned=recipe.get("epochs"),
        epochs=epochs,
        split=split,
        best_epoch=metrics.get("best_epoch"),
        best={key: best[f"{split}_{key}"] for key in ("loss", "accuracy") if f"{split}_{key}" in best},
        test=metrics.get("test") or {},
        seconds=float(metrics.get("seconds", 0.0)),
        finished=bool(metrics.get("finished")),
        began=machine.get("began", ""),
        recipe=recipe,
        measured=_is_measured(compilation),
        problems=tuple(problems),
        params=compilation.graph.params if compilation.graph else {},
        variant=_variant(compilation.graph) if compilation.graph else "",
    )


def _variant(graph: Graph) -> str:
    """A digest of all that distinguishes networks with the same name."""
    nodes = ((node.path, node.operation, node.reads, node.parameters) for node in graph.nodes)
    facts = [sorted(graph.params.items()), sorted(graph.outputs.items()), graph.init, *nodes]
    return hashlib.sha256(repr(facts).encode()).hexdigest()


def _is_measured(compilation: Compilation) -> bool:
    """Whether the spec of a run, which contains the recipe as written, has `normalize: data`."""
    written = compilation.spec.train if compilation.spec else None
    normalize = written.get("normalize") if isinstance(written, Table) else None
    return normalize is not None and normalize.value.plain() == "data"


SORTS: dict[str, Callable[[Sequence[RunRow]], list[RunRow]]] = {
    "name": lambda rows: sorted(rows, key=lambda row: _natural(row.path)),
    "test": lambda rows: _best_first(rows, lambda row: row.test.get("accuracy")),
    "best": lambda rows: _best_first(rows, lambda row: row.best.get("accuracy")),
    "seconds": lambda rows: sorted(rows, key=lambda row: row.seconds),
    "parameters": lambda rows: sorted(rows, key=lambda row: row.parameters or 0),
    "began": lambda rows: sorted(rows, key=lambda row: row.began),
}


def _best_first(rows: Sequence[RunRow], accuracy: Callable[[RunRow], float | None]) -> list[RunRow]:
    """The rows by descending accuracy; rows without accuracy come last."""
    return sorted(rows, key=lambda row: -(accuracy(row) or -1.0))


def differences(rows: Sequence[RunRow]) -> list[dict[str, Any]]:
    """For each run, the recipe keys whose values differ between the runs, as a flat mapping with dotted keys."""
    flat = [dict(_flat(_choices(row))) for row in rows]
    keys = dict.fromkeys(key for recipe in flat for key in recipe)
    differing = [key for key in keys if len({json.dumps(recipe.get(key)) for recipe in flat}) > 1]
    return [{key: recipe[key] for key in differing if key in recipe} for recipe in flat]


def _choices(row: RunRow) -> dict[str, Any]:
    """The recipe of a run as chosen by its author, without the keys that have no effect or their own column."""
    kept = {key: value for key, value in row.recipe.items() if key not in KEYS_WITHOUT_EFFECT | KEYS_WITH_COLUMN}
    return kept | {"normalize": "data"} if row.measured and kept else kept


def _flat(values: Mapping[str, Any], above: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _natural(path: Path) -> list[tuple[int, str]]:
    """A sort key that puts net-2 before net-10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", str(path))]
