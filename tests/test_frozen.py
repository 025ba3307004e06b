"""Classes of `cnngraph.frozen`, some of which become dataclasses on first use, behave like other dataclasses."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError, asdict, dataclass, field, is_dataclass, replace
from threading import Barrier

import pytest

from cnngraph.fields import Int, fields_of
from cnngraph.fields import field as parameter
from cnngraph.frozen import Frozen, dataclass_fields, frozen
from cnngraph.ops.op import Op
from cnngraph.recipe.optimizers import Sgd
from tests.library import ROOT


class Point(Frozen):
    """Two numbers, and notes."""

    x: int
    y: int = 2
    notes: dict[str, int] = field(default_factory=dict)


class Named(Point):
    """A point with a name."""

    name: str = field(default="", kw_only=True, compare=False)


def test_a_frozen_class_behaves_like_a_dataclass() -> None:
    point = Named(1, name="a")
    assert repr(point) == "Named(x=1, y=2, notes={}, name='a')"
    assert point == Named(1, name="b") != Named(2)
    assert point != Point(1)
    assert replace(point, y=5) == Named(1, 5)
    assert asdict(point) == {"x": 1, "y": 2, "notes": {}, "name": "a"}
    assert [point, point] == [pickle.loads(pickle.dumps(point)), copy.deepcopy(point)]
    with pytest.raises(FrozenInstanceError):
        point.x = 3  # type: ignore[misc]
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
        Point()  # type: ignore[call-arg]
    match point:
        case Point(x, y):
            assert (x, y) == (1, 2)


@frozen
class Place:
    """A place with a default, a factory and a field that is not compared."""

    line: int
    column: int = 1
    notes: list[str] = field(default_factory=list, compare=False)


@frozen
class LongPlace(Place):
    """A place with an end."""

    end: int = 0


def test_a_decorated_class_inherits_fields() -> None:
    assert LongPlace(1, 2, [], 9) == LongPlace(1, 2, ["note"], 9) != LongPlace(1, 2)
    assert LongPlace(1) != Place(1)
    assert repr(LongPlace(1)) == "LongPlace(line=1, column=1, notes=[], end=0)"


def test_the_decorator_gives_a_dataclass_with_slots() -> None:
    place = Place(3)
    assert repr(place) == "Place(line=3, column=1, notes=[])"
    assert place == Place(3, notes=["other"]) != Place(4)
    assert hash(place) == hash(Place(3)) != hash(Place(3, 2))
    assert place.notes is not Place(3).notes
    assert replace(place, column=5) == Place(3, 5)
    assert asdict(place) == {"line": 3, "column": 1, "notes": []}
    assert [place, place] == [pickle.loads(pickle.dumps(place)), copy.deepcopy(place)]
    assert not hasattr(place, "__dict__")
    assert Place(3).__eq__("a place") is NotImplemented
    with pytest.raises(FrozenInstanceError):
        place.line = 4  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del place.line
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'line'"):
        Place()  # type: ignore[call-arg]
    match place:
        case Place(line, column):
            assert (line, column) == (3, 1)


def test_fields_before_the_first_instance() -> None:
    class Unused(Point):
        """A class that is never instantiated."""

        z: int = 3

    assert not is_dataclass(Unused) or "__dataclass_fields__" not in vars(Unused)
    assert [field.name for field in dataclass_fields(Unused)] == ["x", "y", "notes", "z"]


def test_decorated_subclass_is_unchanged() -> None:
    """An op of a plugin may have the @dataclass decorator."""

    @dataclass(frozen=True)
    class Decorated(Op):
        """An op."""

        times: int = parameter(Int(1), "number of times", 3)

    assert list(fields_of(Decorated)) == ["times"]
    assert Decorated(times=2) == Decorated(times=2)


def test_several_threads_use_a_class_first() -> None:
    for _ in range(50):

        class Fresh(Frozen):
            """A class that is instantiated by several threads at once."""

            value: int = field(default=1, kw_only=True)

        threads = 4
        barrier = Barrier(threads)

        def make(number: int, cls: type[Fresh] = Fresh, barrier: Barrier = barrier) -> int:
            barrier.wait()
            return cls(value=number).value

        with ThreadPoolExecutor(threads) as pool:
            assert list(pool.map(make, range(threads))) == list(range(threads))


def test_check_creates_only_the_classes_it_needs() -> None:
    """`check` starts quickly: unused ops are not processed and few modules are imported."""
    code = (
        "import sys; from cnngraph.cli.process import run; code = run(['check', 'googlenet_mnist'])\n"
        "from cnngraph.ops.registry import builtin_ops\n"
        "made = {name for name, op in builtin_ops().items() if '__dataclass_fields__' in vars(op)}\n"
        "print(code, *sorted(made)); print(*sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": str(ROOT)}, check=True
    )
    _, processed, modules = ran.stdout.splitlines()
    assert processed == "0 avg_pool concat conv flatten linear max_pool relu"
    unwanted = {"rich", "importlib.metadata", "cnngraph.fixes", "pydantic", "networkx", "jsonschema", "filelock"}
    assert unwanted.isdisjoint(modules.split())


def test_recipe_classes_have_fields_before_the_first_instance() -> None:
    assert "momentum" in fields_of(Sgd)
