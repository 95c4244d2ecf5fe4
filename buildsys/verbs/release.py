"""The verb release: many machines and kernels, one summary, one exit status."""

import argparse
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from buildsys.base.command import CommandRunner
from buildsys.base.epoch import read_time
from buildsys.base.errors import ExitStatus, InterruptedRunError, UsageError
from buildsys.base.files import make_directory
from buildsys.base.locks import hold_lock
from buildsys.base.value import frozen, replace
from buildsys.base.wording import count, name_some, show_path
from buildsys.check.verdictfile import load_verdict
from buildsys.cli import Context
from buildsys.config import Config
from buildsys.kernel.load import load_kernel
from buildsys.pipeline.jobs import default_jobs
from buildsys.pipeline.loggroups import find_groups, now_seconds
from buildsys.pipeline.outputs import refuse_containing, refuse_inputs, refuse_places
from buildsys.pipeline.progress import LineProgress
from buildsys.pipeline.publishing import (
    RELEASE,
    ReleasedTarget,
    publish_release,
    refuse_odd_output,
    refuse_released,
)
from buildsys.pipeline.release import (
    DONE,
    FAILED,
    LEFT_OUT,
    Packing,
    StageOutcome,
    TargetOutcome,
    load_outcome,
    place_target,
    place_work,
    release_target,
    share_jobs,
    worst_status,
    write_outcome,
)
from buildsys.pipeline.runoptions import RunOptions
from buildsys.provenance.signing import parse_key, refuse_missing_key
from buildsys.report.model import BuildOutcome, ModuleResult, Report, Stage, State, Target
from buildsys.report.writing import STANDARD_OUTPUT, Wanted, parse_wanted, write_reports
from buildsys.toolchain.machine import load_machine
from buildsys.toolchain.model import Machine
from buildsys.verbs.settings import read_config

_PACKAGE = Path(__file__).resolve().parent.parent


@frozen
class ReleaseTarget:
    """One machine with one kernel (None: what else is known); name is unique in a release."""

    name: str
    machine: Machine
    kernel: Path | None
    is_alone: bool  # the only one of its machine


def release(arguments: argparse.Namespace, context: Context) -> ExitStatus:
    """Release every target; the parts of several run in processes of their own."""
    config = read_config(arguments, context)
    wanted = parse_wanted(arguments.report, context.directory)
    targets = find_targets(config, _given_kernels(arguments, config), context.directory)
    if arguments.outcome is not None:
        return _release_one(arguments, context, config, targets[0])
    read_time(context.environment)
    for text in arguments.sign:
        refuse_missing_key(parse_key(text, context.directory))
    output = refuse_odd_output(Path(context.directory, arguments.output))
    _refuse_outputs(config, output, targets, wanted, context)
    make_directory(output.parent)  # what stands in the way is told before anything is built
    begin = time.monotonic()
    with hold_lock(place_work(config, output, arguments.names) / "lock", "releasing"):
        outcomes = _release_all(arguments, context, targets)
        seconds = time.monotonic() - begin
        write_reports(_make_report(targets, outcomes, seconds), wanted)
        told = _publish(arguments, context, config, targets, outcomes)
    return _sum_up(arguments, targets, outcomes, seconds, told)


def _refuse_outputs(
    config: Config,
    output: Path,
    targets: Sequence[ReleaseTarget],
    wanted: Sequence[Wanted],
    context: Context,
) -> None:
    """Refuse to write over what is read, before anything is done."""
    kernels = [target.kernel for target in targets]
    refuse_places("--output", output, config)
    refuse_containing("--output", output, config, (context.directory, config.file))
    for kernel in kernels:
        refuse_containing("--output", output, config, () if kernel is None else (kernel,))
    for one in wanted:
        if one.path != STANDARD_OUTPUT:
            refuse_inputs("--report", one.path, (*kernels, config.file, config.metalog))
            refuse_places("--report", one.path, config, allowed=("objdir",))
            refuse_released("--report", one.path, output, [target.name for target in targets])


def _publish(
    arguments: argparse.Namespace,
    context: Context,
    config: Config,
    targets: Sequence[ReleaseTarget],
    outcomes: Sequence[TargetOutcome],
) -> str:
    """Put what came through in place; with a failure only where it was told to go on."""
    output = refuse_odd_output(Path(context.directory, arguments.output))
    work = place_work(config, output, arguments.names)
    done = [
        ReleasedTarget(target.name, target.machine.label, work / target.name, outcome)
        for target, outcome in zip(targets, outcomes, strict=True)
    ]
    where = show_path(output, context.directory)
    is_whole = all(one.is_done for one in done)
    if not any(one.is_done for one in done) or not (is_whole or arguments.keep_going):
        return f"{where}: left as it was" if os.path.lexists(output) else ""
    keys = tuple(parse_key(text, context.directory) for text in arguments.sign)
    published = publish_release(output, done, keys)
    lines = [f"{where}: {count(len(published.targets), 'target')}, listed in {RELEASE}"]
    if published.foreign:
        lines.append(f"kept in {where}, not of this release: {name_some(published.foreign)}")
    return "\n".join(lines)


