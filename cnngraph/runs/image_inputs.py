"""Images as passed to the Python API: files, folders, Pillow images and tensors."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.functional import to_pil_image

from cnngraph.runs.image_files import find_image_files

ImageLike: TypeAlias = str | os.PathLike[str] | Image.Image | Tensor


def iter_images(images: ImageLike | Iterable[ImageLike]) -> Iterator[Path | Image.Image]:
    """All images, including those in folders and batches. Raises TypeError or ValueError for anything else."""
    several = [images] if isinstance(images, str | os.PathLike | Image.Image | Tensor) else images
    for image in several:
        if isinstance(image, Image.Image):
            yield image
        elif isinstance(image, Tensor):
            yield from _from_tensor(image)
        elif isinstance(image, str | os.PathLike):
            yield from find_image_files([Path(image)])
        else:
            kinds = "a file, a folder, a Pillow image or a tensor"
            raise TypeError(f"an image must be {kinds}, not {type(image).__name__}")


def one_image(image: ImageLike) -> Path | Image.Image:
    """A single image. Raises TypeError for anything that is not an image, ValueError for none or several."""
    if isinstance(image, str | os.PathLike):
        return Path(image)  # a folder is reported when it is read
    found = list(iter_images(image))
    if len(found) != 1:
        raise ValueError(f"one image is needed, got {len(found)}")
    return found[0]


def _from_tensor(tensor: Tensor) -> Iterator[Image.Image]:
    """The images in a tensor C×H×W or N×C×H×W, either of dtype uint8 or of floats from 0 to 1."""
    if tensor.ndim not in (3, 4) or tensor.shape[-3] not in (1, 3) or not tensor.numel():
        shape = "×".join(map(str, tensor.shape))
        raise ValueError(f"an image tensor must be C×H×W or N×C×H×W with 1 or 3 channels, got {shape or 'a scalar'}")
    tensor = tensor.detach().cpu()
    if tensor.is_floating_point():
        low, high = float(tensor.min()), float(tensor.max())
        if not 0 <= low <= high <= 1:  # also false for NaN
            message = f"a float tensor must have values from 0 to 1, got {low:g} to {high:g}"
            raise ValueError(f"{message}: pass the image before normalisation, or as torch.uint8")
        tensor = (tensor.float() * 255).round().to(torch.uint8)
    if tensor.dtype != torch.uint8:
        raise ValueError(f"an image tensor must be torch.uint8, or float from 0 to 1, got {tensor.dtype}")
    for image in tensor.reshape(-1, *tensor.shape[-3:]):
        yield to_pil_image(image)
