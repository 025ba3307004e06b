"""Files that hostile specs import or extend: nothing outside the spec's folder is opened, and reading is bounded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cnngraph.compilation import compile_spec
from tests.hostile_specs import HEAD, importing, spec, write
from tests.measured import Validator, within_bounds


@pytest.mark.parametrize(
    "name",
    [
        "../../../etc/passwd",
        "/etc/passwd",
        "/dev/zero",
        "/proc/self/mem",
        "../spec.yaml",
        "a/../../x.yaml",
        "~/x.yaml",
        "outside.yaml",
        "outside/secret.yaml",
    ],
)
@pytest.mark.parametrize("key", ["import", "extends", "train"])
def test_no_file_outside_the_folder_is_opened(key: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "away").mkdir()
    (tmp_path / "away" / "secret.yaml").write_text("secret: [")
    folder = tmp_path / "inside"
    folder.mkdir()
    (folder / "outside.yaml").symlink_to(tmp_path / "away" / "secret.yaml")
    (folder / "outside").symlink_to(tmp_path / "away")
    value = f"[{name}]" if key == "import" else name
    nodes = "" if key == "extends" else "nodes: [relu]"
    file = write(folder, spec=f"{HEAD}{key}: {value}\n{nodes}")
    found = compile_spec(file)
    codes = {"E310", "E311"} | ({"E606"} if key == "train" and not name.endswith(".yaml") else set())
    assert {diagnostic.code for diagnostic in found.diagnostics} <= codes
    assert not found.ok
    assert "secret: [" not in "".join(map(str, found.diagnostics))


def test_cycles_of_files(validator: Validator, tmp_path: Path) -> None:
    blocks = "cnngraph: 1\nimport: [%s.yaml]\nblocks: {%s: relu}\n"
    file = write(tmp_path, spec=importing("a.yaml"), a=blocks % ("b", "x"), b=blocks % ("a", "y"))
    assert validator.check(file).codes == ["E309"]
    file = write(tmp_path, spec="cnngraph: 1\nextends: spec.yaml\n")
    assert validator.check(file).codes == ["E309"]
    file = write(tmp_path, spec="cnngraph: 1\nextends: a.yaml\n", a="cnngraph: 1\nextends: spec.yaml\n")
    assert validator.check(file).codes == ["E309"]


def test_many_files(validator: Validator, tmp_path: Path) -> None:
    for number in range(150):
        (tmp_path / f"f{number}.yaml").write_text(f"cnngraph: 1\nblocks: {{b{number}: relu}}\n")
    file = write(tmp_path, spec=importing(*(f"f{number}.yaml" for number in range(150))))
    assert validator.check(file).codes == ["E501"]
    file = write(tmp_path, spec=importing(*["f0.yaml"] * 5_000))
    assert validator.check(file).codes == ["E501"]
    file = write(tmp_path, spec=importing(*(f"g{number}.yaml" for number in range(5_000))))
    measured = validator.check(file)
    assert measured.codes == ["E311", "E504"]
    within_bounds(measured)


def test_large_files(validator: Validator, tmp_path: Path) -> None:
    large = "cnngraph: 1\nblocks: {a: relu}\nabout: " + "x" * 9_000 + "\n#" + "x" * 500_000
    (tmp_path / "large.yaml").write_text(large)
    file = write(tmp_path, spec=importing(*["large.yaml"] * 50))
    measured = validator.check(file)
    assert measured.codes == ["E501"]
    within_bounds(measured)
    (tmp_path / "larger.yaml").write_text("#" * 5_000_000)
    assert validator.check(tmp_path / "larger.yaml").codes == ["E501"]


@pytest.mark.parametrize(
    "name", ["x" * 300 + ".yaml", "x/" * 900 + "x.yaml", ".", "blocks", "nothing.yaml", "pipe.yaml"]
)
def test_imports_that_are_no_files(name: str, tmp_path: Path) -> None:
    (tmp_path / "blocks").mkdir()
    os.mkfifo(tmp_path / "pipe.yaml")
    found = compile_spec(write(tmp_path, spec=importing(name)))
    assert [diagnostic.code for diagnostic in found.diagnostics] == ["E311"]


def test_a_spec_that_is_not_a_regular_file(validator: Validator, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path in (
        tmp_path,
        tmp_path / "pipe",
        tmp_path / "loop",
        Path("/dev/zero"),
        tmp_path / "nothing",
        Path("x" * 300 + ".yaml"),
    ):
        measured = validator.check(path)
        assert measured.codes == ["E101"]
        within_bounds(measured)


def test_a_spec_that_is_not_utf8(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    for content in (b"\xff\xfe\x00", b"name: \xe9", b"\x80" * 1000, bytes(range(256))):
        file.write_bytes(content)
        assert [diagnostic.code for diagnostic in compile_spec(file).diagnostics] in (["E101"], ["E102"])


@pytest.mark.skipif(os.geteuid() == 0, reason="everything is readable to the superuser")
def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    file = write(tmp_path, spec=spec("nodes: [relu]"), blocks="cnngraph: 1\nblocks: {}")
    (tmp_path / "blocks.yaml").chmod(0)
    file.write_text(importing("blocks.yaml"))
    assert [diagnostic.code for diagnostic in compile_spec(file).diagnostics] == ["E101"]


@pytest.mark.parametrize("newline", ["\r\n", "\r", "\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_newlines_and_byte_order_marks(newline: str, mark: str, tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    text = mark + spec("nodes:\n  a: relu\n  b: rellu\n").replace("\n", newline)
    file.write_bytes(text.encode())
    (found,) = compile_spec(file).diagnostics
    assert (found.code, found.line, found.column) == ("E313", 5, 6)
    assert "5 |   b: rellu" in str(found)
    file.write_bytes(text.replace("rellu", "relu").encode())
    assert compile_spec(file).ok
