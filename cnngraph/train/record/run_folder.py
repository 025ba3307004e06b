"""The folder of one run: spec, recipe, environment, metrics, curves and checkpoints."""

from __future__ import annotations

import csv
import io
import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, ParamSpec

import torch
from filelock import FileLock, Timeout
from torch import Tensor

from cnngraph import run_files
from cnngraph.backend.weights.load import save_tensors
from cnngraph.diagnostics import SpecError
from cnngraph.recipe import Recipe, to_yaml
from cnngraph.stored_documents import damaged, is_regular_file, read_document
from cnngraph.train.data.identity import Identity, named, read_identity
from cnngraph.train.data.images import Parts
from cnngraph.train.record import files
from cnngraph.train.record.new_folders import counted, numbered, planned_folder, refuse_contents, unwritable
from cnngraph.train.record.plots import confusion_figure, draw_curves
from cnngraph.train.record.records import Epoch, Figures, best_of
from cnngraph.train.record.scores import Report, class_table

RUNS = Path("runs")
RESTORE = "restore it from a copy of the run's folder, or train again"
PACKAGES = ("cnngraph", "torch", "torchvision", "pytorch-ignite", "numpy", "safetensors")


P = ParamSpec("P")


def _by_one(method: Callable[P, None]) -> Callable[P, None]:
    """A method that writes where this process is the one to do so, and else does nothing."""

    @wraps(method)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        if args[0].writes:  # type: ignore[attr-defined]
            method(*args, **kwargs)

    return guarded


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where a run writes. Every file in it is whole at any time.

    A run has begun where there is its spec.yaml, it can go on where there is a state.pt, and it is finished where
    metrics.json says so: these are written after all that belongs to them. Of several processes one `writes`.
    """

    path: Path
    writes: bool = True

    @classmethod
    def new(cls, out: Path | None, network: str) -> RunFolder:
        """A new folder: `out`, or `runs/<network>-<n>` with the next free number.

        Raises SpecError (E632) rather than write into a folder that has something in it.
        """
        if out is None:
            return cls(counted(RUNS, network))
        try:
            out.mkdir(parents=True, exist_ok=True)
            refuse_contents(out)
        except OSError as error:
            raise unwritable(out, error.strerror or str(error)) from None
        return cls(out)

    @classmethod
    def planned(cls, out: Path | None, network: str) -> RunFolder:
        """The folder that `new` would make, as far as is known without writing. Raises SpecError (E632) as it does."""
        return cls(planned_folder(out, RUNS, network))

    @classmethod
    def existing(cls, out: Path | None, network: str) -> RunFolder:
        """The folder of a run to go on with: `out`, or the latest of `runs/<network>-<n>`. Raises SpecError (E631)."""
        path = out or _latest(RUNS, network)
        if path is None:
            raise SpecError.of("E631", f"there is no run of {network} in {RUNS} to go on with")
        folder = cls(path)
        if not folder.begun:
            raise SpecError.of("E631", f"no run has begun in {path}, so there is none to go on with")
        return folder

    @contextmanager
    def held(self) -> Iterator[None]:
        """While it is entered, no other process writes into the folder, whatever ends this one.

        Raises SpecError (E637) where another one does.
        """
        lock = FileLock(self.path / run_files.LOCK, timeout=0) if self.writes else None
        try:
            if lock:
                lock.acquire()
        except Timeout:
            help = "wait for it, or stop it by Ctrl-C"
            raise SpecError.of("E637", f"another process trains in {self.path}", help=help) from None
        except (NotImplementedError, OSError):  # a file system without locks, or one that is full: files.write says so
            lock = None
        try:
            if self.writes:
                files.clean(self.path)
            yield
        finally:
            if lock:
                with suppress(OSError):
                    (self.path / run_files.LOCK).unlink()
                lock.release()

    @property
    def begun(self) -> bool:
        """Whether a run has begun in it; perhaps no checkpoint was written yet."""
        return self.state.is_file() or (self.path / run_files.SPEC).is_file()

    @property
    def state(self) -> Path:
        """The file to go on from."""
        return self.path / run_files.STATE

    @property
    def best(self) -> Path:
        """The weights of the best epoch."""
        return run_files.weights_file(self.path, run_files.BEST)

    @property
    def last(self) -> Path:
        """The latest weights."""
        return run_files.weights_file(self.path, run_files.LAST)

    def kept(self, epoch: int) -> Path:
        """The weights of an epoch that the recipe wants kept."""
        return run_files.weights_file(self.path, run_files.epoch_name(epoch))

    @property
    def finished(self) -> bool:
        """Whether the run in it came to its end. Raises SpecError (E645, E646) where its metrics are damaged."""
        help = f"delete it; cnngraph train --resume {self.path} writes it again"
        metrics = read_document(self.path / run_files.METRICS, "metrics", help)
        return bool(metrics and metrics["finished"])

    @property
    def data_dir(self) -> Path | None:
        """The data folder that the run was given."""
        found = self._environment().get("data_dir")
        try:
            if found:
                Path(found).is_dir()
        except (OSError, ValueError) as error:  # no folder can have such a name
            raise damaged(self.path / run_files.ENVIRONMENT, f"$.data_dir: {error}", RESTORE) from None
        return Path(found) if found else None

    @property
    def weights(self) -> dict[str, Any] | None:
        """The weights that the run began with, as `begin` wrote them down."""
        found: dict[str, Any] | None = self._environment().get("weights")
        return found

    @property
    def began(self) -> str | None:
        """When the run began, as `begin` wrote it down."""
        found: str | None = self._environment().get("began")
        return found

    def _environment(self) -> dict[str, Any]:
        return read_document(self.path / run_files.ENVIRONMENT, "environment", RESTORE) or {}

    def data(self) -> dict[str, Any] | None:
        """What data.json says of the images. Raises SpecError (E645, E646) where it is damaged."""
        return read_document(self.path / run_files.DATA, "data", RESTORE)

    def identity(self) -> Identity | None:
        """What the run's images are recognised by; None for a run of an older version, which did not write it down.

        Raises SpecError (E645 …) where it is damaged.
        """
        data = self.data()
        if data is None or "images" not in data:
            return None
        table, facts = None, data["images"]
        path = self.path / run_files.IMAGES
        if facts["file"]:
            if not is_regular_file(path):
                raise damaged(path, "it is missing", RESTORE)
            try:
                table = path.read_bytes().decode(errors="surrogateescape")
            except OSError as error:
                raise damaged(path, error.strerror or str(error), RESTORE) from None
        found = read_identity(data["classes"], facts, table)
        if found is None:
            both = f"{path} or {self.path / run_files.DATA}" if facts["file"] else str(self.path / run_files.DATA)
            raise SpecError.of("E645", f"{both} was changed after the run wrote it", help=RESTORE)
        return found

    @_by_one
    def begin(
        self,
        spec: str,
        recipe: Recipe,
        device: str,
        data_dir: Path | None,
        weights: Mapping[str, Any] | None = None,
        processes: int = 1,
    ) -> None:
        """Write down what is run, on what, where, and which weights it begins with (None: fresh ones).

        What else belongs to the beginning is written before: with the spec, the last of it, the run has begun.
        """
        given = str(data_dir.resolve()) if data_dir else None
        facts = {"processes": processes, "data_dir": given, "weights": weights}
        files.write_json(self.path / run_files.ENVIRONMENT, environment(device) | facts)
        self.save_recipe(recipe)
        files.write_text(self.path / run_files.SPEC, spec)

    @_by_one
    def save_recipe(self, recipe: Recipe) -> None:
        """Write the recipe with every word of it."""
        files.write_text(self.path / run_files.RECIPE, to_yaml(recipe))

    @_by_one
    def save_data(
        self,
        title: str,
        parts: Parts,
        figures: tuple[Sequence[float], Sequence[float]] | None,
        identity: Identity | None,
    ) -> None:
        """Write what whoever uses the network later must know of the images; `figures` are mean and deviation.

        Whoever writes knows the images' `identity`.
        """
        assert identity
        mean, deviation = figures or (None, None)
        facts = {
            "title": title,
            "classes": parts.classes,
            "image": parts.shape,
            "mean": mean,
            "std": deviation,
            "parts": {name: len(part) for name, part in named(parts).items()},
            "images": identity.to_dict(),
        }
        if identity.rows:
            table = identity.table().encode(errors="surrogateescape")
            files.write(self.path / run_files.IMAGES, lambda beside: beside.write_bytes(table))
        files.write_json(self.path / run_files.DATA, facts)

    @_by_one
    def save_broken(self, names: Sequence[str]) -> None:
        """Write which files were skipped because they are no images, one a line; nothing where there are none."""
        if names:
            files.write_text(self.path / "skipped.txt", "".join(f"{each}\n" for each in sorted(names)))

    @_by_one
    def save_state(self, state: Mapping[str, Any]) -> None:
        """Write what the run can go on from."""
        files.write_state(self.state, state)

    @_by_one
    def save_scores(self, network: str, part: str, report: Report) -> None:
        """Write how each class fares."""
        files.write_text(run_files.classes_file(self.path, part), class_table(report))
        picture = confusion_figure(f"{network}, {part} images", report)
        files.write_figure(run_files.confusion_file(self.path, part), picture)

    @_by_one
    def save_weights(
        self,
        path: Path,
        weights: Mapping[str, Tensor],
        network: str,
        epoch: Epoch | None,
        documents: Mapping[str, str],
    ) -> None:
        """Write a checkpoint, with the figures it was saved at and the digests of the documents it belongs to."""
        facts = {"network": network, **documents} | (epoch.row() if epoch else {})
        save_tensors(weights, path, facts)

    @_by_one
    def save_metrics(
        self, epochs: tuple[Epoch, ...], *, test: Figures | None = None, finished: bool = False, seconds: float = 0.0
    ) -> None:
        """Write the figures of every epoch as CSV and JSON."""
        rows = [each.row() for each in epochs]
        table = io.StringIO()
        if rows:
            writer = csv.DictWriter(table, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        best = best_of(epochs)
        files.write_text(self.path / run_files.METRICS_TABLE, table.getvalue())
        metrics: dict[str, Any] = {"finished": finished, "seconds": round(seconds, 3), "epochs": rows}
        if best:
            metrics["best_epoch"] = best.number
        if test:
            metrics["test"] = test._asdict()
        files.write_json(self.path / run_files.METRICS, metrics)

    @_by_one
    def save_curves(self, network: str, epochs: tuple[Epoch, ...], test: Figures | None) -> None:
        """Draw loss and accuracy by epoch."""
        if epochs:
            files.write(
                self.path / run_files.CURVES, lambda beside: draw_curves(beside, network, epochs, best_of(epochs), test)
            )


def _latest(runs: Path, network: str) -> Path | None:
    begun = {number: path for number, path in numbered(runs, network).items() if RunFolder(path).begun}
    return begun[max(begun)] if begun else None


def environment(device: str) -> dict[str, object]:
    """The machine and the versions, as environment.json has them."""
    return {
        "packages": {each: _version(each) for each in PACKAGES},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": device,
        "gpu": torch.cuda.get_device_name() if device.startswith("cuda") else None,
        "cuda": torch.version.cuda,
        "command": sys.argv,
        "began": datetime.now().astimezone().isoformat(timespec="seconds"),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
