"""Taking down what a run leaves for the next one, from all that it knew."""

from collections.abc import Mapping
from pathlib import Path

from buildsys.base.errors import ExitStatus
from buildsys.check.verdict import Finding
from buildsys.pipeline.frame import Frame, Looks
from buildsys.pipeline.installed import find_others
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

    With a launcher, where what is left over is removed, and where kmods are not fit that would be
    installed, there is more to do than run steps.
    """
    request, result = session.request, session.result
    is_partial = bool(result.left_out) or (options.has_install and bool(result.failed))
    is_simple = not request.config.launcher and not options.has_prune and not is_partial
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
        told=render_told(told),
    )
