"""A source tree: the directories that its makefiles name, each evaluated once, as modules."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from buildsys.base.command import CommandRunner
from buildsys.base.errors import BuildsysError, Place
from buildsys.base.files import make_directory
from buildsys.base.value import frozen
from buildsys.module.model import Module, ModuleClass
from buildsys.srctree.cache import EvaluationCache
from buildsys.srctree.environment import MakeSetup
from buildsys.srctree.query import Evaluation, find_optional_includes, query_argv, read_answer
from buildsys.srctree.reading import ModuleReader
from buildsys.srctree.sources import Announcement, read_announcement, read_source

MODULES = "sys/modules"
# Read by conf/osrelease.sh, which makefiles ask for the release (!=): no makefile names them.
_BEHIND_SHELL = ("sys/sys/param.h", "sys/conf/osrelease.sh")


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
    cache = EvaluationCache(cache_path, setup.key)
    walk = _Walk(setup, cache, jobs)
    for directory in directories:
        if not (directory / "Makefile").is_file():
            raise BuildsysError(
                "there is no such file; expected a Makefile", directory / "Makefile"
            )
    walk.follow(os.path.normpath(directory) for directory in directories)
    announcements: dict[str, Announcement | None] = {}
    modules = _read_modules(walk, cache, objects, announcements)
    cache.save()
    return SourceTree(
        tuple(modules),
        tuple(walk.troubles),
        tuple(walk.variants),
        _find_watched(walk.evaluations),
        len(walk.evaluations),
        walk.started,
        tuple(announcements.items()),
    )


class _Walk:
    """The evaluations so far; rounds of directories, each evaluated in parallel."""

    def __init__(self, setup: MakeSetup, cache: EvaluationCache, jobs: int) -> None:
        self.evaluations: list[Evaluation] = []
        self.troubles: list[Trouble] = []
        self.variants: list[Variant] = []
        self.started = 0
        self._setup = setup
        self._cache = cache
        self._jobs = jobs
        self._runner = CommandRunner()
        self._seen: set[str] = set()

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
        try:
            with ThreadPoolExecutor(self._jobs) as pool:
                answers = tuple(pool.map(self._ask, missing))
        except BaseException:
            self._runner.stop()
            raise
        for path, answer in zip(missing, answers, strict=True):
            if isinstance(answer, Evaluation):
                found[path] = answer
                self._cache.add(answer, _files_behind(answer))
            else:
                self.troubles.append(Trouble(Path(path), "", str(answer)))
        return [said for path in directories if (said := found[path]) is not None]

    def _ask(self, directory: str) -> Evaluation | BuildsysError:
        argv = query_argv(self._setup.argv)
        path = Path(directory)
        if not (path / "Makefile").is_file():
            return BuildsysError("there is no Makefile", Place(path))
        result = self._runner.run(argv, path, self._setup.environment)
        output = result.output.decode("utf-8", errors="replace")
        try:
            said = read_answer(path, output)
        except BuildsysError as error:
            return error
        try:
            _refuse_other_setup(self._setup, said)
        except BuildsysError as error:
            return error
        texts = (_read(makefile) for makefile in said.makefiles)
        optional = (name for text in texts for name in find_optional_includes(text, said.values))
        further = tuple((name, True) for name in dict.fromkeys(optional))
        known = {name for name, _ in said.probes}
        probes = (
            (name, Path(name).exists())
            for name, _ in further
            if name not in known and name not in said.makefiles
        )
        return Evaluation(said.directory, said.values, said.makefiles, (*said.probes, *probes))

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


def _read_modules(
    walk: _Walk,
    cache: EvaluationCache,
    objects: Callable[[str], Path],
    announcements: dict[str, Announcement | None],
) -> list[Module]:
    def announce(path: str) -> Announcement | None:
        announcements[path] = _announce(cache, path)
        return announcements[path]

    reader = ModuleReader(objects, announce)
    modules: dict[str, Module] = {}
    for said in walk.evaluations:
        name = said.values["KMOD"]
        if not name:
            continue
        try:
            module = reader.read(said)
            known = modules.setdefault(name, module)
            if known is not module:
                text = f"KMOD={name} is the name of another module too ({known.place})"
                raise BuildsysError(text, module.place)
        except BuildsysError as error:
            walk.troubles.append(Trouble(Path(said.directory), name, str(error)))
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
