"""Built-in ops, plugins, and ops of installed packages."""

from __future__ import annotations

import importlib
import importlib.metadata
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cnngraph.diagnostics import SpecError
from cnngraph.ops.op import Op
from cnngraph.ops.registry import BUILTIN, GROUP, Registry, builtin_ops, find_op, installed_ops, load_ops
from tests.library import ROOT

PLUGIN = '''
"""An op of a plugin."""
from __future__ import annotations
from dataclasses import dataclass
from typing import ClassVar
from cnngraph.fields import Float, field
from cnngraph.ops.activation import Relu
from cnngraph.ops.op import Example, Op

@dataclass(frozen=True)
class Shrink(Op):
    """x·(1 − rate)."""

    name: ClassVar[str] = "shrink"
    kind: ClassVar[str] = "activation"
    rate: float = field(Float(0, 1), "by how much", 0.5)
    examples: ClassVar[tuple[Example, ...]] = (Example({}, ((4,),), (4,)),)

    def code(self, arguments, *inputs):
        return f"{arguments[0]} * {1 - self.rate}"
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on Python's path; modules imported from it are unloaded afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    installed_ops.cache_clear()
    yield tmp_path
    installed_ops.cache_clear()
    for name in set(sys.modules) - before:
        del sys.modules[name]


def entry_points(monkeypatch: pytest.MonkeyPatch, *values: str) -> None:
    points = [importlib.metadata.EntryPoint(f"entry{number}", value, GROUP) for number, value in enumerate(values)]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda *, group: points if group == GROUP else [])


def test_ops_lists_every_op_of_a_module() -> None:
    for path in sorted((ROOT / "cnngraph" / "ops").glob("*.py")):
        module = importlib.import_module(f"cnngraph.ops.{path.stem}")
        defined = [cls for cls in vars(module).values() if isinstance(cls, type) and cls.__module__ == module.__name__]
        ops = {cls for cls in defined if issubclass(cls, Op) and cls is not Op}
        assert ops == set(getattr(module, "OPS", ())), path.name
        assert ops <= set(builtin_ops().values()), f"{path.name} is not one of registry.FILES"


def test_op_names_are_unique() -> None:
    assert len(builtin_ops()) == len(BUILTIN)


def test_a_plugin_module(folder: Path) -> None:
    (folder / "shrinking.py").write_text(PLUGIN)
    ops = load_ops(["shrinking"])
    assert list(ops) == ["shrink"]  # not the relu that the module imports
    assert find_op("shrink", ops) is ops["shrink"]
    assert Registry(ops).get("shrink") is ops["shrink"]
    assert Registry(ops).reserves("shrink")
    assert "shrink" in Registry(ops).names()
    assert load_ops(["shrinking", "shrinking"]) == ops


def test_a_plugin_exports_the_ops_in_all(folder: Path) -> None:
    (folder / "package").mkdir()
    (folder / "package" / "shrinking.py").write_text(PLUGIN)
    (folder / "package" / "__init__.py").write_text("from package.shrinking import Shrink\n__all__ = ['Shrink']\n")
    assert list(load_ops(["package"])) == ["shrink"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot load the plugin `broken`: ModuleNotFoundError"),
        ("1 / 0", "cannot load the plugin `broken`: ZeroDivisionError"),
        ("x = 1", "cannot load the plugin `broken`: it exports no subclass of `cnngraph.ops.op.Op`"),
        (PLUGIN.replace('"shrink"', '"relu"'), "cannot load the plugin `broken`: another op is already called `relu`"),
    ],
)
def test_an_unusable_plugin(folder: Path, text: str | None, message: str) -> None:
    if text is not None:
        (folder / "broken.py").write_text(text)
    with pytest.raises(SpecError) as caught:
        load_ops(["broken"])
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.message.startswith(message)
    assert diagnostic.code == "E317"


def test_installed_packages(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "shrinking.py").write_text(PLUGIN)
    (folder / "halving.py").write_text(PLUGIN.replace("Shrink", "Halve").replace('"shrink"', '"halve"'))
    entry_points(monkeypatch, "shrinking", "halving:Halve")
    assert find_op("relu") is builtin_ops()["relu"]
    assert "shrinking" not in sys.modules  # a known op imports no package
    assert sorted(installed_ops()) == ["halve", "shrink"]
    assert not Registry().reserves("shrink")
    assert find_op("nothing") is None


def test_a_broken_installed_package(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry_points(monkeypatch, "no_such_module")
    assert find_op("conv") is not None
    with pytest.raises(
        SpecError, match=r"cannot load the entry point `entry0 = no_such_module` of the group `cnngraph\.ops`"
    ):
        find_op("shrink")


def test_ops_do_not_import_pytorch() -> None:
    program = (
        "import sys; from cnngraph.ops import registry, manual, schema; registry.find_op('conv')\n"
        "print([name for name in ('torch', 'numpy', 'torchvision') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_names_from_other_libraries_are_unambiguous() -> None:
    names = [other for op in BUILTIN for other in op.elsewhere]
    assert len(set(names)) == len(names)
    assert not set(names) & {op.name for op in BUILTIN}
    assert all(name == name.lower() for name in names)
    assert Registry().equivalent_op("FC") == "linear"
    assert Registry().equivalent_op("linear") is None
