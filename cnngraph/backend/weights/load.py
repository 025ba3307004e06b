"""Loading weights from a file, with a report on every key, and saving them as safetensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from cnngraph.atomic_files import write
from cnngraph.backend.weights.checksum import with_checksum
from cnngraph.backend.weights.files import WeightsFile, read_weights
from cnngraph.backend.weights.renames import Renames
from cnngraph.backend.weights.report import WeightsReport, check_shapes, check_weights, refuse_misfit, renamed_shapes
from cnngraph.graph.graph import Graph


def load_weights(
    model: nn.Module,
    file: str | Path | WeightsFile,
    renames: Mapping[str, str] | None = None,
    *,
    strict: bool = False,
) -> WeightsReport:
    """Load the weights that fit into the model, and report on every key.

    `renames` map keys of the file to keys of the network; by default they are those of the network's spec. Raises
    SpecError (E704) if the file cannot be read or two keys are renamed to the same key; with `strict` also if the
    weights do not fit (E706), without changing the model.
    """
    file = file if isinstance(file, WeightsFile) else read_weights(file)
    state = model.state_dict()
    graph = getattr(model, "graph", None)
    if isinstance(graph, Graph):
        renames = graph.renames if renames is None else renames
        file = file.fitted(graph.state, renames)
        report = check_weights(file, graph, renames)
    else:
        shapes = {key: tuple(tensor.shape) for key, tensor in state.items()}
        file = file.fitted(shapes, renames or {})
        report = check_shapes(file, renamed_shapes(file, renames or {}), shapes)
    if strict:
        refuse_misfit(report, graph.name if isinstance(graph, Graph) else type(model).__name__)
    on_meta = any(tensor.is_meta for tensor in state.values())
    tensors = renamed_tensors(file, renames or {}, report.loaded)
    if on_meta:  # the model will own these tensors, so they must not be memory-mapped from the file
        tensors = {key: tensor.clone() for key, tensor in tensors.items()}
    model.load_state_dict(tensors, strict=False, assign=on_meta)
    return report


def renamed_tensors(file: WeightsFile, renames: Mapping[str, str], keys: tuple[str, ...]) -> dict[str, Tensor]:
    """Weights of the file by their keys in the network."""
    tensors = file.tensors()
    old = Renames(file.renames(renames)).all(tensors, file.name)
    return {key: tensors[old[key]] for key in keys}


def convert_weights(file: WeightsFile, graph: Graph, path: str | Path) -> None:
    """Write the weights that the network needs, under its keys, as safetensors. None of them may be missing."""
    found = renamed_shapes(file, graph.renames)
    tensors = renamed_tensors(file, graph.renames, tuple(key for key in graph.state if key in found))
    counters = {key: torch.zeros(shape, dtype=torch.int64) for key, shape in graph.state.items() if key not in found}
    save_tensors({key: tensors[key] if key in tensors else counters[key] for key in graph.state}, path)


def save_weights(model: nn.Module, path: str | Path) -> None:
    """Write the model's state_dict as safetensors, atomically. Raises WriteError."""
    save_tensors(model.state_dict(), path)


def save_tensors(state: Mapping[str, Tensor], path: str | Path, facts: Mapping[str, object] | None = None) -> None:
    """Write tensors as safetensors, atomically, with a checksum and with facts as metadata. Raises WriteError."""
    metadata = {"format": "pt"} | {key: str(value) for key, value in (facts or {}).items()}
    tensors: dict[str, Tensor] = {}
    seen: set[int] = set()
    for key, value in state.items():
        tensor = value.detach().cpu().contiguous()
        memory = tensor.untyped_storage()
        if memory.data_ptr() in seen or memory.nbytes() != tensor.nbytes:
            tensor = tensor.clone()  # safetensors does not accept tensors that share memory
        seen.add(tensor.untyped_storage().data_ptr())
        tensors[key] = tensor
    pieces = with_checksum(save(tensors, metadata))

    def save_into(beside: Path) -> None:
        with beside.open("wb") as file:
            file.writelines(pieces)

    write(Path(path), save_into)
