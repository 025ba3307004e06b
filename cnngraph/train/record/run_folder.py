"""The folder of one run: spec, recipe, environment, metrics, curves and checkpoints."""

from __future__ import annotations

import csv
import io
import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
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
from cnngraph.frozen import frozen
from cnngraph.recipe import Recipe, to_yaml
from cnngraph.stored_documents import damaged, is_regular_file, read_document
from cnngraph.train.data.identity import Identity, named_splits, read_identity
from cnngraph.train.data.split import Splits
from cnngraph.train.record import run_file_formats
from cnngraph.train.record.new_folders import (
    create_numbered_folder,
    numbered_folders,
    planned_folder,
    refuse_contents,
    unwritable,
)
from cnngraph.train.record.plots import confusion_figure, draw_curves
from cnngraph.train.record.records import Epoch, InitialMetrics, SplitMetrics, best_of
from cnngraph.train.record.scores import Report, class_table

RUNS = Path("runs")
RESTORE = "restore it from a copy of the run's folder, or train again"
PACKAGES = ("cnngraph", "torch", "torchvision", "pytorch-ignite", "numpy", "safetensors")


P = ParamSpec("P")


def _writer_only(method: Callable[P, None]) -> Callable[P, None]:
    """Make a method do nothing in processes that do not write."""

    @wraps(method)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        if args[0].writes:  # type: ignore[attr-defined]
            method(*args, **kwargs)

    return guarded


