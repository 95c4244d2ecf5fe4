"""The names nearest to another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildsys.check.nearest import edit_distance, index_names

WORDS = st.text("abc", max_size=8)


def slow_distance(one: str, other: str) -> int:
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]


@given(one=WORDS, other=WORDS, limit=st.integers(0, 8))
def test_the_distance_is_that_of_the_usual_table(one: str, other: str, limit: int) -> None:
    assert edit_distance(one, other, limit) == min(slow_distance(one, other), limit + 1)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("pool_cache_gt", ("pool_cache_get", "pool_cache_put")),
        ("pool_cache_get", ("pool_cache_put",)),
        ("vfs_mount", ()),
        ("poo", ()),
    ],
)
def test_near_names_are_found_and_far_ones_are_not(name: str, found: tuple[str, ...]) -> None:
    index = index_names({"pool_cache_get", "pool_cache_put", "pool_init", "kmem_alloc"})
    assert index.find(name) == found
