"""The plan of the last full success, kept for a next run that would plan the same.

Planning reads every descriptor, asks compilers what they are made of and spells every command.
All of that depends on a request (words, settings, directory) and on files; with equal stamps of
those files the plan is the kept one. It is a pickle that may hold values of this package only.
"""

import hashlib
import io
import os
import pickle
import zlib
from array import array
from collections.abc import Iterable
from functools import partial
from pathlib import Path, PosixPath, PurePosixPath
from typing import Any

from buildsys import snapshot
from buildsys.base.digest import DIGEST_BYTES, RACY_NANOSECONDS, Stamp, stat_stamp
from buildsys.base.errors import BuildsysError
from buildsys.base.files import make_directory, read_whole, write_whole
from buildsys.base.value import frozen, replace
from buildsys.pipeline.keptstep import body_of, make_kept_step
from buildsys.pipeline.plan import Plan, Surroundings
from buildsys.pipeline.request import Request
from buildsys.srctree.sources import Announcement, read_announcement, read_source

_DIRECTORY = ".snapshots"
_SIZE_BYTES = 8
_PATHS = {"PosixPath": PosixPath, "PurePosixPath": PurePosixPath}


@frozen
class Announcing:
    """A source and what it said of its module when it had that stamp (None: not to be trusted)."""

    path: str
    stamp: Stamp | None
    said: Announcement | None


@frozen
class Planned:
    """What planning gives: names are the modules that the words of the request mean.

    announcing are sources of a tree that the plan depends on, by what they say there alone.
    """

    request: Request
    names: tuple[str, ...]
    surroundings: Surroundings
    plan: Plan
    announcing: tuple[Announcing, ...] = ()


def save_planned(
    objdir: Path, key: bytes, planned: Planned, stamps: Iterable[tuple[str, Stamp | None]]
) -> None:
    """Keep a plan; stamps are those of every file that planning depends on."""
    content = _render(planned)
    path, guard = _places(objdir, key)
    make_directory(guard.parent)
    numbers = [(name, None if stamp is None else stamp.numbers) for name, stamp in stamps]
    write_whole(path, content)
    write_whole(guard, snapshot.render_snapshot(key, _digest(content), numbers))


def find_planned(objdir: Path, key: bytes) -> Planned | None:
    """Give the plan that was kept, if nothing that it depends on is another."""
    path, guard = _places(objdir, key)
    digest = snapshot.read_unchanged(str(guard), key)
    if digest is None:
        return None
    try:
        content = read_whole(path)
    except BuildsysError:
        return None
    if _digest(content) != digest:
        return None
    found = _parse(content)
    return found if all(map(_says_the_same, found.announcing)) else None


def find_announcing(request: Request, began_ns: int) -> tuple[Announcing, ...]:
    """Give the sources that said something of their modules in a run that began then."""
    found = []
    for path, said in () if request.tree is None else request.tree.announcements:
        stamp = stat_stamp(path)
        is_old = stamp is not None and stamp.ctime_ns < began_ns - RACY_NANOSECONDS
        found.append(Announcing(path, stamp if is_old else None, said))
    return tuple(found)


def _says_the_same(source: Announcing) -> bool:
    if source.stamp is not None and stat_stamp(source.path) == source.stamp:
        return True
    return read_announcement(read_source(source.path)) == source.said


def _render(planned: Planned) -> bytes:
    """Spell a plan: its size, all but the steps, and then each step for itself."""
    steps = planned.plan.steps
    bodies = [_pickle(body_of(step)) for step in steps]
    names = [(step.name, step.module, step.use) for step in steps]
    recipes = b"".join(step.recipe for step in steps)
    sizes = array("I", map(len, bodies)).tobytes()
    bare = replace(planned, plan=replace(planned.plan, steps=()))
    head = _pickle((bare, names, recipes, sizes))
    return b"".join((len(head).to_bytes(_SIZE_BYTES, "little"), head, *bodies))


def _parse(content: bytes) -> Planned:
    view = memoryview(content)
    place = _SIZE_BYTES + int.from_bytes(content[:_SIZE_BYTES], "little")
    paths: dict[tuple[str, str], PurePosixPath] = {}
    bare, names, recipes, sizes = _unpickle(view[_SIZE_BYTES:place], paths)
    steps = []
    for index, ((name, module, use), size) in enumerate(zip(names, array("I", sizes), strict=True)):
        recipe = recipes[index * DIGEST_BYTES : (index + 1) * DIGEST_BYTES]
        read = partial(_unpickle, view[place : place + size], paths)
        steps.append(make_kept_step(name, module, use, recipe, read))
        place += size
    planned: Planned = replace(bare, plan=replace(bare.plan, steps=tuple(steps)))
    return planned


def _pickle(value: object) -> bytes:
    stream = io.BytesIO()
    _Pickler(stream, protocol=5).dump(value)
    return stream.getvalue()


def _unpickle(content: memoryview, paths: dict[tuple[str, str], PurePosixPath]) -> Any:
    return _Unpickler(io.BytesIO(content), paths).load()


def _places(objdir: Path, key: bytes) -> tuple[Path, Path]:
    name = f"plan-{zlib.crc32(key):08x}"
    return objdir / _DIRECTORY / f"{name}.pickle", objdir / _DIRECTORY / name


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class _Pickler(pickle.Pickler):
    """Names paths by their text, so that each is made once."""

    def persistent_id(self, value: object) -> tuple[str, str] | None:
        """Give what stands for a path; None for anything else."""
        if isinstance(value, PurePosixPath):
            return type(value).__name__, os.fspath(value)
        return None


class _Unpickler(pickle.Unpickler):
    """Makes values of this package, and paths; nothing else."""

    def __init__(self, stream: io.BytesIO, paths: dict[tuple[str, str], PurePosixPath]) -> None:
        super().__init__(stream)
        self._paths = paths

    def persistent_load(self, name: tuple[str, str]) -> PurePosixPath:
        """Give a path, each text once."""
        path = self._paths.get(name)
        if path is None:
            path = self._paths[name] = _PATHS[name[0]](name[1])
        return path

    def find_class(self, module: str, name: str) -> Any:
        """Give a class of this package."""
        if not module.startswith("buildsys.") and (module, name) != ("builtins", "frozenset"):
            raise pickle.UnpicklingError(f"{module}.{name}")
        return super().find_class(module, name)
