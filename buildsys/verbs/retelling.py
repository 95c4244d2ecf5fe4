"""What is said after a further run, and what is kept for the next one."""

import importlib
import os
import sys
from pathlib import Path

from buildsys.base.errors import BuildsysError, ExitStatus
from buildsys.base.files import remove_file, write_whole
from buildsys.base.value import replace
from buildsys.check.verdictfile import load_verdict
from buildsys.install.receipt import load_receipts
from buildsys.pipeline.again import Rerun, load_whole
from buildsys.pipeline.executor import Progress
from buildsys.pipeline.frame import Frame, render_frame
from buildsys.pipeline.keptplan import KeptPlan
from buildsys.pipeline.notes import Notes, describe_left_over, describe_work, make_notes
from buildsys.pipeline.told import Told, find_answer, parse_told, render_told
from buildsys.snapshot import Snapshot
from buildsys.snapshotfile import render_further


def tell(
    frame: Frame,
    kept: KeptPlan,
    rerun: Rerun,
    words: list[str],
    progress: Progress,
    found: Snapshot,
    path: Path,
    key: bytes,
) -> ExitStatus:
    """Say what came of a run, and leave a snapshot in path; gives the exit status."""
    directory = Path.cwd()
    receipts = load_receipts(Path(frame.receipts), frozenset(frame.described))
    has_others = not {step.module for step in rerun.steps}.isdisjoint(frame.refused)
    if rerun.result.exit_status is not ExitStatus.DONE or rerun.result.moved or has_others:
        build = importlib.import_module("buildsys.verbs.build")
        environment = dict(os.environ)
        status: ExitStatus = build.tell_rerun(
            load_whole(kept), rerun, receipts, words, directory, environment, frame, progress
        )
        if status is ExitStatus.FINDINGS or has_others:  # what is to be remembered is another now
            remove_file(path)
        return status
    told = _with_findings(parse_told(frame.told), kept, rerun)
    said = [finding for some in told.findings.values() for finding in some]
    notes = make_notes(said, describe_left_over(receipts, directory), told.fixed)
    if message := _describe(frame, told, notes, rerun):
        print(message, file=sys.stdout if frame.is_done else sys.stderr)
    if rerun.watch.is_settled:
        answer = find_answer(frame, told, notes)
        frame = replace(frame, told=render_told(told), token=rerun.token)
        _save(found, path, key, answer, frame, rerun)
    return ExitStatus(frame.status)


def _with_findings(told: Told, kept: KeptPlan, rerun: Rerun) -> Told:
    """Take in what checks found, of this run and others; modules keep the order of the plan."""
    checks = [step for step in rerun.steps if step.kind == "check"]
    if not checks:
        return told
    new = {step.module: load_verdict(step.outputs[0]).findings for step in checks}
    known = {**told.findings, **new}
    order = dict.fromkeys(kept.modules)
    return replace(told, findings={name: known[name] for name in order if known.get(name)})


def _describe(frame: Frame, told: Told, notes: Notes, rerun: Rerun) -> str:
    if frame.looks.is_quiet and frame.is_done:
        return "\n".join(notes.doubts)
    work = rerun.result
    last = f"{told.through} ({describe_work(work)}){told.end}" if work.done else told.up_to_date
    return "\n".join(filter(None, (told.refusals, *notes.lines, *notes.doubts, last)))


def _save(found: Snapshot, path: Path, key: bytes, answer: str, frame: Frame, rerun: Rerun) -> None:
    stamps = {name: None if stamp is None else stamp.numbers for name, stamp in rerun.watch.stamps}
    gone = [name for name in found.changed if name not in stamps]
    content = render_further(found, key, answer, stamps, gone, render_frame(frame))
    try:
        write_whole(path, content)
    except BuildsysError as error:
        print(f"modbuild: {error} (the next run will take longer)", file=sys.stderr)
