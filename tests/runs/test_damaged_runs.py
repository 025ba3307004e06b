"""Run folders may come from anywhere: their documents are either used or reported as errors."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from PIL import Image

from cnngraph import SpecError, load
from cnngraph.runs.classifier import classifier_from_run
from cnngraph.runs.overview import differences, read_run
from cnngraph.runs.prediction import predict
from cnngraph.runs.trained_run import TrainedRun
from cnngraph.schemas import document_schema
from cnngraph.stored_documents import read_document
from cnngraph.train import Request, run_training
from cnngraph.train.record.resume_checks import TENSOR_KEYS
from cnngraph.train.record.run_file_formats import read_state
from cnngraph.train.record.run_folder import RunFolder
from tests.cli.conftest import Cli
from tests.runs.conftest import without_facts
from tests.runs.documents import VALUES, dumped, parsed, places, put

DOCUMENTS = ("metrics.json", "data.json", "environment.json", "recipe.yaml", "spec.yaml")


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("picture") / "one.png"
    Image.new("L", (28, 28), 100).save(file)
    return file


def use(run: Path, picture: Path) -> None:
    """Call everything that reads a run folder. Raises SpecError."""
    row = read_run(run)
    json.dumps(row.to_dict())
    differences([row, row])
    if row.problems:
        raise SpecError(row.problems)
    folder = RunFolder(run)
    assert isinstance(folder.finished, bool)
    assert folder.data_dir is None or folder.weights is None
    folder.identity()
    opened = TrainedRun.open(run)
    (found,) = predict(classifier_from_run(opened, None, "cpu"), [picture], 3)
    assert found.guesses


def resume(run: Path) -> None:
    """Resume a finished run, which is an error. Raises SpecError."""
    opened = TrainedRun.open(run)
    spec = (run / "spec.yaml").read_text()
    run_training(Request(load(run / "spec.yaml"), opened.recipe, spec, out=run, resume=True))


def error_message(act: Callable[..., None], *arguments: Path) -> str | None:
    """The message of a SpecError, if one is raised; other exceptions propagate."""
    try:
        act(*arguments)
    except SpecError as error:
        return str(error)
    return None


@pytest.mark.parametrize("count", [1, pytest.param(len(VALUES), marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_any_value_in_any_document_is_used_or_an_error(trained: Path, picture: Path, name: str, count: int) -> None:
    text = (trained / name).read_text()
    document, rng = parsed(name, text), random.Random(name)
    messages = []
    for path in places(document):
        for value in rng.sample(VALUES, count):
            (trained / name).write_text(dumped(name, put(document, path, value)))
            messages.append(error_message(use, trained, picture) or error_message(resume, trained))
    assert any(messages)
    assert max(len(text_part or "") for text_part in messages) < 20_000
    (trained / name).write_text(text)
    assert error_message(use, trained, picture) is None


STRANGE = {
    "nothing": b"",
    "no JSON": b"{",
    "a byte that is no text": b'{"title": "\xff"}',
    "not a number": b'{"finished": true, "seconds": NaN, "epochs": []}',
    "an integer of many digits": b'{"finished": true, "seconds": %s, "epochs": []}' % (b"9" * 10_000),
    "deep nesting": b"[" * 100_000,
    "deep nesting that is complete": b"[" * 400 + b"]" * 400,
    "a list": b"[]",
    "null": b"null",
}


@pytest.mark.parametrize("content", STRANGE.values(), ids=STRANGE)
@pytest.mark.parametrize("name", ["metrics.json", "data.json", "environment.json"])
def test_invalid_documents(trained: Path, name: str, content: bytes) -> None:
    (trained / name).write_bytes(content)
    with pytest.raises(SpecError, match=f"{name} is damaged: ") as caught:
        read_document(trained / name, name.removesuffix(".json"))
    assert caught.value.diagnostics[0].code == "E645"
    (row,) = [read_run(trained)]
    assert (row.state, len(row.problems)) == ("damaged", 1)


def test_check_does_not_import_jsonschema(trained: Path) -> None:
    code = "import sys; from cnngraph.cli.process import run; run(sys.argv[1:]); sys.exit('jsonschema' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code, "check", str(trained / "spec.yaml")], check=False).returncode == 0
    )


def test_a_folder_in_place_of_a_document(trained: Path) -> None:
    (trained / "metrics.json").unlink()
    (trained / "metrics.json").mkdir()
    assert [diagnostic.message for diagnostic in read_run(trained).problems] == [
        f"{trained / 'metrics.json'} is damaged: it is a folder"
    ]


@pytest.mark.parametrize("name", ["metrics.json", "data.json", "environment.json"])
def test_documents_of_a_run_match_their_schemas(cli: Cli, trained: Path, name: str) -> None:
    """Each schema has its version and a property for everything that a run writes."""
    schema, kind = document_schema(name.removesuffix(".json")), name.removesuffix(".json")
    assert json.loads(cli("schema", kind).out) == schema
    Draft202012Validator.check_schema(schema)
    written = read_document(trained / name, kind)
    assert written
    assert written["version"] == schema["properties"]["version"]["maximum"] == 1
    Draft202012Validator(strict(schema)).validate(written)


def test_a_state_matches_its_schema(trained: Path) -> None:
    state = read_state(trained / "state.pt")
    plain = {name: value for name, value in state.items() if name not in TENSOR_KEYS}
    plain["images"] = state["counters"]["images"]
    Draft202012Validator(strict(document_schema("state"))).validate(json.loads(json.dumps(plain)))


def strict(schema: Any) -> Any:
    """The schema without the tolerance for unknown fields."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: strict(part) for name, part in schema.items()}
    if made.get("type") == "object" and "properties" in made:
        made.setdefault("additionalProperties", False)
    return made


