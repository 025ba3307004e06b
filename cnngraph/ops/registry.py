"""Which ops there are: the built-in ones, those of a named module, and those of installed packages.

A package adds ops with entry points of the group `cnngraph.ops`; each names a module that exports subclasses of
Op, or one such class. They are looked up only for a name that nothing else explains.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import field
from functools import cache
from types import MappingProxyType
from typing import Any

from cnngraph.diagnostics import Diagnostic, SpecError
from cnngraph.frozen import Frozen
from cnngraph.ops import activation, arithmetic, conv, dropout, linear, merge, norm, pool, reshape, resize
from cnngraph.ops.op import Op

GROUP = "cnngraph.ops"

# The files of ops in the order of the manual; each ends in a tuple OPS of its own.
FILES = (conv, linear, pool, norm, activation, dropout, merge, arithmetic, reshape, resize)

BUILTIN: tuple[type[Op], ...] = tuple(op for file in FILES for op in file.OPS)


_DIMENSIONS = re.compile(r"[12]d")


@cache
def called(name: str) -> str | None:
    """The built-in op that another library calls so; None for one that has no other name."""
    plain = re.sub(r"[^a-z0-9]", "", name.rpartition(".")[2].lower().removesuffix("layer"))
    for wanted in dict.fromkeys((plain, _DIMENSIONS.sub("", plain))):
        for each in BUILTIN:
            if wanted in each.elsewhere or wanted == each.name.replace("_", ""):
                return each.name
    return None


@cache
def builtin_ops() -> Mapping[str, type[Op]]:
    """The ops that come with cnngraph, by name, in the order of the manual."""
    return MappingProxyType({each.name: each for each in BUILTIN})


class Registry(Frozen):
    """The ops that a spec may use: the built-in ones, those of plugins, and those of installed packages."""

    plugins: Mapping[str, type[Op]] = field(default_factory=dict)

    def get(self, name: str) -> type[Op] | None:
        """The op of that name."""
        return find_op(name, self.plugins)

    def reserves(self, name: str) -> bool:
        """Whether no block may have that name; installed packages reserve none, so that they break no spec."""
        return name in builtin_ops() or name in self.plugins

    def called(self, name: str) -> str | None:
        """The op that goes by this name elsewhere: `fc` is linear, and so are `nn.Linear` and `fullyConnectedLayer`."""
        return None if name in builtin_ops() else called(name)

    def names(self) -> list[str]:
        """Every op's name."""
        return [*builtin_ops(), *self.plugins, *installed_ops()]


def load_ops(plugins: Iterable[str]) -> dict[str, type[Op]]:
    """The ops that the named modules export, by name. Raises SpecError where a module cannot be used."""
    ops: dict[str, type[Op]] = {}
    for name in plugins:
        _add(ops, _exported(_import(name, f"plugin {name}"), f"plugin {name}"), f"plugin {name}")
    return ops


def find_op(name: str, plugins: Mapping[str, type[Op]] = MappingProxyType({})) -> type[Op] | None:
    """The op of that name: built in, from the given plugins, or from an installed package."""
    return builtin_ops().get(name) or plugins.get(name) or installed_ops().get(name)


@cache
def installed_ops() -> Mapping[str, type[Op]]:
    """The ops of installed packages. Raises SpecError where one of them cannot be loaded."""
    from importlib.metadata import entry_points  # slow, and seldom needed

    ops: dict[str, type[Op]] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda each: each.name):
        origin = f"entry point {entry.name} = {entry.value} of the group {GROUP}"
        try:
            found: object = entry.load()
        except Exception as error:
            raise _refusal(origin, f"{type(error).__name__}: {error}") from error
        _add(ops, [found] if _is_op(found) else _exported(found, origin), origin)
    return MappingProxyType(ops)


def _import(name: str, origin: str) -> object:
    try:
        return importlib.import_module(name)
    except Exception as error:  # a plugin's own code may fail in any way
        raise _refusal(origin, f"{type(error).__name__}: {error}") from error


def _is_op(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Op) and isinstance(getattr(value, "name", None), str)


def _exported(module: object, origin: str) -> list[Any]:
    """The ops of a module: those in `__all__`, or else those that it defines itself."""
    names = getattr(module, "__all__", None)
    values = [getattr(module, name, None) for name in (vars(module) if names is None else names)]
    here = getattr(module, "__name__", None)
    ops = [each for each in values if _is_op(each) and (names is not None or each.__module__ == here)]
    if not ops:
        raise _refusal(origin, "it exports no subclass of cnngraph.ops.op.Op")
    return ops


def _add(ops: dict[str, type[Op]], new: Iterable[Any], origin: str) -> None:
    for each in new:
        other = builtin_ops().get(each.name) or ops.get(each.name)
        if other not in (None, each):
            raise _refusal(origin, f"there already is an op {each.name}")
        ops[each.name] = each


def _refusal(origin: str, reason: str) -> SpecError:
    return SpecError([Diagnostic("E317", f"cannot load {origin}: {reason}")])
