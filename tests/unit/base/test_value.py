"""Values: what dataclasses give, and that they cost little at import."""

import copy
import dataclasses
import inspect
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from buildsys.base.value import as_dict, field, field_names, frozen, mutable, replace


@frozen
class Point:
    """Two numbers, a name that does not count, and what is made anew for each."""

    x: int
    y: int = 2
    name: str = field(default="", compare=False)
    marks: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """Give the sum."""
        return self.x + self.y


@dataclasses.dataclass(frozen=True, slots=True)
class Reference:
    x: int
    y: int = 2
    name: str = dataclasses.field(default="", compare=False)
    marks: tuple[str, ...] = ()


@frozen
class Wide:
    """More fields than most have."""

    a: int
    b: int
    c: int
    d: int
    e: int
    f: int
    g: int
    h: int = 8
    i: int = 9


@frozen
class Pair:
    """A value in a value."""

    one: Point
    more: list[Point] = field(default_factory=list)


@frozen
class Derived:
    """A field that is found from another."""

    text: str
    size: int = 0

    def __post_init__(self) -> None:
        """Find the size."""
        object.__setattr__(self, "size", len(self.text))


@mutable
class Counter:
    """A thing that changes."""

    count: int = 0
    seen: list[str] = field(default_factory=list)


def test_a_value_is_made_by_place_and_by_name_with_its_defaults() -> None:
    assert Point(1) == Point(1, 2) == Point(x=1) == Point(y=2, x=1)
    assert (Point(1, 3).x, Point(1, 3).y, Point(1, 3).total, Point(1).marks) == (1, 3, 4, ())


def test_a_value_of_many_fields_is_made_likewise() -> None:
    wide = Wide(1, 2, 3, 4, 5, g=7, f=6)
    assert wide == Wide(*range(1, 8)) == Wide(1, 2, 3, 4, 5, 6, 7, 8, 9)
    assert (wide.a, wide.f, wide.g, wide.h, wide.i) == (1, 6, 7, 8, 9)


@pytest.mark.parametrize(
    ("words", "named", "message"),
    [
        ((), {}, "missing .*'x'"),
        ((1,), {"z": 1}, "unexpected .*'z'"),
        ((1,), {"x": 1}, "'x'"),
        ((1, 2, "", (), 5), {}, "5 .*6 were given"),
    ],
)
def test_a_wrong_call_is_told(
    words: tuple[object, ...], named: dict[str, object], message: str
) -> None:
    with pytest.raises(TypeError, match=rf"Point\.__init__\(\).* {message}"):
        Point(*words, **named)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    ("words", "named", "message"),
    [
        (range(6), {}, "missing .*'g'"),
        (range(7), {"z": 1}, "unexpected .*'z'"),
        (range(7), {"a": 1}, "'a'"),
        (range(10), {}, "10 values for 9 fields"),
    ],
)
def test_a_wrong_call_with_many_fields_is_told(
    words: range, named: dict[str, int], message: str
) -> None:
    with pytest.raises(TypeError, match=rf"Wide\.__init__\(\).* {message}"):
        Wide(*words, **named)


def test_a_class_tells_how_it_is_called() -> None:
    assert str(inspect.signature(Point)) == "(x, y=2, name='', marks=())"


def test_a_value_is_equal_by_its_compared_fields_and_its_class() -> None:
    assert Point(1, name="a") == Point(1, name="b")
    assert hash(Point(1, name="a")) == hash(Point(1, name="b"))
    assert Point(1) != Point(2)
    assert Point(1) != (1, 2, "", ())
    assert len({Point(1), Point(1, 2), Point(2)}) == 2


def test_a_value_does_not_change_and_has_slots() -> None:
    point = Point(1)
    with pytest.raises(AttributeError, match=r"Point\.x: a value does not change"):
        point.x = 2  # type: ignore[misc]  # wrong on purpose
    with pytest.raises(AttributeError, match=r"Point\.x: a value does not change"):
        del point.x
    assert not hasattr(point, "__dict__")


def test_a_value_shows_itself_and_matches_as_a_dataclass_does() -> None:
    assert repr(Point(1)) == repr(Reference(1)).replace("Reference", "Point")
    assert Point.__match_args__ == Reference.__match_args__
    match Point(1, 5):
        case Point(x, y):
            assert (x, y) == (1, 5)
    assert field_names(Point) == field_names(Point(1)) == ("x", "y", "name", "marks")


def test_a_value_is_replaced_copied_and_pickled() -> None:
    point = Point(1, 2, "a")
    assert replace(point, y=7) == Point(1, 7)
    assert replace(point, y=7).name == "a"
    with pytest.raises(TypeError, match=r"unexpected .*'z'"):
        replace(point, z=1)
    assert pickle.loads(pickle.dumps(point)) == copy.deepcopy(point) == point  # noqa: S301


def test_a_value_in_a_value_becomes_a_mapping() -> None:
    found = as_dict(Pair(Point(1), [Point(2)]))
    point = {"x": 1, "y": 2, "name": "", "marks": ()}
    assert found == {"one": point, "more": [{**point, "x": 2}]}


def test_a_field_may_be_found_from_others() -> None:
    assert Derived("abc").size == 3
    assert replace(Derived("abc"), text="ab").size == 2


def test_what_changes_has_its_own_defaults_and_is_equal_to_itself_alone() -> None:
    one, other = Counter(), Counter()
    one.seen.append("a")
    one.count += 1
    assert (other.seen, other.count) == ([], 0)
    assert one != other
    assert repr(one) == "Counter(count=1, seen=['a'])"


def test_nothing_of_the_package_imports_dataclasses() -> None:
    package = Path(__file__).resolve().parents[3] / "buildsys"
    assert not [p for p in package.rglob("*.py") if "\nfrom dataclasses" in p.read_text()]
    code = "import sys, buildsys.base.value; print('dataclasses' in sys.modules)"
    ran = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"
