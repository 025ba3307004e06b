"""The image files that a person names: single ones, and all that lie in folders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from cnngraph.runs.classifier import Reader
from cnngraph.train.data.decoding import ImageError
from cnngraph.train.data.walking import Passed, check_place, image_files


class Picture(NamedTuple):
    """An image file, prepared; or what is wrong with it."""

    file: Path
    tensor: Tensor | None
    problem: str = ""


def find_pictures(given: Sequence[Path], passed: Passed | None = None) -> Iterator[Path]:
    """The files as they are given, and of each folder the images in it and below, in order of their names.

    What else lies there is counted in `passed`.
    Raises SpecError (E625) for a folder that holds hardly any images among very many files.
    """
    for path in given:
        if not path.is_dir():
            yield path
            continue
        check_place(path)
        (files,) = image_files([path], Passed() if passed is None else passed)
        yield from map(Path, files)


def read_pictures(files: Iterable[Path], reader: Reader) -> Iterator[Picture]:
    """Each file, prepared as the network was taught to see images."""
    for file in files:
        try:
            yield Picture(file, reader.tensor(file))
        except ImageError as error:
            missing = f"there is no file {file}"
            yield Picture(file, None, str(error) if os.path.lexists(file) else missing)


def picture_names(files: Sequence[Path], ending: str = ".png") -> list[str]:
    """A name for a drawing of each file: the file's own, with a number where several are called so."""
    names: list[str] = []
    for file in files:
        name, number = file.stem, 1
        while f"{name}{ending}" in names:
            number += 1
            name = f"{file.stem}_{number}"
        names.append(f"{name}{ending}")
    return names
