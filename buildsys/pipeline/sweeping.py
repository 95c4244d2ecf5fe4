"""What steps left behind that no plan has any more: forgotten, and taken out of OBJDIR.

A whole plan says all that its owner (the place that describes the modules) wants of an object
directory; a record that an earlier plan of that owner had, and that no other owner has, is gone.
Of its outputs those go that still hold what the step made; any other file stays and is named.
Nothing outside the object directory is touched.
"""

import os
from collections.abc import Collection, Iterable
from pathlib import Path

from buildsys.base.files import remove_empty_directory, remove_file, remove_temporaries
from buildsys.base.value import frozen
from buildsys.pipeline.objdir import KEPT
from buildsys.pipeline.plan import Plan
from buildsys.pipeline.step import Record
from buildsys.pipeline.store import DROPPED, Store


@frozen
class Pruned:
    """What was taken away: files (a number) of these modules; kept are files that are others' now.

    modules are those of which all is gone.
    """

    modules: tuple[str, ...]
    files: int
    kept: tuple[Path, ...]


def note_planned(plan: Plan, store: Store, owner: str) -> None:
    """Take down that the records of a plan of some modules belong to an owner."""
    known = store.plans()
    for use, records in _group_records(plan).items():
        name = _name_plan(owner, use)
        former = known.get(name, frozenset())
        if not records <= former:
            store.replace_plan(name, former | records, ())


def prune(plan: Plan, store: Store, owner: str, objects: Path) -> Pruned:
    """Take away what the whole plan of an owner left behind in a machine's object directory."""
    known, recorded = store.plans(), store.names()
    own = {_name_plan(owner, use): records for use, records in _group_records(plan).items()}
    planned = _join(own.values())
    others = _join(known[name] for name in known.keys() - own.keys())
    gone = set(_join(known.get(name, frozenset()) for name in own) - planned - others)
    modules = _find_modules(gone) - {step.module for step in plan.steps}
    gone.update(record for record in recorded if _is_of_modules(record, modules))
    dropped = {record for record in recorded if record.startswith(DROPPED)}
    gone.update(name for name in dropped if name.removeprefix(DROPPED) in gone | planned)
    gone &= recorded
    files, kept = _remove_outputs(plan, store, gone, objects) if gone else (0, [])
    for name, records in own.items():
        if gone or known.get(name) != records:
            store.replace_plan(name, records, gone)
            gone = set()
    return Pruned(tuple(sorted(modules)), files, tuple(kept))


def _join(groups: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset[str]().union(*groups)


def _name_plan(owner: str, use: str) -> str:
    return f"{owner}\0{use}"


def _group_records(plan: Plan) -> dict[str, frozenset[str]]:
    """Give the records of a plan by use; that of an installation is not one module's."""
    groups: dict[str, set[str]] = {"": set()}
    for step in plan.steps:
        group = groups.setdefault(step.use, set())
        if step.module or not isinstance(step.action, Record):
            group.add(step.record)
    return {use: frozenset(records) for use, records in groups.items()}


def _find_modules(records: Iterable[str]) -> set[str]:
    """Name the modules whose check is among records: each module has one."""
    return {record.removeprefix("check:") for record in records if record.startswith("check:")}


def _is_of_modules(record: str, modules: Collection[str]) -> bool:
    """Tell whether a record is of installing one of some modules, whatever DESTDIR it is for."""
    kind, _, rest = record.partition("@")[0].partition(":")
    return kind in ("install", "metalog") and any(name in modules for name in rest.split(","))


def _remove_outputs(
    plan: Plan, store: Store, gone: Collection[str], objects: Path
) -> tuple[int, list[Path]]:
    """Remove what records made and no other makes; give how many files, and those that stay."""
    alive = {str(path) for step in plan.steps for path in step.outputs}
    for record in store.names() - set(gone):
        if not record.startswith(DROPPED):
            alive.update(path for path, _ in store.made(record))
    made: dict[Path, set[bytes]] = {}
    for record in gone:
        for path, prefix in store.made(record):
            if path not in alive and _is_below(Path(path), objects):
                made.setdefault(Path(path), set()).add(prefix)
    removed, kept = 0, []
    for place, prefixes in sorted(made.items()):
        if any(store.is_as_made(str(place), prefix) for prefix in prefixes):
            removed += remove_file(place)
        elif os.path.lexists(place):
            kept.append(place)
    for directory in sorted({place.parent for place in made}, reverse=True):
        remove_temporaries(directory)
        remove_empty_directory(directory)
    return removed, kept


def _is_below(path: Path, objects: Path) -> bool:
    """Tell whether a file is in the directory of a module: all others are to be kept."""
    parts = path.relative_to(objects).parts if path.is_relative_to(objects) else ()
    return len(parts) > 1 and parts[0] not in KEPT
