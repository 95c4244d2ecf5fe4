"""A plan in a file, of which a run reads what it needs: the names of all steps, and some of them.

First stand the names of the steps, what decides whether they are stale and what each needs; then
all else of the plan; then each step for itself. Steps and all else are pickles from which only
values of this package are made. Knows nothing of how a plan is made or when it may be used.
"""

import enum
import hashlib
import io
import marshal
import os
import pickle
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path, PosixPath, PurePosixPath
from typing import Any

from buildsys import snapshot
from buildsys.base.digest import DIGEST_BYTES
from buildsys.base.errors import BuildsysError
from buildsys.pipeline.keptstep import Body, make_kept_step
from buildsys.pipeline.step import Graph, Step

DIRECTORY = ".snapshots"
_MAGIC = b"modbuild plan 4\n"
_SIZE_BYTES = 8
_PATHS = {"PosixPath": PosixPath, "PurePosixPath": PurePosixPath}


def plan_file(objdir: Path, key: bytes) -> Path:
    """Name the file of the plan that is kept of a request."""
    return objdir / DIRECTORY / f"plan-{snapshot.name_request(key)}.pickle"


def render_kept(graph: Graph, head: object, heeded: Mapping[str, bytes]) -> bytes:
    """Spell a plan; head is all but its graph, heeded are the files that decide what it is.

    With a digest of what matters of them, as simple.heed gives it.
    """
    steps, needs = graph.steps, graph.needs
    numbers = {step.name: number for number, step in enumerate(steps)}
    further = [[numbers[name] for name in needs[step.name]] for step in steps]
    bodies = [_pickle((step.action, step.inputs, step.outputs, step.after)) for step in steps]
    content = _pickle(head)
    index = marshal.dumps(
        (
            [step.name for step in steps],
            [step.module for step in steps],
            [step.use for step in steps],
            b"".join(step.recipe for step in steps),
            array("I", map(len, further)).tobytes(),
            array("I", [number for some in further for number in some]).tobytes(),
            array("I", map(len, bodies)).tobytes(),
            dict(heeded),
            hashlib.sha256(content).digest(),
            b"".join(hashlib.sha256(body).digest() for body in bodies),
        )
    )
    sizes = (len(index), len(content))
    lengths = b"".join(size.to_bytes(_SIZE_BYTES, "little") for size in sizes)
    return b"".join((_MAGIC, hashlib.sha256(index).digest(), lengths, index, content, *bodies))


class DamagedPlanError(BuildsysError):
    """A kept plan that holds other bytes than were written."""

    def __init__(self, path: Path) -> None:
        super().__init__("a damaged plan, or one of another version; remove it, run again", path)


