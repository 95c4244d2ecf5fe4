"""The drawing of requirements."""

from hypothesis import given, settings
from hypothesis import strategies as st

from buildsys.report.graph import Drawing, draw_requirements

NAMES = st.sampled_from([f"m{number}" for number in range(12)])


def boxes_of(drawings: tuple[Drawing, ...]) -> dict[str, tuple[int, float, float]]:
    return {
        box.name: (number, box.x, box.y)
        for number, drawing in enumerate(drawings)
        for box in drawing.boxes
    }


def test_a_module_stands_right_of_all_that_it_requires() -> None:
    (drawing,) = draw_requirements({"c": ("b", "a"), "b": ("a",), "lone": ()})
    places = boxes_of((drawing,))
    assert places["a"][1] < places["b"][1] < places["c"][1]
    assert {(line.tail, line.head) for line in drawing.lines} == {
        ("c", "b"), ("c", "a"), ("b", "a"),
    }  # fmt: skip


def test_modules_that_do_not_hang_together_are_drawn_apart_the_largest_first() -> None:
    drawings = draw_requirements({"x": ("y",), "c": ("b",), "b": ("a",), "d": ("outside",)})
    assert [len(drawing.boxes) for drawing in drawings] == [3, 2, 2]


def test_a_circle_and_a_module_that_requires_itself_are_drawn() -> None:
    drawings = draw_requirements({"a": ("b",), "b": ("c",), "c": ("a",), "self": ("self",)})
    assert [len(drawing.boxes) for drawing in drawings] == [3]
    assert len(drawings[0].lines) == 3


def test_a_chain_of_thousands_is_no_trouble() -> None:
    chain = {f"m{number}": (f"m{number + 1}",) for number in range(3000)}
    (drawing,) = draw_requirements(chain)
    assert len(drawing.boxes) == 3001


@settings(deadline=None)
@given(st.dictionaries(NAMES, st.lists(NAMES, max_size=4).map(tuple)))
def test_boxes_lie_within_the_drawing_and_apart(requirements: dict[str, tuple[str, ...]]) -> None:
    drawings = draw_requirements(requirements)
    assert drawings == draw_requirements(requirements)
    for drawing in drawings:
        for box in drawing.boxes:
            assert 0 <= box.x <= box.x + box.width <= drawing.width
            assert 0 <= box.y <= box.y + box.height <= drawing.height
            for other in drawing.boxes:
                is_apart = (
                    other is box
                    or other.x >= box.x + box.width
                    or box.x >= other.x + other.width
                    or other.y >= box.y + box.height
                    or box.y >= other.y + other.height
                )
                assert is_apart
    linked = {name for name, required in requirements.items() if set(required) - {name}}
    assert linked <= set(boxes_of(drawings))
