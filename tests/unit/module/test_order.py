"""Load orders, closures and circles of requirements."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildsys.base.errors import BuildsysError
from buildsys.module.order import close_over, find_cycle, load_order

NAMES = st.sampled_from("abcdef")
GRAPHS = st.dictionaries(NAMES, st.lists(NAMES, max_size=3).map(tuple))


def test_each_module_comes_after_what_it_requires_and_else_by_name() -> None:
    requires = {"b": ("z",), "a": (), "z": ("built-in",), "c": ("b", "a")}
    order = load_order(requires)
    assert sorted(order) == ["a", "b", "c", "z"]
    assert order.index("z") < order.index("b") < order.index("c")
    assert load_order(dict(reversed(requires.items()))) == order


def test_a_circle_is_named_in_full_in_the_order_of_requiring() -> None:
    requires = {"a": ("b",), "b": ("c",), "c": ("a",), "d": ("a",)}
    cycle = find_cycle(requires)
    assert cycle[0] == cycle[-1]
    assert all(after in requires[before] for before, after in pairwise(cycle))
    with pytest.raises(BuildsysError, match=r"require each other in a circle: . -> . -> . -> ."):
        load_order(requires)


def test_a_module_that_requires_itself_is_a_circle() -> None:
    assert find_cycle({"a": ("a",)}) == ("a", "a")


def test_a_closure_holds_what_is_required_through_any_number_of_steps() -> None:
    requires = {"a": ("b",), "b": ("c", "d"), "c": ("a",), "e": ()}
    assert close_over(("a",), requires) == ("a", "b", "c", "d")
    assert close_over(("unknown",), requires) == ("unknown",)
    assert close_over((), requires) == ()


@given(GRAPHS)
def test_any_graph_has_an_order_or_a_circle(requires: dict[str, tuple[str, ...]]) -> None:
    cycle = find_cycle(requires)
    if cycle:
        assert all(b in requires[a] for a, b in pairwise(cycle))
        assert cycle[0] == cycle[-1]
        return
    order = load_order(requires)
    assert sorted(order) == sorted(requires)
    for name, others in requires.items():
        assert all(order.index(x) < order.index(name) for x in others if x in requires)
