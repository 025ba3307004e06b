"""The device of a run, checks of what it supports, PyTorch's threads, and random number generators."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn import functional as F

from cnngraph.diagnostics import Diagnostic, SpecError
from cnngraph.launch import Cores, is_launched, local_rank
from cnngraph.recipe import Recipe


def choose_device(name: str) -> torch.device:
    """The device of this name; `auto` is CUDA if available, else the CPU.

    torchrun's processes get one GPU each. Raises SpecError (E640) if the device is not available.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    available = available_devices()
    if name not in available:
        raise SpecError([_unavailable(name, available)])
    device = torch.device(name)
    if is_launched() and torch.cuda.is_available():
        count = torch.cuda.device_count()
        if local_rank() >= count:
            help = f"use `--nproc-per-node {count}`, or put `CUDA_VISIBLE_DEVICES=` before torchrun to train on the CPU"
            message = f"torchrun started more processes than this machine has GPUs ({count})"
            raise SpecError.of("E640", message, help=help)
        if device.type == "cuda":
            return torch.device("cuda", local_rank())
    return device


def set_threads(cores: Cores | None, previous: int | None) -> str:
    """Set PyTorch's number of threads, and return a description such as `cpu, 2 threads`.

    Without `cores`, the number set by the environment or the calling program is kept. `previous` is the number of
    threads of a run that is resumed: with another number sums are split differently, which changes the results.
    """
    why = ""
    if cores is not None and previous is not None:
        torch.set_num_threads(previous)
        why = ", as before"
    elif cores is not None:
        torch.set_num_threads(cores.free)
        if cores.free < cores.allowed:
            why = f" (of {cores.allowed} cores, the others are busy)"
    count = torch.get_num_threads()
    return f"cpu, {count} thread{'s' if count > 1 else ''}{why}"


def available_devices() -> list[str]:
    """The names of all available devices; a name without a number is the current device of its type."""
    found = ["cpu"]
    for kind, module in (("cuda", torch.cuda), ("xpu", torch.xpu)):
        if module.is_available():
            found += [kind, *(f"{kind}:{number}" for number in range(module.device_count()))]
    return [*found, "mps"] if torch.backends.mps.is_available() else found


def _unavailable(name: str, available: list[str]) -> Diagnostic:
    kind = name.partition(":")[0]
    message = f"this machine has no device `{name}`"
    if kind == "cuda" and "cuda" not in available:
        message = "PyTorch finds no CUDA device on this machine"
    elif kind == "meta":
        message = "the device `meta` cannot compute: its tensors have shapes but no values"
    names = ["auto", *available]
    return Diagnostic("E640", message, help=f"use {', '.join(names[:-1])} or {names[-1]}")


def check_device(recipe: Recipe, device: torch.device) -> list[Diagnostic]:
    """Errors if the device does not support the recipe's `precision` (E641) or `compile` (E642). Both are tried out."""
    found = []
    problem = _unsupported_precision(device) if recipe.precision == "fp16" else None
    if problem:
        help = "use `--set train.precision=bf16`, which has the range of fp32 and does not need CUDA"
        found.append(Diagnostic("E641", f"`precision: fp16` does not work on {device}", notes=(problem,), help=help))
    problem = _unsupported_compilation(device) if recipe.compile else None
    if problem:
        help = "install a C++ compiler (Triton for a GPU), or use `--set train.compile=false`"
        found.append(Diagnostic("E642", f"torch.compile does not work on {device}", notes=(problem,), help=help))
    return found


def _unsupported_precision(device: torch.device) -> str | None:
    """Why a convolution cannot be trained in fp16; None if it can."""
    images, weights = (torch.ones(2, 2, 5, 5, device=device, requires_grad=True) for _ in range(2))
    try:
        with torch.autocast(device.type, torch.float16):
            torch.autograd.backward(F.conv2d(images, weights).float().sum())
    except RuntimeError as error:
        return _first_line(error)
    return None


def _unsupported_compilation(device: torch.device) -> str | None:
    """Why a function cannot be compiled; None if it can."""
    try:
        torch.compile(lambda values: values.sin() + 1)(torch.ones(8, device=device))
    except Exception as error:  # compiler backends raise exceptions of any type
        return _first_line(error)
    return None


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


@contextmanager
def reproducible(device: torch.device, seed: int, deterministic: bool = True) -> Iterator[None]:
    """Seed all generators, and on CUDA choose deterministic algorithms, or the fastest if not `deterministic`.

    The settings of the calling program are restored at the end.
    """
    torch.manual_seed(seed)
    if device.type != "cuda":
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    benchmark = torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(deterministic, warn_only=True)
    torch.backends.cudnn.benchmark = not deterministic
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        torch.backends.cudnn.benchmark = benchmark


def random_state(device: torch.device) -> list[Tensor]:
    """The states of the random number generators: the CPU's, and the GPU's if the device is one."""
    return [torch.get_rng_state(), *([torch.cuda.get_rng_state(device)] if device.type == "cuda" else [])]


def set_random_state(state: list[Tensor], device: torch.device) -> None:
    """Restore the states that `random_state` returned. A GPU keeps its own if the run was on a CPU before."""
    torch.set_rng_state(state[0])
    if device.type == "cuda" and len(state) > 1:
        torch.cuda.set_rng_state(state[1], device)
