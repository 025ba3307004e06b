"""Reading stored JSON documents, which are validated against their published schemas.

The folder of a run may come from anywhere, so nothing in it is trusted: a document must be bounded in size and depth,
strict JSON (no NaN, no Infinity), valid by its schema, and of a known version. Callers can then rely on its types.
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

VERSION = 1  # of the documents that are written; the oldest documents have no version
MAX_BYTES = 256 * 2**20
MAX_DEPTH = 16  # of nested lists and mappings
MAX_SHOWN = 160  # characters of a reason in a message


def read_document(path: Path, kind: str, help: str | None = None) -> Json | None:
    """Read a document of some kind; None if there is no such file.

    Raises SpecError: E645 with this `help` if it is damaged, E646 if it was written by a newer cnngraph.
    """
    if not is_regular_file(path, help):
        return None
    try:
        if path.stat().st_size > MAX_BYTES:
            raise damaged(path, f"it is larger than {MAX_BYTES:,} bytes", help)
        value = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except OSError as error:
        raise damaged(path, error.strerror or str(error), help) from None
    except RecursionError:
        raise damaged(path, "it is nested too deeply", help) from None
    except ValueError as error:  # not UTF-8, not JSON, or an integer with thousands of digits
        raise damaged(path, f"not valid JSON: {_short(str(error))}", help) from None
    validate_document(value, kind, path, help)
    found: Json = value
    return found


def validate_document(value: Any, kind: str, path: Path, help: str | None = None) -> None:
    """Raise SpecError if a value is not valid by the schema of its kind (E645), or is of a newer version (E646)."""
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
    """The SHA-256 that identifies the images of a run: of its classes in order, and of the digests of each split."""
    plain = [list(classes), {name: dict(sorted(splits[name].items())) for name in sorted(splits)}]
    return hashlib.sha256(json.dumps(plain).encode()).hexdigest()


def check_version(version: object, known: int, path: Path) -> None:
    """Raise SpecError (E646) if a version is newer than `known`."""
    if isinstance(version, int) and not isinstance(version, bool) and version > known:
        raise newer(path, version, known)


def is_regular_file(path: Path, help: str | None = None) -> bool:
    """Whether a regular file exists. Raises SpecError (E645) if it is a folder, pipe or device."""
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
    """The error (E645) for a stored document that cannot be used."""
    return SpecError.of("E645", f"{path} is damaged: {problem}", help=help)


def newer(path: Path, version: int, known: int) -> SpecError:
    """The error (E646) for a stored file of a version that this cnngraph does not know."""
    number = str(version) if version < 10**6 else "too large to be a version"
    message = (
        f"{path} was written by a newer cnngraph: its format version is {number}, but this cnngraph reads up to {known}"
    )
    return SpecError.of("E646", message, help="upgrade cnngraph: pip install --upgrade cnngraph")


@cache
def _validator(kind: str) -> Validator:
    from jsonschema import Draft202012Validator  # not needed to check a spec, and slow to import
    from jsonschema.validators import extend

    strict = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
    validator: Validator = extend(Draft202012Validator, type_checker=strict)(document_schema(kind))  # type: ignore[no-untyped-call]
    return validator


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number")


def _short(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN // 2]} … {text[-MAX_SHOWN // 2 :]}"


def _too_deep(value: object) -> bool:
    """Whether lists and mappings are nested more deeply than in any schema."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [child for container in level for child in _containers_in(container)]
        if not level:
            return False
    return True


def _containers_in(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        yield from (item for item in value.values() if isinstance(item, dict | list))
    elif isinstance(value, list):
        yield from (item for item in value if isinstance(item, dict | list))


# Constraints between values, which a schema cannot express. A check yields the JSON path and what is wrong there.

Problems: TypeAlias = Iterator[tuple[str, str]]


def _nothing(document: Json) -> Problems:
    yield from ()


def _metrics(document: Json) -> Problems:
    rows = document["epochs"]
    for index, row in enumerate(rows):
        if row["epoch"] != index + 1:
            yield f"$.epochs[{index}].epoch", f"{row['epoch']} is out of order, expected {index + 1}"
        if ("test_loss" in row) != ("test_loss" in rows[0]):
            yield f"$.epochs[{index}]", "it was evaluated on a different split than the first epoch"
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
        yield "$.images.sha256", "the classes or splits have changed since the run saved them"


def _state(document: Json) -> Problems:
    if document["done"] // document["steps"] < len(document["epochs"]):
        yield "$.epochs", f"{document['done']} steps are too few for {len(document['epochs'])} finished epochs"
    for index, row in enumerate(document["epochs"]):
        if row["number"] != index + 1:
            yield f"$.epochs[{index}].number", f"{row['number']} is out of order, expected {index + 1}"


CHECKS: dict[str, Callable[[Json], Problems]] = {"data": _data, "metrics": _metrics, "state": _state}
