"""The dependency files that compilers write (-MD), and what could shadow a header in them."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from buildsys.base.value import frozen

_ASSEMBLER_INPUT = re.compile(rb'\.(?:incbin|include)\s+\\?"([^"\\\n]+)')
_HAS_INCLUDE = re.compile(rb'__has_include(?:_next)?\s*\(\s*([<"])([^>"\n]+)[>"]')
Questions = tuple[tuple[str, bool], ...]  # names, and whether they were asked for in quotes
_DOTS = frozenset({".", "..", ""})  # these parts of a path are always there


def parse_depfile(text: str) -> tuple[str, ...]:
    """Give the prerequisites of a make rule, unescaped, each once, in their order.

    Compilers put a backslash before a number sign, and before a space one more for each that
    stands there already; they double a dollar sign. GCC does with a tab as with a space, clang
    leaves it: names are parted by spaces and ends of lines alone. A backslash before a colon is
    left to be one: nothing says whether it is of the name.
    """
    text = text.replace("\r\n", "\n").replace("\\\n", " ")
    if "\\" not in text and "$$" not in text:
        return _parse_plain(text)
    names: dict[str, None] = {}
    word: list[str] = []
    is_target = True
    position = 0
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
        elif is_target and character == ":" and following in ("", " ", "\n"):
            is_target = False
            word.clear()
        elif character in (" ", "\n"):
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


def _parse_plain(text: str) -> tuple[str, ...]:
    """Read rules in which nothing is escaped."""
    names: dict[str, None] = {}
    for line in text.split("\n"):
        words = list(filter(None, line.split(" ")))
        end = next((index for index, word in enumerate(words) if word.endswith(":")), len(words))
        names.update(dict.fromkeys(words[end + 1 :]))
    return tuple(names)


def _read_backslashes(text: str, start: int) -> tuple[str, int]:
    """Read a run of backslashes and what it escapes: the literal text, and where it ends."""
    end = start
    while text[end : end + 1] == "\\":
        end += 1
    number = end - start
    following = text[end : end + 1]
    if following == "#":
        return "\\" * (number - 1) + following, end + 1
    if following in (" ", "\t") and number % 2:
        return "\\" * (number // 2) + following, end + 1
    return "\\" * number, end


def find_assembler_inputs(source: bytes) -> tuple[str, ...]:
    """Give the files that .incbin and .include name in a source, also in asm("…") of C."""
    if b".inc" not in source:
        return ()
    names = (match[1] for match in _ASSEMBLER_INPUT.finditer(source))
    return tuple(dict.fromkeys(os.fsdecode(name) for name in names))


def find_questions(source: bytes) -> Questions:
    """Give the files for whose presence __has_include asks; True where "…" asks."""
    if b"__has_include" not in source:
        return ()
    found = ((os.fsdecode(match[2]), match[1] == b'"') for match in _HAS_INCLUDE.finditer(source))
    return tuple(dict.fromkeys(found))


class SourceNotes:
    """Reads sources and headers, each once in a run, for what no dependency file tells of them."""

    def __init__(self) -> None:
        self._plain: set[str] = set()  # files of which there is nothing to tell
        self._told: dict[str, tuple[tuple[str, ...], Questions]] = {}

    def find_assembled(self, files: Sequence[str], places: Sequence[str]) -> Iterator[str]:
        """Give what files have the assembler read, which it looks for in places."""
        for names, _ in self._look_into(files).values():
            for name in names:
                paths = (os.path.join(place, name) for place in places)
                if (path := next(filter(os.path.exists, paths), None)) is not None:
                    yield path

    def find_asked(self, files: Sequence[str], roots: Sequence[str]) -> Iterator[str]:
        """Give what __has_include found, and where it would have been found before that.

        GCC does not tell of a file that is asked for and not read.
        """
        for path, (_, questions) in self._look_into(files).items():
            for name, is_quoted in questions:
                for place in (os.path.dirname(path), *roots) if is_quoted else roots:
                    candidate = os.path.join(place, name)
                    if os.path.isfile(candidate):
                        yield candidate
                        break
                    if os.path.isdir(candidate) or not os.path.exists(candidate):
                        yield candidate

    def _look_into(self, files: Sequence[str]) -> Mapping[str, tuple[tuple[str, ...], Questions]]:
        """Give what there is to tell of those files of which there is something."""
        plain = self._plain
        if plain.issuperset(files):
            return {}
        found = {}
        for path in [path for path in files if path not in plain]:
            told = self._told.get(path)
            if told is None:
                content = _read(path)
                told = find_assembler_inputs(content), find_questions(content)
                if told == ((), ()):
                    plain.add(path)
                    continue
                self._told[path] = told
            found[path] = told
        return found


def _read(path: str) -> bytes:
    """Read a file; what cannot be read has nothing to tell."""
    try:
        with open(path, "rb", buffering=0) as stream:
            return stream.read()
    except OSError:
        return b""


def resolve_headers(
    discovered: Iterable[str], known: Sequence[str], places: dict[str, str]
) -> list[str]:
    """Give each file by its real name, once, and the places whose links led there.

    A header that a hundred modules reach through their own links is then one file. places holds
    real names of directories that were asked for already; known are files to leave out.
    """
    found: dict[str, None] = {}
    left_out = set(known)
    left_out.update([_resolve(path, places) for path in known])
    for path in discovered:
        directory = path.rpartition("/")[0]
        if places.get(directory) == directory:
            found[path] = None
            continue
        real = _resolve(path, places)
        if path in left_out or real in left_out:
            continue
        if places[directory] != directory:
            found[directory] = None
        found[real] = None
    return [path for path in found if path not in left_out]


def _resolve(path: str, places: dict[str, str]) -> str:
    """Give a file by the real name of its directory."""
    directory, slash, name = path.rpartition("/")
    return f"{resolve_place(directory, places)}{slash}{name}"


def resolve_place(directory: str, places: dict[str, str]) -> str:
    """Give the real name of a directory; places holds those that were asked for already."""
    real = places.get(directory)
    if real is None:
        above, slash, name = directory.rpartition("/")
        if not slash or name in _DOTS:
            real = os.path.realpath(directory)
        else:  # many have the same directories above them
            place = resolve_place(above, places) if above else ""
            real = f"{place}/{name}" if place != "/" else f"/{name}"
            real = os.path.realpath(real) if os.path.islink(real) else real
        places[directory] = real
    return real


@frozen
class Shadows:
    """What would be found before the headers that were read, if it came to be.

    absent holds, for a directory, the names that must stay away from it; dangling are links that
    lead nowhere, in places where a file would count.
    """

    absent: dict[str, frozenset[str]]
    dangling: tuple[str, ...] = ()


def find_shadows(
    source: str,
    headers: Sequence[str],
    search_path: Sequence[str],
    listing: Callable[[str], frozenset[str]],
    exists: Callable[[str], bool] = os.path.exists,
) -> Shadows:
    """Find what could shadow a header; listing gives the names in a directory, none for no such.

    search_path lists directories in the compiler's order. A header may have been found below any
    of them that leads to it; before that one come the earlier ones and, for #include "…", the
    directory of whichever file includes it. Of a path below such a directory the first part that
    is missing counts.
    """
    ways = [root.rstrip("/") + "/" for root in search_path]
    names_beside: dict[str, list[str]] = {os.path.dirname(source) + "/": []}
    for header in headers:
        place, slash, name = header.rpartition("/")
        try:
            names_beside[place + slash].append(name)
        except KeyError:
            names_beside[place + slash] = [name]
    below = {root: _find_firsts(root, names_beside) for root in ways}
    every = frozenset().union(*below.values())
    dots = every & _DOTS
    absent: dict[str, set[str]] = {}
    dangling: dict[str, None] = {}
    for place in dict.fromkeys((*ways, *names_beside)):
        # In a directory that has files of its own, "…" may look for what any root holds.
        later, firsts = list(below), every
        if place in below:
            begin = 0 if place in names_beside else ways.index(place) + 1
            later = list(dict.fromkeys(root for root in ways[begin:] if root != place))
            firsts = frozenset().union(*[below[root] for root in later])
        directory = place[:-1]
        present = firsts & listing(directory)
        present = present | (firsts & dots) if dots else present
        missing = firsts - present if present else firsts
        if missing:
            absent.setdefault(directory, set()).update(missing)
        for first in present:
            tails = [tail for root in later for tail in _find_tails(root, first, names_beside)]
            for tail in dict.fromkeys(tails):
                missing_at = _follow(directory, tail, listing)
                if missing_at is not None:
                    absent.setdefault(missing_at[0], set()).add(missing_at[1])
                elif not exists(place + tail):
                    dangling[place + tail] = None
    names = {place: frozenset(found) for place, found in absent.items()}
    return Shadows(names, tuple(dangling))


def _find_firsts(root: str, names: Mapping[str, Sequence[str]]) -> set[str]:
    """Give the first parts of the paths from a root to what was read below it.

    names are by directory. Where the first part is missing, none of those with it can be there.
    """
    start = len(root)
    firsts = {
        place[start : place.index("/", start)]
        for place in names
        if len(place) > start and place.startswith(root)
    }
    firsts.update(names.get(root, ()))
    return firsts


def _find_tails(root: str, first: str, names: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Give the paths from a root that begin with a part."""
    if first in names.get(root, ()):
        yield first
    above, start = f"{root}{first}/", len(root)
    for place, found in names.items():
        if place.startswith(above):
            below = place[start:]
            yield from [below + name for name in found]


def _follow(
    place: str, tail: str, listing: Callable[[str], frozenset[str]]
) -> tuple[str, str] | None:
    """Give the first part of a path below place that is missing, and where; None for none.

    What is there all the same was not meant: #include <…>, or -include.
    """
    path = place
    for part in tail.split("/"):
        if part not in _DOTS and part not in listing(path):
            return path, part
        path = f"{path}/{part}"
    return None
