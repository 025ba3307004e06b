"""Every published classifier equals torchvision's bit for bit: keys, shapes, settings, initial weights, logits."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import cnngraph
from tests.zoo.originals import (
    BUILDERS,
    NAMES,
    OTHER_SIZE,
    SPECS,
    TRAINED_AT,
    TRAINED_AT_ELSE,
    members,
    original,
    published_error,
    published_size,
    unfilled,
)
from tests.zoo.traces import Operation, multiply_accumulates, operations


def test_every_original_has_a_spec() -> None:
    assert len(BUILDERS) >= 68
    assert [name for name in NAMES if name not in SPECS] == []


@pytest.mark.parametrize("name", members())
def test_keys_shapes_and_counts(name: str) -> None:
    graph = cnngraph.load(SPECS[name])
    with unfilled():
        theirs = original(name)
    shape = (3, published_size(name), published_size(name))
    assert list(graph.input_shapes.values()) == [shape]
    assert list(graph.state.items()) == [(key, tuple(tensor.shape)) for key, tensor in theirs.state_dict().items()]
    assert graph.num_params == sum(parameter.numel() for parameter in theirs.parameters())
    assert graph.macs == multiply_accumulates(theirs, shape)


@pytest.mark.parametrize("name", members(BUILDERS))
def test_paper_and_published_error(name: str) -> None:
    graph = cnngraph.load(SPECS[name])
    assert graph.paper
    assert graph.published == {"imagenet": published_error(name)}


def settings(module: nn.Module) -> dict[str, Any]:
    """The attributes of a module that determine what it computes, without `inplace` and initialisation."""
    plain = (bool, int, float, str, tuple, type(None))
    return {
        key: value
        for key, value in vars(module).items()
        if isinstance(value, plain) and not key.startswith("_") and key not in ("inplace", "training", "stddev")
    }


def with_weights(model: nn.Module) -> dict[str, nn.Module]:
    """The modules with parameters of their own and without submodules."""
    return {
        path: module
        for path, module in model.named_modules()
        if not list(module.children()) and list(module.parameters(recurse=False))
    }


def kind(module: nn.Module) -> type:
    """The class of torch.nn that the module's class is, or derives from."""
    return next(base for base in type(module).__mro__ if base.__module__.startswith("torch.nn."))


@pytest.mark.parametrize("name", members())
def test_settings(name: str) -> None:
    with unfilled():
        ours, theirs = cnngraph.build(SPECS[name]), original(name)
    mine, others = with_weights(ours), with_weights(theirs)
    assert list(mine) == list(others)
    for path, other in others.items():
        assert kind(mine[path]) == kind(other), path
        assert settings(mine[path]) == settings(other), path
    # Pooling, dropout and activations may have other paths in torchvision, or be functions.
    shape = (2, 3, *TRAINED_AT.get(name, TRAINED_AT_ELSE))
    assert difference(operations(ours.train(), shape), operations(theirs.train(), shape)) == ""


def difference(ran: Counter[Operation], expected: Counter[Operation]) -> str:
    """The first few operations that only one of the two networks runs."""
    signed = [*((f"+ {call}", count) for call, count in (ran - expected).items())]
    signed += [(f"- {call}", count) for call, count in (expected - ran).items()]
    return "\n".join(f"{text} ({count} times)" for text, count in signed[:12])


@pytest.mark.parametrize("name", members(computed=True))
def test_weights_logits_and_gradients(name: str) -> None:
    torch.manual_seed(0)
    theirs = original(name)
    torch.manual_seed(0)
    ours = cnngraph.build(SPECS[name])
    assert unequal(ours, theirs) == [], "initial weights"

    disturb(theirs)
    ours.load_state_dict(theirs.state_dict())
    generator = torch.Generator().manual_seed(1)
    published = published_size(name)
    for number, size in ((1, (published, published)), (2, OTHER_SIZE)):
        evaluate(ours, theirs, torch.randn(number, 3, *size, generator=generator))
    images = torch.randn(2, 3, *TRAINED_AT.get(name, TRAINED_AT_ELSE), generator=generator)
    train(ours, theirs, images)


def unequal(ours: nn.Module, theirs: nn.Module) -> list[str]:
    """The keys whose entries differ."""
    others = theirs.state_dict()
    return [key for key, tensor in ours.state_dict().items() if not torch.equal(tensor, others[key])]


def disturb(model: nn.Module) -> None:
    """Replace initial zeros and ones by random values, so that every parameter matters."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for key, tensor in model.state_dict().items():
            if tensor.is_floating_point() and tensor.ndim > 0 and tensor.numel() == len(tensor):
                noise = 0.1 * torch.randn(tensor.shape, generator=generator).clamp(-3, 3)
                tensor.copy_(noise if key.endswith(("bias", "mean")) else 1 + noise)


def evaluate(ours: nn.Module, theirs: nn.Module, images: Tensor) -> None:
    """Assert that the logits are equal and depend on the images."""
    with torch.no_grad():
        logits, expected = ours.eval()(images), theirs.eval()(images)
    assert expected.isfinite().all()
    assert len(images) == 1 or not torch.equal(expected[0], expected[1])
    assert torch.equal(logits, expected), f"{(logits - expected).abs().max():.3g}"


def train(ours: nn.Module, theirs: nn.Module, images: Tensor) -> None:
    """Assert that a training step gives the same outputs, gradients and running statistics."""
    values, expected = step(ours, images), step(theirs, images)
    assert list(values) == list(expected)
    assert [key for key, value in values.items() if not torch.equal(value, expected[key])] == []
    assert unequal(ours, theirs) == [], "running values"


def step(model: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """The outputs by name and the gradients of the parameters."""
    torch.manual_seed(3)
    outputs = model.train()(images)
    logits: dict[str, Tensor] = {"logits": outputs} if isinstance(outputs, Tensor) else outputs._asdict()
    torch.stack([tensor.square().sum() for tensor in logits.values()]).sum().backward()
    gradients = {
        f"gradient of {key}": tensor.grad for key, tensor in model.named_parameters() if tensor.grad is not None
    }
    return {**logits, **gradients}
