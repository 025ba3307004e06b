"""Weights files: safetensors and PyTorch's pickles, which are read without executing code."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Self

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from cnngraph import run_files
from cnngraph.atomic_files import readable
from cnngraph.backend.weights.checksum import checksum_fits
from cnngraph.backend.weights.pickles import not_plain, tables_in, unpickled, usual_table
from cnngraph.backend.weights.tables import Shape, Table, View, choose, plain_view, several_sets
from cnngraph.diagnostics import SpecError
from cnngraph.document import no_file
from cnngraph.frozen import frozen

SAFETENSORS = ".safetensors"
OTHER_FORMATS = {  # the first bytes of files that are mistaken for weights
    b"\x89HDF": "an HDF5 file, as written by Keras",
    b"GGUF": "a GGUF file",
    b"\x08": "an ONNX file",
    b"\x1f\x8b": "a gzip archive (unpack it first)",
    b"\x93NUMPY": "a NumPy array",
    b"version https://git-lfs": "a Git LFS pointer (fetch the file with `git lfs pull`)",
    b"<": "a web page or XML, so the download probably failed",
    b"{": "JSON",
}

PLAIN = re.compile(r"B?F(64|32|16)|F8_E(4M3|5M2)|[IU]\d+|BOOL")  # dtypes in safetensors that can be weights in torch

TEXT = frozenset(bytes(range(32, 127)) + b"\t\n\r")
PYTORCH = (b"PK\x03\x04", b"\x80")  # the first bytes of files of torch.save: a zip archive, or a pickle
MAX_HEADER = 100_000_000  # bytes, the limit of safetensors itself


@frozen
class Choices:
    """What a person allows not to fit, with patterns of paths as in `init`.

    With `partial` everything may be missing. Weights of the network that match `fresh` keep their initial values, and
    weights of the file that match `leave` are ignored.
    """

    partial: bool = False
    fresh: tuple[str, ...] = ()
    leave: tuple[str, ...] = ()
    why_fresh: str = "as chosen by --fresh"


class WeightsFile(ABC):
    """Weights by key, whose shapes are known before any weight is read.

    `name` is the name of the file in messages, and `expects` are params that the network should have. A file can have
    several sets of weights: `view` is the one that is read, and `others` are those that would fit as well.
    """

    in_order = False  # whether the keys are in the order of the modules that they were saved from
    is_computed = False  # whether the weights are not those of one file, but composed or adapted

    def __init__(self, path: Path, name: str, tables: Sequence[Table], usual: int | None = 0) -> None:
        self.path, self.name, self.tables = path, name, tuple(tables)
        self.expects: dict[str, object] = {}
        self.choices = Choices()
        self.chosen: Mapping[str, object] = {}  # what a person chose, as recorded by runs
        self.selected = ""
        self.others: tuple[View, ...] = ()
        self._is_fitted = False
        self._view = None if usual is None else plain_view(self.tables[usual])

    @property
    def other_names(self) -> list[str]:
        """The other sets of weights that would fit as well, as they are selected: `theirs.pth:model_ema`."""
        return [f"{self.name}:{other.label}" if other.label else self.name for other in self.others]

    @property
    def view(self) -> View:
        """The set of weights that is read. Raises SpecError (E704) if there are several and none was chosen."""
        if self._view is None:
            raise several_sets(self.tables, self.name)
        return self._view

    @property
    def statements(self) -> tuple[str, ...]:
        """What else to report about the weights."""
        return ()

    @property
    def found_in(self) -> tuple[str, ...]:
        """The keys of the mappings that contain the weights."""
        return self.view.table.found_in

    @property
    def prefix(self) -> str:
        """The prefix of keys in the file that is left out."""
        return self.view.prefix

    @property
    def shapes(self) -> dict[str, Shape]:
        """The shapes of all weights."""
        return self.view.shapes

    def fitted(self, expected: Mapping[str, Shape], renames: Mapping[str, str]) -> Self:
        """This file with the set of weights and the prefix that fit a network best. Raises SpecError (E704)."""
        if self._is_fitted:
            return self
        rules = self.renames(renames)
        view, others = choose(self.tables, self._view, expected, rules, self.name, self.selected)
        chosen = copy(self)
        chosen._view, chosen.others, chosen._is_fitted = view, others, True
        chosen.check()
        return chosen

    def tensors(self) -> dict[str, Tensor]:
        """All weights. Raises SpecError (E704) if they cannot be read."""
        return {self.view.bare(key): tensor for key, tensor in self.stored().items()}

    def renames(self, given: Mapping[str, str]) -> Mapping[str, str]:
        """The renames that apply to the file, of those of a spec."""
        return given

    def check(self) -> None:  # noqa: B027  # safetensors are checked when they are opened
        """Raise SpecError (E704) for a tensor that cannot be a weight."""

    @abstractmethod
    def stored(self) -> Mapping[str, Tensor]:
        """All weights by their keys in the file. Raises SpecError (E704) if they cannot be read."""


class Safetensors(WeightsFile):
    """A safetensors file, which has the shapes in its header."""

    def __init__(self, path: Path, name: str) -> None:
        shapes: dict[str, Shape] = {}
        with readable(path) as plain, safe_open(plain, framework="pt") as file:
            for key in file.keys():  # noqa: SIM118
                tensor = file.get_slice(key)
                if not PLAIN.fullmatch(tensor.get_dtype()):
                    raise _no_weight(key, name, f"a tensor of {tensor.get_dtype()}")
                shapes[key] = tuple(tensor.get_shape())
        if not shapes:
            raise SpecError.of("E704", f"{name} contains no weights")
        super().__init__(path, name, [Table((), shapes)])

    def stored(self) -> Mapping[str, Tensor]:
        """All weights."""
        try:
            if checksum_fits(self.path) is False:  # cnngraph writes one into every file, other tools do not
                raise SpecError.of("E704", f"{self.name} is damaged: its content does not match its checksum")
            with readable(self.path) as plain:
                tensors: dict[str, Tensor] = load_file(plain)
                return tensors
        except (OSError, ValueError, SafetensorError) as error:
            raise SpecError.of("E704", f"cannot read {self.name}: {error}") from None


class Pickle(WeightsFile):
    """A pickle of PyTorch, which is memory-mapped and read on demand if its format permits."""

    in_order = True

    def __init__(self, path: Path, name: str) -> None:
        self._tensors = tables_in(unpickled(path, name), name)
        tables = [
            Table(found_in, {key: () if tensor.is_nested else tuple(tensor.shape) for key, tensor in weights.items()})
            for found_in, weights in self._tensors.items()
        ]
        usual = usual_table(self._tensors)
        super().__init__(path, name, tables, None if usual is None else list(self._tensors).index(usual))
        if len(tables) == 1:
            self.check()

    def check(self) -> None:
        """Raise SpecError (E704) for a tensor that cannot be a weight."""
        for key, tensor in self.stored().items():
            if what := not_plain(tensor):
                raise _no_weight(key, self.name, what)

    def stored(self) -> Mapping[str, Tensor]:
        """All weights."""
        return self._tensors[self.view.table.found_in]


def read_weights(path: str | Path, name: str | None = None) -> WeightsFile:
    """Open a weights file; `FILE:NAME` selects one of several sets of weights in it. Raises SpecError (E704)."""
    path, selected = _selection(str(path))
    file = _opened(path, name or str(path))
    file.selected = selected
    return file


def _selection(path: str) -> tuple[Path, str]:
    """The file, and the name of the weights in it, of `FILE:NAME`."""
    start, _, selected = path.rpartition(":")
    if start and selected and not Path(path).exists() and Path(start).is_file():
        return Path(start), selected
    return Path(path), ""


def _opened(path: Path, name: str) -> WeightsFile:
    if trained := next(
        (file for name in (run_files.BEST, run_files.LAST) if (file := run_files.weights_file(path, name)).is_file()),
        None,
    ):
        raise SpecError.of(
            "E704", f"cannot read {name}: it is the folder of a run", help=f"its weights are in {trained}"
        )
    try:
        if what := no_file(path.stat()):
            raise SpecError.of("E704", f"cannot read {name}: it is {what}")
        return Safetensors(path, name) if _is_safetensors(path, name) else Pickle(path, name)
    except FileNotFoundError:
        raise SpecError.of("E704", f"cannot read {name}: file not found") from None
    except (OSError, RuntimeError, ValueError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or (str(error).strip() or type(error).__name__).splitlines()[0]
        raise SpecError.of("E704", f"cannot read {name}: {reason}") from None


def _is_safetensors(path: Path, name: str) -> bool:
    """Whether a file is a safetensors file, by its content. Raises SpecError (E704) for files of other formats."""
    with path.open("rb") as file:
        start = file.read(32)
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") < MAX_HEADER:
        return True
    for magic, what in OTHER_FORMATS.items():
        if start.startswith(magic):
            raise SpecError.of("E704", f"{name} is not a weights file: it is {what}")
    if start and all(byte in TEXT for byte in start):
        raise SpecError.of("E704", f"{name} is not a weights file: it is text")
    if path.suffix.lower() != SAFETENSORS:
        return False
    if start.startswith(PYTORCH):  # torch.load depends on the ending, too
        raise SpecError.of(
            "E704", f"{name} is not a safetensors file: it was written by torch.save", help="rename it to .pth"
        )
    return True


def _no_weight(key: str, name: str, what: str) -> SpecError:
    return SpecError.of(
        "E704", f"`{key}` in {name} cannot be a weight: it is {what}", help="save it as an ordinary dense tensor"
    )
