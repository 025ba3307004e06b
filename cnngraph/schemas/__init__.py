"""The JSON documents that cnngraph prints and stores, and the published JSON Schema of each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON document: what it holds, and where it comes from."""

    about: str
    origin: str


FILES = {  # that people write; their schemas are made of the definitions, in cnngraph/schema.py and experiment_plan
    "spec": Document("a network or a library of blocks", "YAML files"),
    "recipe": Document("how a network is trained", "YAML files"),
    "experiment": Document("networks, recipes, seeds and settings to compare", "YAML files"),
}
DOCUMENTS = {
    "check": Document("the diagnostics of files, with places, causes and fixes", "cnngraph check --format json"),
    "explain": Document("what codes mean, with a wrong and a right example", "cnngraph explain --format json"),
    "show": Document("a network's nodes with shapes, parameters and costs", "cnngraph show --format json"),
    "list": Document("the networks of the library", "cnngraph list --format json"),
    "blocks": Document("the blocks of libraries, with an example of each", "cnngraph list --blocks --format json"),
    "weights": Document("which weights of a file fit a network", "cnngraph weights --format json"),
    "runs": Document("runs with their metrics and recipes", "cnngraph runs --format json"),
    "evaluate": Document("the metrics of a run on a split, class by class", "cnngraph evaluate --format json"),
    "predict": Document("the likeliest classes of images", "cnngraph predict --format json"),
    "localize": Document("where in images a class is seen", "cnngraph localize --format json"),
    "features": Document("the range of each channel of a node for an image", "cnngraph features --format json"),
    "metrics": Document("loss and accuracy of a run by epoch", "metrics.json of a run"),
    "data": Document("the images of a run", "data.json of a run"),
    "environment": Document("where a run was trained, and its arguments", "environment.json of a run"),
    "state": Document("where a run is resumed, without its tensors", "state.pt of a run"),
}


@cache
def document_schema(kind: str) -> dict[str, Any]:
    """The JSON Schema of a document, by the names of `DOCUMENTS`."""
    found: dict[str, Any] = json.loads((files(__name__) / f"{kind}.schema.json").read_text(encoding="utf-8"))
    return found
