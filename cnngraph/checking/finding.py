"""Finds the files to check, from paths, folders and names of bundled specs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from cnngraph import file_kinds
from cnngraph.checking.report import Kind
from cnngraph.diagnostics import Source, SpecError, did_you_mean
from cnngraph.document import Limits, Table, parse, read_file
from cnngraph.file_kinds import EXPERIMENT, RECIPE, SPEC, TELLING, kind_of
from cnngraph.frozen import frozen
from cnngraph.language.keys import FILE_KEYS
from cnngraph.library import ENDINGS, find_file, find_network, is_name, library_root, network_files, shown

MAX_FILES = 10_000  # in a folder and its subfolders
FOLDERS = ("recipes", "experiments")  # of the library, next to its networks
KINDS = {SPEC: Kind.SPEC, RECIPE: Kind.RECIPE, EXPERIMENT: Kind.EXPERIMENT}
TOP_KEY = re.compile(r"^([A-Za-z_]\w*)[ \t]*:(?=[ \t\n]|$)", re.MULTILINE)


@frozen
class Target:
    """A file to check. `name` is the argument, `shown` the name in messages; `in_folder`: it was found in a folder."""

    name: str
    shown: str
    path: Path
    in_folder: bool = False


def find_targets(text: str) -> Iterator[Target]:
    """The files that an argument refers to: a bundled one, a file, or all YAML files in a folder and its subfolders.

    Raises SpecError if there is no such file.
    """
    if is_name(text) and not _is_folder(text):
        path = _bundled(text)
        yield Target(text, shown(path), path)
    elif os.path.isdir(text):
        yield from (Target(str(path), str(path), path, in_folder=True) for path in yaml_files(Path(text)))
    else:
        path = find_file(text)
        yield Target(text, text if path == Path(text) else shown(path), path)


def _is_folder(name: str) -> bool:
    """Whether a name without a separator is a folder, and not a bundled network."""
    return os.path.isdir(name) and name not in network_files()


def _bundled(name: str) -> Path:
    """The file of a bundled network, recipe or experiment. Raises SpecError (E311)."""
    others = {path.stem: path for folder in FOLDERS for path in (library_root() / folder).glob("*.yaml")}
    if name in others and name not in network_files():
        return others[name]
    try:
        return find_network(name)
    except SpecError as error:
        help = did_you_mean(name, [*network_files(), *others])
        if help is None or any(found.suggestions for found in error.diagnostics):
            raise
        raise SpecError.of("E311", f"there is no `{name}` in the library", help=help) from None


def yaml_files(folder: Path) -> Iterator[Path]:
    """The YAML files in a folder and its subfolders, sorted, without hidden ones. Cyclic links are not followed.

    Raises SpecError (E501) if there are more than MAX_FILES.
    """
    seen: set[tuple[int, int]] = set()
    count = 0
    for place, inner, names in os.walk(folder, followlinks=True):
        inner[:] = sorted(name for name in inner if not name.startswith(".") and _first_visit(Path(place, name), seen))
        for name in sorted(names):
            if name.lower().endswith(ENDINGS) and not name.startswith("."):
                count += 1
                if count > MAX_FILES:
                    message = f"{folder} has more than {MAX_FILES:,} YAML files"
                    raise SpecError.of("E501", message, help="check its subfolders one by one")
                yield Path(place, name)


def _first_visit(folder: Path, seen: set[tuple[int, int]]) -> bool:
    try:
        status = folder.stat()
    except OSError:
        return False
    identity = status.st_dev, status.st_ino
    if identity in seen:
        return False
    seen.add(identity)
    return True


def is_relevant(path: Path, limits: Limits) -> bool:
    """Whether a YAML file is a spec, a recipe or an experiment: it has a key of one, and most of its keys are known.

    Files of other tools may also have `data`, `nodes` or `extends`. If a file is not valid YAML, keys are searched in
    its lines.
    """
    try:
        source = read_file(path, limits=limits)
    except SpecError:
        return False
    keys, kind = _top_keys(source, limits)
    known = _vocabulary(kind)
    return 2 * sum(key in known for key in keys) > len(keys)


def _top_keys(source: Source, limits: Limits) -> tuple[list[str], str | None]:
    """The top-level keys of a file, and the kind that one of them identifies."""
    value, _ = parse(source, limits)
    if isinstance(value, Table):
        found = kind_of(value)
        return [entry.key for entry in value], found[0] if found else None
    keys = TOP_KEY.findall(source.text) if value is None else []
    kinds = (kind for kind, telling in TELLING.items() if any(key in keys for key in telling))
    return keys, next(kinds, None)


def _vocabulary(kind: str | None) -> frozenset[str]:
    """The valid keys of a kind of file."""
    from cnngraph.experiment_plan.model import Experiment
    from cnngraph.fields import fields_of
    from cnngraph.recipe import BASE_KEYS, Recipe

    match kind:
        case file_kinds.SPEC:
            return frozenset(FILE_KEYS)
        case file_kinds.RECIPE:
            return frozenset((*fields_of(Recipe), *BASE_KEYS))
        case file_kinds.EXPERIMENT:
            return frozenset(fields_of(Experiment))
    return frozenset()


def is_new(path: Path, seen: set[str]) -> bool:
    """Whether a file is not in `seen` under any name. Adds it."""
    real = os.path.realpath(path)
    if real in seen:
        return False
    seen.add(real)
    return True
