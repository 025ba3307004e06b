"""Damaged states and weights of a run are refused with a message."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from cnngraph import SpecError, load
from cnngraph.runs.finished import FinishedRun
from cnngraph.train import Request, run_training
from cnngraph.train.record.files import TRAILER_LENGTH, read_state, read_weights, write_state
from cnngraph.train.run import Tools
from tests.cli.conftest import Cli
from tests.runs.conftest import some
from tests.runs.documents import VALUES


def flipped(content: bytes, at: int, bit: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :]


def offsets(size: int, count: int) -> list[int]:
    """Some offsets in a file, more of them at its two ends, where the formats have their tables."""
    chance = random.Random(size)
    ends = [*range(0, min(200, size), 7), *range(max(0, size - 400), size, 7)]
    return ends + [chance.randrange(size) for _ in range(count)]


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


@pytest.mark.parametrize("name", ["state.pt", "best.safetensors", "last.safetensors"])
def test_no_flipped_byte_goes_unnoticed(trained: Path, name: str) -> None:
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
def test_a_file_that_is_cut_short_or_has_more(trained: Path, name: str) -> None:
    read = read_state if name == "state.pt" else read_weights
    content = (trained / name).read_bytes()
    for other in (b"", content[:1], content[: len(content) // 2], content[:-1], content + b"\0", b"\0" + content):
        (trained / name).write_bytes(other)
        with pytest.raises(SpecError, match="is damaged: "):
            read(trained / name)


def test_what_to_do_about_a_damaged_state(cli: Cli, trained: Path) -> None:
    content = (trained / "state.pt").read_bytes()
    (trained / "state.pt").write_bytes(flipped(content, len(content) // 2, 3))
    ran = cli("train", "--resume", trained, "--set", "train.epochs=3")
    command = f"cnngraph train {trained / 'spec.yaml'} --weights {trained / 'last.safetensors'}"
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        f"error[E647]: {trained / 'state.pt'} is damaged: its content does not match its checksum\n"
        f"  help: restore it from a copy, or start a new run from the run's last weights: {command}\n"
    )


def test_a_state_without_a_checksum_is_refused(trained: Path) -> None:
    content = (trained / "state.pt").read_bytes()
    (trained / "state.pt").write_bytes(content[:-TRAILER_LENGTH])
    with pytest.raises(SpecError, match="it ends without a checksum"):
        read_state(trained / "state.pt")


def test_a_run_that_lost_its_state_does_not_start_again(cli: Cli, trained: Path) -> None:
    (trained / "state.pt").unlink()
    before = {path: path.read_bytes() for path in trained.iterdir()}
    ran = cli("train", "--resume", trained, "--set", "train.epochs=3")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(f"error[E647]: {trained / 'state.pt'} is damaged: it is missing\n")
    assert before == {path: path.read_bytes() for path in trained.iterdir()}


def test_a_state_of_the_future_is_refused(trained: Path) -> None:
    content = (trained / "state.pt").read_bytes()
    (trained / "state.pt").write_bytes(content.replace(b"cnngraph-state 0004", b"cnngraph-state 0012"))
    with pytest.raises(
        SpecError, match="written by a newer cnngraph: its format version is 12, this one reads up to 4"
    ):
        read_state(trained / "state.pt")


@pytest.mark.parametrize("value", VALUES[:12], ids=lambda value: repr(value)[:20])
def test_a_state_that_somebody_made(trained: Path, value: Any) -> None:
    """Its checksum is right, and its values are anything."""
    tools = Tools(load_images=some)
    state = read_state(trained / "state.pt")
    recipe = replace(FinishedRun.open(trained).recipe, epochs=3)
    spec, graph = (trained / "spec.yaml").read_text(), load(trained / "spec.yaml")
    for key in state.keys() - {"scaler", "seconds", "clock"}:  # of which a CPU needs no values, or any number will do
        write_state(trained / "state.pt", {**state, key: value})
        before = (trained / "state.pt").read_bytes()
        with pytest.raises(SpecError):
            run_training(Request(graph, recipe, spec, out=trained, resume=True, device="cpu"), tools=tools)
        assert (trained / "state.pt").read_bytes() == before


def test_damaged_weights_are_not_begun_with(cli: Cli, trained: Path, tmp_path: Path) -> None:
    content = (trained / "last.safetensors").read_bytes()
    (trained / "last.safetensors").write_bytes(flipped(content, len(content) - 9, 4))
    weights = trained / "last.safetensors"
    ran = cli("train", trained / "spec.yaml", "--recipe", "digits", "--weights", weights, "--out", tmp_path / "new")
    assert ran.code == 1
    assert f"error[E704]: {weights} is damaged: its content does not match its checksum" in ran.err


def test_weights_of_another_file_are_noticed(trained: Path) -> None:
    """Weights that are whole, but for their checksum: another tool wrote them."""
    from safetensors.torch import load_file, save_file

    weights = load_file(trained / "best.safetensors")
    save_file(weights, trained / "best.safetensors")
    with pytest.raises(SpecError, match="it has no checksum"):
        read_weights(trained / "best.safetensors")
    assert same(read_weights(trained / "best.safetensors", sealed=False), weights)