@pytest.mark.parametrize("name", ["metrics.json", "data.json", "environment.json"])
def test_a_document_of_a_newer_version_is_an_error(cli: Cli, trained: Path, name: str) -> None:
    document = json.loads((trained / name).read_text())
    (trained / name).write_text(json.dumps({**document, "version": 2, "epochs": "of another form"}))
    ran = cli("runs", trained)
    assert ran.code == 1
    message = "was written by a newer cnngraph: its format version is 2, but this cnngraph reads up to 1"
    assert ran.err.startswith(f"error[E646]: {trained / name} {message}\n  help: upgrade cnngraph")


OTHERS: dict[str, tuple[str, Callable[[str], str]]] = {  # changes after which a document is still valid
    "another activation": ("spec.yaml", lambda text: text.replace("relu1: relu", "relu1: tanh")),
    "another pooling": ("spec.yaml", lambda text: text.replace("global_avg_pool", "global_max_pool")),
    "another seed": ("recipe.yaml", lambda text: text.replace("seed: 0", "seed: 1")),
    "another precision": ("recipe.yaml", lambda text: text.replace("precision: fp32", "precision: bf16")),
    "another mean": ("data.json", lambda text: json.dumps({**json.loads(text), "mean": [0.25]})),
    "no data.json": ("data.json", lambda text: ""),
}


@pytest.mark.parametrize("other", OTHERS)
def test_a_valid_document_of_another_run_is_an_error(cli: Cli, trained: Path, picture: Path, other: str) -> None:
    name, change = OTHERS[other]
    before = (trained / name).read_text()
    after = change(before)
    assert after != before
    if after:
        (trained / name).write_text(after)
    else:
        (trained / name).unlink()
    for command in (("evaluate", trained), ("predict", trained, picture)):
        ran = cli(*command)
        assert (ran.code, ran.out) == (1, "")
        assert f"error[E645]: {trained / name} is damaged: it " in ran.err
    ran = cli("train", "--resume", trained, "--set", "train.epochs=9")
    assert ran.code == 1
    assert "error[E645]" in ran.err or "error[E631]: the run cannot be resumed: its recipe differs in" in ran.err


def test_weights_of_another_run_are_an_error(cli: Cli, trained: Path, tmp_path: Path) -> None:
    """They fit the network, but belong to another one."""
    (tmp_path / "net.yaml").write_text((trained / "spec.yaml").read_text().replace("relu1: relu", "relu1: tanh"))
    graph, other = load(tmp_path / "net.yaml"), tmp_path / "other"
    run_training(Request(graph, TrainedRun.open(trained).recipe, (tmp_path / "net.yaml").read_text(), out=other))
    shutil.copy(other / "best.safetensors", trained / "best.safetensors")
    ran = cli("evaluate", trained)
    assert (ran.code, ran.out) == (1, "")
    assert f"error[E645]: {trained / 'spec.yaml'} is damaged" in ran.err