def _given_kernels(arguments: argparse.Namespace, config: Config) -> tuple[str, ...]:
    given = getattr(arguments, "kernel_given", ())
    if not given and config.kernel is not None:
        return (str(config.kernel),)
    return tuple(str(text) for text in given)


def find_targets(
    config: Config, kernels: Sequence[str], directory: Path
) -> tuple[ReleaseTarget, ...]:
    """Match machines (a list with commas) with kernels: MACHINE=FILE, or FILE that tells itself."""
    names = [name.strip() for name in config.machine.split(",")]
    if not all(names):
        raise UsageError(f"--machine {config.machine}: expected machines with commas between")
    machines = [load_machine(name, config.machine_arch or None) for name in names]
    if len({machine.label for machine in machines}) != len(machines):
        raise UsageError(f"--machine {config.machine}: a machine is named twice")
    found: dict[str, list[Path]] = {machine.label: [] for machine in machines}
    for text in kernels:
        name, sign, file = text.partition("=")
        if sign and not file:
            raise UsageError(f"--kernel {text}: expected MACHINE=FILE")
        if sign and "/" not in name:
            label = load_machine(name, None).label
            path = directory / file
        else:
            path = directory / text
            kernel = load_kernel(path)
            label = next((m.label for m in machines if m.module_directory == kernel.machine), "")
        if label not in found:
            raise UsageError(f"--kernel {text}: for none of the machines {', '.join(found)}")
        found[label].append(path)
    return tuple(_name_targets(machines, found))


def _name_targets(
    machines: Sequence[Machine], kernels: dict[str, list[Path]]
) -> Iterator[ReleaseTarget]:
    for machine in machines:
        own = kernels[machine.label]
        if len(own) < 2:
            yield ReleaseTarget(machine.label, machine, own[0] if own else None, True)
            continue
        stems = [path.name.split(".kmap")[0].removesuffix(".gz") for path in own]
        for number, (path, stem) in enumerate(zip(own, stems, strict=True), 1):
            tail = stem if stems.count(stem) == 1 else f"{number}-{stem}"
            yield ReleaseTarget(f"{machine.label}-{tail}", machine, path, False)


def _release_one(
    arguments: argparse.Namespace, context: Context, config: Config, target: ReleaseTarget
) -> ExitStatus:
    """Do one target in this process, and leave its outcome for the one that asked."""
    output = refuse_odd_output(Path(context.directory, arguments.output))
    work = place_work(config, output, arguments.names)
    own = place_target(config, work, arguments.target_name, not arguments.is_one_of_several)
    own = replace(own, machine=target.machine.label, machine_arch="", kernel=target.kernel)
    options = RunOptions(
        time.time_ns(), tuple(dict.fromkeys(arguments.names)), True, arguments.jobs,
        arguments.keep_going, arguments.timeout, has_prune=not arguments.names,
    )  # fmt: skip
    keys = tuple(parse_key(text, context.directory) for text in arguments.sign)
    packing = Packing(read_time(context.environment), arguments.format, keys)
    progress = LineProgress(arguments.verbose, not arguments.verbose)
    outcome = release_target(own, context.environment, options, packing, progress)
    write_outcome(arguments.outcome, outcome)
    return worst_status([stage.status for stage in outcome.stages])


@frozen
class _Ran:
    outcome: TargetOutcome
    output: str


class _Crew:
    """Runs targets, some at a time; after a failure starts no more unless told to go on."""

    def __init__(self, arguments: argparse.Namespace, context: Context, work: Path) -> None:
        self.runner = CommandRunner()
        self._arguments = arguments
        self._context = context
        self._work = work
        self._stop = threading.Event()

    def run(self, target: ReleaseTarget, jobs: int) -> _Ran:
        if self._stop.is_set():
            stage = StageOutcome("build", LEFT_OUT, message="after the failure of another target")
            return _Ran(TargetOutcome("", (stage,), (), ()), "")
        path = self._work / f"{target.name}.json"
        argv = _spell(self._context, target, jobs, path)
        environment = dict(self._context.environment)
        known = environment.get("PYTHONPATH", "")
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(_PACKAGE.parent), known)))
        result = self.runner.run(argv, self._context.directory, environment)
        output = result.output.decode(errors="replace")
        if path.exists():
            outcome = load_outcome(path)
        else:
            status = result.status if result.status in tuple(ExitStatus) else ExitStatus.FAILED
            message = result.describe_status()
            stage = StageOutcome("build", FAILED, int(status) or 1, message, output)
            outcome = TargetOutcome("", (stage,), (), ())
        if not self._arguments.keep_going and not _is_well(outcome):
            self._stop.set()
        return _Ran(outcome, output)


