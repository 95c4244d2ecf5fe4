"""Values with named fields: what dataclasses give, without their cost at import.

The standard library spells the methods of each dataclass as text and compiles that whenever the
class is made: 0.9 ms each, 0.14 s for the classes that a build knows, more than all else that it
imports. Here one set of methods serves all classes, and a class costs a fiftieth of that.
"""

from collections.abc import Callable, Mapping, Sequence
from types import FunctionType
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")

_MISSING: Any = object()
_OWN = ("__dict__", "__weakref__")  # of the class as it was written, which has no slots yet


class _Field:
    """What is said of a field beside its name and type."""

    __slots__ = ("default", "factory", "is_compared")

    def __init__(self, default: Any, factory: Callable[[], Any] | None, is_compared: bool) -> None:
        self.default = default
        self.factory = factory
        self.is_compared = is_compared


def field(
    *,
    default: Any = _MISSING,
    default_factory: Callable[[], Any] | None = None,
    compare: bool = True,
) -> Any:
    """Say more of a field: a default made anew for each value, or that it is left out of ==."""
    return _Field(default, default_factory, compare)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[T]) -> type[T]:
    """Make a class of frozen values with slots, equal when their fields are."""
    return _make(cls, {**_SHARED, **_FROZEN})


@dataclass_transform(eq_default=False, field_specifiers=(field,))
def mutable(cls: type[T]) -> type[T]:
    """Make a class of things with slots that may change; each is equal to itself alone."""
    return _make(cls, {name: _SHARED[name] for name in ("__repr__", "__reduce__")})


def replace(item: T, /, **changes: Any) -> T:
    """Give a value with some fields changed; TypeError for a name that is none of its fields."""
    names = field_names(item)
    found = {name: changes.pop(name, _MISSING) for name in names}
    same = {name: getattr(item, name) for name, new in found.items() if new is _MISSING}
    return type(item)(**{**found, **same, **changes})


def field_names(item: object) -> tuple[str, ...]:
    """Give the names of the fields of a value, or of a class of them, in their order."""
    names: tuple[str, ...] = item.__match_args__  # type: ignore[attr-defined]  # _make gives it
    return names


def as_dict(item: object) -> dict[str, Any]:
    """Give a value's fields by name; values in them, and in tuples and lists, likewise."""
    return {name: _plain(getattr(item, name)) for name in field_names(item)}


def _plain(content: Any) -> Any:
    if hasattr(type(content), "__match_args__") and type(content).__match_args__:
        return as_dict(content)
    if type(content) in (tuple, list):
        return type(content)(map(_plain, content))
    if type(content) is dict:
        return {name: _plain(one) for name, one in content.items()}
    return content


def _make(cls: type[T], methods: Mapping[str, Any]) -> type[T]:
    names = tuple(cls.__dict__.get("__annotations__", ()))  # noqa: RUF063  # inspect is slow
    namespace = {name: item for name, item in cls.__dict__.items() if name not in _OWN}
    said = {name: namespace.pop(name) for name in names if name in namespace}
    fields = {
        name: item if isinstance(item, _Field) else _Field(item, None, True)
        for name, item in said.items()
    }
    for name, method in methods.items():
        namespace.setdefault(name, method)
    namespace["__slots__"] = namespace["__match_args__"] = names
    left_out = {name for name, item in fields.items() if not item.is_compared}
    namespace["_compared"] = tuple(name for name in names if name not in left_out)
    made: Any = type(cls.__name__, cls.__bases__, namespace)
    made.__init__ = _make_init(made, names, fields)
    made.__init__.__qualname__ = f"{cls.__qualname__}.__init__"
    kind: type[T] = made
    return kind


def _make_init(cls: Any, names: tuple[str, ...], fields: Mapping[str, _Field]) -> Any:
    """Give the method that fills the slots.

    A class of few fields gets one that Python itself calls with the fields' names and defaults.
    """
    puts = tuple(cls.__dict__[name].__set__ for name in names)
    finish = cls.__dict__.get("__post_init__")
    is_plain = all(said.factory is None for said in fields.values())
    if is_plain and len(names) in _FILLS and tuple(fields) == names[len(names) - len(fields) :]:
        fill = _FILLS[len(names)](finish, *puts)
        code = fill.__code__.replace(co_varnames=("self", *names))
        defaults = tuple(said.default for said in fields.values())
        return FunctionType(code, fill.__globals__, "__init__", defaults, fill.__closure__)

    usual = {name: said.default for name, said in fields.items() if said.factory is None}
    known = frozenset(names)

    def __init__(self: Any, /, *words: Any, **named: Any) -> None:  # noqa: N807  # it becomes one
        if not words and (every := {**usual, **named}).keys() == known:
            words = tuple([every[name] for name in names])
        elif named or len(words) != len(names):
            words = _arrange(cls, names, fields, words, named)
        for put, word in zip(puts, words, strict=True):
            put(self, word)
        if finish is not None:
            finish(self)

    return __init__


