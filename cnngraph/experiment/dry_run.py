"""`dry_experiment`: everything that the runs of an experiment do before their first step, without writing anything."""

from __future__ import annotations

from pathlib import Path

from cnngraph.diagnostics import Diagnostic, DiagnosticList, SpecError
from cnngraph.experiment.initial_weights import weights_of
from cnngraph.experiment.mismatched_runs import mismatched_runs
from cnngraph.experiment_plan.plan import Plan
from cnngraph.frozen import frozen
from cnngraph.launch import free_cores
from cnngraph.train.data.data_reader import DataReader
from cnngraph.train.dry_run import DryRun, dry_run
from cnngraph.train.record.run_folder import RunFolder
from cnngraph.train.run import Request


@frozen
class DryVariant:
    """The dry run of one combination, and how many of its runs are finished, to be resumed, and new."""

    name: str
    run: DryRun
    finished: int
    resumed: int
    new: int


def dry_experiment(plan: Plan, root: Path, data: DataReader, *, device: str | None = None) -> list[DryVariant]:
    """A dry run of every combination with its first seed. Raises SpecError with all errors."""
    diagnostics = DiagnosticList(mismatched_runs(plan, root))
    found = []
    for variant in plan.variants:
        trials = [trial for trial in plan.trials if trial.variant == variant]
        folders = [RunFolder(root / trial.folder) for trial in trials]
        finished = [folder for folder in folders if folder.finished]
        started = [folder for folder in folders if folder.started and folder not in finished]
        empty = next((folder.path for folder in folders if not folder.started), None)
        first = trials[0]
        try:
            folder = RunFolder.planned(empty, first.graph.name) if empty else folders[0]
            weights = weights_of(first) if empty else None
            request = Request(
                first.graph, first.recipe, first.spec_text, device=device, cores=free_cores(), weights=weights
            )
            run = dry_run(request, data, folder)
        except SpecError as error:
            diagnostics.extend(_new(error, diagnostics))
            continue
        new = len(folders) - len(finished) - len(started)
        found.append(DryVariant(variant, run, len(finished), len(started), new))
    if diagnostics:
        raise SpecError(diagnostics)
    return found


def _new(error: SpecError, known: list[Diagnostic]) -> list[Diagnostic]:
    return [diagnostic for diagnostic in error.diagnostics if diagnostic not in known]
