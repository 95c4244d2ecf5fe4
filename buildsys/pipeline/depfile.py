"""The dependency files that compilers write (-MD), and what could shadow a header in them."""

import os
from collections.abc import Callable, Iterator, Sequence


def parse_depfile(text: str) -> tuple[str, ...]:
    """Give the prerequisites of a make rule, unescaped, each once, in their order.

    Compilers escape a space and a number sign by a backslash and a dollar sign by doubling it.
    """
    names: dict[str, None] = {}
    word: list[str] = []
    is_target = True
    position = 0
    text = text.replace("\r\n", "\n").replace("\\\n", " ")
    while position < len(text):
        character = text[position]
        following = text[position + 1 : position + 2]
        position += 1
        if (character == "\\" and following in (" ", "#", ":", "\t")) or (
            character == "$" and following == "$"
        ):
            word.append(following)
            position += 1
        elif is_target and character == ":" and (not following or following.isspace()):
            is_target = False
            word.clear()
        elif character.isspace():
            if word and not is_target:
                names["".join(word)] = None
            word.clear()
            if character == "\n":
                is_target = True
        else:
            word.append(character)
    if word and not is_target:
        names["".join(word)] = None
    return tuple(names)


def find_shadows(
    headers: Sequence[str], search_path: Sequence[str], exists: Callable[[str], bool]
) -> Iterator[str]:
    """Give the paths which, if they came to be, would be found before one of the headers.

    search_path lists directories in the compiler's order. For a header below one of them, each
    earlier directory gives the first part of the path that is missing there.
    """
    roots = [root.rstrip("/") + "/" for root in search_path]
    given: set[str] = set()
    for header in headers:
        found = _root_of(header, roots)
        for root in roots[:found]:
            shadow = _first_missing(root, header[len(roots[found]) :], exists)
            if shadow is not None and shadow not in given:
                given.add(shadow)
                yield shadow


def _root_of(header: str, roots: Sequence[str]) -> int:
    """Find the directory that a header was found below; 0 (nothing is earlier) for none."""
    best = 0
    length = 0
    for index, root in enumerate(roots):
        if header.startswith(root) and len(root) > length:
            best, length = index, len(root)
    return best


def _first_missing(root: str, tail: str, exists: Callable[[str], bool]) -> str | None:
    path = root[:-1]
    for part in tail.split("/"):
        path = os.path.join(path, part)
        if not exists(path):
            return path
    return None  # it is there: the compiler was told otherwise (#include "…", -include)