def _arrange(
    cls: Any,
    names: tuple[str, ...],
    fields: Mapping[str, _Field],
    words: Sequence[Any],
    named: dict[str, Any],
) -> tuple[Any, ...]:
    """Put what a class was called with into the order of its fields; TypeError where it cannot."""
    found = list(words)
    for name in names[len(found) :]:
        if name in named:
            found.append(named.pop(name))
        elif name not in fields:
            raise TypeError(f"{cls.__qualname__}.__init__() missing the argument {name!r}")
        else:
            said = fields[name]
            found.append(said.default if said.factory is None else said.factory())
    if named or len(found) > len(names):
        much = ", ".join(map(repr, named)) or f"{len(found)} values for {len(names)} fields"
        raise TypeError(f"{cls.__qualname__}.__init__() got unexpected {much}")
    return tuple(found)


# Methods that fill so many slots. What they call their words is replaced by the fields' names.


def _fill_1(finish: Any, put_a: Any) -> Any:
    def fill(self: Any, a: Any) -> None:
        put_a(self, a)
        if finish is not None:
            finish(self)

    return fill


def _fill_2(finish: Any, put_a: Any, put_b: Any) -> Any:
    def fill(self: Any, a: Any, b: Any) -> None:
        put_a(self, a)
        put_b(self, b)
        if finish is not None:
            finish(self)

    return fill


def _fill_3(finish: Any, put_a: Any, put_b: Any, put_c: Any) -> Any:
    def fill(self: Any, a: Any, b: Any, c: Any) -> None:
        put_a(self, a)
        put_b(self, b)
        put_c(self, c)
        if finish is not None:
            finish(self)

    return fill


def _fill_4(finish: Any, put_a: Any, put_b: Any, put_c: Any, put_d: Any) -> Any:
    def fill(self: Any, a: Any, b: Any, c: Any, d: Any) -> None:
        put_a(self, a)
        put_b(self, b)
        put_c(self, c)
        put_d(self, d)
        if finish is not None:
            finish(self)

    return fill


def _fill_5(finish: Any, put_a: Any, put_b: Any, put_c: Any, put_d: Any, put_e: Any) -> Any:
    def fill(self: Any, a: Any, b: Any, c: Any, d: Any, e: Any) -> None:
        put_a(self, a)
        put_b(self, b)
        put_c(self, c)
        put_d(self, d)
        put_e(self, e)
        if finish is not None:
            finish(self)

    return fill


def _fill_6(
    finish: Any, put_a: Any, put_b: Any, put_c: Any, put_d: Any, put_e: Any, put_f: Any
) -> Any:
    def fill(self: Any, a: Any, b: Any, c: Any, d: Any, e: Any, f: Any) -> None:
        put_a(self, a)
        put_b(self, b)
        put_c(self, c)
        put_d(self, d)
        put_e(self, e)
        put_f(self, f)
        if finish is not None:
            finish(self)

    return fill


def _fill_7(
    finish: Any, put_a: Any, put_b: Any, put_c: Any, put_d: Any, put_e: Any, put_f: Any, put_g: Any
) -> Any:
    def fill(self: Any, a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any) -> None:
        put_a(self, a)
        put_b(self, b)
        put_c(self, c)
        put_d(self, d)
        put_e(self, e)
        put_f(self, f)
        put_g(self, g)
        if finish is not None:
            finish(self)

    return fill


def _fill_8(
    finish: Any,
    put_a: Any,
    put_b: Any,
    put_c: Any,
    put_d: Any,
    put_e: Any,
    put_f: Any,
    put_g: Any,
    put_h: Any,
) -> Any:
    def fill(self: Any, a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any, h: Any) -> None:
        put_a(self, a)
        put_b(self, b)
        put_c(self, c)
        put_d(self, d)
        put_e(self, e)
        put_f(self, f)
        put_g(self, g)
        put_h(self, h)
        if finish is not None:
            finish(self)

    return fill


_FILLS: dict[int, Callable[..., Any]] = {
    1: _fill_1, 2: _fill_2, 3: _fill_3, 4: _fill_4, 5: _fill_5, 6: _fill_6, 7: _fill_7, 8: _fill_8,
}  # fmt: skip


def _equals(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return all(getattr(self, name) == getattr(other, name) for name in self._compared)


def _hash(self: Any) -> int:
    return hash(tuple([getattr(self, name) for name in self._compared]))


def _show(self: Any) -> str:
    parts = ", ".join([f"{name}={getattr(self, name)!r}" for name in self.__match_args__])
    return f"{self.__class__.__qualname__}({parts})"


def _reduce(self: Any) -> tuple[Any, tuple[Any, ...]]:
    return self.__class__, tuple([getattr(self, name) for name in self.__match_args__])


def _refuse_to_set(self: Any, name: str, _content: object) -> None:
    raise AttributeError(f"{self.__class__.__qualname__}.{name}: a value does not change")


def _refuse_to_delete(self: Any, name: str) -> None:
    raise AttributeError(f"{self.__class__.__qualname__}.{name}: a value does not change")


_SHARED: dict[str, Any] = {
    "__eq__": _equals, "__hash__": _hash, "__repr__": _show, "__reduce__": _reduce,
}  # fmt: skip
_FROZEN: dict[str, Any] = {"__setattr__": _refuse_to_set, "__delattr__": _refuse_to_delete}
