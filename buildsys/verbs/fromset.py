"""The verb install with --from: a set's modules in place of modules that are built here."""

import argparse
import sys
from pathlib import Path

from buildsys.base.errors import ExitStatus, UsageError
from buildsys.base.wording import count, show_path
from buildsys.check.verdict import Severity
from buildsys.cli import Context
from buildsys.install.switch import describe_switch
from buildsys.pipeline.fromset import FromSet, SetInstalled, install_set
from buildsys.pipeline.needing import describe_needs
from buildsys.pipeline.notes import describe_notes
from buildsys.pipeline.outcome import StepError
from buildsys.verbs.settings import read_config


def install_from(arguments: argparse.Namespace, context: Context) -> ExitStatus:
    """Install the modules of a set, or some of them."""
    if arguments.replace_only:
        raise UsageError("--replace-only: with --from, the names alone say what is replaced")
    if arguments.names and arguments.prune:
        raise UsageError("--prune: with --from, it needs the whole set, without names")
    wanted = FromSet(
        tuple(Path(context.directory, path) for path in arguments.sources),
        tuple(dict.fromkeys(arguments.names)),
        arguments.privileged,
        arguments.prune,
    )
    try:
        done = install_set(read_config(arguments, context), wanted)
    except StepError as error:
        print(f"modbuild: {error}", file=sys.stderr)
        if error.output:
            print(error.output, file=sys.stderr)
        return ExitStatus.FINDINGS
    _tell(done, arguments, context)
    if done.needs:
        print(f"stayed, being needed:\n{describe_needs(done.needs)}", file=sys.stderr)
    return ExitStatus.FINDINGS if done.needs else ExitStatus.DONE


def _tell(done: SetInstalled, arguments: argparse.Namespace, context: Context) -> None:
    findings = [finding for verdict in done.verdicts for finding in verdict.findings]
    doubts = [done.warnings.strip(), *describe_notes(findings, Severity.NOTE)]
    where = show_path(done.tree, context.directory)
    lines = [f"signed by {signer}" for signer in done.signers]
    lines += describe_notes(findings, Severity.WARNING)
    lines += [describe_switch(done.switch)]
    modules = count(len(done.verdicts), "module")
    if done.debug:
        modules += f" and {count(len(done.debug), 'file')} of debugging information"
    if done.removed:
        lines.append(f"removed: {', '.join(done.removed)}")
    told = "installed" if done.switch.is_changed else "up to date"
    lines.append(f"{where}: {modules} {told}, for kernel {done.kernel.label}")
    shown = doubts if arguments.quiet else [*doubts, *lines]
    if text := "\n".join(filter(None, shown)):
        print(text)
