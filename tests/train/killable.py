"""A small run in its own process that is killed at any moment and then resumed."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from typing import Any

import torch
from safetensors import safe_open

import cnngraph.atomic_files
from cnngraph.compilation import compile_text
from cnngraph.diagnostics import Source, SpecError
from cnngraph.document import Table, parse
from cnngraph.recipe import Recipe, read_recipe
from cnngraph.run_files import LOCK
from cnngraph.train import Handler, Request, run_training
from cnngraph.train.record import run_file_formats
from cnngraph.train.record import run_folder as run_folders
from cnngraph.train.run import Tools
from tests.train.support import stripe_splits

SPEC = """\
cnngraph: 1
name: mortal
input: [1, 8, 8]
nodes:
  conv: {op: conv, out: 4, kernel: 3, padding: half}
  bn: batch_norm
  relu: relu
  drop: {op: dropout, p: 0.2}
  fc: [flatten, {op: linear, out: 4}]
"""
LEARNING = """\
data: folder
epochs: 2
batch_size: 12
optimizer: {name: adam, lr: 0.01}
schedule: cosine
accumulate: 2
ema: 0.9
augment: {pad: 1, crop: 8, mixup: 0.2}
save_every: 1e-9 # seconds: after every step
keep_every: 2
device: cpu
"""
TIMES = {"seconds", "images_per_second", "sha256"}  # the checksum depends on the times


def _recipe() -> Recipe:
    table, _ = parse(Source("recipe.yaml", LEARNING))
    assert isinstance(table, Table)
    recipe, errors = read_recipe(table, name="mortal")
    assert recipe, errors
    return recipe


RECIPE = _recipe()
PROCESSES = multiprocessing.get_context("forkserver")  # processes start with PyTorch imported and without threads
PROCESSES.set_forkserver_preload(["tests.train.killable"])


@dataclass(frozen=True)
class Death:
    """Kill the process at the n-th write: during or right after it."""

    write: int
    within: bool

    def prepare(self) -> None:
        """Install the death in this process."""
        count = 0

        def dies(call: Callable[..., None], is_dying_call: bool) -> Callable[..., None]:
            def counting(path: Path, *rest: Path) -> None:
                nonlocal count
                count += not is_dying_call or not self.within
                if is_dying_call and count == self.write - self.within:
                    if self.within:  # with half of the file written
                        os.truncate(path, path.stat().st_size // 2)
                    else:
                        call(path, *rest)
                    os.kill(os.getpid(), signal.SIGKILL)
                call(path, *rest)

            return counting

        if self.within:
            cnngraph.atomic_files._flush_to_disk = dies(cnngraph.atomic_files._flush_to_disk, True)
            os.replace = dies(os.replace, False)
        else:
            os.replace = dies(os.replace, True)


def train_in_folder(
    folder: Path, recipe: Recipe = RECIPE, spec: str = SPEC, handlers: tuple[Handler, ...] = ()
) -> None:
    """Train into a folder, resuming where the last process died."""
    torch.set_num_threads(1)
    graph = compile_text(Source("mortal.yaml", spec), folder).graph
    assert graph
    run_folders.draw_curves = lambda path, *arguments: path.write_bytes(b"curves")  # type: ignore[attr-defined]
    run_file_formats.write_figure = lambda path, figure: run_file_formats.write_text(
        path, "a figure"
    )  # drawing would dominate the run time
    started = (folder / "spec.yaml").is_file()
    tools = Tools(load_images=lambda *arguments: stripe_splits())
    run_training(Request(graph, recipe, spec, out=folder, resume=started, handlers=handlers), tools=tools)


def _train_until_killed(
    folder: Path,
    recipe: Recipe,
    death: Death | None,
    spec: str,
    variables: dict[str, str],
    handlers: tuple[Handler, ...],
) -> None:
    os.environ.update(variables)
    if death:
        death.prepare()
    try:
        train_in_folder(folder, recipe, spec, handlers)
    except SpecError as error:
        sys.exit(error.diagnostics[0].code)


def start(
    folder: Path,
    recipe: Recipe = RECIPE,
    death: Death | None = None,
    spec: str = SPEC,
    variables: dict[str, str] | None = None,
    handlers: tuple[Handler, ...] = (),
) -> Any:
    """Start a process that trains."""
    process = PROCESSES.Process(
        target=_train_until_killed, args=(folder, recipe, death, spec, variables or {}, handlers)
    )
    process.start()
    return process


def start_together(
    size: int,
    folder: Path,
    recipe: Recipe = RECIPE,
    death: Death | None = None,
    spec: str = SPEC,
    handlers: tuple[Handler, ...] = (),
) -> list[Any]:
    """Start processes that train one network; the first one dies."""
    return [
        start(folder, recipe, None if number else death, spec, environment, handlers)
        for number, environment in enumerate(torchrun_environments(size))
    ]


def torchrun_environments(size: int) -> list[dict[str, str]]:
    """The environment variables that torchrun sets for each process."""
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {"WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    return [shared | {"RANK": rank, "LOCAL_RANK": rank} for rank in map(str, range(size))]


def finished(folder: Path) -> bool:
    """Whether the run is finished."""
    return run_folders.RunFolder(folder).finished


def outcome(folder: Path) -> dict[str, Any]:
    """Everything a run writes except times and locks: metrics, files, weights and their metadata."""
    metrics = json.loads((folder / "metrics.json").read_text())
    metrics["epochs"] = [_timeless(epoch) for epoch in metrics["epochs"]]
    found = {
        "metrics": _timeless(metrics),
        "files": sorted(path.name for path in folder.iterdir() if path.name != LOCK),
    }
    for path in folder.glob("*.safetensors"):
        with safe_open(path, "pt") as file:
            found[path.name] = _timeless(file.metadata())
            found[f"{path.name} weights"] = {key: file.get_tensor(key).numpy().tobytes() for key in file.keys()}  # noqa: SIM118
    return found


def _timeless(facts: dict[str, Any]) -> dict[str, Any]:
    return {key: fact for key, fact in facts.items() if key not in TIMES}
