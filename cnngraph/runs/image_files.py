"""Image files given as files and folders, found and prepared for a network."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from PIL import Image
from torch import Tensor

from cnngraph.runs.classifier import ImageReader
from cnngraph.train.data.decoding import ImageError
from cnngraph.train.data.walking import Ignored, image_files, refuse_system_folder

ImageSource = TypeVar("ImageSource", bound=Path | Image.Image)


class PreparedImage(NamedTuple, Generic[ImageSource]):
    """An image file or Pillow image, and the network's input for it, or the `problem` if it cannot be read."""

    source: ImageSource
    tensor: Tensor | None
    problem: str = ""


def find_image_files(paths: Sequence[Path], ignored: Ignored | None = None) -> Iterator[Path]:
    """The given files, and all images in and below the given folders, sorted by name.

    Files that are not images are counted in `ignored`.
    Raises SpecError (E625) for a folder with very many files, hardly any of which are images.
    """
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        refuse_system_folder(path)
        (files,) = image_files([path], Ignored() if ignored is None else ignored)
        yield from map(Path, files)


def read_images(sources: Iterable[ImageSource], reader: ImageReader) -> Iterator[PreparedImage[ImageSource]]:
    """Read image files and images in memory, and prepare them for the network."""
    for source in sources:
        try:
            yield PreparedImage(source, reader.read(source))
        except ImageError as error:
            is_missing = isinstance(source, Path) and not os.path.lexists(source)
            yield PreparedImage(source, None, f"there is no file {source}" if is_missing else str(error))


def output_names(files: Sequence[Path], ending: str = ".png") -> list[str]:
    """A unique name for the drawing of each file: the name of the file, numbered if several have the same name."""
    names: list[str] = []
    for file in files:
        name, number = file.stem, 1
        while f"{name}{ending}" in names:
            number += 1
            name = f"{file.stem}_{number}"
        names.append(f"{name}{ending}")
    return names


def image_name(source: Path | Image.Image) -> str:
    """What pictures call an image: the name of its file."""
    return source.name if isinstance(source, Path) else "image"
