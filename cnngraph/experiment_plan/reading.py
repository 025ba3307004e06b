"""Finding and reading experiment files, collecting all errors with their spans."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from cnngraph.diagnostics import Diagnostic, Source, Span, SpecError, did_you_mean
from cnngraph.document import Entry, Listing, Scalar, Table, Value, parse, read_file, value_of
from cnngraph.experiment_plan.model import Experiment
from cnngraph.file_kinds import EXPERIMENT, other_kind
from cnngraph.frozen import frozen
from cnngraph.library import ENDINGS, library_root, network_files
from cnngraph.recipe.reading import RecipeReader

ITEMS = {"specs": "network", "recipes": "recipe", "seeds": "seed"}  # lists that must not be empty, and their items
MAX_NAME_LENGTH = 80  # of a folder named after several specs


@frozen
class LoadedExperiment:
    """An experiment, its YAML mapping with spans, and the folder to which its paths are relative."""

    experiment: Experiment
    table: Table
    folder: Path


def experiment_names() -> list[str]:
    """The names of the bundled experiments."""
    return sorted(path.stem for path in (library_root() / "experiments").glob("*.yaml"))


def find_experiment(name: str) -> Path:
    """The file of an experiment: a path to a YAML file, or the name of a bundled experiment.

    Raises SpecError (E660).
    """
    if name.endswith(ENDINGS):
        if Path(name).is_file():
            return Path(name)
        raise SpecError.of("E660", f"cannot read {name}: file not found")
    known = experiment_names()
    if name in known:
        return library_root() / "experiments" / f"{name}.yaml"
    help = did_you_mean(name, [*known, *network_files()]) or f"use {', '.join(known)}, or the path of a .yaml file"
    raise SpecError.of("E660", f"there is no experiment called `{name}`", help=help)


def is_experiment(name: str) -> bool:
    """Whether a name or file is an experiment, or probably meant as one, rather than a spec."""
    if not name.endswith(ENDINGS):
        return name in experiment_names() or name not in network_files()
    value, _ = parse(read_file(Path(name)))
    return not isinstance(value, Table) or value.get("cnngraph") is None


def experiment_of_specs(specs: Sequence[str], recipes: Sequence[str], seeds: int) -> LoadedExperiment:
    """An experiment that compares specs, given by name or path. Raises SpecError."""
    source = Source("command line", " ".join(specs))
    span = Span(source, 1, 1, 1, len(source.text) + 1)
    keys = {"specs": list(specs), "seeds": seeds} | ({"recipes": list(recipes)} if recipes else {})
    table = value_of(keys, span)
    assert isinstance(table, Table)
    return read_experiment(table, Path(), "+".join(Path(spec).stem for spec in specs)[:MAX_NAME_LENGTH])


def load_experiment(name: str) -> LoadedExperiment:
    """Read an experiment by name or path, and check its keys. Raises SpecError."""
    path = find_experiment(name)
    return read_source(read_file(path, name if name.endswith(ENDINGS) else f"experiments/{path.name}"), path)


def read_source(source: Source, path: Path) -> LoadedExperiment:
    """Parse an experiment's text. `path` is its file, to which its paths are relative. Raises SpecError."""
    value, errors = parse(source)
    if errors:
        raise SpecError(errors)
    if not isinstance(value, Table):
        message = f"{source.name} is not an experiment: it must be a mapping"
        raise SpecError.of("E601", message, value.span if value else None)
    if wrong := other_kind(value, EXPERIMENT, "E601"):
        raise SpecError([wrong])
    return read_experiment(value, path.parent, path.stem)


def read_experiment(table: Table, folder: Path, name: str) -> LoadedExperiment:
    """The experiment of a mapping. Raises SpecError with all errors."""
    table = _without_short_forms(table)
    reader = RecipeReader()
    experiment = reader.record(Experiment, table, "", "an experiment")
    empty = {error.span: error for error in _empty_lists(table)}
    errors = [*empty.values(), *(error for error in reader.diagnostics if error.span not in empty)]
    if errors or not isinstance(experiment, Experiment):
        raise SpecError(errors)
    return LoadedExperiment(replace(experiment, name=name), table, folder)


def _empty_lists(table: Table) -> Iterator[Diagnostic]:
    """Errors for empty lists, which would leave no runs."""
    for entry in table:
        if entry.key in ITEMS and isinstance(entry.value, Listing) and not entry.value.items:
            yield Diagnostic("E603", f"`{entry.key}` needs at least one {ITEMS[entry.key]}", entry.value.span)


def _without_short_forms(table: Table) -> Table:
    """The mapping with `{spec: NAME}` for each string in `specs`, and a list for each single value in `settings`."""
    specs, settings = table.get("specs"), table.get("settings")
    if specs and isinstance(specs.value, Listing):
        table = table.replaced(["specs"], replace(specs.value, items=tuple(map(_network_entry, specs.value.items))))
    if settings and isinstance(settings.value, Table):
        entries = tuple(replace(entry, value=_as_list(entry.value)) for entry in settings.value)
        table = table.replaced(["settings"], replace(settings.value, entries=entries))
    return table


def _network_entry(value: Value) -> Value:
    return Table((Entry("spec", value.span, value),), value.span) if isinstance(value, Scalar) else value


def _as_list(value: Value) -> Value:
    return Listing((value,), value.span) if isinstance(value, Scalar) else value
