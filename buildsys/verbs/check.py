"""The verb check: what modload(8) would say of kmods, without loading them."""

import argparse
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from buildsys.base.errors import BuildsysError, ExitStatus
from buildsys.check.check import check_set
from buildsys.check.rulebook import show_errno
from buildsys.check.verdict import Outcome, Severity, Verdict
from buildsys.check.verdictfile import render_verdict
from buildsys.cli import Context
from buildsys.pipeline.judge import find_kernel
from buildsys.pipeline.progress import describe_finding
from buildsys.pipeline.report import count, show_path
from buildsys.pipeline.request import load_target
from buildsys.verbs.settings import read_config


def check(arguments: argparse.Namespace, context: Context) -> ExitStatus:
    """Judge kmods, each with the others at hand as what it may require."""
    target = load_target(read_config(arguments, context))
    machine = target.machine
    kernel = find_kernel(
        target.kernel, machine.module_directory, machine.arch, target.version.number
    )
    paths = tuple(_expand(arguments.files))
    verdicts = check_set(paths, kernel)
    if arguments.json:
        documents = [json.loads(render_verdict(verdict)) for verdict in verdicts]
        print(json.dumps({"kernel": kernel.label, "verdicts": documents}, indent=1))
    else:
        print(f"kernel: {kernel.label}")
        for verdict in verdicts:
            _show(verdict, context.directory)
        _show_sum(verdicts)
    is_fit = all(verdict.is_fit for verdict in verdicts)
    is_sure = all(verdict.outcome is Outcome.LOADS for verdict in verdicts)
    return ExitStatus.DONE if is_fit and (is_sure or not arguments.strict) else ExitStatus.FINDINGS


def _expand(files: Iterable[Path]) -> Iterable[Path]:
    """Give the files, and for a directory every kmod below it."""
    for path in files:
        if path.is_dir():
            found = sorted(path.rglob("*.kmod"))
            if not found:
                raise BuildsysError("no kmod below this directory", path)
            yield from found
        else:
            yield path


def _show(verdict: Verdict, directory: Path) -> None:
    path = show_path(verdict.path, directory)
    match verdict.outcome:
        case Outcome.REFUSED if verdict.errno:
            print(f"{path}: refused, errno {show_errno(verdict.errno)}")
        case outcome:
            print(f"{path}: {outcome.value}")
    for finding in verdict.findings:
        print(f"    {describe_finding(finding)}")
        if finding.severity is Severity.ERROR and finding.source:
            print(f"        decided in {finding.source}")


def _show_sum(verdicts: Iterable[Verdict]) -> None:
    outcomes = Counter(verdict.outcome for verdict in verdicts)
    words = [f"{outcomes[outcome]} {outcome.value}" for outcome in Outcome if outcomes[outcome]]
    print(f"{count(outcomes.total(), 'kmod')}: {', '.join(words)}")
