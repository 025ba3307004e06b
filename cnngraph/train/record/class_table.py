"""How each class fares, as a file and a picture."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from cnngraph import run_files
from cnngraph.train.record import files
from cnngraph.train.record.confusion import confusion_figure
from cnngraph.train.record.scores import Report


def save_report(folder: Path, network: str, part: str, report: Report) -> None:
    """Write classes_<part>.csv and confusion_<part>.png."""
    files.write_text(run_files.classes_file(folder, part), class_table(report))
    files.write_figure(run_files.confusion_file(folder, part), confusion_figure(f"{network}, {part} images", report))


def class_table(report: Report) -> str:
    """A line for each class as CSV."""
    rows = [each.row() for each in report.by_class()]
    table = io.StringIO()
    writer = csv.DictWriter(table, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return table.getvalue()
