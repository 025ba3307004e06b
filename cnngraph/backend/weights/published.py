"""Weights that torchvision publishes, by the network's name."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch

from cnngraph.backend.weights.files import WeightsFile, read_weights
from cnngraph.diagnostics import SpecError, did_you_mean

TORCHVISION = "torchvision"
EXPECTED = {"googlenet": {"transform_input": True}, "inception_v3": {"transform_input": True}}  # as torchvision sets it


def open_weights(given: str | Path, names: Sequence[str]) -> WeightsFile:
    """A file of weights; or for `torchvision`, or `torchvision:IMAGENET1K_V1`, those that it publishes.

    `names` are the network's, then those of the networks that it extends: the first that torchvision knows counts.
    Raises SpecError (E704, E705).
    """
    word, _, version = str(given).partition(":")
    if word != TORCHVISION:
        return read_weights(given)
    return _published(names, version)


def published_weights(names: Sequence[str], version: str = "") -> tuple[str, Any]:
    """The name that torchvision knows the network by, and a member of its enum of weights. Raises SpecError (E705)."""
    from torchvision import models  # takes its time

    known = models.list_models(module=models)
    name = next((each for each in names if each in known), None)
    if name is None:
        help = did_you_mean(names[0], known) or "a spec of another name takes them where it extends one that has them"
        raise SpecError.of("E705", f"torchvision has no network {names[0]}", help=help)
    versions = models.get_model_weights(name)
    if not len(versions):
        raise SpecError.of("E705", f"torchvision publishes no weights of {name}")
    if version and version not in versions.__members__:
        help = f"there are {', '.join(versions.__members__)}"
        raise SpecError.of("E705", f"torchvision publishes no weights {version} of {name}", help=help)
    return name, versions[version] if version else versions.DEFAULT


def _published(names: Sequence[str], version: str) -> WeightsFile:
    name, chosen = published_weights(names, version)
    title = f"{type(chosen).__name__}.{chosen.name}"
    file = _read(_download(chosen.url, title), title)
    file.expects.update(EXPECTED.get(name, {}))
    return file


def _read(path: Path, title: str) -> WeightsFile:
    """The weights of a downloaded file. Raises SpecError (E704) where it is damaged."""
    try:
        return read_weights(path, title)
    except SpecError as error:
        help = f"remove {path}, and it is downloaded again"
        raise SpecError([replace(each, help=help) for each in error.diagnostics]) from None


def _download(url: str, title: str) -> Path:
    """The file where torchvision keeps it, too; fetched if it is not there. What breaks off leaves nothing behind."""
    file = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(url).path).name
    if file.is_file():
        return file
    digest = torch.hub.HASH_REGEX.search(file.name)  # published files have a part of their SHA-256 in their names
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        on_terminal = sys.stderr.isatty()
        torch.hub.download_url_to_file(url, str(file), digest[1] if digest else None, progress=on_terminal)
    except (OSError, RuntimeError, ValueError, HTTPException) as error:  # URLError is an OSError
        reason = (str(error).strip() or type(error).__name__).splitlines()[-1].strip("<>")
        help = f"is there a network? {url} can be put to {file} by hand"
        raise SpecError.of("E705", f"cannot download {title}: {reason}", help=help) from None
    return file
