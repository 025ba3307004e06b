"""Files are written atomically: a failure or a killed process leaves the old file."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from cnngraph.atomic_files import WriteError, clean, write, write_text
from cnngraph.backend import save_weights
from cnngraph.compilation import compile_text
from cnngraph.diagnostics import Source
from cnngraph.render import render
from cnngraph.train.record.run_file_formats import write_json, write_state


def render_graph(path: Path) -> None:
    graph = compile_text(Source("net.yaml", "cnngraph: 1\ninput: [4]\nnodes: [relu]\n"), path.parent).graph
    assert graph
    render(graph, path)


WRITERS: dict[str, Callable[[Path], None]] = {
    "text.py": lambda path: write_text(path, "×\n"),
    "net.dot": render_graph,
    "net.safetensors": lambda path: save_weights(torch.nn.Linear(2, 2), path),
    "state.pt": lambda path: write_state(path, {"weight": torch.zeros(2)}),
    "metrics.json": lambda path: write_json(path, {"epochs": []}),
}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with a umask that lets the group read and write."""
    before = os.umask(0o007)
    yield tmp_path
    os.umask(before)


@pytest.mark.parametrize("name", WRITERS)
def test_every_writer_is_atomic(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is flushed before it is renamed, has the default mode or that of the old file, and is the only one."""
    path, safe = folder / name, set()

    def sync(file: int, call: Callable[[int], None] = os.fsync) -> None:
        call(file)
        safe.add((os.fstat(file).st_ino, os.fstat(file).st_size))

    monkeypatch.setattr(os, "fsync", sync)
    for mode in (0o660, 0o600, 0o664):
        if path.exists():
            path.chmod(mode)
        WRITERS[name](path)
        found = path.stat()
        assert found.st_mode & 0o777 == mode
        assert found.st_size
        assert (found.st_ino, found.st_size) in safe
        assert [path.name for path in folder.iterdir()] == [name]


@pytest.mark.parametrize("name", WRITERS)
def test_no_writer_replaces_a_read_only_file(name: str, folder: Path) -> None:
    path = folder / name
    path.write_bytes(b"mine")
    path.chmod(0o444)
    with pytest.raises(WriteError, match="the file is read-only") as caught:
        WRITERS[name](path)
    assert (caught.value.errno, caught.value.filename) == (errno.EACCES, str(path))
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"mine", 0o444)
    assert [path.name for path in folder.iterdir()] == [name]


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("exists", [True, False])
def test_every_writer_writes_through_links(name: str, exists: bool, folder: Path) -> None:
    """The file is written beside the target, so that the folder of the link need not be writable."""
    target, link = folder / "target" / name, folder / "links" / name
    target.parent.mkdir()
    link.parent.mkdir()
    (link.parent / "inner").symlink_to(Path("..", "target", name))
    link.symlink_to("inner")
    if exists:
        target.write_bytes(b"before")
        target.chmod(0o600)
    WRITERS[name](link)
    assert link.is_symlink()
    assert target.stat().st_size
    assert target.read_bytes() != b"before"
    assert target.stat().st_mode & 0o777 == (0o600 if exists else 0o660)
    assert [path.name for path in target.parent.iterdir()] == [name]
    assert sorted(path.name for path in link.parent.iterdir()) == sorted([name, "inner"])


def test_a_circle_of_links_and_a_link_into_a_missing_folder_stay(tmp_path: Path) -> None:
    circle, lost = tmp_path / "circle", tmp_path / "lost"
    circle.symlink_to("circle")
    lost.symlink_to("none/file")
    for path, number in ((circle, errno.ELOOP), (lost, errno.ENOENT)):
        with pytest.raises(WriteError) as caught:
            write_text(path, "text")
        assert (caught.value.errno, caught.value.filename) == (number, str(path))
        assert path.is_symlink()
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("name", WRITERS)
def test_write_errors_name_the_requested_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.mkdir()
    with pytest.raises(WriteError) as caught:
        WRITERS[name](path)
    assert (caught.value.errno, caught.value.filename) == (errno.EISDIR, str(path))
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_text_is_written_as_utf8(tmp_path: Path) -> None:
    write_text(tmp_path / "text", "×\n")
    assert (tmp_path / "text").read_bytes() == b"\xc3\x97\n"


@pytest.mark.parametrize(
    "failure", [OSError(errno.EIO, "Input/output error", "elsewhere"), ValueError("no"), KeyboardInterrupt()]
)
def test_failed_write_leaves_the_old_file_only(failure: BaseException, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("before")

    def fail(beside: Path) -> None:
        beside.write_text("half")
        raise failure

    with pytest.raises((WriteError, ValueError, KeyboardInterrupt)) as caught:
        write(path, fail)
    if isinstance(caught.value, WriteError):
        assert str(caught.value) == f"[Errno {errno.EIO}] Input/output error: '{path}'"
    else:
        assert caught.value is failure
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert path.read_text() == "before"


def test_disk_full_on_close(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WriteError, match="No space left") as caught:
        write_text(tmp_path / "file", "text")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(tmp_path / "file"))
    assert not list(tmp_path.iterdir())


def test_error_without_errno(tmp_path: Path) -> None:
    def fail(beside: Path) -> None:
        raise OSError("the encoder broke")

    with pytest.raises(WriteError) as caught:
        write(tmp_path / "file", fail)
    assert (caught.value.strerror, caught.value.filename) == ("the encoder broke", str(tmp_path / "file"))


def test_missing_folder(tmp_path: Path) -> None:
    path = tmp_path / "none" / "file"
    with pytest.raises(WriteError, match="No such file") as caught:
        write_text(path, "text")
    assert caught.value.filename == str(path)


def test_concurrent_writes(tmp_path: Path) -> None:
    path = tmp_path / "file"

    def slowly(beside: Path) -> None:
        beside.write_text("the slower")
        write_text(path, "the faster")
        assert path.read_text() == "the faster"

    write(path, slowly)
    assert path.read_text() == "the slower"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("letter", ["n", "字"])
def test_a_name_of_the_maximum_length(letter: str, tmp_path: Path) -> None:
    name = letter * (255 // len(letter.encode()))
    write_text(tmp_path / name, "text")
    assert (tmp_path / name).read_text() == "text"


def test_leftovers_of_a_killed_process_are_hidden_and_removable(tmp_path: Path) -> None:
    left: list[Path] = []

    def die(beside: Path) -> None:
        beside.write_text("half")
        left.append(beside.rename(beside.with_name(beside.name.replace(".file.", ".file.0"))))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "file", die)
    (tmp_path / "mine.partial").write_text("not hidden")
    (tmp_path / ".mine").write_text("not partial")
    assert left[0].parent == tmp_path
    assert left[0].name.startswith(".file.")
    assert left[0].name.endswith(".partial")
    clean(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".mine", "mine.partial"]
