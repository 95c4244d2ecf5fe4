"""A source tree: the directories that its makefiles name, each evaluated once, as modules."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from buildsys.base.errors import BuildsysError, Place
from buildsys.base.files import make_directory
from buildsys.base.programs import Call, CommandResult, Programs
from buildsys.base.value import frozen
from buildsys.module.model import Module, ModuleClass
from buildsys.srctree.cache import EvaluationCache
from buildsys.srctree.environment import MakeSetup
from buildsys.srctree.query import (
    Evaluation,
    expand_arguments,
    find_optional_arguments,
    query_argv,
    read_answer,
)
from buildsys.srctree.reading import ModuleReader
from buildsys.srctree.sources import (
    RELEASE_HEADER,
    RELEASE_WORD,
    Announcement,
    read_announcement,
    read_source,
)

MODULES = "sys/modules"
# What makefiles ask for the release (!=), and what it reads: no makefile names them.
_BEHIND_SHELL = (RELEASE_HEADER, "sys/conf/osrelease.sh")


@frozen
class Variant:
    """A directory that builds the whole tree again with another makefile (sys/modules/arch)."""

    directory: Path
    makefile: Path  # BSD_MK_COMPAT_FILE


@frozen
class Trouble:
    """Why a directory gives no module; directory is where, message has its place first."""

    directory: Path
    name: str  # KMOD, or '' where make could not say it
    message: str


@frozen
class SourceTree:
    """What a tree gives: evaluated counts directories, started the makes that ran for them.

    announcements are what its sources were found to say of their modules, by file.
    """

    modules: tuple[Module, ...]
    troubles: tuple[Trouble, ...]
    variants: tuple[Variant, ...]
    watched: tuple[str, ...]
    evaluated: int
    started: int
    announcements: tuple[tuple[str, Announcement | None], ...] = ()


def read_tree(
    setup: MakeSetup,
    cache_path: Path,
    objects: Callable[[str], Path],
    directories: Sequence[Path],
    jobs: int,
) -> SourceTree:
    """Evaluate directories and all below them that their SUBDIR names, starting make only for news.

    objects gives the object directory of a module's name. Raises only where nothing can be
    evaluated at all; a directory that fails is a trouble.
    """
    make_directory(setup.objdir)
    lines = {f"{setup.source}/{RELEASE_HEADER}": RELEASE_WORD}
    cache = EvaluationCache(cache_path, setup.key, lines)
    announcements: dict[str, Announcement | None] = {}

    def announce(path: str) -> Announcement | None:
        announcements[path] = _announce(cache, path)
        return announcements[path]

    walk = _Walk(setup, cache, ModuleReader(objects, announce), jobs)
    for directory in directories:
        if not (directory / "Makefile").is_file():
            raise BuildsysError(
                "there is no such file; expected a Makefile", directory / "Makefile"
            )
    walk.follow(os.path.normpath(directory) for directory in directories)
    modules = _join_modules(walk)
    cache.save()
    return SourceTree(
        tuple(modules),
        tuple(walk.troubles),
        tuple(walk.variants),
        _find_watched(walk.evaluations),
        len(walk.evaluations),
        walk.started,
        tuple(sorted(announcements.items(), key=lambda item: item[0])),
    )


class _Walk:
    """The evaluations so far; rounds of directories, each evaluated in parallel.

    read holds the modules by directory, or why there is none. A directory is read while make runs
    in others.
    """

    def __init__(
        self, setup: MakeSetup, cache: EvaluationCache, reader: ModuleReader, jobs: int
    ) -> None:
        self.evaluations: list[Evaluation] = []
        self.read: dict[str, Module | BuildsysError] = {}
        self.troubles: list[Trouble] = []
        self.variants: list[Variant] = []
        self.started = 0
        self._setup = setup
        self._cache = cache
        self._reader = reader
        self._jobs = jobs
        self._seen: set[str] = set()
        self._optional: dict[str, tuple[str, ...]] = {}  # what makefiles include if it is there

    def follow(self, directories: Iterable[str]) -> None:
        """Evaluate directories, then those that they name, until none is new."""
        current = list(directories)
        while current:
            fresh = [path for path in dict.fromkeys(current) if path not in self._seen]
            self._seen.update(fresh)
            current = []
            for said in self._evaluate_all(fresh):
                self.evaluations.append(said)
                current.extend(self._below(said))

    def _evaluate_all(self, directories: Sequence[str]) -> list[Evaluation]:
        found = {path: self._cache.find(path) for path in directories}
        missing = [path for path, said in found.items() if said is None]
        self.started += len(missing)
        answers: dict[str, Evaluation | BuildsysError] = {
            path: said for path, said in found.items() if said is not None
        }
        with closing(self._ask_all(missing)) as asked:
            for path, result in asked:
                answers[path] = answer = self._read_answer(path, result)
                if isinstance(answer, Evaluation):
                    self._cache.add(answer, _files_behind(answer))
                    self._read_module(answer)
        said = []
        for path in directories:
            answer = answers[path]
            if isinstance(answer, BuildsysError):
                self.troubles.append(Trouble(Path(path), "", str(answer)))
                continue
            if answer.directory not in self.read:
                self._read_module(answer)
            said.append(answer)
        return said

    def _ask_all(
        self, directories: Sequence[str]
    ) -> Generator[tuple[str, CommandResult | BuildsysError], None, None]:
        """Run make in directories side by side; the next ones run while an answer is read."""
        argv = query_argv(self._setup.argv)
        waiting = deque(directories)
        running: dict[int, str] = {}
        programs = Programs()
        try:
            while waiting or running:
                ended = programs.wait() if len(running) >= self._jobs or not waiting else ()
                answers = [(running.pop(one.key), one.result) for one in ended]
                while waiting and len(running) < self._jobs:
                    path = waiting.popleft()
                    try:
                        if not os.path.isfile(f"{path}/Makefile"):
                            raise BuildsysError("there is no Makefile", Place(Path(path)))
                        call = Call(argv, Path(path), self._setup.environment)
                        running[programs.start(call)] = path
                    except BuildsysError as error:
                        answers.append((path, error))
                yield from answers
        finally:
            programs.close()

    def _read_answer(
        self, directory: str, result: CommandResult | BuildsysError
    ) -> Evaluation | BuildsysError:
        if isinstance(result, BuildsysError):
            return result
        try:
            said = read_answer(Path(directory), result.output.decode("utf-8", errors="replace"))
            _refuse_other_setup(self._setup, said)
        except BuildsysError as error:
            return error
        known = {*said.makefiles, *(name for name, _ in said.probes)}
        optional = dict.fromkeys(
            name
            for makefile in said.makefiles
            for name in expand_arguments(self._find_optional(makefile), said.values)
        )
        probes = ((name, os.path.exists(name)) for name in optional if name not in known)
        return Evaluation(said.directory, said.values, said.makefiles, (*said.probes, *probes))

    def _find_optional(self, makefile: str) -> tuple[str, ...]:
        found = self._optional.get(makefile)
        if found is None:
            found = self._optional[makefile] = find_optional_arguments(_read(makefile))
        return found

    def _read_module(self, said: Evaluation) -> None:
        if said.values["KMOD"]:
            try:
                self.read[said.directory] = self._reader.read(said)
            except BuildsysError as error:
                self.read[said.directory] = error

    def _below(self, said: Evaluation) -> list[str]:
        names = [name for name in said.values["SUBDIR"].split() if name != ".WAIT"]
        makefile = said.values["BSD_MK_COMPAT_FILE"]
        if makefile and self._setup.environment.get("BSD_MK_COMPAT_FILE") != makefile:
            self.variants.append(Variant(Path(said.directory), Path(makefile)))
            return []
        return [os.path.normpath(os.path.join(said.directory, name)) for name in names]


def _files_behind(said: Evaluation) -> tuple[str, ...]:
    source = said.values["NETBSDSRCDIR"]
    return tuple(f"{source}/{name}" for name in _BEHIND_SHELL)


def _refuse_other_setup(setup: MakeSetup, said: Evaluation) -> None:
    """Refuse what a wrapper of make said that was made for another tree or machine."""
    program, source = setup.argv[0], setup.source
    tree = said.values["NETBSDSRCDIR"]
    if os.path.realpath(tree) != os.path.realpath(source):
        text = f"{program} takes {tree} for the source tree (NETBSDSRCDIR), not {source}"
        raise BuildsysError(text, Path(said.directory))
    for name in ("MACHINE", "MACHINE_ARCH"):
        if said.values[name] != setup.environment[name]:
            text = f"{program} is for {name} {said.values[name]}, not {setup.environment[name]}"
            raise BuildsysError(text, Path(said.directory))


def _join_modules(walk: _Walk) -> list[Module]:
    """Give the modules by name; those that cannot be, and second ones of a name, are troubles."""
    modules: dict[str, Module] = {}
    for said in walk.evaluations:
        name = said.values["KMOD"]
        found = walk.read.get(said.directory)
        if found is None:
            continue
        if not isinstance(found, BuildsysError):
            known = modules.setdefault(name, found)
            if known is found:
                continue
            text = f"KMOD={name} is the name of another module too ({known.place})"
            found = BuildsysError(text, found.place)
        walk.troubles.append(Trouble(Path(said.directory), name, str(found)))
    return [modules[name] for name in sorted(modules)]


def _announce(cache: EvaluationCache, path: str) -> Announcement | None:
    words = cache.note(path)
    if words is None:
        found = read_announcement(read_source(path))
        words = []
        if found is not None:
            kmod_class = found.kmod_class.value if found.kmod_class is not None else ""
            words = [kmod_class, *found.requires]
        cache.add_note(path, words)
    if not words:
        return None
    return Announcement(ModuleClass(words[0]) if words[0] else None, tuple(words[1:]))


def _find_watched(evaluations: Iterable[Evaluation]) -> tuple[str, ...]:
    names: set[str] = set()
    for said in evaluations:
        names.update(said.makefiles)
        names.update(path for path, _ in said.probes)
        names.update(_files_behind(said))
        if said.values["ARCHDIR"]:
            names.add(said.values["ARCHDIR"])  # for arm: whether kmodhide.awk is there
        paths = f"{said.values['.PATH']} {said.values['.PATH.c']} {said.values['.PATH.S']}"
        places = [path for path in paths.split() if path.startswith("/")]
        names.update(places)
        names.update(_find_inner(said, (said.directory, *places)))
        names.add(said.directory)
    return tuple(sorted(names))


def _find_inner(said: Evaluation, places: Iterable[str]) -> Iterator[str]:
    """Give the directories in which a source is looked for that is named with one."""
    for record in said.values["SOURCES"].split("%file ")[1:]:
        inner = os.path.dirname(record.partition(" ")[0])
        if inner:
            yield from (os.path.normpath(os.path.join(place, inner)) for place in places)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
