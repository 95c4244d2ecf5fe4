"""The verbs build and install."""

import argparse
import importlib
import os
import sys
import time

from buildsys import snapshot
from buildsys.base.errors import BuildsysError, ExitStatus
from buildsys.base.files import make_directory, write_whole
from buildsys.base.value import frozen, replace
from buildsys.base.wording import count, show_path
from buildsys.check.verdict import Severity
from buildsys.cli import Context
from buildsys.config import Config
from buildsys.pipeline.judge import load_verdicts
from buildsys.pipeline.progress import LineProgress
from buildsys.pipeline.report import (
    describe_failures,
    describe_notes,
    describe_pruned,
    describe_summary,
    describe_up_to_date,
)
from buildsys.pipeline.session import RunOptions, Session, run_session
from buildsys.pipeline.tasks import Progress
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
    progress = _make_progress(arguments)
    session = run_session(config, environment, options, progress)
    notes = _notes(session, context)
    status = session.result.exit_status
    tree = session.request.tree
    if status is not ExitStatus.FAILED and tree is not None and tree.troubles:
        status = ExitStatus.FAILED
    is_done = status is ExitStatus.DONE
    has_install = options.has_install
    if arguments.quiet and is_done:
        message = "\n".join(notes.doubts)
    else:
        failures = describe_failures(session.result) if progress.has_moved_on else ""
        message = _describe(session, context, notes, failures, has_install)
    if message:
        print(message, file=sys.stdout if is_done else sys.stderr)
    is_last = is_last and (tree is None or not tree.variants)
    is_whole = session.result.exit_status is ExitStatus.DONE and not session.result.moved
    if is_whole and is_last and session.watch.is_settled:
        up_to_date = describe_up_to_date(session, has_install, context.directory)
        is_short = arguments.quiet and is_done
        lines = notes.doubts if is_short else (*notes.lines, *notes.doubts, up_to_date)
        _save_snapshot(session, context, status, "".join(f"{line}\n" for line in lines))
    return status, session


def _make_progress(arguments: argparse.Namespace) -> Progress:
    if sys.stdout.isatty() and sys.stderr.isatty() and not arguments.quiet:
        bar: Progress = importlib.import_module("buildsys.pipeline.bar").BarProgress(
            arguments.verbose
        )
        return bar
    return LineProgress(arguments.verbose, arguments.quiet)


@frozen
class _Notes:
    """What a person must know beside failures; doubts are told even to who wants no words."""

    lines: tuple[str, ...]
    doubts: tuple[str, ...]


def _describe(
    session: Session, context: Context, notes: _Notes, failures: str, has_install: bool
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


def _notes(session: Session, context: Context) -> _Notes:
    """Say what else a person must know: warnings, what was not checked, what is left over."""
    paths = session.plan.paths
    verdicts = load_verdicts(paths[m.name].verdict for m in session.plan.modules)
    lines = list(describe_notes(verdicts, Severity.WARNING))
    doubts = list(describe_notes(verdicts, Severity.NOTE))
    if session.left_over:
        names = ", ".join(receipt.name for receipt in session.left_over)
        place = session.left_over[0]
        where = show_path(place.destdir / place.directory, context.directory)
        lines.append(
            f"left over in {where}, no longer described: {names}"
            " (remove with 'modbuild uninstall --left-over')"
        )
    lines.extend(_describe_tree(session))
    limits = session.request.target.machine.limits
    label = session.request.target.machine.label
    if limits:
        doubts.append(f"limits of {label}: {limits}")
    others = session.request.other_modules
    if others:
        lines.append(f"{count(len(others), 'module')} not for {label}: {', '.join(others)}")
    return _Notes(tuple(lines), tuple(doubts))


def _describe_tree(session: Session) -> list[str]:
    """Say which directories of a source tree gave no module, and what is not built with it."""
    tree = session.request.tree
    if tree is None:
        return []
    lines = [f"not built: {trouble.message}" for trouble in tree.troubles]
    if tree.troubles:
        number = count(len(tree.troubles), "module")
        lines.append(f"{number} not built for want of what stands above")
    return lines


def _save_snapshot(session: Session, context: Context, status: ExitStatus, message: str) -> None:
    """Leave the answer for a next run that finds every file as it is now."""
    key = _request_key(context)
    objdir = str(session.request.config.objdir)
    path = snapshot.snapshot_path(objdir, key)
    try:
        make_directory(session.request.config.objdir / ".snapshots")
        stamps = [
            (path, None if stamp is None else stamp.numbers) for path, stamp in session.watch.stamps
        ]
        content = render_snapshot(key, f"{int(status)}{message}", stamps)
        write_whole(session.request.config.objdir / ".snapshots" / os.path.basename(path), content)
    except BuildsysError as error:
        print(f"modbuild: {error} (the next run will take longer)", file=sys.stderr)