def _spell(context: Context, target: ReleaseTarget, jobs: int, path: Path) -> tuple[str, ...]:
    """Spell the call that does one target: as this one was called, but for what is its own."""
    words: list[str] = []
    given = iter(context.words)
    for word in given:
        name = word.partition("=")[0]
        if name in ("--machine", "-m", "--kernel", "--report", "-j", "--jobs"):
            if "=" not in word:
                next(given, "")
        elif not word.startswith(("-m", "-j")) or word.startswith("--"):
            words.append(word)
    kernel = (
        () if target.kernel is None else ("--kernel", f"{target.machine.label}={target.kernel}")
    )
    several = () if target.is_alone else ("--one-of-several",)
    return (
        sys.executable, "-m", "buildsys", *words, "--machine", target.machine.label, *kernel,
        "-j", str(jobs), "--outcome", str(path), "--target-name", target.name, *several,
    )  # fmt: skip


def _release_all(
    arguments: argparse.Namespace, context: Context, targets: Sequence[ReleaseTarget]
) -> tuple[TargetOutcome, ...]:
    jobs = arguments.jobs or default_jobs()
    lanes, each = share_jobs(jobs, len(targets))
    groups = find_groups(context.environment)
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="modbuild.release.") as name:
        crew = _Crew(arguments, context, Path(name))
        with ThreadPoolExecutor(lanes) as pool:
            try:
                for target, ran in zip(
                    targets, pool.map(lambda t: crew.run(t, each), targets), strict=True
                ):
                    outcomes.append(ran.outcome)
                    if text := _describe(arguments, ran):
                        print(groups.wrap(target.name, text, now_seconds()), flush=True)
            except (KeyboardInterrupt, InterruptedRunError):
                crew.runner.stop()
                raise KeyboardInterrupt from None
    return tuple(outcomes)


def _describe(arguments: argparse.Namespace, ran: _Ran) -> str:
    """Say what became of a target: all of it, with -q only failures and doubts."""
    outcome = ran.outcome
    lines = []
    if not _is_well(outcome) or arguments.verbose:
        lines.append(ran.output.rstrip())
    for stage in outcome.stages:
        if stage.state == FAILED:
            lines += [f"{stage.name}: failed: {stage.message}", stage.output]
        elif not arguments.quiet:
            took = f" ({stage.seconds:.1f} s)" if stage.state == DONE else ""
            lines.append(f"{stage.name}: {stage.message or stage.state}{took}")
    lines += outcome.doubts
    return "\n".join(filter(None, lines))


def _is_well(outcome: TargetOutcome) -> bool:
    return all(stage.state == DONE for stage in outcome.stages)


def _sum_up(
    arguments: argparse.Namespace,
    targets: Sequence[ReleaseTarget],
    outcomes: Sequence[TargetOutcome],
    seconds: float,
    published: str,
) -> ExitStatus:
    bad = [t.name for t, outcome in zip(targets, outcomes, strict=True) if not _is_well(outcome)]
    modules = sum(len(outcome.modules) for outcome in outcomes)
    told = f"{count(len(targets), 'target')}, {count(modules, 'module')}, {seconds:.1f} s: "
    told += (
        f"failed: {', '.join(bad)}" if bad else "all built, checked, installed, packed, verified"
    )
    if published and (bad or not arguments.quiet):
        print(published, file=sys.stderr if bad else sys.stdout)
    if bad or not arguments.quiet:
        print(told, file=sys.stderr if bad else sys.stdout)
    return worst_status([stage.status for outcome in outcomes for stage in outcome.stages])


_STATES = {DONE: State.DONE, FAILED: State.FAILED, LEFT_OUT: State.LEFT_OUT}


def _make_report(
    targets: Sequence[ReleaseTarget], outcomes: Sequence[TargetOutcome], seconds: float
) -> Report:
    shown, results = [], []
    for target, outcome in zip(targets, outcomes, strict=True):
        stages = tuple(
            Stage(s.name, _STATES[s.state], s.message, s.output, s.seconds) for s in outcome.stages
        )
        shown.append(Target(target.name, target.machine.label, stages))
        for module in outcome.modules:
            path = Path(module.verdict) if module.verdict else None
            verdict = None if path is None else load_verdict(path)
            build = BuildOutcome(_STATES[module.state], module.message, module.output)
            kmod = None if verdict is None else verdict.path
            results.append(ModuleResult(target.name, module.name, kmod, build, verdict))
    return Report("release", tuple(shown), tuple(results), seconds)
