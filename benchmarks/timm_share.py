"""The share of timm's entry points that specs can say, without writing one: what each calls, against the ops.

Each entry point is built on the meta device and run once in eval mode. It can be said if each of its calls has ops in
`benchmarks/timm_table.py`; an unknown call cannot. This says nothing about the length of the spec.

    python -m benchmarks.timm_share                                       # 10 minutes on an idle core
    python -m benchmarks.timm_share --calls calls.json --jobs 2           # keeps what was recorded
    python -m benchmarks.timm_share --calls calls.json --output docs/results/timm_share.md
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import timm
import torch
from timm.models import list_modules
from torch import nn

from benchmarks.timm_calls import Call, Recorder
from benchmarks.timm_table import Missing, judge

METHOD = """Written by `python -m benchmarks.timm_share`. Each entry point is run once on meta tensors, in eval mode. It
counts if every function that it calls has ops in `benchmarks/timm_table.py`, which was reviewed by hand; what is not in
this table does not count. So the share says which computations can be written as a spec, in any number of nodes. Of the
networks that count, those in `tests/zoo/test_timm.py` have been written, with equal keys and outputs.
"""


@dataclass(frozen=True)
class Network:
    """An entry point, the file of timm that has it, its calls, and the error if it does not run."""

    name: str
    family: str
    calls: tuple[Call, ...]
    error: str = ""

    def blockers(self) -> frozenset[tuple[str, str]]:
        """What cannot be said, with the reasons."""
        judged = [(call, judge(caller, call)) for caller, call in self.calls]
        found = {(call, entry.reason) for call, entry in judged if isinstance(entry, Missing)}
        return frozenset(
            found | ({("forward", f"does not run on meta tensors: {self.error}")} if self.error else set())
        )


def record(name: str) -> tuple[list[Call], str]:
    """The calls of an entry point, and the error if it does not run."""
    recorder = Recorder()
    error = ""
    with torch.device("meta"), torch.no_grad(), warnings.catch_warnings(), recorder:
        warnings.simplefilter("ignore")
        try:
            model: nn.Module = timm.create_model(name, no_jit=True).eval()
            shape: tuple[int, ...] = model.pretrained_cfg["input_size"]  # type: ignore[assignment, index]
            recorder.run(model, torch.empty(2, *shape))
        except Exception as problem:  # whatever a network of timm does
            error = f"{type(problem).__name__}: {problem}".splitlines()[0][:120]
    return sorted(recorder.calls), error


def families() -> dict[str, str]:
    """The file of timm that has each entry point."""
    return {name: module for module in list_modules() for name in timm.list_models(module=module)}


def recorded(calls: Path | None, jobs: int) -> list[Network]:
    """All entry points; those in the file `calls` are not run again, and the others are added to it."""
    known = json.loads(calls.read_text()) if calls and calls.exists() else {}
    family = families()
    todo = [name for name in timm.list_models() if name not in known]
    with ProcessPoolExecutor(jobs) as pool:
        for number, (name, (found, error)) in enumerate(zip(todo, pool.map(record, todo), strict=True), 1):
            known[name] = {"calls": found, "error": error}
            if calls and (number % 20 == 0 or number == len(todo)):
                calls.write_text(json.dumps(known))
    return [
        Network(
            name, family[name], tuple((caller, call) for caller, call in known[name]["calls"]), known[name]["error"]
        )
        for name in timm.list_models()
    ]


def report(networks: list[Network]) -> Iterator[str]:
    """The result, in Markdown."""
    blocked = {network.name: network.blockers() for network in networks}
    said = [network for network in networks if not blocked[network.name]]
    yield f"timm {timm.__version__} has {len(networks):,} entry points. Specs can say {len(said):,} of them, "
    yield f"{len(said) / len(networks):.1%}.\n\n{METHOD}\n## What the others need\n\n"
    yield "| why no op says it | calls | entry points | only this | files of timm |\n"
    yield "| --- | --- | ---: | ---: | --- |\n"
    reasons = {name: {reason for _, reason in found} for name, found in blocked.items()}
    alone = Counter(next(iter(found)) for found in reasons.values() if len(found) == 1)
    for reason, number in Counter(reason for found in reasons.values() for reason in found).most_common():
        calls = sorted({f"`{call}`" for found in blocked.values() for call, why in found if why == reason})
        where = sorted({network.family for network in networks if reason in reasons[network.name]})
        yield f"| {reason} | {', '.join(calls)} | {number} | {alone[reason]} | {', '.join(where)} |\n"
    yield "\n## By file of timm\n\n| file | entry points | can be said |\n| --- | ---: | ---: |\n"
    every, some = Counter(network.family for network in networks), Counter(network.family for network in said)
    for family, number in sorted(every.items()):
        yield f"| {family} | {number} | {some[family]} |\n"


def main() -> None:
    """Print the result, and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=Path, help="JSON file that keeps the recorded calls")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--output", type=Path, help="Markdown file for the result")
    options = parser.parse_args()
    text = "".join(report(recorded(options.calls, options.jobs)))
    print(text)
    if options.output:
        options.output.write_text(f"# The share of timm that can be said\n\n{text}")


if __name__ == "__main__":
    main()
