"""The plan of the last full success, kept for a next run that would plan the same.

Planning reads every descriptor, asks compilers what they are made of and spells every command.
All of that depends on a request (words, settings, directory) and on files; with equal stamps of
those files the plan is the kept one.
"""

import hashlib
from collections.abc import Collection, Iterable
from pathlib import Path

from buildsys import snapshot
from buildsys.base.digest import RACY_NANOSECONDS, Stamp, stat_stamp
from buildsys.base.errors import BuildsysError
from buildsys.base.files import make_directory, read_whole, write_whole
from buildsys.base.value import field, frozen, replace
from buildsys.pipeline.keptplan import DIRECTORY, KeptPlan, plan_file, render_kept
from buildsys.pipeline.plan import Plan, Surroundings
from buildsys.pipeline.request import Request
from buildsys.pipeline.simple import heed
from buildsys.snapshotfile import render_snapshot
from buildsys.srctree.sources import Announcement, digest_said, read_announcement, read_source


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
    identity tells the plan from others where it is kept; it is empty where it is not.
    """

    request: Request
    names: tuple[str, ...]
    surroundings: Surroundings
    plan: Plan
    announcing: tuple[Announcing, ...] = ()
    identity: bytes = field(default=b"", compare=False)


def save_planned(
    objdir: Path,
    key: bytes,
    planned: Planned,
    stamps: Iterable[tuple[str, Stamp | None]],
    programs: Collection[str] = (),
) -> bytes:
    """Keep a plan and give its identity; stamps are of every file that planning depends on.

    programs are directories in which programs are looked for.
    """
    stamps = tuple(stamps)
    content = _render(planned, stamps, programs)
    path, guard = _places(objdir, key)
    make_directory(guard.parent)
    numbers = [(name, None if stamp is None else stamp.numbers) for name, stamp in stamps]
    write_whole(path, content)
    write_whole(guard, render_snapshot(key, _digest(content), numbers))
    return KeptPlan(content, path).identity


def find_planned(objdir: Path, key: bytes) -> Planned | None:
    """Give the plan that was kept, if nothing that it depends on is another."""
    path, guard = _places(objdir, key)
    digest = snapshot.read_unchanged(str(guard), key)
    if digest is None:
        return None
    try:
        content = read_whole(path)
        if _digest(content) != digest:
            return None
        kept = KeptPlan(content, path)
    except BuildsysError:
        return None
    found = load_planned(kept)
    return found if all(map(_says_the_same, found.announcing)) else None


def find_announcing(request: Request, began_ns: int) -> tuple[Announcing, ...]:
    """Give the sources that said something of their modules in a run that began then."""
    found = []
    for path, said in () if request.tree is None else request.tree.announcements:
        stamp = stat_stamp(path)
        is_old = stamp is not None and stamp.ctime_ns < began_ns - RACY_NANOSECONDS
        found.append(Announcing(path, stamp if is_old else None, said))
    return tuple(found)


def load_planned(kept: KeptPlan) -> Planned:
    """Give the whole of a kept plan, of which steps are read when they are asked for."""
    bare: Planned = kept.load_head()
    steps = tuple(map(kept.step, range(len(kept.names))))
    planned: Planned = replace(
        bare, plan=replace(bare.plan, steps=steps, needs=kept.all_needs()), identity=kept.identity
    )
    return planned


def _says_the_same(source: Announcing) -> bool:
    if source.stamp is not None and stat_stamp(source.path) == source.stamp:
        return True
    return read_announcement(read_source(source.path)) == source.said


def _render(
    planned: Planned, stamps: Iterable[tuple[str, Stamp | None]], programs: Collection[str]
) -> bytes:
    bare = replace(planned, plan=replace(planned.plan, steps=(), needs={}), identity=b"")
    announced = {source.path: digest_said(source.said) for source in planned.announcing}
    return render_kept(planned.plan.graph, bare, heed(stamps, announced, programs))


def _places(objdir: Path, key: bytes) -> tuple[Path, Path]:
    name = f"plan-{snapshot.name_request(key)}"
    return plan_file(objdir, key), objdir / DIRECTORY / name


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
