"""`python -m tests.planted`: plant errors in bundled specs and examples of the docs, and print statistics."""

from __future__ import annotations

import argparse

from tests.planted.fix_log import fix_log
from tests.planted.measure import Pair, Result, pairs, sample, share, table
from tests.planted.slips import KINDS


def main() -> None:
    """Print statistics by kind and, with --show, single plants."""
    parser = argparse.ArgumentParser(prog="python -m tests.planted", description=__doc__)
    parser.add_argument("kinds", nargs="*", help="kinds of error (default: all)")
    parser.add_argument("--count", type=int, default=10, help="plants per kind")
    parser.add_argument("--all", action="store_true", help="100 plants per kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--show",
        choices=("single", "at_line", "offered", "passes", "right", "every", "wrong"),
        help="print the plants that lack this property",
    )
    parser.add_argument("--fix-log", type=int, metavar="N", help="print what check --fix does to N plants instead")
    parser.add_argument(
        "--pairs", type=int, metavar="N", help="print what check --fix does to N specs with two errors instead"
    )
    arguments = parser.parse_args()
    if arguments.pairs:
        print_pairs(list(pairs(arguments.seed, arguments.pairs)), arguments.show is not None)
        return
    if arguments.fix_log:
        print(fix_log(arguments.seed, arguments.fix_log))
        return
    count = 100 if arguments.all else arguments.count
    results = list(sample(arguments.seed, count, arguments.kinds or tuple(KINDS)))
    for result in results if arguments.show else ():
        wrong = result.offered and not result.right
        if arguments.show == "every" or (wrong if arguments.show == "wrong" else not getattr(result, arguments.show)):
            print(shown(result))
    print(table(results))


def print_pairs(results: list[Pair], show: bool) -> None:
    """Print statistics of specs with two errors; with `show`, also those that were not restored."""
    for pair in results if show else ():
        if not pair.right:
            print(
                "==",
                pair.plants[0].spec.name,
                *(f"{plant.kind}:{plant.line}: {plant.what}" for plant in pair.plants),
                sep="\n   ",
            )
            print(*pair.errors, *(f"fixed {text}" for text in pair.fixes), "left:", *pair.left, "", sep="\n")
    print(f"{len(results)} specs with two errors: original network again {share(pair.right for pair in results):.0f} %")
    left = [len(pair.left) for pair in results]
    print(
        f"errors left: none {share(not count for count in left):.0f} %, one {share(count == 1 for count in left):.0f} %"
    )


def shown(result: Result) -> str:
    """A plant with its errors and fixes."""
    head = f"== {result.plant.kind} in {result.plant.spec.name}:{result.plant.line}: {result.plant.what}"
    line = result.plant.text.splitlines()[result.plant.line - 1 : result.plant.line]
    fixes = [f"   fix: {fix.title}: {[edit.to_dict() for edit in fix.edits]}" for fix in result.errors[0].fixes]
    return "\n".join([head, *line, *map(str, result.errors[:4]), *fixes, ""])


if __name__ == "__main__":
    main()
