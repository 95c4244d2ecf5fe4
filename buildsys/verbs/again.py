"""A further build or install of which little changed: done without the command line's own way.

__main__ asks here when the snapshot of the same words names changed files. What is not simple
goes the long way: None is the answer, and nothing was done. Only what comes before the first
program runs is imported here.
"""

import importlib
import os
from pathlib import Path
from typing import Any

from buildsys.base.errors import BuildsysError, ExitStatus
from buildsys.base.files import read_whole
from buildsys.ending import end_well
from buildsys.pipeline.again import run_again
from buildsys.pipeline.frame import Frame, make_progress, parse_frame
from buildsys.pipeline.keptplan import KeptPlan, plan_file
from buildsys.pipeline.simple import find_changes
from buildsys.snapshot import Snapshot, name_request
from buildsys.snapshotfile import is_whole


def run(
    words: list[str], found: Snapshot, path: str, key: bytes, began_ns: int
) -> ExitStatus | None:
    """Do what a command line asked before, with what a snapshot in path says; None: not here."""
    outcome: list[ExitStatus | None] = []

    def act() -> ExitStatus:
        outcome.append(_act(words, found, path, key, began_ns))
        return outcome[0] or ExitStatus.DONE

    status = end_well(act)
    return outcome[0] if outcome == [None] else status


def _act(
    words: list[str], found: Snapshot, path: str, key: bytes, began_ns: int
) -> ExitStatus | None:
    try:
        frame = parse_frame(found.frame) if is_whole(found) else None
    except (
        ValueError,
        TypeError,
        EOFError,
        KeyError,
    ):  # of another version of modbuild, or of Python
        return None
    if frame is None:
        return None
    kept = _find_kept(Path(path).parent.parent, key, frame)
    changes = None if kept is None else find_changes(frame, kept, found.changed)
    if kept is None or changes is None:
        return None
    progress = make_progress(frame.looks)
    name = name_request(key)
    rerun = run_again(
        frame, kept, found, changes, os.environ, name, began_ns, progress, _load_retelling
    )
    if rerun is None:
        return None
    status: ExitStatus = _load_retelling().tell(
        frame, kept, rerun, words, progress, found, Path(path), key
    )
    return status


def _load_retelling() -> Any:
    return importlib.import_module("buildsys.verbs.retelling")


def _find_kept(objdir: Path, key: bytes, frame: Frame) -> KeptPlan | None:
    """Give the plan that the frame is of; another may have been kept since."""
    path = plan_file(objdir, key)
    try:
        kept = KeptPlan(read_whole(path), path)
    except BuildsysError:
        return None
    return kept if kept.identity == frame.plan else None
