"""The files that a dependency file means, named as the compiler was asked for them.

LLVM's compilers write a slash for each backslash in a name: which it is tell the names that are
there, and where both are there, both count as read. GCC gives a system header the real name of its
directory where that is shorter: the name through the include path is the one of which it matters
where its links lead.
"""

import os
from collections.abc import Iterable, Iterator, Sequence

from buildsys.base.value import frozen

_ROOTS_KEPT = 16  # steps of one module, which have the same, follow each other


@frozen
class _Roots:
    """The directories in which a compiler looked, and what is known as long as all are there."""

    names: tuple[str, ...]
    links: dict[str, str]  # those that are links, or below one: their real names
    has_odd: bool  # one has a backslash
    doubtful: dict[str, bool]  # directories: whether each can be another, or a name in it


class SpellingFinder:
    """Looks into each directory once; made for one run."""

    def __init__(self) -> None:
        self._odd: dict[str, tuple[str, ...]] = {}  # names with a backslash, by directory
        self._there: dict[str, bool] = {}  # directories, each as it was spelled
        self._real: dict[str, str] = {}  # of directories that are there
        self._names: dict[str, str] = {}  # that were given: thousands of steps read one header
        self._roots: dict[tuple[str, ...], _Roots] = {}

    def restore(self, names: Sequence[str], places: Iterable[str]) -> tuple[str, ...]:
        """Give the files that are meant by the names (absolute) in a dependency file.

        places are the directories in which the compiler looked. A name that cannot be explained
        stays as it is.
        """
        roots = self._look_at(tuple(places))
        known = self._names
        directories = {name.rpartition("/")[0] for name in names}
        doubtful = [directory for directory in directories if self._is_doubtful(directory, roots)]
        if not doubtful and _are_plain(names):
            return tuple(dict.fromkeys(map(known.setdefault, names, names)))
        found: dict[str, None] = {}
        for name in names:
            if "\\:" in name or roots.doubtful[name.rpartition("/")[0]]:
                found.update(dict.fromkeys(self._explain(name, roots.names, roots.links)))
            else:
                plain = _plain(name)
                found[known.setdefault(plain, plain)] = None
        return tuple(found)

    def _look_at(self, places: tuple[str, ...]) -> _Roots:
        found = self._roots.get(places)
        if found is None:
            names = tuple(dict.fromkeys(place.rstrip("/") for place in places))
            links = {name: real for name in names if (real := self._resolve(name)) != name}
            found = _Roots(names, links, any("\\" in name for name in names), {})
            if all(name in self._real for name in names):
                if len(self._roots) >= _ROOTS_KEPT:
                    self._roots.clear()
                self._roots[places] = found
        return found

    def _is_doubtful(self, directory: str, roots: _Roots) -> bool:
        found = roots.doubtful.get(directory)
        if found is None:
            found = roots.has_odd or self._can_be_another(directory, roots.names, roots.links)
            roots.doubtful[directory] = found
        return found

    def _can_be_another(self, directory: str, roots: Iterable[str], links: dict[str, str]) -> bool:
        """Tell whether a directory can be another, or a name in it."""
        below = f"{_plain(directory)}/"
        root = max((root for root in roots if below.startswith(f"{root}/")), key=len, default="")
        if not root:
            is_real = any(below.startswith(f"{real}/") for real in links.values())
            return is_real or not self._is_there(directory)
        place = directory
        while len(place) > len(root) and not self._find_odd(place):
            place = place.rpartition("/")[0]
        return bool(self._find_odd(place))

    def _explain(self, name: str, roots: Iterable[str], links: dict[str, str]) -> tuple[str, ...]:
        candidates: dict[str, None] = {}
        for root in roots:
            spelled = root.replace("\\", "/") + "/"
            for start in dict.fromkeys((spelled, root + "/")):
                if name.startswith(start):
                    candidates.update(dict.fromkeys(self._expand(root, name[len(start) :])))
        there = tuple(filter(os.path.exists, candidates))
        if there:
            return tuple(map(_plain, there))
        if os.path.exists(name):
            # The second is the same file by a name that no compiler gives: two ways through a link
            # say that the real name went into the output (__FILE__), so a copy is not the same.
            through = (
                spelled
                for root, real in links.items()
                if name.startswith(f"{real}/")
                for spelled in (root + name[len(real) :], f"{root}/.{name[len(real) :]}")
            )
            return tuple(through) or (name,)
        name = _plain(name)
        if "\\:" in name and os.path.exists(plain := name.replace("\\:", ":")):
            return (plain,)
        return tuple(filter(os.path.exists, self._expand("", name.lstrip("/")))) or (name,)

    def _expand(self, place: str, rest: str) -> Iterator[str]:
        """Give what a path below a place may mean; names with a backslash are taken as they are."""
        for name in self._find_odd(place):
            spelled = name.replace("\\", "/")
            if rest == spelled:
                yield f"{place}/{name}"
            elif rest.startswith(spelled + "/"):
                yield from self._expand(f"{place}/{name}", rest[len(spelled) + 1 :])
        first, slash, after = rest.partition("/")
        if not slash:
            yield f"{place}/{rest}"
        elif not first:
            yield from self._expand(place, after)
        elif self._is_there(f"{place}/{first}"):
            yield from self._expand(f"{place}/{first}", after)

    def _find_odd(self, directory: str) -> tuple[str, ...]:
        found = self._odd.get(directory)
        if found is None:
            try:
                found = tuple(name for name in os.listdir(directory or "/") if "\\" in name)
            except OSError:
                found = ()
            self._odd[directory] = found
        return found

    def _is_there(self, directory: str) -> bool:
        found = self._there.get(directory)
        if found is None:
            found = self._there[directory] = os.path.isdir(directory or "/")
        return found

    def _resolve(self, directory: str) -> str:
        real = self._real.get(directory)
        if real is None:
            real = os.path.realpath(directory)
            if os.path.isdir(real):  # else it may come to be
                self._real[directory] = real
        return real


def _are_plain(names: Sequence[str]) -> bool:
    """Tell whether nothing in some names, which differ, leads nowhere else or may be an escape."""
    text = "\0".join(names)
    return "/." not in text and "//" not in text and "\\:" not in text


def _plain(path: str) -> str:
    """Drop what leads nowhere else, as the include path is spelled; never a '..'."""
    while "/./" in path:
        path = path.replace("/./", "/")
    while "//" in path:
        path = path.replace("//", "/")
    return path
