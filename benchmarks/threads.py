"""Wait policies of OpenMP threads: seconds of training steps on a free and on a busy machine.

Two networks: googlenet_mnist on the embedded digits, and resnet_cifar_222 on random images of CIFAR-10's shape. Every
policy trains in its own process, and the policies alternate, so that other load slows down all of them. On the busy
machine, several busy loops run at the same time. The results are medians over the rounds of the seconds and CPU seconds
of all steps, and the seconds relative to PyTorch's default.

    python -m benchmarks.threads                                # some minutes on 2 cores
    python -m benchmarks.threads --busy 3 --networks digits --rounds 5
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple, TypeAlias

OPENMP = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "OMP_NUM_THREADS")
WAYS: Mapping[str, Mapping[str, str]] = {
    "PyTorch's own": {},
    "passive": {"OMP_WAIT_POLICY": "passive"},
    "spin 1,000": {"GOMP_SPINCOUNT": "1000"},
    "spin 10,000": {"GOMP_SPINCOUNT": "10000"},
    "spin 100,000": {"GOMP_SPINCOUNT": "100000"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}
NETWORKS = ("digits", "cifar")
WARM_UP = 3  # steps that are not timed


class Cost(NamedTuple):
    """The cost of the steps of a process."""

    seconds: float
    cpu: float


Costs: TypeAlias = dict[str, list[Cost]]


def main() -> None:
    """Compare the policies on a free and on a busy machine."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS)
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--busy", nargs="+", type=int, default=[0, 3], help="busy loops at the same time")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--child", choices=NETWORKS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(steps(options.child, options.steps)))
        return
    for network in options.networks:
        for busy in options.busy:
            with programs(busy):
                costs = take_turns(network, options)
            report(f"{network}, {options.threads} threads, {busy} other programs", costs)


def take_turns(network: str, options: argparse.Namespace) -> Costs:
    """Run every policy once per round, starting with a different one each time."""
    costs: Costs = {name: [] for name in options.ways}
    for number in range(options.rounds):
        first = number % len(options.ways)
        for name in options.ways[first:] + options.ways[:first]:
            costs[name].append(in_a_process(network, options, WAYS[name]))
    return costs


def in_a_process(network: str, options: argparse.Namespace, way: Mapping[str, str]) -> Cost:
    """Run steps in a new process, because OpenMP reads its variables once."""
    inherited = {key: tensor for key, tensor in os.environ.items() if key not in OPENMP}
    variables = {**inherited, "OMP_NUM_THREADS": str(options.threads), **way}
    command = [sys.executable, "-m", "benchmarks.threads", "--child", network, "--steps", str(options.steps)]
    done = subprocess.run(command, env=variables, check=True, capture_output=True, text=True)
    return Cost(*json.loads(done.stdout))


def steps(network: str, count: int) -> Cost:
    """Seconds and CPU seconds of `count` training steps."""
    import torch

    import cnngraph
    from cnngraph.recipe import load_recipe
    from cnngraph.train.augment.preparation import Preparation
    from cnngraph.train.data.images import InMemory
    from cnngraph.train.data.split import Split
    from cnngraph.train.loop.loader import TrainingLoader
    from cnngraph.train.loop.training_step import TrainingStep

    names = {
        "digits": ("googlenet_mnist", "digits", (28, 28, 1)),
        "cifar": ("resnet_cifar_222", "cifar_fast", (32, 32, 3)),
    }
    spec, named, shape = names[network]
    device, recipe = torch.device("cpu"), load_recipe(named)
    size = recipe.batch_size * (count + WARM_UP)
    images = InMemory(torch.randint(0, 256, (size, *shape), dtype=torch.uint8), torch.randint(0, 10, (size,)))
    model = cnngraph.build(spec).train()
    training_step = TrainingStep(model, recipe, device)
    preparation = Preparation.of(recipe, shape[2], device)
    batches = TrainingLoader(Split.all_of(images), preparation, recipe.batch_size, 0, device, 10).batches()
    for _ in range(WARM_UP):
        training_step.train_on_batch(*next(batches))
    began, cpu = time.perf_counter(), time.process_time()
    for _ in range(count):
        training_step.train_on_batch(*next(batches))
    return Cost(time.perf_counter() - began, time.process_time() - cpu)


@contextmanager
def programs(count: int) -> Iterator[None]:
    """Run `count` busy loops during the context."""
    started = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def report(title: str, costs: Costs) -> None:
    """Print a line for each policy."""
    print(title)
    own = [cost.seconds for cost in next(iter(costs.values()))]
    for name, found in costs.items():
        ratios = [cost.seconds / other for cost, other in zip(found, own, strict=True)]
        seconds, cpu = (statistics.median(values) for values in zip(*found, strict=True))
        print(f"  {name:14} {seconds:7.2f} s   {cpu:7.2f} CPU s   × {statistics.median(ratios):.2f}", flush=True)


if __name__ == "__main__":
    main()
