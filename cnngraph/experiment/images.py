"""Checks whether all runs of an experiment were trained on the same images, since these may change in between."""

from __future__ import annotations

import json
from pathlib import Path

from cnngraph.diagnostics import Diagnostic, Severity
from cnngraph.experiment_plan.plan import Plan
from cnngraph.recipe import to_dict
from cnngraph.train.data.changes import changed_files
from cnngraph.train.data.identity import Identity
from cnngraph.train.record.run_folder import RunFolder


def different_images(plan: Plan, root: Path) -> list[Diagnostic]:
    """A warning (W644) for each run whose image files differ from those of the first run with the same data."""
    first: dict[str, tuple[Path, Identity]] = {}
    found = []
    for trial in plan.trials:
        folder = RunFolder(root / trial.folder)
        identity = folder.identity() if folder.finished else None
        if identity is None or not identity.files:
            continue
        path, other = first.setdefault(json.dumps(to_dict(trial.recipe)["data"]), (folder.path, identity))
        changes = changed_files(other.files, identity.files)
        if changes.lines:
            message = f"{folder.path} was trained on different images than {path}, so their metrics cannot be compared"
            help = f"remove {path} or {folder.path}, and run the experiment again"
            notes = changes.lines
            found.append(Diagnostic("W644", message, severity=Severity.WARNING, notes=notes, help=help))
    return found
