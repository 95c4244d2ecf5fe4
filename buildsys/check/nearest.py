"""Names that look like another, among many: by edit distance."""

from collections.abc import Iterable

from buildsys.base.value import frozen

_SHOWN = 3
_MINIMUM_LENGTH = 4  # a shorter name is like too many others


@frozen
class NameIndex:
    """Names with the sets of their characters, as bits, so that most need not be compared."""

    names: tuple[tuple[str, int], ...]

    def find(self, name: str) -> tuple[str, ...]:
        """Give the few names nearest to one, the nearest first, at most a quarter of it away."""
        limit = len(name) // 4
        if len(name) < _MINIMUM_LENGTH:
            return ()
        characters = _bits(name)
        found: list[tuple[int, str]] = []
        for other, bits in self.names:
            if abs(len(other) - len(name)) > limit or (bits ^ characters).bit_count() > 2 * limit:
                continue
            distance = edit_distance(name, other, limit)
            if 0 < distance <= limit:
                found.append((distance, other))
        return tuple(other for _, other in sorted(found)[:_SHOWN])


def index_names(names: Iterable[str]) -> NameIndex:
    """Prepare names to be searched."""
    return NameIndex(tuple((name, _bits(name)) for name in sorted(names)))


def edit_distance(one: str, other: str, limit: int) -> int:
    """Count the characters to insert, remove or replace; limit + 1 for whatever is more.

    Myers' algorithm: a column of the usual table is two integers, of its rises and its falls.
    """
    if not one:
        return min(len(other), limit + 1)
    masks: dict[str, int] = {}
    for place, character in enumerate(one):
        masks[character] = masks.get(character, 0) | 1 << place
    every, last = (1 << len(one)) - 1, 1 << len(one) >> 1
    rises, falls, distance = every, 0, len(one)
    for place, character in enumerate(other):
        equal = masks.get(character, 0)
        diagonal = ((((equal & rises) + rises) ^ rises) | equal | falls) & every
        up, down = (falls | ~(diagonal | rises)) & every, rises & diagonal
        distance += bool(up & last) - bool(down & last)
        if distance - (len(other) - place - 1) > limit:
            return limit + 1
        up = up << 1 | 1
        rises = ((down << 1) | ~(diagonal | up)) & every
        falls = up & diagonal
    return min(distance, limit + 1)


def _bits(name: str) -> int:
    bits = 0
    for character in name:
        bits |= 1 << (ord(character) & 127)
    return bits
