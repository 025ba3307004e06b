"""Normalisation over few values: accepted types run in eval mode and, with two images, in training mode."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch

from cnngraph.ops.op import OpError, infer_types, make_op
from cnngraph.ops.registry import builtin_ops
from cnngraph.tensor_type import CHANNELS, HEIGHT, OTHER, WIDTH, TensorType
from tests.ops.support import make_function

NORMS = [
    ("batch_norm", {}),
    ("batch_norm", {"affine": False}),
    ("batch_norm", {"track_running_stats": False}),
    ("batch_norm", {"affine": False, "track_running_stats": False}),
    ("batch_norm", {"momentum": None}),
    *[("group_norm", {"num_groups": groups, "affine": affine}) for groups in (1, 2, 4) for affine in (True, False)],
    ("layer_norm", {}),
    ("layer_norm", {"elementwise_affine": False}),
    ("instance_norm", {}),
    ("instance_norm", {"affine": True}),
    ("instance_norm", {"track_running_stats": True}),
    ("local_response_norm", {"size": 1}),
    ("local_response_norm", {"size": 5}),
]
TYPES = [
    *[TensorType.vector(channels) for channels in (1, 2, 4)],
    *[TensorType.map(channels, height, width) for channels in (1, 2, 4) for height in (1, 2) for width in (1, 3)],
    *[TensorType((channels, count), (CHANNELS, OTHER)) for channels in (1, 4) for count in (1, 2)],
    *[TensorType((count, channels), (OTHER, CHANNELS)) for channels in (1, 4) for count in (1, 2)],
    *[TensorType((1, 1, channels), (HEIGHT, WIDTH, CHANNELS)) for channels in (1, 4)],
    *[TensorType((channels, 1, 1, count), (CHANNELS, OTHER, HEIGHT, WIDTH)) for channels in (1, 4) for count in (1, 2)],
]
OTHER_RULES = ("E208", "E211")  # groups that do not divide the channels, axes that the op does not take
ALLOWED = ("eval", 1), ("eval", 2), ("training", 2)  # a batch of one in training mode is checked with the recipe


def failures(function: torch.nn.Module, type_: TensorType) -> set[tuple[str, int]]:
    """The modes and batch sizes in which PyTorch raises or returns NaN or infinity."""
    failed = set()
    for mode, images in ALLOWED:
        function.train(mode == "training")
        try:
            fine = bool(torch.isfinite(function(torch.randn(images, *type_.sizes))).all())
        except (ValueError, RuntimeError):
            fine = False
        if not fine:
            failed.add((mode, images))
    return failed


@pytest.mark.parametrize(("name", "arguments"), NORMS)
def test_norms_of_few_values(name: str, arguments: Mapping[str, object]) -> None:
    op = make_op(builtin_ops()[name], arguments)
    for type_ in TYPES:
        try:
            infer_types(op, (type_,))
        except OpError as error:
            if error.code not in OTHER_RULES:
                assert failures(make_function(op, (type_,)), type_), (op, str(type_))
        else:
            assert not failures(make_function(op, (type_,)), type_), (op, str(type_))
