"""The images that a run is evaluated on, and warnings if they differ from those it recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cnngraph.diagnostics import Diagnostic, Severity, SpecError
from cnngraph.frozen import frozen
from cnngraph.recipe import Recipe
from cnngraph.recipe.data import NamedSet
from cnngraph.runs.trained_run import TrainedRun
from cnngraph.train.data.changes import find_changes, first_names
from cnngraph.train.data.identity import (
    Identity,
    ImageFile,
    by_content,
    fingerprint_files,
    named_splits,
    restore_splits,
)
from cnngraph.train.data.load_splits import data_dir_of, data_root, hold_out_validation, load_splits
from cnngraph.train.data.loading import Note
from cnngraph.train.data.split import Split, Splits

TEST, VALIDATION, TRAIN, ALL = "test", "validation", "train", "all"


@frozen(slots=False)
class EvaluationImages:
    """The splits of a data set, those `selected` for evaluation, and warnings about them."""

    splits: Splits
    selected: list[Split]
    warnings: tuple[Diagnostic, ...] = ()


def find_images(run: TrainedRun, split: str, data_dir: Path | None, note: Note) -> EvaluationImages:
    """The images of a split, which is the one that the run recorded if it recorded its images.

    Raises SpecError (E622) if there are no such images.
    """
    recipe, place = _of_the_same_classes(run), data_dir_of(data_dir, run.folder.data_dir)
    record = run.folder.identity()
    splits = load_splits(recipe, next(iter(run.graph.inputs.values())), place, note, True)
    root = data_root(recipe, place)
    if record is None:
        splits = _cut(splits, recipe, split)
        return EvaluationImages(splits, _selected(splits, split), () if data_dir else _unrecorded(run, split))
    if not record.files:
        lines = find_changes(record, splits, root).lines
        warnings = _changed(run, lines, "the evaluated images may differ")
        return EvaluationImages(splits, _selected(splits, split), warnings)
    files = fingerprint_files(splits, root)
    if data_dir and not _is_the_same_folder(record, files, root):
        splits = _cut(splits, recipe, split)
        selected = _selected(splits, split)
        return EvaluationImages(splits, selected, () if split == TRAIN else _trained_on(run, record, files, selected))
    found = find_changes(record, splits, root, files)
    recorded = restore_splits(splits, record)
    selected = _selected(splits if split == ALL else recorded, split)
    which = "all images that exist now" if split == ALL else "only the recorded images that still exist"
    return EvaluationImages(splits, selected, _changed(run, found.lines, f"{which} are evaluated"))


def _of_the_same_classes(run: TrainedRun) -> Recipe:
    """The recipe with the classes of the run, in its order, even if the folder has other classes now."""
    if run.data is None or isinstance(run.recipe.data, NamedSet):
        return run.recipe
    return replace(run.recipe, data=replace(run.recipe.data, classes=run.data.classes))


def _cut(splits: Splits, recipe: Recipe, split: str) -> Splits:
    """The images split according to the recipe, if the folder does not have the requested split."""
    if recipe.validation is None:
        return replace(splits, validation=None, test=splits.test or splits.validation)
    if split in (TRAIN, VALIDATION) and splits.validation is None and recipe.validation:
        return hold_out_validation(splits, recipe.validation, recipe.seed)
    return splits


def _selected(splits: Splits, split: str) -> list[Split]:
    by_name = named_splits(splits)
    if split == ALL:
        return list(by_name.values())
    if split not in by_name:
        help = f"use `--split {' or '.join([*by_name, ALL])}`"
        raise SpecError.of("E622", f"there are no {split} images", help=help)
    return [by_name[split]]


def _is_the_same_folder(record: Identity, files: Sequence[ImageFile], root: Path) -> bool:
    """Whether this is the run's data folder, which may have been moved: most of the recorded files are in it."""
    if record.root == str(root.resolve()):
        return True
    by_file = {file.name: file for file in files}
    same = sum(file.name in by_file and by_file[file.name].same_content(file) for file in record.files)
    return 2 * same > len(record.files)


def _changed(run: TrainedRun, lines: Sequence[str], consequence: str) -> tuple[Diagnostic, ...]:
    if not lines:
        return ()
    message = f"the images have changed since {run.folder.path} was trained; {consequence}"
    return (Diagnostic("W644", message, severity=Severity.WARNING, notes=tuple(lines)),)


def _unrecorded(run: TrainedRun, split: str) -> tuple[Diagnostic, ...]:
    """A warning for a run by an older version, which did not record its splits: they are drawn again."""
    if isinstance(run.recipe.data, NamedSet) or split in (TEST, ALL):
        return ()
    message = (
        f"{run.folder.path} has no record of its images: its splits are only correct if no images were added or removed"
    )
    return (Diagnostic("W644", message, severity=Severity.WARNING),)


def _trained_on(
    run: TrainedRun, record: Identity, files: Sequence[ImageFile], selected: Sequence[Split]
) -> tuple[Diagnostic, ...]:
    """A warning if images of another folder were training images of the run, recognised by their contents."""
    trained = by_content(file for file in record.files if file.split == TRAIN)
    evaluated = {images.images.names[index] for images in selected for index in images.indices.tolist()}
    known = [file for file in files if file.name in evaluated and (file.size, file.digest) in trained]
    if not known:
        return ()
    message = f"{len(known):,} of the {len(evaluated):,} evaluated images were training images of {run.folder.path}"
    return (Diagnostic("W648", message, severity=Severity.WARNING, notes=(first_names(known),)),)
