"""An experiment's name or path to what it says: every mistake at once, each at its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cnngraph.diagnostics import Diagnostic, Source, Span, SpecError, did_you_mean
from cnngraph.document import Entry, Listing, Scalar, Table, Value, parse, read_file, value_of
from cnngraph.experiment_plan.model import Experiment
from cnngraph.file_kinds import EXPERIMENT, other_kind
from cnngraph.library import ENDINGS, library_root, network_files
from cnngraph.recipe.reading import Reader

ITEMS = {"specs": "network", "recipes": "recipe", "seeds": "seed"}  # the lists that make runs, and what is in them
LONGEST_NAME = 80  # of a folder that is called after several specs


@dataclass(frozen=True, slots=True)
class Described:
    """An experiment with its text, which knows the places, and the folder that its files are named from."""

    experiment: Experiment
    table: Table
    folder: Path


def experiment_names() -> list[str]:
    """The names of the library's experiments."""
    return sorted(each.stem for each in (library_root() / "experiments").glob("*.yaml"))


def find_experiment(name: str) -> Path:
    """The file of an experiment: a path that ends in .yaml as it is, any other name in the library.

    Raises SpecError (E660).
    """
    if name.endswith(ENDINGS):
        if Path(name).is_file():
            return Path(name)
        raise SpecError.of("E660", f"there is no experiment file {name}")
    known = experiment_names()
    if name in known:
        return library_root() / "experiments" / f"{name}.yaml"
    help = (
        did_you_mean(name, [*known, *network_files()])
        or f"the library has {', '.join(known)}; a file's name ends in .yaml"
    )
    raise SpecError.of("E660", f"there is no experiment {name}", help=help)


def is_experiment(name: str) -> bool:
    """Whether a name or file is an experiment, or may have been meant as one, rather than a spec."""
    if not name.endswith(ENDINGS):
        return name in experiment_names() or name not in network_files()
    value, _ = parse(read_file(Path(name)))
    return not isinstance(value, Table) or value.get("cnngraph") is None


def of_specs(specs: Sequence[str], recipes: Sequence[str], seeds: int) -> Described:
    """The experiment of specs by name or path, as the command line has them. Raises SpecError."""
    source = Source("command line", " ".join(specs))
    span = Span(source, 1, 1, 1, len(source.text) + 1)
    said = {"specs": list(specs), "seeds": seeds} | ({"recipes": list(recipes)} if recipes else {})
    table = value_of(said, span)
    assert isinstance(table, Table)
    return read_experiment(table, Path(), "+".join(Path(each).stem for each in specs)[:LONGEST_NAME])


def load_experiment(name: str) -> Described:
    """An experiment by name or path, read and checked by itself. Raises SpecError."""
    path = find_experiment(name)
    return read_source(read_file(path, name if name.endswith(ENDINGS) else f"experiments/{path.name}"), path)


def read_source(source: Source, path: Path) -> Described:
    """The experiment of a text, which is in the file of that path or to be taken as if it were. Raises SpecError."""
    value, mistakes = parse(source)
    if mistakes:
        raise SpecError(mistakes)
    if not isinstance(value, Table):
        message = f"{source.name} is no experiment: it must be a table"
        raise SpecError.of("E601", message, value.span if value else None)
    if wrong := other_kind(value, EXPERIMENT, "E601"):
        raise SpecError([wrong])
    return read_experiment(value, path.parent, path.stem)


def read_experiment(table: Table, folder: Path, name: str) -> Described:
    """The experiment that a table says. Raises SpecError."""
    table = _spelled_out(table)
    reader = Reader()
    made = reader.record(Experiment, table, "", "an experiment")
    empty = {each.span: each for each in _empty_lists(table)}
    mistakes = [*empty.values(), *(each for each in reader.diagnostics if each.span not in empty)]
    if mistakes or not isinstance(made, Experiment):
        raise SpecError(mistakes)
    return Described(replace(made, name=name), table, folder)


def _empty_lists(table: Table) -> Iterator[Diagnostic]:
    """The lists of which nothing would be made."""
    for each in table:
        if each.key in ITEMS and isinstance(each.value, Listing) and not each.value.items:
            yield Diagnostic("E603", f"{each.key} must have at least one {ITEMS[each.key]}", each.value.span)


def _spelled_out(table: Table) -> Table:
    """The table with `{spec: NAME}` for each bare name among its specs, and a list for each bare setting."""
    specs, settings = table.get("specs"), table.get("settings")
    if specs and isinstance(specs.value, Listing):
        table = table.replaced(["specs"], replace(specs.value, items=tuple(map(_entrant, specs.value.items))))
    if settings and isinstance(settings.value, Table):
        entries = tuple(replace(each, value=_several(each.value)) for each in settings.value)
        table = table.replaced(["settings"], replace(settings.value, entries=entries))
    return table


def _entrant(value: Value) -> Value:
    return Table((Entry("spec", value.span, value),), value.span) if isinstance(value, Scalar) else value


def _several(value: Value) -> Value:
    return Listing((value,), value.span) if isinstance(value, Scalar) else value