def test_documents_of_an_older_version_are_read(cli: Cli, trained: Path, picture: Path) -> None:
    for name in ("metrics.json", "data.json", "environment.json"):
        document = json.loads((trained / name).read_text())
        document.pop("version")
        document.pop("images", None)
        (trained / name).write_text(json.dumps(document))
    without_facts(trained / "best.safetensors")
    assert cli("runs", trained).code == 0
    ran = cli("predict", trained, picture)
    assert ran.code == 0
    assert ran.err.startswith(
        f"warning[W647]: {trained} was written by an older cnngraph: its weights have no checksum"
    )


@pytest.mark.parametrize(
    ("name", "change", "where"),
    [
        ("metrics.json", lambda it: it["epochs"].reverse(), "$.epochs[0].epoch: 2 is out of order"),
        ("metrics.json", lambda it: it.update(best_epoch=9), "$.best_epoch: 9 is not one of the 2 epochs"),
        (
            "metrics.json",
            lambda it: it["epochs"][1].update(train_loss="1"),
            "$.epochs[1].train_loss: '1' is not of type",
        ),
        ("data.json", lambda it: it["classes"].reverse(), "$.images.sha256: the classes or splits have changed"),
        ("data.json", lambda it: it.update(std=None), "$.std: mean and std must both be given"),
        ("data.json", lambda it: it.update(image=[1, 28.0, 28]), "$.image[1]: 28.0 is not of type 'integer'"),
        ("environment.json", lambda it: it.update(data_dir="a\0b"), "$.data_dir: "),
        ("environment.json", lambda it: it.update(data_dir="x" * 300), "$.data_dir: "),
    ],
)
def test_the_error_names_the_place_in_the_document(trained: Path, name: str, change: Any, where: str) -> None:
    document = json.loads((trained / name).read_text())
    change(document)
    (trained / name).write_text(json.dumps(document))
    (problem,) = read_run(trained).problems
    assert problem.message.startswith(f"{trained / name} is damaged: {where}")


def test_an_invalid_folder_name(trained: Path) -> None:
    document = json.loads((trained / "environment.json").read_text())
    (trained / "environment.json").write_text(json.dumps({**document, "data_dir": "ß" * 200}))
    with pytest.raises(SpecError, match=r"environment.json is damaged: \$.data_dir: .*File name too long"):
        RunFolder(trained).data_dir  # noqa: B018


@pytest.mark.parametrize(
    ("change", "code"),
    [(lambda it: it.update(image=[3, 28, 28], mean=None, std=None), "E610"), (lambda it: it["classes"].pop(), "E611")],
)
def test_data_that_does_not_fit_the_network(trained: Path, change: Any, code: str) -> None:
    document = json.loads((trained / "data.json").read_text())
    del document["version"], document["images"]
    change(document)
    (trained / "data.json").write_text(json.dumps(document))
    with pytest.raises(SpecError) as caught:
        TrainedRun.open(trained)
    assert caught.value.diagnostics[0].code == code


def test_an_experiment_with_a_damaged_run(cli: Cli, trained: Path, tmp_path: Path) -> None:
    """The experiment stops before it uses a run with changed metrics."""
    (tmp_path / "net.yaml").write_text((trained / "spec.yaml").read_text())
    recipe = yaml.safe_load((trained / "recipe.yaml").read_text())
    (tmp_path / "quick.yaml").write_text(yaml.safe_dump({**recipe, "seed": 0}, sort_keys=False))
    (tmp_path / "all.yaml").write_text("{specs: [net.yaml], recipes: [quick.yaml], seeds: 1}")
    place = tmp_path / "all" / "net-quick-seed0"
    shutil.copytree(trained, place)
    (place / "metrics.json").write_text('{"finished": true, "seconds": 1, "epochs": 3}')
    ran = cli("experiment", tmp_path / "all.yaml", "--out", tmp_path / "all", "-q")
    assert ran.code == 1
    assert ran.err.startswith(f"error[E645]: {place / 'metrics.json'} is damaged: $.epochs: 3 is not of type 'array'\n")
