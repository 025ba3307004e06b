"""Weights published by torchvision, found by the name of the network."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch

from cnngraph.backend.weights.files import Choices, WeightsFile, read_weights
from cnngraph.diagnostics import SpecError, did_you_mean
from cnngraph.initial_weights import NONE, TORCHVISION, is_published

EXPECTED = {"googlenet": {"transform_input": True}, "inception_v3": {"transform_input": True}}  # as torchvision sets it


def open_weights(weights: str | Path, names: Sequence[str], choices: Choices | None = None) -> WeightsFile:
    """Open a weights file, or the published weights that `torchvision[:NETWORK][:VERSION]` selects.

    `names` are the name of the network, then those of the networks that it extends; the first one that torchvision has
    is used if no network is selected. `choices` are what a person allows not to fit. Raises SpecError (E704, E705).
    """
    if str(weights) == NONE:
        help = "name a file, or torchvision; a file of this name is ./none"
        raise SpecError.of("E704", "`none` means random weights, so there is nothing to load", help=help)
    file = _published(names, str(weights)) if is_published(weights) else read_weights(weights)
    file.choices = choices or Choices()
    return file


def published_weights(names: Sequence[str], weights: str = TORCHVISION) -> tuple[str, Any]:
    """The name of the network in torchvision, and a member of its weights enum. Raises SpecError (E705)."""
    from torchvision import models  # slow to import

    known = models.list_models(module=models)
    selected = [part for part in weights.split(":")[1:] if part]
    network = selected.pop(0) if selected and (selected[0] in known or len(selected) > 1) else ""
    version = selected.pop(0) if selected else ""
    if selected:
        raise SpecError.of("E705", f"`{weights}` has too many parts", help="use `torchvision:NETWORK:VERSION`")
    name = (
        network
        if network in known
        else next((candidate for candidate in names if candidate in known and not network), None)
    )
    if name is None:
        wanted = network or names[0]
        near = did_you_mean(wanted, known)
        if not network and version:
            near = did_you_mean(version, known)
        help = near or "name one of its networks, as in `torchvision:resnet50`, or `extends` one in the spec"
        raise SpecError.of("E705", f"torchvision has no network `{wanted}`", help=help)
    versions = models.get_model_weights(name)
    if not len(versions):
        raise SpecError.of("E705", f"torchvision publishes no weights for `{name}`")
    if version and version not in versions.__members__:
        help = f"choose one of {', '.join(versions.__members__)}"
        if near := did_you_mean(version, known):
            help += f"; or {near}"
        raise SpecError.of("E705", f"torchvision publishes no weights `{version}` for `{name}`", help=help)
    return name, versions[version] if version else versions.DEFAULT


def _published(names: Sequence[str], weights: str) -> WeightsFile:
    name, chosen = published_weights(names, weights)
    title = f"{type(chosen).__name__}.{chosen.name}"
    file = _read(_download(chosen.url, title), title)
    file.expects.update(EXPECTED.get(name, {}))
    return file


def _read(path: Path, title: str) -> WeightsFile:
    """Read the weights of a downloaded file. Raises SpecError (E704) if it is damaged."""
    try:
        return read_weights(path, title)
    except SpecError as error:
        help = f"delete {path} to download it again"
        raise SpecError([replace(diagnostic, help=help) for diagnostic in error.diagnostics]) from None


def _download(url: str, title: str) -> Path:
    """The file in torchvision's cache, downloaded if needed. A download that fails leaves no file behind."""
    file = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(url).path).name
    if file.is_file():
        return file
    digest = torch.hub.HASH_REGEX.search(file.name)  # the name of a published file contains a prefix of its SHA-256
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        on_terminal = sys.stderr.isatty()
        torch.hub.download_url_to_file(url, str(file), digest[1] if digest else None, progress=on_terminal)
    except (OSError, RuntimeError, ValueError, HTTPException) as error:  # URLError is an OSError
        reason = (str(error).strip() or type(error).__name__).splitlines()[-1].strip("<>")
        help = f"check the connection, or download {url} to {file} by hand"
        raise SpecError.of("E705", f"cannot download {title}: {reason}", help=help) from None
    return file
