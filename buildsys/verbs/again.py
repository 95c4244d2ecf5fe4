"""A further build or install of which little changed: done without the command line's own way.

__main__ asks here when the snapshot of the same words names few changed files. What is not simple
goes the long way: None is the answer, and nothing was done.
"""

import importlib
import os
import sys
from pathlib import Path

from buildsys.base.errors import BuildsysError, ExitStatus
from buildsys.base.files import read_whole, write_whole
from buildsys.check.verdictfile import load_verdict
from buildsys.ending import end_well
from buildsys.install.receipt import load_receipts
from buildsys.pipeline.again import Rerun, is_simple, load_whole, run_again
from buildsys.pipeline.frame import Frame, make_progress, parse_frame
from buildsys.pipeline.keptplan import KeptPlan, plan_file
from buildsys.pipeline.notes import Notes, describe_left_over, describe_work, make_notes
from buildsys.snapshot import Snapshot
from buildsys.snapshotfile import is_whole, render_further


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
    frame = parse_frame(found.frame) if is_whole(found) else None
    if frame is None:
        return None
    kept = _find_kept(Path(path).parent.parent, key, frame)
    if kept is None or not is_simple(kept, found.changed):
        return None
    environment = dict(os.environ)
    progress = make_progress(frame.looks)
    rerun = run_again(frame, kept, found.changed, environment, began_ns, progress)
    if rerun is None:
        return None
    directory = Path.cwd()
    left_over = load_receipts(Path(frame.receipts), frozenset(kept.modules))
    if rerun.result.exit_status is not ExitStatus.DONE or rerun.result.moved:
        build = importlib.import_module("buildsys.verbs.build")
        status: ExitStatus = build.tell_rerun(
            load_whole(kept), rerun, left_over, words, directory, environment, frame, progress
        )
        return status
    frame = _with_findings(frame, kept, rerun)
    said = [finding for some in frame.findings.values() for finding in some]
    notes = make_notes(said, describe_left_over(left_over, directory), frame.fixed)
    if message := _describe(frame, notes, rerun):
        print(message, file=sys.stdout if frame.is_done else sys.stderr)
    if rerun.watch.is_settled:
        _save(found, path, key, frame, notes, rerun)
    return ExitStatus(frame.status)


def _find_kept(objdir: Path, key: bytes, frame: Frame) -> KeptPlan | None:
    """Give the plan that the frame is of; another may have been kept since."""
    try:
        kept = KeptPlan(read_whole(plan_file(objdir, key)))
    except (BuildsysError, ValueError):
        return None
    return kept if kept.identity == frame.plan else None


def _with_findings(frame: Frame, kept: KeptPlan, rerun: Rerun) -> Frame:
    """Take in what the checks of this run found; modules keep the order of the plan."""
    judged = {done.step.module for done in rerun.result.done if done.step.kind == "check"}
    if not judged:
        return frame
    new = {
        step.module: load_verdict(step.outputs[0]).findings
        for step in rerun.steps
        if step.kind == "check" and step.module in judged
    }
    known = {**frame.findings, **new}
    order = dict.fromkeys(kept.modules)
    return frame.with_findings({name: known[name] for name in order if known.get(name)})


def _describe(frame: Frame, notes: Notes, rerun: Rerun) -> str:
    if frame.looks.is_quiet and frame.is_done:
        return "\n".join(notes.doubts)
    work = rerun.result
    last = f"{frame.through} ({describe_work(work)})" if work.done else frame.up_to_date
    return "\n".join((*notes.lines, *notes.doubts, last))


def _save(found: Snapshot, path: str, key: bytes, frame: Frame, notes: Notes, rerun: Rerun) -> None:
    stamps = {name: None if stamp is None else stamp.numbers for name, stamp in rerun.watch.stamps}
    gone = [name for name in found.changed if name not in stamps]
    content = render_further(found, key, frame.answer(notes), stamps, gone, frame.render())
    try:
        write_whole(Path(path), content)
    except BuildsysError as error:
        print(f"modbuild: {error} (the next run will take longer)", file=sys.stderr)
