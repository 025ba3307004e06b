"""Which images a run is evaluated on, and how they differ from those that it recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cnngraph.diagnostics import Diagnostic, Severity, SpecError
from cnngraph.recipe import Recipe
from cnngraph.recipe.data import NamedSet
from cnngraph.runs.finished import FinishedRun
from cnngraph.train.data.changes import changes, named_few
from cnngraph.train.data.identity import Identity, Row, as_recorded, digests, named, rows_of
from cnngraph.train.data.images import Part, Parts
from cnngraph.train.data.loading import Note
from cnngraph.train.data.open import cut_validation, data_dir_of, data_root, load_parts

TEST, VALIDATION, TRAIN, ALL = "test", "validation", "train", "all"


@dataclass(frozen=True)
class Evaluated:
    """Images as they were read, those of them that are `wanted`, and what there is to know about them."""

    parts: Parts
    wanted: list[Part]
    warnings: tuple[Diagnostic, ...] = ()


def find_images(run: FinishedRun, part: str, data_dir: Path | None, note: Note) -> Evaluated:
    """The images of a part. Those of a run that recorded its images are split as it recorded them."""
    recipe, place = _of_the_same_classes(run), data_dir_of(data_dir, run.folder.data_dir)
    record = run.folder.identity()
    parts = load_parts(recipe, next(iter(run.graph.inputs.values())), place, note, True)
    root = data_root(recipe, place)
    if record is None:
        parts = _cut(parts, recipe, part)
        return Evaluated(parts, _wanted(parts, part), () if data_dir else _unrecorded(run, part))
    if not record.rows:
        lines = changes(record, parts, root).lines
        return Evaluated(parts, _wanted(parts, part), _changed(run, lines, "the measured images may be others"))
    rows = rows_of(parts, root)
    if data_dir and not _is_the_same_folder(record, rows, root):
        parts = _cut(parts, recipe, part)
        wanted = _wanted(parts, part)
        return Evaluated(parts, wanted, () if part == TRAIN else _learned(run, record, rows, wanted))
    found = changes(record, parts, root, rows)
    recorded = as_recorded(parts, record)
    wanted = _wanted(parts if part == ALL else recorded, part)
    measured = "all that are there are measured" if part == ALL else "only the recorded ones that are left are measured"
    return Evaluated(parts, wanted, _changed(run, found.lines, measured))


def _of_the_same_classes(run: FinishedRun) -> Recipe:
    """The recipe, for a folder with the run's classes in the run's order, whatever other folders there are."""
    if run.data is None or isinstance(run.recipe.data, NamedSet):
        return run.recipe
    return replace(run.recipe, data=replace(run.recipe.data, classes=run.data.classes))


def _cut(parts: Parts, recipe: Recipe, part: str) -> Parts:
    """The images cut as the recipe says, where a part is asked for that the folder does not have."""
    if recipe.validation is None:
        return replace(parts, validation=None, test=parts.test or parts.validation)
    if part in (TRAIN, VALIDATION) and parts.validation is None and recipe.validation:
        return cut_validation(parts, recipe.validation, recipe.seed)
    return parts


def _wanted(parts: Parts, name: str) -> list[Part]:
    there = named(parts)
    if name == ALL:
        return list(there.values())
    if name not in there:
        help = f"--part {' or '.join([*there, ALL])}"
        raise SpecError.of("E622", f"there are no {name} images", help=help)
    return [there[name]]


def _is_the_same_folder(record: Identity, rows: Sequence[Row], root: Path) -> bool:
    """Whether a folder is that of the run, perhaps at another place: most of its files are there by their names."""
    if record.root == str(root.resolve()):
        return True
    there = {each.file: each for each in rows}
    same = sum(each.file in there and there[each.file].same_content(each) for each in record.rows)
    return 2 * same > len(record.rows)


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


def _learned(run: FinishedRun, record: Identity, rows: Sequence[Row], wanted: Sequence[Part]) -> tuple[Diagnostic, ...]:
    """Images of another folder that the run was trained on, by their content."""
    trained = digests(each for each in record.rows if each.split == TRAIN)
    measured = {each.images.names[index] for each in wanted for index in each.indices.tolist()}
    known = [each for each in rows if each.file in measured and (each.size, each.digest) in trained]
    if not known:
        return ()
    message = f"{len(known):,} of the {len(measured):,} measured images were training images of {run.folder.path}"
    return (Diagnostic("W648", message, severity=Severity.WARNING, notes=(named_few(known),)),)
