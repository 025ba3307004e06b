"""Frozen dataclasses that are cheap to create.

`dataclass(frozen=True)` compiles six functions for a class, which takes 0.4 ms. There are more than three hundred such
classes, of which one network uses a part; creating all of them took a third of `cnngraph check`. A subclass of `Frozen`
is created when it is first used. A class with the decorator `frozen` is created at once, and has slots. Only
`__init__` is compiled; all classes share the other methods.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from operator import attrgetter
from threading import RLock
from typing import Any, ClassVar, Self, TypeVar, dataclass_transform, overload

Class = TypeVar("Class")

_complete: set[type] = set()
_lock = RLock()  # a partially created dataclass has already lost some field declarations


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
class Frozen:
    """Base of frozen dataclasses without slots: a subclass has annotated fields and no decorator.

    A class becomes a dataclass when it is first instantiated; use `dataclass_fields` to get its fields before that.
    """

    _compared: ClassVar[Callable[[object], Any]]  # returns the values of the fields to compare

    def __new__(cls, *values: Any, **named: Any) -> Self:
        """Create an instance, and first the dataclass if necessary."""
        if cls not in _complete:
            complete(cls)
        return super().__new__(cls)

    def __setattr__(self, name: str, value: object) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")

    def __eq__(self, other: object) -> bool:
        return _equal(self, other)  # type: ignore[no-any-return]  # may be NotImplemented

    def __hash__(self) -> int:
        return _hash(self)

    def __repr__(self) -> str:
        return _repr(self)


@overload
def frozen(cls: type[Class], /) -> type[Class]: ...


@overload
def frozen(*, slots: bool = True, eq: bool = True) -> Callable[[type[Class]], type[Class]]: ...


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
def frozen(cls: type[Any] | None = None, /, *, slots: bool = True, eq: bool = True) -> Any:
    """Decorator of a frozen dataclass, like `dataclass(frozen=True, slots=True)`, in less time.

    A class without slots can have cached properties; one without `eq` is compared by identity.
    """
    return (lambda later: _made(later, slots, eq)) if cls is None else _made(cls, slots, eq)


def _made(cls: Any, slots: bool, eq: bool) -> Any:
    own = vars(cls)
    if eq and "__eq__" not in own:
        cls.__eq__, cls.__hash__ = _equal, _hash
    if "__repr__" not in own:
        cls.__repr__ = _repr
    _declare_frozen(cls.__mro__, False)
    made: Any = dataclasses.dataclass(init=False, slots=slots, eq=False, repr=False)(cls)
    _declare_frozen(made.__mro__, True)
    made._compared = _compared_fields(made)
    made.__init__ = _make_init(made)
    made.__setattr__, made.__delattr__ = Frozen.__setattr__, Frozen.__delattr__
    if slots:
        made.__getstate__, made.__setstate__ = _getstate, _setstate
    return made


def _make_init(cls: Any) -> Callable[..., None]:
    """The `__init__` of a frozen dataclass, as `dataclass` makes it; every field is a parameter."""
    scope: dict[str, Any] = {"set_field": object.__setattr__, "MISSING": dataclasses.MISSING}
    positional, named, lines = ["self"], list[str](), list[str]()
    for field in dataclasses.fields(cls):
        parameter = value = field.name
        if field.default is not dataclasses.MISSING:
            scope[f"default_{field.name}"] = field.default
            parameter = f"{field.name}=default_{field.name}"
        elif field.default_factory is not dataclasses.MISSING:
            scope[f"default_{field.name}"] = field.default_factory
            parameter = f"{field.name}=MISSING"
            value = f"default_{field.name}() if {field.name} is MISSING else {field.name}"
        (named if field.kw_only else positional).append(parameter)
        lines.append(f"    set_field(self, {field.name!r}, {value})")
    if hasattr(cls, "__post_init__"):
        lines.append("    self.__post_init__()")
    parameters = ", ".join([*positional, *(["*", *named] if named else [])])
    exec("\n".join([f"def __init__({parameters}):", *(lines or ["    pass"])]), scope)
    made: Callable[..., None] = scope["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    return made


def _getstate(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _setstate(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)


def _equal(self: Any, other: Any) -> Any:
    cls: Any = self.__class__
    if other.__class__ is not cls:
        return NotImplemented
    return cls._compared(self) == cls._compared(other)


def _hash(self: Any) -> int:
    return hash(type(self)._compared(self))


def _repr(self: Any) -> str:
    shown = (f"{field.name}={getattr(self, field.name)!r}" for field in dataclasses.fields(self) if field.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _compared_fields(cls: Any) -> Callable[[object], Any]:
    """A function that returns the values of the fields to compare."""
    return attrgetter(*([field.name for field in dataclasses.fields(cls) if field.compare] or ["__class__"]))


def complete(cls: type) -> None:
    """Turn the class and its bases into dataclasses, unless they already are."""
    with _lock:
        base: Any
        for base in reversed(cls.__mro__):
            if not issubclass(base, Frozen) or base is Frozen or base in _complete:
                continue
            if "__dataclass_fields__" not in vars(base):
                _declare_frozen(base.__mro__, False)
                dataclasses.dataclass(init=False, eq=False, repr=False)(base)
                base.__init__ = _make_init(base)
                _declare_frozen(base.__mro__, True)
            base._compared = _compared_fields(base)
            _complete.add(base)


def _declare_frozen(classes: Iterable[type], frozen: bool) -> None:
    """Say whether dataclasses are frozen: one that `dataclass` has made frozen cannot inherit from one that is not."""
    for cls in classes:
        parameters: Any = vars(cls).get("__dataclass_params__")
        if parameters is not None:
            parameters.frozen = frozen


def dataclass_fields(cls: type) -> tuple[dataclasses.Field[Any], ...]:
    """The fields of a frozen dataclass, in order."""
    complete(cls)
    return dataclasses.fields(cls)
