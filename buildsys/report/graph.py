"""Requirements as a drawing: modules in columns, each right of all that it requires.

Lengths are SVG user units, which a browser shows as CSS pixels.
"""

from collections.abc import Iterable, Mapping, Sequence

from buildsys.base.value import frozen

_LETTER = 7.3  # of the 12-pixel monospaced font, rounded up
_PADDING = 9
_ROW = 28
_BOX = 22
_GAP = 56  # between columns, for the lines
_MARGIN = 8
_SWEEPS = 6

Requirements = Mapping[str, Sequence[str]]


@frozen
class Box:
    """One module: its name and where its box lies."""

    name: str
    x: float
    y: float
    width: float
    height: float


@frozen
class Line:
    """One requirement: path is an SVG path from the box that requires to the one required."""

    tail: str
    head: str
    path: str


@frozen
class Drawing:
    """Modules that hang together, drawn."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


def draw_requirements(requirements: Requirements) -> tuple[Drawing, ...]:
    """Draw each group of modules that hang together, the largest first.

    requirements maps a module to those that it requires, which need not be keys themselves. A
    module that requires nothing and that nothing requires is in no drawing.
    """
    links = {
        name: tuple(dict.fromkeys(other for other in required if other != name))
        for name, required in requirements.items()
    }
    groups = sorted(_find_groups(links), key=lambda group: (-len(group), group[0]))
    return tuple(_draw({name: links.get(name, ()) for name in group}) for group in groups)


def _find_groups(links: Requirements) -> list[list[str]]:
    """Find the sets of modules that hang together, whichever way the requirements point."""
    beside: dict[str, list[str]] = {}
    for name, required in links.items():
        for other in required:
            beside.setdefault(name, []).append(other)
            beside.setdefault(other, []).append(name)
    groups, seen = [], set[str]()
    for start in sorted(beside):
        if start in seen:
            continue
        seen.add(start)
        group = [start]
        for name in group:  # grows while it is walked
            fresh = [other for other in beside[name] if other not in seen]
            group.extend(dict.fromkeys(fresh))
            seen.update(fresh)
        groups.append(sorted(group))
    return groups


def _find_columns(links: Requirements) -> list[list[str]]:
    """Put each module right of all that it requires; a circle is cut at its first name."""
    column: dict[str, int] = {}
    waiting = {name: len(required) for name, required in links.items()}
    users: dict[str, list[str]] = {name: [] for name in links}
    for name, required in links.items():
        for other in required:
            users[other].append(name)
    ready = [name for name, count in sorted(waiting.items()) if count == 0]
    left = sorted(links, reverse=True)
    while len(column) < len(links):
        if not ready:  # a circle: take the first that is not placed
            while left[-1] in column:
                left.pop()
            ready.append(left.pop())
        name = ready.pop()
        if name in column:
            continue
        column[name] = 1 + max((column.get(other, -1) for other in links[name]), default=-1)
        for user in users[name]:
            waiting[user] -= 1
            if waiting[user] == 0:
                ready.append(user)
    columns: list[list[str]] = [[] for _ in range(1 + max(column.values()))]
    for name in sorted(column):
        columns[column[name]].append(name)
    return [names for names in columns if names]


def _order_rows(columns: list[list[str]], links: Requirements) -> None:
    """Sort each column so that lines cross less: by the middle of the neighbours, to and fro."""
    beside: dict[str, list[str]] = {name: list(required) for name, required in links.items()}
    for name, required in links.items():
        for other in required:
            beside[other].append(name)
    for sweep in range(_SWEEPS):
        place = {
            name: (row + 0.5) / len(names) for names in columns for row, name in enumerate(names)
        }
        for names in columns if sweep % 2 else reversed(columns):
            names.sort(key=lambda name: (_middle(beside[name], place), name))
            place.update((name, (row + 0.5) / len(names)) for row, name in enumerate(names))


def _middle(names: Iterable[str], place: Mapping[str, float]) -> float:
    places = [place[name] for name in names]
    return sum(places) / len(places) if places else 0.5


def _draw(links: Requirements) -> Drawing:
    columns = _find_columns(links)
    _order_rows(columns, links)
    height = max(len(names) for names in columns) * _ROW
    boxes: dict[str, Box] = {}
    x = float(_MARGIN)
    for names in columns:
        width = round(max(len(name) for name in names) * _LETTER + 2 * _PADDING, 1)
        step = min(height / len(names), 3 * _ROW)
        start = _MARGIN + (height - step * len(names)) / 2
        for row, name in enumerate(names):
            y = round(start + step * row + (step - _BOX) / 2, 1)
            boxes[name] = Box(name, round(x, 1), y, width, _BOX)
        x += width + _GAP
    lines = tuple(
        Line(name, other, _curve(boxes[name], boxes[other]))
        for name, required in sorted(links.items())
        for other in required
    )
    placed = tuple(boxes[name] for names in columns for name in names)
    return Drawing(round(x - _GAP + _MARGIN, 1), height + 2 * _MARGIN, placed, lines)


def _curve(tail: Box, head: Box) -> str:
    """Spell the line from the left edge of one box to the right edge of the other."""
    x1, y1 = tail.x, tail.y + tail.height / 2
    x2, y2 = head.x + head.width, head.y + head.height / 2
    bend = max(_GAP / 2, (x1 - x2) / 2)
    numbers = (x1 - bend, y1, x2 + bend, y2, x2 + 5, y2)
    return f"M{x1:g} {y1:g}C" + " ".join(f"{number:g}" for number in numbers)
