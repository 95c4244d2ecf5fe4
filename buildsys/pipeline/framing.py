"""Taking down what a run leaves for the next one, from all that it knew."""

import os
from collections.abc import Mapping
from pathlib import Path

from buildsys.base.errors import ExitStatus
from buildsys.check.verdict import Finding
from buildsys.pipeline.frame import Frame, Looks, Partial
from buildsys.pipeline.installed import find_others
from buildsys.pipeline.keptplan import render_kept
from buildsys.pipeline.notes import Notes
from buildsys.pipeline.paths import machine_objdir, receipts_directory
from buildsys.pipeline.report import (
    describe_end,
    describe_failures,
    describe_through,
    describe_up_to_date,
)
from buildsys.pipeline.runoptions import RunOptions
from buildsys.pipeline.session import Session, installed_directory
from buildsys.pipeline.step import Graph, Record
from buildsys.pipeline.told import Told, render_told


def make_told(
    session: Session,
    has_install: bool,
    directory: Path,
    findings: Mapping[str, tuple[Finding, ...]],
    fixed: Notes,
) -> Told:
    """Give what a run says; directory is where names of files are relative to."""
    through, end = describe_through(session, has_install, directory), describe_end(session)
    up_to_date = describe_up_to_date(session, has_install, directory)
    refusals = describe_failures(session.result)
    if refusals:
        up_to_date = f"Nothing to do: {through}{end}"
    return Told(through, up_to_date, refusals, end, fixed, findings)


def make_frame(
    session: Session, options: RunOptions, looks: Looks, status: ExitStatus, told: Told
) -> Frame:
    """Give what a further run of the same request needs.

    With a launcher, where what is left over is removed, and where nothing is installed for the sake
    of kmods that are not fit, there is more to do than run steps.
    """
    request, result = session.request, session.result
    is_whole = not result.left_out and not (options.has_install and result.failed)
    partial = None if is_whole else _find_partial(session)
    is_simple = not request.config.launcher and not options.has_prune
    is_simple = is_simple and (is_whole or partial is not None)
    return Frame(
        plan=session.identity if is_simple else b"",
        token=session.token,
        status=int(status),
        options=options,
        looks=looks,
        objects=str(machine_objdir(request)),
        purpose=f"building {request.target.machine.label}",
        installed=str(installed_directory(request)),
        receipts=str(receipts_directory(request)),
        others=find_others(str(installed_directory(request)), session.plan.paths),
        described=tuple(module.name for module in request.modules),
        refused=tuple(failed.step.module for failed in result.failed),
        partial=partial,
        told=render_told(told),
    )


def _find_partial(session: Session) -> Partial | None:
    """Give what was installed beside kmods that are not fit; None where it may be another next.

    Where one of those is installed, others may have to wait for it (partial.py).
    """
    plan, result, steps = session.plan, session.result, session.result.further
    closed = (*result.left_out, *(failed.step for failed in result.failed))
    unready = sorted({step.module for step in closed if step.module})
    receipts = [str(plan.paths[name].receipt) for name in unready]
    if not steps or any(map(os.path.lexists, receipts)):
        return None
    whole = [step for step in plan.steps if isinstance(step.action, Record)]
    left_out = dict.fromkeys(step.name for step in (*result.left_out, *whole))
    needs: dict[str, tuple[str, ...]] = {step.name: () for step in steps}
    kept = render_kept(Graph(steps, needs), None, {})
    return Partial(kept, tuple(unready), tuple(receipts), tuple(left_out))
