"""The bundled specs: their folder, their names, and facts about them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from cnngraph import run_files
from cnngraph.diagnostics import Question, Span, SpecError, Suggestion, did_you_mean
from cnngraph.frozen import frozen

ENDINGS = (".yaml", ".yml")  # of spec files
NOT_NETWORKS = {"blocks", "recipes", "experiments"}  # names of folders and files without networks
CATALOGUE = Path(__file__).parent / "library.json"


@frozen
class Network:
    """A bundled network as `cnngraph list` shows it. `family` is its folder, `file` its path in the library."""

    name: str
    family: str
    file: str
    num_params: int
    macs: int
    input_shapes: Mapping[str, tuple[int, ...]]
    published: Mapping[str, float]
    about: str
    paper: str


@cache
def library_root() -> Path:
    """The folder of the library: inside the installed package, or `specs/` of a checkout."""
    package = Path(__file__).parent
    installed = package / "specs"
    return installed if installed.is_dir() else package.parent / "specs"


def network_files(root: Path | None = None) -> dict[str, Path]:
    """The bundled networks by name, including families; without block libraries, recipes and experiments."""
    root = root or library_root()
    paths = sorted(root.rglob("*.yaml"))
    return {path.stem: path for path in paths if NOT_NETWORKS.isdisjoint(path.relative_to(root).with_suffix("").parts)}


def file_of_block(name: str) -> str | None:
    """The file of the library, for `import`, that defines a block of this name; None if there is none."""
    for path in sorted((library_root() / "blocks").glob("*.yaml")):
        if re.search(rf"^  {re.escape(name)}:", path.read_text(encoding="utf-8"), re.MULTILINE):
            return f"blocks/{path.name}"
    return None


def is_family(path: Path) -> bool:
    """Whether a network is a family: it has the name of its folder, or several networks next to it extend its name."""
    beside = [other.stem for other in path.parent.glob("*.yaml") if other != path and other.stem not in NOT_NETWORKS]
    called_after = [name for name in beside if name.startswith(f"{path.stem}_")]
    return (bool(beside) and path.stem == path.parent.name) or len(called_after) > 1


def is_name(text: str) -> bool:
    """Whether a string is the name of a bundled network: a file has a separator in its path, or an extension."""
    separators = [separator for separator in (os.sep, os.altsep) if separator]
    is_path = (
        text in ("", ".", "..") or text.lower().endswith(ENDINGS) or any(separator in text for separator in separators)
    )
    return not is_path


def find_network(name: str, span: Span | None = None, folder: Path | None = None) -> Path:
    """The file of a bundled network.

    Raises SpecError (E311), at `span` if the name was read from a file. A file of that name in `folder`, the folder of
    that file, is suggested.
    """
    known = network_files()
    if name in known:
        return known[name]
    if f"blocks/{name}.yaml" in block_files():
        meant = f"did you mean `blocks/{name}`, the block library?"
        raise SpecError.of("E311", f"there is no network `{name}` in the library", span, help=meant)
    help = _file_meant(name, folder or Path()) or did_you_mean(name, known)
    help = help or "`cnngraph list` prints the networks; the name of a file needs its extension"
    raise SpecError.of("E311", f"there is no network `{name}` in the library", span, help=help)


def block_files() -> dict[str, Path]:
    """The bundled block files by the names that `import` uses, such as `blocks/residual.yaml`."""
    root = library_root()
    return {path.relative_to(root).as_posix(): path for path in sorted((root / "blocks").glob("*.yaml"))}


def find_file(text: str) -> Path:
    """The file of that path, or the bundled block file of that name.

    Raises SpecError (E101) if it does not exist, but a bundled network has that name, and for the folder of a run.
    """
    path = Path(text)
    if not os.path.lexists(path):
        name = path.as_posix()
        blocks = block_files()
        if found := blocks.get(name) or blocks.get(f"{name}.yaml"):
            return found
    if not os.path.lexists(path) and path.stem in network_files():
        help = Question(f"`{path.stem}`, the bundled network")
        raise SpecError.of("E101", f"cannot read {text}: file not found", help=help)
    if os.path.isfile(spec := path / run_files.SPEC):
        raise SpecError.of("E101", f"cannot read {text}: it is the folder of a run", help=f"its spec is {spec}")
    return path


def _file_meant(name: str, folder: Path) -> str | None:
    for ending in (*ENDINGS, ""):
        if os.path.isfile(folder / f"{name}{ending}"):
            return Suggestion(f"./{name}{ending}")
    if os.path.isfile(spec := folder / name / run_files.SPEC):
        return f"`{name}` is the folder of a run; its spec is {spec}"
    return f"`{name}` is a folder; pass its files: `{name}/*.yaml`" if os.path.isdir(folder / name) else None


def shown(path: Path) -> str:
    """A file's name for messages: relative to the working directory, or within the library."""
    relative = os.path.relpath(path)
    if not relative.startswith(".."):
        return relative
    real, root = Path(os.path.realpath(path)), Path(os.path.realpath(library_root()))
    return f"cnngraph/specs/{real.relative_to(root).as_posix()}" if real.is_relative_to(root) else str(path)


def catalogue() -> list[Network]:
    """The bundled networks without families, from the generated cnngraph/library.json."""
    import json

    return [Network(**entry) for entry in json.loads(CATALOGUE.read_text(encoding="utf-8"))]
