"""The types of the API: mypy --strict checks this file, whose variables declare the expected types."""

from __future__ import annotations

from pathlib import Path

from torch import nn

import cnngraph


def typed(run: Path) -> None:
    graph: cnngraph.Graph = cnngraph.load("resnet18", classes=10, input=(3, 64, 64))
    found: cnngraph.CheckResult = cnngraph.check(Path("net.yaml"), params={"width": 2})
    errors: tuple[cnngraph.Diagnostic, ...] = found.errors
    model: nn.Module = cnngraph.build(graph)
    drawing: cnngraph.Drawing = cnngraph.render("resnet18", "net.svg", format="svg", depth=2)
    result: cnngraph.TrainResult = cnngraph.train(
        "resnet18", recipe={"data": "cifar10"}, changes={"epochs": 3}, progress=cnngraph.print_progress
    )
    accuracy: float | None = result.accuracy
    trained: nn.Module = result.load_model("best", device="cuda")
    measured: cnngraph.EvaluationResult = cnngraph.evaluate(result, "validation")
    recalls: list[float | None] = [row.recall for row in measured.classes]
    predictions: list[cnngraph.Prediction] = cnngraph.predict(run, ["a.png", Path("b.png")], top=3)
    labels: list[str] = [prediction.label for prediction in predictions]
    compared: cnngraph.ExperimentResult = cnngraph.experiment(["net.yaml", run], seeds=3)
    means: list[float | None] = [variant.mean for variant in compared.variants]
    loaded: tuple[str, ...] = cnngraph.load_weights(model, "torchvision", strict=False).loaded
    print(errors, drawing, accuracy, trained, recalls, labels, means, loaded)
    cnngraph.load("resnet18", plugins=3)  # type: ignore[arg-type]
    cnngraph.train("resnet18", epochs=3)  # type: ignore[call-arg]
    cnngraph.render("resnet18", format="gif")  # type: ignore[arg-type]
    cnngraph.evaluate("run", splitt="test")  # type: ignore[call-arg]


def test_the_package_is_marked_as_typed() -> None:
    assert (Path(cnngraph.__file__).parent / "py.typed").is_file()
