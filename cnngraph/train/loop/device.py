"""Where a run computes: the device, what it can do, and whether it gives the same result each time."""

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


def choose_device(wanted: str) -> torch.device:
    """The device of a name; `auto` is CUDA where there is one. Raises SpecError (E640) where it is not here."""
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    known = devices_here()
    if wanted not in known:
        raise SpecError([_no_device(wanted, known)])
    device = torch.device(wanted)
    if is_launched() and torch.cuda.is_available():
        count = torch.cuda.device_count()
        if local_rank() >= count:
            help = f"torchrun --nproc-per-node {count}; CUDA_VISIBLE_DEVICES= before torchrun trains on the CPU"
            message = f"more processes were started here than there are GPUs: {count}"
            raise SpecError.of("E640", message, help=help)
        if device.type == "cuda":
            return torch.device("cuda", local_rank())
    return device


def settle_threads(cores: Cores | None, before: int | None) -> str:
    """Choose PyTorch's number of threads, and say which it is and why.

    `cores` are those that are allowed and free; None leaves the number as the environment or the program has set it.
    `before` is the number with which a resumed run began: sums are split by threads, so that another number would end
    with other bits.
    """
    why = ""
    if cores is not None and before is not None:
        torch.set_num_threads(before)
        why = ", as before"
    elif cores is not None:
        torch.set_num_threads(cores.free)
        if cores.free < cores.allowed:
            why = f" (of {cores.allowed} cores, others are busy)"
    count = torch.get_num_threads()
    return f"cpu, {count} thread{'s' if count > 1 else ''}{why}"


def devices_here() -> list[str]:
    """The names of all devices that compute here; without a number it is the current one of its kind."""
    found = ["cpu"]
    for kind, module in (("cuda", torch.cuda), ("xpu", torch.xpu)):
        if module.is_available():
            found += [kind, *(f"{kind}:{number}" for number in range(module.device_count()))]
    return [*found, "mps"] if torch.backends.mps.is_available() else found


def _no_device(wanted: str, known: list[str]) -> Diagnostic:
    kind = wanted.partition(":")[0]
    message = f"there is no device {wanted} here"
    if kind == "cuda" and "cuda" not in known:
        message = "PyTorch finds no CUDA device here"
    elif kind == "meta":
        message = "the device meta has shapes but no values: nothing can be computed on it"
    names = ["auto", *known]
    return Diagnostic("E640", message, help=f"use {', '.join(names[:-1])} or {names[-1]}")


def check_machine(recipe: Recipe, device: torch.device) -> list[Diagnostic]:
    """What of a recipe the device cannot do: its numbers (E641), or compiling (E642). Both are tried out."""
    found = []
    problem = _trouble_with_numbers(device) if recipe.precision == "fp16" else None
    if problem:
        help = "--set train.precision=bf16 has the range of fp32, and needs no CUDA"
        found.append(Diagnostic("E641", f"precision fp16 does not work on {device}", notes=(problem,), help=help))
    problem = _trouble_with_compiling(device) if recipe.compile else None
    if problem:
        help = "install a C++ compiler (on a GPU, Triton), or --set train.compile=false"
        found.append(Diagnostic("E642", f"torch.compile does not work on {device}", notes=(problem,), help=help))
    return found


def _trouble_with_numbers(device: torch.device) -> str | None:
    """Why a convolution cannot learn in fp16, or None where it can."""
    images, weights = (torch.ones(2, 2, 5, 5, device=device, requires_grad=True) for _ in range(2))
    try:
        with torch.autocast(device.type, torch.float16):
            torch.autograd.backward(F.conv2d(images, weights).float().sum())
    except RuntimeError as error:
        return _first_line(error)
    return None


def _trouble_with_compiling(device: torch.device) -> str | None:
    """Why a function cannot be compiled, or None where it can."""
    try:
        torch.compile(lambda numbers: numbers.sin() + 1)(torch.ones(8, device=device))
    except Exception as error:  # whatever the compilers of other projects raise
        return _first_line(error)
    return None


def _first_line(error: Exception) -> str:
    lines = [each for each in str(error).splitlines() if each.strip()]
    return lines[0] if lines else type(error).__name__


@contextmanager
def reproducible(device: torch.device, seed: int, deterministic: bool = True) -> Iterator[None]:
    """Seed every generator; on CUDA choose algorithms that give the same result each time, or the fastest ones."""
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
    """The state of what draws random numbers: on the CPU, and on a GPU that is used."""
    return [torch.get_rng_state(), *([torch.cuda.get_rng_state(device)] if device.type == "cuda" else [])]


def set_random_state(state: list[Tensor], device: torch.device) -> None:
    """Go on from a state. A GPU whose state is not there, since the run was on a CPU, keeps its own."""
    torch.set_rng_state(state[0])
    if device.type == "cuda" and len(state) > 1:
        torch.cuda.set_rng_state(state[1], device)
