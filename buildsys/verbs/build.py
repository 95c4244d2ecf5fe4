"""The verbs build and install."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from buildsys import snapshot
from buildsys.base.errors import BuildsysError, ExitStatus
from buildsys.base.files import make_directory, write_whole
from buildsys.base.value import replace
from buildsys.base.wording import count, show_path
from buildsys.check.verdict import Finding
from buildsys.check.verdictfile import load_verdict
from buildsys.cli import Context
from buildsys.config import Config
from buildsys.install.receipt import Receipt
from buildsys.pipeline.again import Rerun
from buildsys.pipeline.executor import Progress
from buildsys.pipeline.frame import Frame, Looks, make_progress, render_frame
from buildsys.pipeline.framing import make_frame, make_told
from buildsys.pipeline.notes import Notes, describe_left_over, make_notes
from buildsys.pipeline.plancache import Planned
from buildsys.pipeline.report import (
    describe_failures,
    describe_pruned,
    describe_summary,
    describe_up_to_date,
)
from buildsys.pipeline.runoptions import RunOptions
from buildsys.pipeline.session import Session, find_troubles, run_session
from buildsys.pipeline.told import find_answer
from buildsys.pipeline.variant import find_variants
from buildsys.snapshotfile import render_snapshot
from buildsys.verbs.fromset import install_from
from buildsys.verbs.settings import read_config


def install(arguments: argparse.Namespace, context: Context) -> ExitStatus:
    """Build, check and install modules, or install those of a set."""
    if arguments.sources:
        return install_from(arguments, context)
    return _run(arguments, context, has_install=True)


def build(arguments: argparse.Namespace, context: Context) -> ExitStatus:
    """Build and check modules."""
    return _run(arguments, context, has_install=False)


def _run(arguments: argparse.Namespace, context: Context, has_install: bool) -> ExitStatus:
    options = RunOptions(
        began_ns=time.time_ns(),
        names=tuple(dict.fromkeys(arguments.names)),
        has_install=has_install,
        jobs=arguments.jobs,
        is_keep_going=arguments.keep_going,
        timeout_seconds=arguments.timeout,
        is_privileged=has_install and arguments.privileged,
        has_prune=has_install and arguments.prune,
        is_replacing=has_install and arguments.replace_only,
        key=_request_key(context),
    )
    config = read_config(arguments, context)
    status, session = _run_once(arguments, context, config, context.environment, options)
    variants = tuple(find_variants(session.request, context.environment))
    for variant in variants:
        if not arguments.quiet:
            print(f"{show_path(variant.directory, context.directory)}:")
        own = replace(options, key=b"")  # words and settings are not all that it differs in
        further, _ = _run_once(
            arguments, context, variant.config, variant.environment, own, is_last=False
        )
        status = _worse(status, further)
    return status


def _request_key(context: Context) -> bytes:
    return snapshot.request_key(context.words, context.environment, str(context.directory))


def _worse(one: ExitStatus, other: ExitStatus) -> ExitStatus:
    """Choose of two: a failure of the tool weighs more than a finding, a finding more than none."""
    order = (ExitStatus.DONE, ExitStatus.FINDINGS, ExitStatus.FAILED)
    return max(one, other, key=order.index)


def _run_once(
    arguments: argparse.Namespace,
    context: Context,
    config: Config,
    environment: dict[str, str],
    options: RunOptions,
    is_last: bool = True,
) -> tuple[ExitStatus, Session]:
    looks = Looks(arguments.quiet, arguments.verbose)
    progress = make_progress(looks)
    session = run_session(config, environment, options, progress)
    tree = session.request.tree
    is_last = is_last and (tree is None or not tree.variants)
    return tell_end(session, context, options, looks, progress, is_last), session


def tell_rerun(
    planned: Planned,
    rerun: Rerun,
    left_over: tuple[Receipt, ...],
    words: Sequence[str],
    directory: Path,
    environment: dict[str, str],
    frame: Frame,
    progress: Progress,
) -> ExitStatus:
    """Say what came of a further run that did not do all."""
    context = Context(directory, environment, tuple(words))
    troubles = find_troubles(planned.request, frame.options.names)
    session = Session(
        planned.request, planned.plan, rerun.result, left_over, rerun.watch, troubles=troubles
    )
    return tell_end(session, context, frame.options, frame.looks, progress, is_last=False)


def tell_end(
    session: Session,
    context: Context,
    options: RunOptions,
    looks: Looks,
    progress: Progress,
    is_last: bool,
) -> ExitStatus:
    """Say what came of a run, and leave what a next one need not find out again."""
    findings = _find_findings(session)
    fixed = _fixed_notes(session)
    left_over = describe_left_over(session.left_over, context.directory)
    said = [finding for some in findings.values() for finding in some]
    notes = make_notes(said, left_over, fixed)
    status = session.result.exit_status
    if status is not ExitStatus.FAILED and session.troubles:
        status = ExitStatus.FAILED
    is_done = status is ExitStatus.DONE
    if looks.is_quiet and is_done:
        message = "\n".join(notes.doubts)
    else:
        failures = describe_failures(session.result) if progress.has_moved_on else ""
        message = _describe(session, context, notes, failures, options.has_install)
    if message:
        print(message, file=sys.stdout if is_done else sys.stderr)
    if session.is_complete and is_last and session.watch.is_settled:
        told = make_told(session, options.has_install, context.directory, findings, fixed)
        frame = make_frame(session, options, looks, status, told)
        _save_snapshot(session, context, frame, find_answer(frame, told, notes))
    return status


def _describe(
    session: Session, context: Context, notes: Notes, failures: str, has_install: bool
) -> str:
    result = session.result
    lines = [failures] if failures else []
    lines += [*notes.lines, *notes.doubts]
    lines.extend(describe_pruned(session, context.directory))
    if result.is_interrupted:
        lines.append("Interrupted; the next run goes on from here.")
    lines.extend(
        f"{name}: a file that it reads changed meanwhile; run again" for name in result.moved
    )
    if result.done or result.failed or result.left_out:
        lines.append(describe_summary(session, has_install, context.directory))
    else:
        lines.append(describe_up_to_date(session, has_install, context.directory))
    return "\n".join(lines)


def _find_findings(session: Session) -> dict[str, tuple[Finding, ...]]:
    """Give what the verdicts of modules say beside that they are fit, by module."""
    paths = ((m.name, session.plan.paths[m.name].verdict) for m in session.plan.modules)
    verdicts = {name: load_verdict(path) for name, path in paths if path.exists()}
    return {name: verdict.findings for name, verdict in verdicts.items() if verdict.findings}


def _fixed_notes(session: Session) -> Notes:
    """Say what is the same for each run of this request."""
    lines = list(_describe_tree(session))
    limits = session.request.target.machine.limits
    label = session.request.target.machine.label
    others = session.request.other_modules
    if others:
        lines.append(f"{count(len(others), 'module')} not for {label}: {', '.join(others)}")
    return Notes(tuple(lines), (f"limits of {label}: {limits}",) if limits else ())


def _describe_tree(session: Session) -> list[str]:
    """Say which directories of a source tree gave no module, and what is not built with it."""
    lines = [f"not built: {trouble.message}" for trouble in session.troubles]
    if session.troubles:
        number = count(len(session.troubles), "module")
        lines.append(f"{number} not built for want of what stands above")
    return lines


def _save_snapshot(session: Session, context: Context, frame: Frame, answer: str) -> None:
    """Leave the answer for a next run that finds every file as it is now."""
    key = _request_key(context)
    objdir = str(session.request.config.objdir)
    path = Path(snapshot.snapshot_path(objdir, key))
    try:
        make_directory(path.parent)
        stamps = [
            (path, None if stamp is None else stamp.numbers) for path, stamp in session.watch.stamps
        ]
        write_whole(path, render_snapshot(key, answer, stamps, render_frame(frame)))
    except BuildsysError as error:
        print(f"modbuild: {error} (the next run will take longer)", file=sys.stderr)
