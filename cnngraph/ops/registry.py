"""The available ops: built-in ones, those of plugin modules, and those of installed packages.

A package adds ops with entry points in the group `cnngraph.ops`; each entry point names a module that exports
subclasses of Op, or one such class. Entry points are loaded only for a name that is not found otherwise.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import field
from functools import cache
from types import MappingProxyType
from typing import Any

from cnngraph.diagnostics import SpecError
from cnngraph.frozen import Frozen
from cnngraph.ops import (
    activation,
    adaptive_pool,
    arithmetic,
    attention,
    conv,
    dropout,
    free_tensors,
    linear,
    merge,
    norm,
    norm_by_magnitude,
    pool,
    reduce,
    reshape,
    resize,
    windows,
)
from cnngraph.ops.elsewhere import ABSENT
from cnngraph.ops.op import Op

GROUP = "cnngraph.ops"

# The modules of ops in the order of the manual; each ends with its tuple OPS.
FILES = (
    conv,
    linear,
    attention,
    pool,
    adaptive_pool,
    norm,
    norm_by_magnitude,
    activation,
    dropout,
    merge,
    reduce,
    arithmetic,
    free_tensors,
    reshape,
    windows,
    resize,
)

BUILTIN: tuple[type[Op], ...] = tuple(op for file in FILES for op in file.OPS)


_DIMENSIONS = re.compile(r"[12]d")


@cache
def equivalent_op(name: str) -> str | None:
    """The built-in op with this name in another library, or None."""
    for alias in _aliases(name):
        for op in BUILTIN:
            if alias in op.elsewhere or alias == op.name.replace("_", ""):
                return op.name
    return None


def absent_op(name: str) -> str | None:
    """How to write an operation that is no op, or an empty string if that is unknown; None for any other name."""
    return next((ABSENT[alias] for alias in _aliases(name) if alias in ABSENT), None)


def _aliases(name: str) -> Iterable[str]:
    """A name without prefix and punctuation: `maxunpool2d` and `maxunpool` for `nn.MaxUnpool2d`."""
    plain = re.sub(r"[^a-z0-9]", "", name.rpartition(".")[2].lower().removesuffix("layer"))
    return dict.fromkeys((plain, _DIMENSIONS.sub("", plain)))


@cache
def builtin_ops() -> Mapping[str, type[Op]]:
    """The built-in ops by name, in the order of the manual."""
    return MappingProxyType({op.name: op for op in BUILTIN})


class Registry(Frozen):
    """The ops that a spec can use: built-in ones, those of its plugins, and those of installed packages."""

    plugins: Mapping[str, type[Op]] = field(default_factory=dict)

    def get(self, name: str) -> type[Op] | None:
        """The op with this name, or None."""
        return find_op(name, self.plugins)

    def reserves(self, name: str) -> bool:
        """Whether blocks must not have this name.

        Ops added later and those of installed packages reserve no names, so that they cannot break a spec: its block is
        used instead.
        """
        op = builtin_ops().get(name)
        return op.reserved if op else name in self.plugins

    def equivalent_op(self, name: str) -> str | None:
        """The op with this name in another library: `fc`, `nn.Linear` and `fullyConnectedLayer` are `linear`."""
        return None if name in builtin_ops() else equivalent_op(name)

    def names(self) -> list[str]:
        """The names of all ops."""
        return [*builtin_ops(), *self.plugins, *installed_ops()]


def load_ops(plugins: Iterable[str]) -> dict[str, type[Op]]:
    """The ops that the named modules export, by name. Raises SpecError (E317) for a module that cannot be used."""
    ops: dict[str, type[Op]] = {}
    for name in plugins:
        origin = f"the plugin `{name}`"
        _add(ops, _exported(_import(name, origin), origin), origin)
    return ops


def find_op(name: str, plugins: Mapping[str, type[Op]] = MappingProxyType({})) -> type[Op] | None:
    """The op with this name: built in, from the given plugins, or from an installed package."""
    return builtin_ops().get(name) or plugins.get(name) or installed_ops().get(name)


@cache
def installed_ops() -> Mapping[str, type[Op]]:
    """The ops of installed packages. Raises SpecError (E317) for one that cannot be loaded."""
    from importlib.metadata import entry_points  # slow, and rarely needed

    ops: dict[str, type[Op]] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        origin = f"the entry point `{entry.name} = {entry.value}` of the group `{GROUP}`"
        try:
            found: object = entry.load()
        except Exception as error:
            raise _refusal(origin, f"{type(error).__name__}: {error}") from error
        _add(ops, [found] if _is_op(found) else _exported(found, origin), origin)
    return MappingProxyType(ops)


def _import(name: str, origin: str) -> object:
    try:
        return importlib.import_module(name)
    except Exception as error:  # the code of a plugin may raise anything
        raise _refusal(origin, f"{type(error).__name__}: {error}") from error


def _is_op(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Op) and isinstance(getattr(value, "name", None), str)


def _exported(module: object, origin: str) -> list[Any]:
    """The ops of a module: those in `__all__`, or if it has none, those that it defines."""
    names = getattr(module, "__all__", None)
    values = [getattr(module, name, None) for name in (vars(module) if names is None else names)]
    module_name = getattr(module, "__name__", None)
    ops = [value for value in values if _is_op(value) and (names is not None or value.__module__ == module_name)]
    if not ops:
        raise _refusal(origin, "it exports no subclass of `cnngraph.ops.op.Op`")
    return ops


def _add(ops: dict[str, type[Op]], new: Iterable[Any], origin: str) -> None:
    for op in new:
        other = builtin_ops().get(op.name) or ops.get(op.name)
        if other not in (None, op):
            raise _refusal(origin, f"another op is already called `{op.name}`")
        ops[op.name] = op


def _refusal(origin: str, reason: str) -> SpecError:
    return SpecError.of("E317", f"cannot load {origin}: {reason}")
