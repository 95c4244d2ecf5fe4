"""The verb check: what modload(8) would say of kmods, without loading them."""

import argparse
import gc
from collections.abc import Iterable, Sequence
from pathlib import Path

from buildsys.base.errors import BuildsysError, ExitStatus, UsageError, os_error_text
from buildsys.base.value import frozen
from buildsys.base.wording import show_path
from buildsys.check.bootcfg import parse_boot_cfg
from buildsys.check.bootready import RootQuestion, check_root
from buildsys.check.check import check_set
from buildsys.check.detail import describe_set
from buildsys.check.drift import DriftPolicy, parse_policy
from buildsys.check.explain import explain_verdicts
from buildsys.check.kmodfile import KmodCache
from buildsys.check.kobj import MAXIMUM_KMOD_BYTES
from buildsys.check.together import find_clashes
from buildsys.check.verdict import Outcome
from buildsys.cli import Context
from buildsys.elf.reader import refuse_unreadable
from buildsys.pipeline.outputs import refuse_inputs, refuse_places
from buildsys.report.matrix import describe_matrix
from buildsys.report.model import ModuleResult, Report, Stage, State, Target
from buildsys.report.text import TextOptions, describe_report
from buildsys.report.writing import (
    STANDARD_OUTPUT,
    has_details,
    parse_wanted,
    write_reports,
)
from buildsys.verbs.explaining import Explainer, make_explainer
from buildsys.verbs.settings import read_config
from buildsys.verbs.targets import Judging, plan_judging


def check(arguments: argparse.Namespace, context: Context) -> ExitStatus:
    """Judge kmods, each with the others at hand as what it may require."""
    gc.disable()  # what is read stays until the end, and looking for cycles in it takes time
    words = (*arguments.report, *(("json=-",) if arguments.json else ()))
    wanted = parse_wanted(words, context.directory)
    config = read_config(arguments, context)
    given = _below(context, getattr(arguments, "kernel_given", ()))
    kmods, unread = split_readable(tuple(_expand(arguments.files)))
    plan = plan_judging(config, given, kmods)
    old = _below(context, arguments.old_kernel)
    boot = () if arguments.boot_cfg is None else _below(context, [arguments.boot_cfg])
    plists = (path.with_suffix(".plist") for path in kmods)
    read = (*kmods, *plists, *given, config.kernel, *old, *boot, config.file)
    for one in wanted:
        if one.path != STANDARD_OUTPUT:
            refuse_inputs("--report", one.path, read)
            refuse_places("--report", one.path, config, allowed=("objdir",))
    explainer = make_explainer(config, old)
    policy = parse_policy(config.drift)
    wishes = Wishes(
        has_details(wanted),
        explainer if arguments.explain else None,
        policy,
        _read_question(arguments, context),
    )
    report = judge_all(plan, wishes).with_stages(unread)
    if not any(one.path == STANDARD_OUTPUT for one in wanted):
        options = TextOptions(
            has_explanation=arguments.explain,
            show_path=lambda path: show_path(path, context.directory),
        )
        for line in describe_report(report, options):
            print(line)
        for line in describe_matrix(report):
            print(line)
    write_reports(report, wanted)
    if unread:
        return ExitStatus.FAILED
    is_sure = all(
        result.verdict is not None and result.verdict.outcome is Outcome.LOADS
        for result in report.results
    )
    is_done = report.is_fit and (is_sure or not arguments.strict)
    return ExitStatus.DONE if is_done else ExitStatus.FINDINGS


def _below(context: Context, names: Iterable[str | Path]) -> tuple[Path, ...]:
    return tuple(context.directory / Path(name).expanduser() for name in names)


@frozen
class Wishes:
    """What to tell beside the verdicts; None where it is not asked for."""

    is_detailed: bool = False
    explainer: Explainer | None = None
    policy: DriftPolicy = DriftPolicy.WARN
    root: RootQuestion | None = None


def _read_question(arguments: argparse.Namespace, context: Context) -> RootQuestion | None:
    if arguments.root_fs is None:
        if arguments.boot_cfg is not None:
            raise UsageError("--boot-cfg: give --root-fs too, the file system of the root")
        return None
    boot = None
    if arguments.boot_cfg is not None:
        (path,) = _below(context, [arguments.boot_cfg])
        try:
            boot = parse_boot_cfg(path.read_bytes())
        except OSError as error:
            raise BuildsysError(f"cannot read: {os_error_text(error)}", path) from error
    return RootQuestion(arguments.root_fs, boot)


def judge_all(plan: Sequence[Judging], wishes: Wishes) -> Report:
    """Judge kmods for one kernel after the other."""
    judged = [judge_kmods(judging, wishes) for judging in plan]
    targets = tuple(target for target, _ in judged)
    return Report("check", targets, tuple(result for _, results in judged for result in results))


def judge_kmods(judging: Judging, wishes: Wishes) -> tuple[Target, tuple[ModuleResult, ...]]:
    """Judge a set of kmods for one kernel; with their details where those are wanted."""
    kernel, paths = judging.kernel, judging.paths
    cache = KmodCache(kernel)
    verdicts = check_set(paths, kernel, cache, wishes.policy)
    if wishes.explainer is not None:
        verdicts = explain_verdicts(verdicts, wishes.explainer.make_grounds(kernel, cache))
    details = describe_set(paths, kernel, cache) if wishes.is_detailed else (None,) * len(paths)
    findings = find_clashes(paths, cache)
    if wishes.root is not None:
        kmods = {verdict.name: verdict.path for verdict in verdicts}
        findings += check_root(wishes.root, kernel, kmods, cache)
    target = Target(judging.name, kernel.machine, findings=findings)
    return target, tuple(
        ModuleResult(judging.name, verdict.name, verdict.path, verdict=verdict, detail=detail)
        for verdict, detail in zip(verdicts, details, strict=True)
    )


def split_readable(paths: Sequence[Path]) -> tuple[tuple[Path, ...], tuple[Stage, ...]]:
    """Sort out files that cannot be read, so that the others are judged; raises when none can."""
    readable, troubles = [], []
    for path in paths:
        try:
            refuse_unreadable(path, MAXIMUM_KMOD_BYTES)
        except BuildsysError as error:
            troubles.append((path, error))
        else:
            readable.append(path)
    if not readable:
        raise troubles[0][1]
    return tuple(readable), tuple(
        Stage(f"read {path}", State.FAILED, str(error).removeprefix(f"{path}: "))
        for path, error in troubles
    )


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
