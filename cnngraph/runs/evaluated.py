"""Which images a run is evaluated on, and how they differ from those that it recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cnngraph.diagnostics import Diagnostic, Severity, SpecError
from cnngraph.recipe import Recipe
from cnngraph.recipe.data import NamedSet
from cnngraph.runs.finished import FinishedRun
from cnngraph.train.data.changes import find_changes, first_names
from cnngraph.train.data.identity import (
    Identity,
    ImageFile,
    by_content,
    fingerprint_files,
    named_splits,
    restore_splits,
)
from cnngraph.train.data.images import Split, Splits
from cnngraph.train.data.loading import Note
from cnngraph.train.data.splits import data_dir_of, data_root, hold_out_validation, load_splits

TEST, VALIDATION, TRAIN, ALL = "test", "validation", "train", "all"


@dataclass(frozen=True)
class Evaluated:
    """Images as they were read, those of them that are `wanted`, and what there is to know about them."""

    parts: Splits
    wanted: list[Split]
    warnings: tuple[Diagnostic, ...] = ()


def find_images(run: FinishedRun, part: str, data_dir: Path | None, note: Note) -> Evaluated:
    """The images of a part. Those of a run that recorded its images are split as it recorded them."""
    recipe, place = _of_the_same_classes(run), data_dir_of(data_dir, run.folder.data_dir)
    record = run.folder.identity()
    parts = load_splits(recipe, next(iter(run.graph.inputs.values())), place, note, True)
    root = data_root(recipe, place)
    if record is None:
        parts = _cut(parts, recipe, part)
        return Evaluated(parts, _wanted(parts, part), () if data_dir else _unrecorded(run, part))
    if not record.files:
        lines = find_changes(record, parts, root).lines
        return Evaluated(parts, _wanted(parts, part), _changed(run, lines, "the measured images may be others"))
    files = fingerprint_files(parts, root)
    if data_dir and not _is_the_same_folder(record, files, root):
        parts = _cut(parts, recipe, part)
        wanted = _wanted(parts, part)
        return Evaluated(parts, wanted, () if part == TRAIN else _learned(run, record, files, wanted))
    found = find_changes(record, parts, root, files)
    recorded = restore_splits(parts, record)
    wanted = _wanted(parts if part == ALL else recorded, part)
    measured = "all that are there are measured" if part == ALL else "only the recorded ones that are left are measured"
    return Evaluated(parts, wanted, _changed(run, found.lines, measured))


def _of_the_same_classes(run: FinishedRun) -> Recipe:
    """The recipe, for a folder with the run's classes in the run's order, whatever other folders there are."""
    if run.data is None or isinstance(run.recipe.data, NamedSet):
        return run.recipe
    return replace(run.recipe, data=replace(run.recipe.data, classes=run.data.classes))


def _cut(parts: Splits, recipe: Recipe, part: str) -> Splits:
    """The images cut as the recipe says, where a part is asked for that the folder does not have."""
    if recipe.validation is None:
        return replace(parts, validation=None, test=parts.test or parts.validation)
    if part in (TRAIN, VALIDATION) and parts.validation is None and recipe.validation:
        return hold_out_validation(parts, recipe.validation, recipe.seed)
    return parts


def _wanted(parts: Splits, name: str) -> list[Split]:
    there = named_splits(parts)
    if name == ALL:
        return list(there.values())
    if name not in there:
        help = f"--part {' or '.join([*there, ALL])}"
        raise SpecError.of("E622", f"there are no {name} images", help=help)
    return [there[name]]


def _is_the_same_folder(record: Identity, files: Sequence[ImageFile], root: Path) -> bool:
    """Whether a folder is that of the run, perhaps at another place: most of its files are there by their names."""
    if record.root == str(root.resolve()):
        return True
    there = {file.name: file for file in files}
    same = sum(file.name in there and there[file.name].same_content(file) for file in record.files)
    return 2 * same > len(record.files)


def _changed(run: FinishedRun, lines: Sequence[str], measured: str) -> tuple[Diagnostic, ...]:
    if not lines:
        return ()
    message = f"the images are not as they were when {run.folder.path} was trained; {measured}"
    return (Diagnostic("W644", message, severity=Severity.WARNING, notes=tuple(lines)),)


def _unrecorded(run: FinishedRun, part: str) -> tuple[Diagnostic, ...]:
    """A run of an older version does not know its splits: they are drawn anew."""
    if isinstance(run.recipe.data, NamedSet) or part in (TEST, ALL):
        return ()
    message = f"{run.folder.path} has no record of its images: its splits are right only if none was added or removed"
    return (Diagnostic("W644", message, severity=Severity.WARNING),)


def _learned(
    run: FinishedRun, record: Identity, files: Sequence[ImageFile], wanted: Sequence[Split]
) -> tuple[Diagnostic, ...]:
    """Images of another folder that the run was trained on, by their content."""
    trained = by_content(file for file in record.files if file.split == TRAIN)
    measured = {each.images.names[index] for each in wanted for index in each.indices.tolist()}
    known = [file for file in files if file.name in measured and (file.size, file.digest) in trained]
    if not known:
        return ()
    message = f"{len(known):,} of the {len(measured):,} measured images were training images of {run.folder.path}"
    return (Diagnostic("W648", message, severity=Severity.WARNING, notes=(first_names(known),)),)
