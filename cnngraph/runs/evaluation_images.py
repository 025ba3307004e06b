"""The images that a run is evaluated on, and warnings if they differ from those it recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cnngraph.diagnostics import Diagnostic, Severity, SpecError
from cnngraph.recipe import Recipe
from cnngraph.recipe.data import NamedSet
from cnngraph.runs.trained_run import TrainedRun
from cnngraph.train.data.changes import changes, named_few
from cnngraph.train.data.identity import Identity, Row, as_recorded, digests, named, rows_of
from cnngraph.train.data.images import Part, Parts
from cnngraph.train.data.loading import Note
from cnngraph.train.data.open import cut_validation, data_dir_of, data_root, load_parts

TEST, VALIDATION, TRAIN, ALL = "test", "validation", "train", "all"


@dataclass(frozen=True)
class EvaluationImages:
    """The splits of a data set, those `selected` for evaluation, and warnings about them."""

    parts: Parts
    selected: list[Part]
    warnings: tuple[Diagnostic, ...] = ()


def find_images(run: TrainedRun, split: str, data_dir: Path | None, note: Note) -> EvaluationImages:
    """The images of a split, which is the one that the run recorded if it recorded its images.

    Raises SpecError (E622) if there are no such images.
    """
    recipe, place = _of_the_same_classes(run), data_dir_of(data_dir, run.folder.data_dir)
    record = run.folder.identity()
    parts = load_parts(recipe, next(iter(run.graph.inputs.values())), place, note, True)
    root = data_root(recipe, place)
    if record is None:
        parts = _cut(parts, recipe, split)
        return EvaluationImages(parts, _selected(parts, split), () if data_dir else _unrecorded(run, split))
    if not record.rows:
        lines = changes(record, parts, root).lines
        warnings = _changed(run, lines, "the evaluated images may be different ones")
        return EvaluationImages(parts, _selected(parts, split), warnings)
    rows = rows_of(parts, root)
    if data_dir and not _is_the_same_folder(record, rows, root):
        parts = _cut(parts, recipe, split)
        selected = _selected(parts, split)
        return EvaluationImages(parts, selected, () if split == TRAIN else _trained_on(run, record, rows, selected))
    found = changes(record, parts, root, rows)
    recorded = as_recorded(parts, record)
    selected = _selected(parts if split == ALL else recorded, split)
    which = "all images that exist now" if split == ALL else "only the recorded images that still exist"
    return EvaluationImages(parts, selected, _changed(run, found.lines, f"{which} are evaluated"))


def _of_the_same_classes(run: TrainedRun) -> Recipe:
    """The recipe with the classes of the run, in its order, even if the folder has other classes now."""
    if run.data is None or isinstance(run.recipe.data, NamedSet):
        return run.recipe
    return replace(run.recipe, data=replace(run.recipe.data, classes=run.data.classes))


def _cut(parts: Parts, recipe: Recipe, split: str) -> Parts:
    """The images split according to the recipe, if the folder does not have the requested split."""
    if recipe.validation is None:
        return replace(parts, validation=None, test=parts.test or parts.validation)
    if split in (TRAIN, VALIDATION) and parts.validation is None and recipe.validation:
        return cut_validation(parts, recipe.validation, recipe.seed)
    return parts


def _selected(parts: Parts, split: str) -> list[Part]:
    by_name = named(parts)
    if split == ALL:
        return list(by_name.values())
    if split not in by_name:
        help = f"use `--part {' or '.join([*by_name, ALL])}`"
        raise SpecError.of("E622", f"there are no {split} images", help=help)
    return [by_name[split]]


def _is_the_same_folder(record: Identity, rows: Sequence[Row], root: Path) -> bool:
    """Whether this is the run's data folder, which may have been moved: most of the recorded files are in it."""
    if record.root == str(root.resolve()):
        return True
    by_file = {row.file: row for row in rows}
    same = sum(row.file in by_file and by_file[row.file].same_content(row) for row in record.rows)
    return 2 * same > len(record.rows)


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
    run: TrainedRun, record: Identity, rows: Sequence[Row], selected: Sequence[Part]
) -> tuple[Diagnostic, ...]:
    """A warning if images of another folder were training images of the run, recognised by their contents."""
    trained = digests(row for row in record.rows if row.split == TRAIN)
    evaluated = {part.images.names[index] for part in selected for index in part.indices.tolist()}
    known = [row for row in rows if row.file in evaluated and (row.size, row.digest) in trained]
    if not known:
        return ()
    message = f"{len(known):,} of the {len(evaluated):,} evaluated images were training images of {run.folder.path}"
    return (Diagnostic("W648", message, severity=Severity.WARNING, notes=(named_few(known),)),)
