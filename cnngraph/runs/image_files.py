"""The image files that a person names: single ones, and all that lie in folders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from PIL import Image
from torch import Tensor

from cnngraph.runs.classifier import Reader
from cnngraph.train.data.decoding import ImageError
from cnngraph.train.data.walking import Ignored, image_files, refuse_system_folder

Given = TypeVar("Given", bound=Path | Image.Image)


class Picture(NamedTuple, Generic[Given]):
    """An image, a file or one of Pillow's, prepared; or what is wrong with it."""

    file: Given
    tensor: Tensor | None
    problem: str = ""


def find_pictures(given: Sequence[Path], ignored: Ignored | None = None) -> Iterator[Path]:
    """The files as they are given, and of each folder the images in it and below, in order of their names.

    What else lies there is counted in `passed`.
    Raises SpecError (E625) for a folder that holds hardly any images among very many files.
    """
    for path in given:
        if not path.is_dir():
            yield path
            continue
        refuse_system_folder(path)
        (files,) = image_files([path], Ignored() if ignored is None else ignored)
        yield from map(Path, files)


def read_pictures(files: Iterable[Given], reader: Reader) -> Iterator[Picture[Given]]:
    """Each file or image in memory, prepared as the network was taught to see images."""
    for file in files:
        try:
            yield Picture(file, reader.tensor(file))
        except ImageError as error:
            is_missing = isinstance(file, Path) and not os.path.lexists(file)
            yield Picture(file, None, f"there is no file {file}" if is_missing else str(error))


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
