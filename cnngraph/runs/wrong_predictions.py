"""The wrong predictions of an evaluation as rows, CSV and JSON. Importing this does not load PyTorch."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any

from cnngraph.frozen import frozen

if TYPE_CHECKING:
    from PIL.Image import Image

TABLES = (".csv", ".json")  # endings of lists of them


@frozen
class WrongPrediction:
    """An image that was classified wrongly.

    `index` is its position in the data set of its split, and `file` its name, relative to the data folder, if it has
    one. `probability` is that of the predicted class, `true_probability` that of the true one. `image` is the image as
    the network gets it, before normalisation.
    """

    split: str
    index: int
    file: str | None
    true: str
    predicted: str
    probability: float
    true_probability: float
    image: Image = field(repr=False)

    def row(self) -> dict[str, Any]:
        """The prediction by the names of tables and JSON."""
        return {
            "split": self.split,
            "index": self.index,
            "file": self.file,
            "class": self.true,
            "predicted": self.predicted,
            "probability": _rounded(self.probability),
            "class_probability": _rounded(self.true_probability),
        }


def _rounded(probability: float) -> float | None:
    return None if math.isnan(probability) else round(probability, 6)


def wrong_json(wrong: Sequence[WrongPrediction]) -> str:
    """The rows as a JSON array, one per line."""
    rows = ",\n".join(json.dumps(prediction.row(), ensure_ascii=False) for prediction in wrong)
    return f"[\n{rows}\n]\n" if rows else "[]\n"


def wrong_csv(wrong: Sequence[WrongPrediction]) -> str:
    """The rows as CSV."""
    table = io.StringIO()
    names = ["split", "index", "file", "class", "predicted", "probability", "class_probability"]
    writer = csv.DictWriter(table, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(prediction.row() for prediction in wrong)
    return table.getvalue()
