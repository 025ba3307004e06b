"""Stored JSON documents, validated against their published schemas whenever they are read.

A run's folder may come from anywhere, so nothing in it is trusted: a document is bounded in size and depth, is strict
JSON (no NaN, no infinity), fits its schema, and is of a version that is known. Whoever reads it then finds the values
of the types that it expects.
"""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from cnngraph.diagnostics import SpecError
from cnngraph.schemas import document_schema

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

Json: TypeAlias = dict[str, Any]

VERSION = 1  # of the documents that are written; those before it have none
MAX_BYTES = 256 * 2**20
MAX_DEPTH = 16  # of lists and mappings in each other
MAX_SHOWN = 160  # characters of what is wrong with a value


def read_document(path: Path, kind: str, help: str | None = None) -> Json | None:
    """A document of that kind, or None where there is no such file.

    Raises SpecError: E645 where it is damaged, with `help` for what to do then, E646 where a newer cnngraph wrote it.
    """
    if not is_regular_file(path, help):
        return None
    try:
        if path.stat().st_size > MAX_BYTES:
            raise damaged(path, f"it has more than {MAX_BYTES:,} bytes", help)
        value = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number)
    except OSError as error:
        raise damaged(path, error.strerror or str(error), help) from None
    except RecursionError:
        raise damaged(path, "it is nested too deeply", help) from None
    except ValueError as error:  # no UTF-8, no JSON, or an integer of thousands of digits
        raise damaged(path, f"not valid JSON: {_short(str(error))}", help) from None
    check_plain(value, kind, path, help)
    found: Json = value
    return found


def check_plain(value: Any, kind: str, path: Path, help: str | None = None) -> None:
    """Raise SpecError where a value does not fit the schema of its kind (E645), or is of a later version (E646)."""
    if _too_deep(value):
        raise damaged(path, "it is nested too deeply", help)
    version = value.get("version") if isinstance(value, dict) else None
    known = document_schema(kind)["properties"]["version"]["maximum"]
    check_version(version, known, path)
    error = next(iter(_validator(kind).iter_errors(value)), None)
    if error is not None:
        raise damaged(path, f"{error.json_path}: {_short(error.message)}", help)
    for where, problem in CHECKS.get(kind, _nothing)(value):
        raise damaged(path, f"{where}: {problem}", help)


def images_digest(classes: Sequence[str], splits: Mapping[str, Mapping[str, object]]) -> str:
    """The SHA-256 of what a run's images are recognised by: classes in order, and the digests of each split."""
    plain = [list(classes), {name: dict(sorted(splits[name].items())) for name in sorted(splits)}]
    return hashlib.sha256(json.dumps(plain).encode()).hexdigest()


def check_version(version: object, known: int, path: Path) -> None:
    """Raise SpecError (E646) for a version after the `known` one."""
    if isinstance(version, int) and not isinstance(version, bool) and version > known:
        raise newer(path, version, known)


def is_regular_file(path: Path, help: str | None = None) -> bool:
    """Whether there is a file. Raises SpecError (E645) for a folder, pipe or device in its place."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:
        raise damaged(path, str(error), help) from None
    if not stat.S_ISREG(mode):
        raise damaged(path, "it is a folder" if stat.S_ISDIR(mode) else "it is not a regular file", help)
    return True


def damaged(path: Path, problem: str, help: str | None = None) -> SpecError:
    """A stored document cannot be used."""
    return SpecError.of("E645", f"{path} is damaged: {problem}", help=help)


def newer(path: Path, version: int, known: int) -> SpecError:
    """A stored file is of a version that this cnngraph does not know."""
    number = str(version) if version < 10**6 else "too large to be one"
    message = f"{path} was written by a newer cnngraph: its format version is {number}, this one reads up to {known}"
    return SpecError.of("E646", message, help="upgrade cnngraph: pip install --upgrade cnngraph")


@cache
def _validator(kind: str) -> Validator:
    from jsonschema import Draft202012Validator  # not needed to check a spec, and slow to import
    from jsonschema.validators import extend

    strict = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
    made: Validator = extend(Draft202012Validator, type_checker=strict)(document_schema(kind))  # type: ignore[no-untyped-call]
    return made


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number")


def _short(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN // 2]} … {text[-MAX_SHOWN // 2 :]}"


def _too_deep(value: object) -> bool:
    """Whether lists and mappings are in each other more deeply than any schema has them."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for each in level for inner in _inner(each)]
        if not level:
            return False
    return True


def _inner(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        yield from (each for each in value.values() if isinstance(each, dict | list))
    elif isinstance(value, list):
        yield from (each for each in value if isinstance(each, dict | list))


# What a schema cannot say: how values depend on each other. Each gives the JSON path and what is wrong there.

Problems: TypeAlias = Iterator[tuple[str, str]]


def _nothing(document: Json) -> Problems:
    yield from ()


def _metrics(document: Json) -> Problems:
    rows = document["epochs"]
    for index, row in enumerate(rows):
        if row["epoch"] != index + 1:
            yield f"$.epochs[{index}].epoch", f"{row['epoch']} is out of order, {index + 1} was expected"
        if ("test_loss" in row) != ("test_loss" in rows[0]):
            yield f"$.epochs[{index}]", "it was measured on another split than the first epoch"
    if document.get("best_epoch", 0) > len(rows):
        yield "$.best_epoch", f"{document['best_epoch']} is not one of the {len(rows)} epochs"


def _data(document: Json) -> Problems:
    channels = document["image"][0]
    for name in ("mean", "std"):
        values = document[name]
        if (values is None) != (document["mean"] is None):
            yield f"$.{name}", "mean and std must both be given, or both be null"
        elif values is not None and len(values) not in (1, channels):
            yield f"$.{name}", f"{len(values)} values for {channels} channels"

    images = document.get("images")
    if images and images["sha256"] != images_digest(document["classes"], images["splits"]):
        yield "$.images.sha256", "classes or splits were changed after the run wrote them"


def _state(document: Json) -> Problems:
    if document["done"] // document["steps"] < len(document["epochs"]):
        yield "$.epochs", f"{len(document['epochs'])} epochs were finished in {document['done']} steps"
    for index, row in enumerate(document["epochs"]):
        if row["number"] != index + 1:
            yield f"$.epochs[{index}].number", f"{row['number']} is out of order, {index + 1} was expected"


CHECKS: dict[str, Callable[[Json], Problems]] = {"data": _data, "metrics": _metrics, "state": _state}
