"""Classes compiled from generated source, once per source, visible to inspect and debuggers, and picklable."""

from __future__ import annotations

import hashlib
import linecache
import sys
import weakref
from types import ModuleType
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnngraph.backend.modules.forward import OUTPUTS


class Numbered(nn.Module):
    """A module whose children have numbers as names: `stage[3]` is the child named "3"."""

    def __getitem__(self, index: int) -> Any:
        name = str(index)
        if name in self._modules:
            return self._modules[name]
        if name in self._parameters:
            return self._parameters[name]
        raise IndexError(f"no child is named {name}")


_compiled: weakref.WeakValueDictionary[str, type[nn.Module]] = weakref.WeakValueDictionary()


def compile_class(source: str) -> type[nn.Module]:
    """Compile the last class of the source. Equal sources return the same class while it is in use.

    The class cannot be imported, so a pickle of its instances includes the source.
    """
    known = _compiled.get(source)
    if known is not None:
        return known
    name = f"cnngraph.built.net_{hashlib.sha256(source.encode()).hexdigest()[:16]}"
    file = f"<{name}>"
    scope: dict[str, Any] = {"__name__": name, "torch": torch, "nn": nn, "F": F, "Tensor": Tensor}
    scope |= {"NamedTuple": NamedTuple, "Numbered": Numbered}
    exec(compile(source, file, "exec", dont_inherit=True), scope)
    cls: type[nn.Module] = [value for value in scope.values() if isinstance(value, type) and value.__module__ == name][
        -1
    ]
    cls.__reduce_ex__ = _reduce_module  # type: ignore[method-assign, assignment]
    cls._source = source  # type: ignore[attr-defined]
    if OUTPUTS in scope:
        scope[OUTPUTS].__reduce__ = lambda outputs: (_outputs, (source, *outputs))
    # For inspect and debuggers: the lines, and a module that refers to them without keeping the class alive.
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
    stub = ModuleType(name, "A module of a network that cnngraph built.")
    stub.__file__ = file
    sys.modules[name] = stub
    weakref.finalize(cls, _forget, name, file)
    _compiled[source] = cls
    return cls


def _forget(name: str, file: str) -> None:
    sys.modules.pop(name, None)
    linecache.cache.pop(file, None)


def _reduce_module(module: nn.Module, protocol: int) -> tuple[Any, ...]:
    """Pickle or copy an instance of a generated class: by its source and the usual state of a module."""
    _, _, *state = cast(tuple[Any, ...], object.__reduce_ex__(module, max(protocol, 2)))
    return _revive, (vars(type(module))["_source"],), *state


def _revive(source: str) -> nn.Module:
    cls = compile_class(source)
    return cls.__new__(cls)


def _outputs(source: str, *values: Any) -> Any:
    return compile_class(source).forward.__globals__[OUTPUTS](*values)
