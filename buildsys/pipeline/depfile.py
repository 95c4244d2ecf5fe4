"""The dependency files that compilers write (-MD), and what could shadow a header in them."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

_DOTS = frozenset({".", "..", ""})  # these parts of a path are always there


def parse_depfile(text: str) -> tuple[str, ...]:
    """Give the prerequisites of a make rule, unescaped, each once, in their order.

    Compilers put a backslash before a number sign, and before a space one more for each that
    stands there already; they double a dollar sign.
    """
    names: dict[str, None] = {}
    word: list[str] = []
    is_target = True
    position = 0
    text = text.replace("\r\n", "\n").replace("\\\n", " ")
    while position < len(text):
        character = text[position]
        position += 1
        following = text[position : position + 1]
        if character == "\\":
            literal, position = _read_backslashes(text, position - 1)
            word.append(literal)
        elif character == "$" and following == "$":
            word.append(character)
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


def _read_backslashes(text: str, start: int) -> tuple[str, int]:
    """Read a run of backslashes and what it escapes: the literal text, and where it ends."""
    end = start
    while text[end : end + 1] == "\\":
        end += 1
    number = end - start
    following = text[end : end + 1]
    if following in ("#", ":"):
        return "\\" * (number - 1) + following, end + 1
    if following in (" ", "\t") and number % 2:
        return "\\" * (number // 2) + following, end + 1
    return "\\" * number, end


def find_shadows(
    source: str, headers: Sequence[str], search_path: Sequence[str], exists: Callable[[str], bool]
) -> Iterator[str]:
    """Give the paths which, if they came to be, would be found before one of the headers.

    search_path lists directories in the compiler's order. A header may have been found below any
    of them that leads to it; before that one come the earlier ones and, for #include "…", the
    directory of whichever file includes it. Of a path below such a directory the first part that
    is missing is given.
    """
    roots = [root.rstrip("/") + "/" for root in search_path]
    beside = dict.fromkeys(os.path.dirname(path) + "/" for path in (source, *headers))
    given: set[str] = set()
    for index, root in enumerate(roots):
        tails = _group_tails(header[len(root) :] for header in headers if header.startswith(root))
        earlier = dict.fromkeys((*roots[:index], *beside)) if tails else {}
        earlier.pop(root, None)
        for place in earlier:
            for shadow in _missing_below(place, tails, exists):
                if shadow not in given:
                    given.add(shadow)
                    yield shadow


def _group_tails(tails: Iterable[str]) -> dict[str, list[str]]:
    """Group paths by their first part: where that is missing, none of them can be there."""
    groups: dict[str, list[str]] = {}
    for tail in tails:
        groups.setdefault(tail.partition("/")[0], []).append(tail)
    return groups


def _missing_below(
    place: str, groups: Mapping[str, Sequence[str]], exists: Callable[[str], bool]
) -> Iterator[str]:
    for first, tails in groups.items():
        if first not in _DOTS and not exists(place + first):
            yield place + first
            continue
        for tail in tails:
            shadow = _first_missing(place, tail, exists)
            if shadow is not None:
                yield shadow


def _first_missing(place: str, tail: str, exists: Callable[[str], bool]) -> str | None:
    path = place[:-1]
    for part in tail.split("/"):
        path = f"{path}/{part}"
        if part not in _DOTS and not exists(path):
            return path
    return None  # it is there: the compiler was told otherwise (#include "…", -include)
