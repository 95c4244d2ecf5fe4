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
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PosixPath, PurePosixPath
from typing import Any

from buildsys import snapshot
from buildsys.base.digest import Stamp
from buildsys.base.errors import BuildsysError
from buildsys.base.files import read_whole, write_whole
from buildsys.pipeline.plan import Plan, Surroundings
from buildsys.pipeline.request import Request

_DIRECTORY = ".snapshots"
_PATHS = {"PosixPath": PosixPath, "PurePosixPath": PurePosixPath}


@dataclass(frozen=True, slots=True)
class Planned:
    """What planning gives: names are the modules that the words of the request mean."""

    request: Request
    names: tuple[str, ...]
    surroundings: Surroundings
    plan: Plan


def save_planned(
    objdir: Path, key: bytes, planned: Planned, stamps: Iterable[tuple[str, Stamp | None]]
) -> None:
    """Keep a plan; stamps are those of every file that planning depends on."""
    stream = io.BytesIO()
    _Pickler(stream, protocol=5).dump(planned)
    content = stream.getvalue()
    path, guard = _places(objdir, key)
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
    found = _Unpickler(io.BytesIO(content)).load()
    return found if isinstance(found, Planned) else None


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

    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream)
        self._paths: dict[tuple[str, str], PurePosixPath] = {}

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