class KeptPlan:
    """A plan as it was kept; identity is the digest that tells it from others.

    DamagedPlanError where the bytes are not those that were written.
    """

    def __init__(self, content: bytes, path: Path) -> None:
        self.path = path
        start = len(_MAGIC) + DIGEST_BYTES
        self.identity = content[len(_MAGIC) : start]
        index_bytes, head_bytes = (
            int.from_bytes(content[place : place + _SIZE_BYTES], "little")
            for place in (start, start + _SIZE_BYTES)
        )
        start += 2 * _SIZE_BYTES
        self._view = memoryview(content)
        index = self._view[start : start + index_bytes]
        if not content.startswith(_MAGIC) or hashlib.sha256(index).digest() != self.identity:
            raise DamagedPlanError(path)
        try:
            self._read_index(marshal.loads(index))  # noqa: S302  # its digest is what we wrote
        except (ValueError, TypeError, EOFError) as error:  # of a version with another index
            raise DamagedPlanError(path) from error
        self._head = (start + index_bytes, start + index_bytes + head_bytes)
        self._paths: dict[tuple[str, str], PurePosixPath] = {}
        self._bodies: list[int] = []  # where each begins

    def _read_index(self, found: Any) -> None:
        names, modules, uses, recipes, counts, needs, sizes, heeded, head_digest, digests = found
        self.names: list[str] = names
        self.modules: list[str] = modules
        self._uses: list[str] = uses
        self._recipes: bytes = recipes
        self._counts, self._needs = array("I", counts), array("I", needs)
        self._sizes = array("I", sizes)
        self.heeded: dict[str, bytes] = heeded
        self._head_digest: bytes = head_digest
        self._digests: bytes = digests  # of the steps

    def load_head(self) -> Any:
        """Give all but the steps; DamagedPlanError when that is not what was written."""
        head = self._view[self._head[0] : self._head[1]]
        if hashlib.sha256(head).digest() != self._head_digest:
            raise DamagedPlanError(self.path)
        return self._unpickle(head)

    def needs(self) -> list[Sequence[int]]:
        """Give for each step the numbers of those that it needs, which come before it."""
        found: list[Sequence[int]] = []
        start = 0
        for count in self._counts:
            found.append(self._needs[start : start + count])
            start += count
        return found

    def all_needs(self) -> dict[str, tuple[str, ...]]:
        """Give for each step the names of those that it needs."""
        names = self.names
        return {
            name: tuple([names[number] for number in some])
            for name, some in zip(names, self.needs(), strict=True)
        }

    def record(self, number: int) -> str:
        """Name the record of a step (Step.record)."""
        use = self._uses[number]
        return f"{self.names[number]}@{use}" if use else str(self.names[number])

    def step(self, number: int) -> Step:
        """Give a step, most of which is read when it is asked for."""
        recipe = self._recipes[number * DIGEST_BYTES : (number + 1) * DIGEST_BYTES]
        return make_kept_step(
            self.names[number],
            self.modules[number],
            self._uses[number],
            recipe,
            lambda: self._read(number),
        )

    def _read(self, number: int) -> Body:
        if not self._bodies:
            place = self._head[1]
            for size in self._sizes:
                self._bodies.append(place)
                place += size
        start = self._bodies[number]
        content = self._view[start : start + self._sizes[number]]
        if hashlib.sha256(content).digest() != self._body_digest(number):
            raise DamagedPlanError(self.path)
        body: Body = self._unpickle(content)
        return body

    def _body_digest(self, number: int) -> bytes:
        return self._digests[number * DIGEST_BYTES : (number + 1) * DIGEST_BYTES]

    def _unpickle(self, content: memoryview) -> Any:
        return _Unpickler(io.BytesIO(content), self._paths).load()


def _pickle(content: object) -> bytes:
    stream = io.BytesIO()
    _Pickler(stream, protocol=5).dump(content)
    return stream.getvalue()


class _Pickler(pickle.Pickler):
    """Names paths by their text, so that each is made once, and members by their names."""

    def persistent_id(self, value: object) -> tuple[str, str] | None:
        """Give what stands for a path or a member of an enumeration; None for anything else."""
        if isinstance(value, PurePosixPath):
            return type(value).__name__, os.fspath(value)
        if isinstance(value, enum.Enum):  # pickled otherwise by each release of Python
            return f"{type(value).__module__}.{type(value).__qualname__}", value.name
        return None


class _Unpickler(pickle.Unpickler):
    """Makes values of this package, and paths; nothing else."""

    def __init__(self, stream: io.BytesIO, paths: dict[tuple[str, str], PurePosixPath]) -> None:
        super().__init__(stream)
        self._paths = paths

    def persistent_load(self, name: tuple[str, str]) -> Any:
        """Give a path, each text once, or a member of an enumeration."""
        if name[0] not in _PATHS:
            module, _, kind = name[0].rpartition(".")
            return self.find_class(module, kind)[name[1]]
        path = self._paths.get(name)
        if path is None:
            path = self._paths[name] = _PATHS[name[0]](name[1])
        return path

    def find_class(self, module: str, name: str) -> Any:
        """Give a class of this package."""
        if not module.startswith("buildsys.") and (module, name) != ("builtins", "frozenset"):
            raise pickle.UnpicklingError(f"{module}.{name}")
        return super().find_class(module, name)
