"""Damaged state and weights files of a run are reported as errors."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from cnngraph import SpecError, load
from cnngraph.runs.trained_run import TrainedRun
from cnngraph.train import Request, run_training
from cnngraph.train.record.run_file_formats import TRAILER_LENGTH, read_state, read_weights, write_state
from cnngraph.train.run import Tools
from tests.cli.conftest import Cli
from tests.runs.conftest import load_tenth
from tests.runs.documents import VALUES


def flipped(content: bytes, at: int, bit: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :]


def offsets(size: int, count: int) -> list[int]:
    """Offsets in a file, denser at both ends, where the formats have their headers and indices."""
    rng = random.Random(size)
    ends = [*range(0, min(200, size), 7), *range(max(0, size - 400), size, 7)]
    return ends + [rng.randrange(size) for _ in range(count)]


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


@pytest.mark.parametrize("name", ["state.pt", "best.safetensors", "last.safetensors"])
def test_every_flipped_byte_is_detected(trained: Path, name: str) -> None:
    read = read_state if name == "state.pt" else read_weights
    file = trained / name
    content = file.read_bytes()
    assert same(read(file), read(file))
    for at in offsets(len(content), 100):
        for bit in (0, 7):
            file.write_bytes(flipped(content, at, bit))
            with pytest.raises(SpecError) as caught:
                read(file)
            assert caught.value.diagnostics[0].code in {"E646", "E647"}


@pytest.mark.parametrize("name", ["state.pt", "best.safetensors"])
def test_truncated_and_extended_files_are_detected(trained: Path, name: str) -> None:
    read = read_state if name == "state.pt" else read_weights
    content = (trained / name).read_bytes()
    for other in (b"", content[:1], content[: len(content) // 2], content[:-1], content + b"\0", b"\0" + content):
        (trained / name).write_bytes(other)
        with pytest.raises(SpecError, match="is damaged: "):
            read(trained / name)


def test_the_error_of_a_damaged_state(cli: Cli, trained: Path) -> None:
    content = (trained / "state.pt").read_bytes()
    (trained / "state.pt").write_bytes(flipped(content, len(content) // 2, 3))
    ran = cli("train", "--resume", trained, "--set", "train.epochs=3")
    command = f"`cnngraph train {trained / 'spec.yaml'} --weights {trained / 'last.safetensors'}`"
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        f"error[E647]: {trained / 'state.pt'} is damaged: its content does not match its checksum\n"
        f"  help: restore it from a copy, or start a new run from the run's last weights: {command}\n"
    )


def test_a_state_without_a_checksum_is_an_error(trained: Path) -> None:
    content = (trained / "state.pt").read_bytes()
    (trained / "state.pt").write_bytes(content[:-TRAILER_LENGTH])
    with pytest.raises(SpecError, match="it has no checksum at its end"):
        read_state(trained / "state.pt")


def test_a_run_without_its_state_is_not_restarted(cli: Cli, trained: Path) -> None:
    (trained / "state.pt").unlink()
    before = {path: path.read_bytes() for path in trained.iterdir()}
    ran = cli("train", "--resume", trained, "--set", "train.epochs=3")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(f"error[E647]: {trained / 'state.pt'} is damaged: it is missing\n")
    assert before == {path: path.read_bytes() for path in trained.iterdir()}


def test_a_state_of_a_newer_version_is_an_error(trained: Path) -> None:
    content = (trained / "state.pt").read_bytes()
    (trained / "state.pt").write_bytes(content.replace(b"cnngraph-state 0004", b"cnngraph-state 0012"))
    with pytest.raises(
        SpecError, match="written by a newer cnngraph: its format version is 12, but this cnngraph reads up to 4"
    ):
        read_state(trained / "state.pt")


@pytest.mark.parametrize("value", VALUES[:12], ids=lambda value: repr(value)[:20])
def test_a_forged_state_is_an_error(trained: Path, value: Any) -> None:
    """Its checksum is right, but its values are arbitrary."""
    tools = Tools(load_images=load_tenth)
    state = read_state(trained / "state.pt")
    recipe = replace(TrainedRun.open(trained).recipe, epochs=3)
    spec, graph = (trained / "spec.yaml").read_text(), load(trained / "spec.yaml")
    for key in state.keys() - {"scaler", "seconds", "clock"}:  # a CPU does not use these, or accepts any number
        write_state(trained / "state.pt", {**state, key: value})
        before = (trained / "state.pt").read_bytes()
        with pytest.raises(SpecError):
            run_training(Request(graph, recipe, spec, out=trained, resume=True, device="cpu"), tools=tools)
        assert (trained / "state.pt").read_bytes() == before


def test_damaged_initial_weights_are_an_error(cli: Cli, trained: Path, tmp_path: Path) -> None:
    content = (trained / "last.safetensors").read_bytes()
    (trained / "last.safetensors").write_bytes(flipped(content, len(content) - 9, 4))
    weights = trained / "last.safetensors"
    ran = cli("train", trained / "spec.yaml", "--recipe", "digits", "--weights", weights, "--out", tmp_path / "new")
    assert ran.code == 1
    assert f"error[E704]: {weights} is damaged: its content does not match its checksum" in ran.err


def test_replaced_weights_are_detected(trained: Path) -> None:
    """Intact weights without a checksum, as another tool would write them."""
    from safetensors.torch import load_file, save_file

    weights = load_file(trained / "best.safetensors")
    save_file(weights, trained / "best.safetensors")
    with pytest.raises(SpecError, match="it has no checksum"):
        read_weights(trained / "best.safetensors")
    assert same(read_weights(trained / "best.safetensors", require_checksum=False), weights)
