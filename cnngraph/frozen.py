"""Frozen dataclasses that Python makes of a class when it is first used.

A dataclass compiles the source of six functions: 0.4 ms. The ops, the parts of recipes and the kinds of parameters are
two hundred classes, of which one network uses a few; making all of them took a third of `cnngraph check`. Here a class
is made when it is used, and shares the functions that compare, hash and show.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from threading import RLock
from typing import Any, ClassVar, Self, dataclass_transform

_complete: set[type] = set()
_lock = RLock()  # a field's declaration is gone from a class that is half made


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
class Frozen:
    """Base of frozen dataclasses without slots: a subclass has annotated fields and no decorator.

    A class is a dataclass from its first instance on; `dataclass_fields` gives the fields of one that has none yet.
    """

    _compared: ClassVar[Callable[[object], Any]]  # gives the values of the fields that are compared

    def __new__(cls, *values: Any, **named: Any) -> Self:
        """An instance, as `dataclasses` would have made it."""
        if cls not in _complete:
            complete(cls)
        return super().__new__(cls)

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        compared = type(self)._compared
        return bool(compared(self) == compared(other))

    def __hash__(self) -> int:
        return hash(type(self)._compared(self))

    def __repr__(self) -> str:
        shown = (f"{field.name}={getattr(self, field.name)!r}" for field in dataclass_fields(type(self)) if field.repr)
        return f"{type(self).__qualname__}({', '.join(shown)})"


def complete(cls: type) -> None:
    """Make the class and its bases dataclasses, unless they are."""
    with _lock:
        made: Any
        for made in reversed(cls.__mro__):
            if not issubclass(made, Frozen) or made is Frozen or made in _complete:
                continue
            if "__dataclass_fields__" not in vars(made):
                dataclasses.dataclass(frozen=True, eq=False, repr=False)(made)
            names = [field.name for field in dataclasses.fields(made) if field.compare]
            made._compared = attrgetter(*(names or ["__class__"]))
            _complete.add(made)


def dataclass_fields(cls: type) -> tuple[dataclasses.Field[Any], ...]:
    """The fields of a frozen dataclass, in order."""
    complete(cls)
    return dataclasses.fields(cls)