@frozen
class RunFolder:
    """The folder of a run. Files are written atomically, so every file is complete at any time.

    A run has started if there is a spec.yaml, can be resumed if there is a state.pt, and is finished if metrics.json
    says so; each of these is written after everything that belongs to it. Of several processes, one `writes`.
    """

    path: Path
    writes: bool = True

    @classmethod
    def new(cls, out: Path | None, network: str) -> RunFolder:
        """Create a folder: `out`, or `runs/<network>-<n>` with the next free number.

        Raises SpecError (E632) if the folder is not empty.
        """
        if out is None:
            return cls(create_numbered_folder(RUNS, network))
        try:
            out.mkdir(parents=True, exist_ok=True)
            refuse_contents(out)
        except OSError as error:
            raise unwritable(out, error.strerror or str(error)) from None
        return cls(out)

    @classmethod
    def planned(cls, out: Path | None, network: str) -> RunFolder:
        """The folder that `new` would create, determined without writing. Raises SpecError (E632) as `new` does."""
        return cls(planned_folder(out, RUNS, network))

    @classmethod
    def existing(cls, out: Path | None, network: str) -> RunFolder:
        """The folder of a run to resume: `out`, or the latest of `runs/<network>-<n>`. Raises SpecError (E631)."""
        path = out or _latest(RUNS, network)
        if path is None:
            raise SpecError.of("E631", f"{RUNS} contains no run of {network} to resume")
        folder = cls(path)
        if not folder.started:
            raise SpecError.of("E631", f"{path} contains no run to resume")
        return folder

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder, so that no other process writes into it. The lock ends with this process, however it ends.

        Raises SpecError (E637) if another process holds the lock.
        """
        lock = FileLock(self.path / run_files.LOCK, timeout=0) if self.writes else None
        try:
            if lock:
                lock.acquire()
        except Timeout:
            help = "wait for it, or stop it with Ctrl-C"
            raise SpecError.of("E637", f"another process is training in {self.path}", help=help) from None
        except (NotImplementedError, OSError):  # no locks, or a full disk, which run_file_formats.write reports
            lock = None
        try:
            if self.writes:
                run_file_formats.clean(self.path)
            yield
        finally:
            if lock:
                with suppress(OSError):
                    (self.path / run_files.LOCK).unlink()
                lock.release()

    @property
    def started(self) -> bool:
        """Whether a run has started in the folder; it may have no checkpoint yet."""
        return self.state.is_file() or (self.path / run_files.SPEC).is_file()

    @property
    def state(self) -> Path:
        """The state file, from which the run is resumed."""
        return self.path / run_files.STATE

    @property
    def best(self) -> Path:
        """The weights file of the best epoch."""
        return run_files.weights_file(self.path, run_files.BEST)

    @property
    def last(self) -> Path:
        """The file of the latest weights."""
        return run_files.weights_file(self.path, run_files.LAST)

    def epoch_weights(self, epoch: int) -> Path:
        """The weights file of an epoch, for the recipe's `keep_every`."""
        return run_files.weights_file(self.path, run_files.epoch_name(epoch))

    @property
    def finished(self) -> bool:
        """Whether the run is finished. Raises SpecError (E645, E646) if its metrics are damaged."""
        help = f"delete it; `cnngraph train --resume {self.path}` writes it again"
        metrics = read_document(self.path / run_files.METRICS, "metrics", help)
        return bool(metrics and metrics["finished"])

    @property
    def data_dir(self) -> Path | None:
        """The data folder with which the run was started."""
        found = self._environment().get("data_dir")
        try:
            if found:
                Path(found).is_dir()
        except (OSError, ValueError) as error:  # no folder can have such a name
            raise damaged(self.path / run_files.ENVIRONMENT, f"$.data_dir: {error}", RESTORE) from None
        return Path(found) if found else None

    @property
    def weights(self) -> dict[str, Any] | None:
        """The initial weights as recorded by `begin`; None for random ones."""
        found: dict[str, Any] | None = self._environment().get("weights")
        return found

    @property
    def started_at(self) -> str | None:
        """The time at which the run started, as recorded by `begin`."""
        found: str | None = self._environment().get("began")
        return found

    def _environment(self) -> dict[str, Any]:
        return read_document(self.path / run_files.ENVIRONMENT, "environment", RESTORE) or {}

    def data(self) -> dict[str, Any] | None:
        """The content of data.json. Raises SpecError (E645, E646) if it is damaged."""
        return read_document(self.path / run_files.DATA, "data", RESTORE)

    def identity(self) -> Identity | None:
        """The recorded identity of the run's images; None for a run of an older version, which did not record it.

        Raises SpecError (E645 …) if the record is damaged.
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

    @_writer_only
    def begin(
        self,
        spec: str,
        recipe: Recipe,
        device: str,
        data_dir: Path | None,
        weights: Mapping[str, Any] | None = None,
        processes: int = 1,
    ) -> None:
        """Record the spec, the recipe, the environment and the initial weights (None: random ones).

        The images must be recorded before. The spec is written last; with it, the run has started.
        """
        folder = str(data_dir.resolve()) if data_dir else None
        facts = {"processes": processes, "data_dir": folder, "weights": weights}
        run_file_formats.write_json(self.path / run_files.ENVIRONMENT, environment(device) | facts)
        self.save_recipe(recipe)
        run_file_formats.write_text(self.path / run_files.SPEC, spec)

    @_writer_only
    def save_recipe(self, recipe: Recipe) -> None:
        """Write the recipe with all its keys, defaults included."""
        run_file_formats.write_text(self.path / run_files.RECIPE, to_yaml(recipe))

    @_writer_only
    def save_data(
        self,
        title: str,
        splits: Splits,
        statistics: tuple[Sequence[float], Sequence[float]] | None,
        identity: Identity | None,
    ) -> None:
        """Write what is needed to use the network later: classes, shape, `statistics` (mean and std) and identity.

        The identity may be None only in processes that do not write.
        """
        assert identity
        mean, std = statistics or (None, None)
        facts = {
            "title": title,
            "classes": splits.classes,
            "image": splits.shape,
            "mean": mean,
            "std": std,
            "parts": {name: len(split) for name, split in named_splits(splits).items()},
            "images": identity.to_dict(),
        }
        if identity.files:
            table = identity.to_csv().encode(errors="surrogateescape")
            run_file_formats.write(self.path / run_files.IMAGES, lambda temporary: temporary.write_bytes(table))
        run_file_formats.write_json(self.path / run_files.DATA, facts)

    @_writer_only
    def save_broken(self, names: Sequence[str]) -> None:
        """Write the files that were skipped as unreadable, one per line; nothing if there are none."""
        if names:
            run_file_formats.write_text(self.path / "skipped.txt", "".join(f"{name}\n" for name in sorted(names)))

    @_writer_only
    def save_state(self, state: Mapping[str, Any]) -> None:
        """Write the state from which the run can be resumed."""
        run_file_formats.write_state(self.state, state)

    @_writer_only
    def save_scores(self, network: str, split: str, report: Report) -> None:
        """Write the scores of each class and the confusion matrix."""
        run_file_formats.write_text(run_files.classes_file(self.path, split), class_table(report))
        picture = confusion_figure(f"{network}, {split} images", report)
        run_file_formats.write_figure(run_files.confusion_file(self.path, split), picture)

    @_writer_only
    def save_weights(
        self,
        path: Path,
        weights: Mapping[str, Tensor],
        network: str,
        epoch: Epoch | None,
        documents: Mapping[str, str],
    ) -> None:
        """Write weights, with the metrics of their epoch and the digests of the run's documents as metadata."""
        facts = {"network": network, **documents} | (epoch.row() if epoch else {})
        save_tensors(weights, path, facts)

    @_writer_only
    def save_metrics(
        self,
        epochs: tuple[Epoch, ...],
        *,
        test: SplitMetrics | None = None,
        finished: bool = False,
        seconds: float = 0.0,
        initial: InitialMetrics | None = None,
    ) -> None:
        """Write the metrics of every epoch as CSV and JSON."""
        rows = [epoch.row() for epoch in epochs]
        table = io.StringIO()
        if rows:
            writer = csv.DictWriter(table, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        best = best_of(epochs)
        run_file_formats.write_text(self.path / run_files.METRICS_TABLE, table.getvalue())
        metrics: dict[str, Any] = {"finished": finished, "seconds": round(seconds, 3), "epochs": rows}
        if best:
            metrics["best_epoch"] = best.number
        if initial:
            metrics["initial"] = initial.plain()
        if test:
            metrics["test"] = test._asdict()
        run_file_formats.write_json(self.path / run_files.METRICS, metrics)

    @_writer_only
    def save_curves(
        self,
        network: str,
        epochs: tuple[Epoch, ...],
        test: SplitMetrics | None,
        initial: InitialMetrics | None = None,
    ) -> None:
        """Draw the learning curves."""
        if epochs:
            run_file_formats.write(
                self.path / run_files.CURVES,
                lambda temporary: draw_curves(temporary, network, epochs, best_of(epochs), test, initial),
            )


def _latest(runs: Path, network: str) -> Path | None:
    started = {number: path for number, path in numbered_folders(runs, network).items() if RunFolder(path).started}
    return started[max(started)] if started else None


def environment(device: str) -> dict[str, object]:
    """The machine and the package versions, for environment.json."""
    return {
        "packages": {name: _version(name) for name in PACKAGES},
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
