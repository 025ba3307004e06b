"""The files that are meant by paths, folders and names of the library."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cnngraph import file_kinds
from cnngraph.checking.report import Kind
from cnngraph.diagnostics import Source, SpecError, did_you_mean
from cnngraph.document import Limits, Table, parse, read_file
from cnngraph.file_kinds import EXPERIMENT, RECIPE, SPEC, TELLING, kind_of
from cnngraph.language.keys import FILE_KEYS
from cnngraph.library import ENDINGS, find_file, find_network, is_name, library_root, network_files, shown

MAX_FILES = 10_000  # of a folder, with those of its folders
FOLDERS = ("recipes", "experiments")  # of the library, beside its networks
KINDS = {SPEC: Kind.SPEC, RECIPE: Kind.RECIPE, EXPERIMENT: Kind.EXPERIMENT}
TOP_KEY = re.compile(r"^([A-Za-z_]\w*)[ \t]*:(?=[ \t\n]|$)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Target:
    """A file to check: what a person calls it, and what messages do. `in_folder`: it was found there, unnamed."""

    name: str
    shown: str
    path: Path
    in_folder: bool = False


def find_targets(text: str) -> Iterator[Target]:
    """The files that an argument means: a name of the library, a file, or all YAML files of a folder and below.

    Raises SpecError where there is nothing to check.
    """
    if is_name(text) and not _is_folder(text):
        path = _of_the_library(text)
        yield Target(text, shown(path), path)
    elif os.path.isdir(text):
        yield from (Target(str(path), str(path), path, in_folder=True) for path in yaml_files(Path(text)))
    else:
        path = find_file(text)
        yield Target(text, text if path == Path(text) else shown(path), path)


def _is_folder(name: str) -> bool:
    """Whether a name without a separator is a folder here, and nothing in the library is called so."""
    return os.path.isdir(name) and name not in network_files()


def _of_the_library(name: str) -> Path:
    """The file of a network, a recipe or an experiment of the library. Raises SpecError (E311)."""
    others = {path.stem: path for folder in FOLDERS for path in (library_root() / folder).glob("*.yaml")}
    if name in others and name not in network_files():
        return others[name]
    try:
        return find_network(name)
    except SpecError as error:
        help = did_you_mean(name, [*network_files(), *others])
        if help is None or any(found.suggestions for found in error.diagnostics):
            raise
        raise SpecError.of("E311", f"there is no {name} in the library", help=help) from None


def yaml_files(folder: Path) -> Iterator[Path]:
    """The YAML files in a folder and below, in order; hidden ones and circles of links are left out.

    Raises SpecError (E501) where there are too many.
    """
    seen: set[tuple[int, int]] = set()
    count = 0
    for place, inner, names in os.walk(folder, followlinks=True):
        inner[:] = sorted(name for name in inner if not name.startswith(".") and _is_other(Path(place, name), seen))
        for name in sorted(names):
            if name.lower().endswith(ENDINGS) and not name.startswith("."):
                count += 1
                if count > MAX_FILES:
                    message = f"{folder} has more than {MAX_FILES:,} YAML files"
                    raise SpecError.of("E501", message, help="check its folders one by one")
                yield Path(place, name)


def _is_other(folder: Path, seen: set[tuple[int, int]]) -> bool:
    try:
        about = folder.stat()
    except OSError:
        return False
    place = about.st_dev, about.st_ino
    if place in seen:
        return False
    seen.add(place)
    return True


def is_ours(path: Path, limits: Limits) -> bool:
    """Whether a YAML file of a folder is a spec, a recipe or an experiment: by a key, and most others are known.

    Other tools' files have `data`, `nodes` or `extends`, too. Of a file that is no YAML its lines are read.
    """
    try:
        source = read_file(path, limits=limits)
    except SpecError:
        return False
    keys, kind = _top_keys(source, limits)
    known = _vocabulary(kind)
    return 2 * sum(key in known for key in keys) > len(keys)


def _top_keys(source: Source, limits: Limits) -> tuple[list[str], str | None]:
    """The keys of a file's mapping, and the kind that one of them tells."""
    value, _ = parse(source, limits)
    if isinstance(value, Table):
        found = kind_of(value)
        return [entry.key for entry in value], found[0] if found else None
    keys = TOP_KEY.findall(source.text) if value is None else []
    kinds = (kind for kind, telling in TELLING.items() if any(key in keys for key in telling))
    return keys, next(kinds, None)


def _vocabulary(kind: str | None) -> frozenset[str]:
    """The keys of a kind of file."""
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
    """Whether a file was not seen before, under whatever name; it is from now on."""
    real = os.path.realpath(path)
    if real in seen:
        return False
    seen.add(real)
    return True
