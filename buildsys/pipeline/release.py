"""One target of a release: build, check and install into a staging tree, pack it, verify it."""

import json
import os
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from buildsys.base.errors import BuildsysError, ExitStatus
from buildsys.base.files import read_whole, remove_tree, write_whole
from buildsys.base.value import field_names, frozen, replace
from buildsys.base.wording import count
from buildsys.check.verdict import Severity
from buildsys.config import Config
from buildsys.install.debug import follow_modules
from buildsys.install.receipt import load_installed
from buildsys.install.switch import switch_modules
from buildsys.pipeline.executor import Progress
from buildsys.pipeline.judge import load_verdicts
from buildsys.pipeline.notes import describe_notes
from buildsys.pipeline.outcome import FailureKind
from buildsys.pipeline.packing import pack_tree
from buildsys.pipeline.paths import install_place
from buildsys.pipeline.places import installation_at
from buildsys.pipeline.progress import describe_failure, describe_finding
from buildsys.pipeline.runoptions import RunOptions
from buildsys.pipeline.session import Session, run_session
from buildsys.pipeline.verifying import find_recorded, verify_tree
from buildsys.provenance.keys import Key

_FORMAT = 1
DONE, FAILED, LEFT_OUT = "done", "failed", "left out"


@frozen
class StageOutcome:
    """One stage of a target: state is done, failed or left out; status is that of a command."""

    name: str
    state: str
    status: int = 0
    message: str = ""
    output: str = ""
    seconds: float = 0.0


@frozen
class ModuleOutcome:
    """What became of a module: its verdict file ('' for none), why it was not built ('' if it was).

    state is done, failed or left out.
    """

    name: str
    state: str
    verdict: str
    message: str = ""
    output: str = ""


@frozen
class TargetOutcome:
    """What became of a target; kernel names what it was judged for, doubts are for people."""

    kernel: str
    stages: tuple[StageOutcome, ...]
    modules: tuple[ModuleOutcome, ...]
    doubts: tuple[str, ...]


@frozen
class Packing:
    """How sets are made: the time that members bear, the form, the keys to sign with."""

    seconds: int
    form: str
    keys: tuple[Key, ...]


def release_target(
    config: Config,
    environment: Mapping[str, str],
    options: RunOptions,
    packing: Packing,
    progress: Progress,
) -> TargetOutcome:
    """Do every stage of a target, as far as the one before let it."""
    begin = time.monotonic()
    try:
        session = run_session(config, environment, options, progress)
    except BuildsysError as error:
        failed = StageOutcome("build", FAILED, int(error.exit_status), str(error))
        return TargetOutcome("", (failed, *_left_out("pack", "verify")), (), ())
    # Where modules are named, other directories of a tree do not matter.
    troubles = (
        () if options.names or session.request.tree is None else session.request.tree.troubles
    )
    stages = [_describe_build(session, [t.message for t in troubles], time.monotonic() - begin)]
    if stages[0].state == DONE:
        if options.names:
            _remove_others(session)
        stages.append(_time("pack", lambda: _pack(config, packing)))
    if stages[-1].state == DONE:
        stages.append(_time("verify", lambda: _verify(config)))
    names = ("build", "pack", "verify")
    stages += _left_out(*names[len(stages) :])
    paths = session.plan.paths
    verdicts = load_verdicts(paths[module.name].verdict for module in session.plan.modules)
    findings = [finding for verdict in verdicts for finding in verdict.findings]
    doubts = list(describe_notes(findings, Severity.NOTE))
    machine = session.request.target.machine
    if machine.limits:
        doubts.append(f"limits of {machine.label}: {machine.limits}")
    kernel = next((verdict.kernel for verdict in verdicts), "")
    return TargetOutcome(kernel, tuple(stages), tuple(_find_modules(session)), tuple(doubts))


def _remove_others(session: Session) -> None:
    """Take away what an earlier release of these names had, and this one has not."""
    request = session.request
    place = install_place(request, is_privileged=False)
    installation = installation_at(request.config, request.target, place)
    names = {module.name for module in session.plan.modules}
    if others := [name for name in load_installed(installation) if name not in names]:
        switch_modules([], installation, others)
        follow_modules(installation)


def _left_out(*names: str) -> tuple[StageOutcome, ...]:
    return tuple(StageOutcome(name, LEFT_OUT) for name in names)


def _time(name: str, act: Callable[[], tuple[int, str]]) -> StageOutcome:
    begin = time.monotonic()
    try:
        status, message = act()
    except BuildsysError as error:
        status, message = int(error.exit_status), str(error)
    seconds = time.monotonic() - begin
    return StageOutcome(name, FAILED if status else DONE, status, message, "", seconds)


def _describe_build(session: Session, troubles: Sequence[str], seconds: float) -> StageOutcome:
    result = session.result
    status = result.exit_status
    texts = [describe_failure(failed) for failed in result.failed]
    if troubles:
        texts += [f"not built: {message}" for message in troubles]
        status = ExitStatus.FAILED
    modules = count(len(session.plan.modules), "module")
    message = f"{modules}, {count(len(result.done), 'step')} run"
    if result.failed:
        message += f", {len(result.failed)} failed"
    state = DONE if status is ExitStatus.DONE else FAILED
    return StageOutcome("build", state, int(status), message, "\n".join(texts), seconds)


def _pack(config: Config, packing: Packing) -> tuple[int, str]:
    remove_tree(config.sets)  # nothing of a former run may pass for this one's
    packed = pack_tree(config, packing.seconds, config.sets, packing.form, packing.keys)
    names = ", ".join(f"{name} ({count(members, 'member')})" for name, members in packed.sets)
    signed = f"; signed: {', '.join(path.name for path in packed.signatures)}"
    return 0, names + (signed if packed.signatures else "")


def _verify(config: Config) -> tuple[int, str]:
    done = verify_tree(config, find_recorded(config))
    errors = [finding for finding in done.findings if finding.severity is Severity.ERROR]
    files = count(len(done.recorded), "file")
    if errors:
        return int(ExitStatus.FINDINGS), "\n".join(map(describe_finding, errors))
    return 0, f"{files} as installed, for {done.kernel.label}"


def _find_modules(session: Session) -> Iterator[ModuleOutcome]:
    failed = {failure.step.module: failure for failure in session.result.failed}
    left_out = {step.module for step in session.result.left_out if step.kind != "install"}
    for module in session.plan.modules:
        verdict = session.plan.paths[module.name].verdict
        failure = failed.get(module.name)
        if failure is not None and failure.kind is not FailureKind.FINDINGS:
            yield ModuleOutcome(module.name, FAILED, "", failure.message, failure.output)
        elif module.name in left_out and failure is None:
            yield ModuleOutcome(module.name, LEFT_OUT, "", "after the failure of another", "")
        else:
            yield ModuleOutcome(module.name, DONE, str(verdict) if verdict.exists() else "")


def write_outcome(path: Path, outcome: TargetOutcome) -> None:
    """Write an outcome for the run that started this one."""
    document = {
        "format": _FORMAT,
        "kernel": outcome.kernel,
        "stages": [_document(stage) for stage in outcome.stages],
        "modules": [_document(module) for module in outcome.modules],
        "doubts": list(outcome.doubts),
    }
    write_whole(path, (json.dumps(document, indent=1) + "\n").encode())


def _document(item: StageOutcome | ModuleOutcome) -> dict[str, object]:
    return {name: getattr(item, name) for name in field_names(item)}


def load_outcome(path: Path) -> TargetOutcome:
    """Read what write_outcome wrote."""
    try:
        document: Any = json.loads(read_whole(path))
        if document["format"] != _FORMAT:
            raise ValueError(document["format"])
        return TargetOutcome(
            str(document["kernel"]),
            tuple(StageOutcome(**stage) for stage in document["stages"]),
            tuple(ModuleOutcome(**module) for module in document["modules"]),
            tuple(str(line) for line in document["doubts"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise BuildsysError("not the outcome of a release of this version", path) from error


def share_jobs(jobs: int, targets: int) -> tuple[int, int]:
    """Give how many targets run at a time, and with how many jobs each: never more than jobs."""
    lanes = max(1, min(jobs, targets))
    return lanes, max(1, jobs // lanes)


def place_work(config: Config, output: Path, names: Sequence[str]) -> Path:
    """Give where a release is made before it takes output's place, in the object directory.

    A release of named modules alone has a place of its own.
    """
    mark = zlib.crc32(os.fsencode("\0".join((str(output), *sorted(set(names))))))
    return config.objdir / "release" / f"{mark:08x}"


def place_target(config: Config, work: Path, name: str, is_alone: bool) -> Config:
    """Give a target its own directories: NAME/destdir, NAME/METALOG, NAME/sets below work.

    One of several kernels of a machine (not is_alone) has an object directory of its own, too.
    """
    own = work / name
    objdir = config.objdir if is_alone else config.objdir / "kernels" / name
    return replace(
        config, objdir=objdir, destdir=own / "destdir", metalog=own / "METALOG", sets=own / "sets"
    )


def worst_status(statuses: Sequence[int]) -> ExitStatus:
    """Choose one status for all: wrong usage and failures weigh more than findings."""
    order = (ExitStatus.DONE, ExitStatus.FINDINGS, ExitStatus.USAGE, ExitStatus.FAILED)
    found = [ExitStatus(status) for status in statuses]
    return max(found, key=order.index, default=ExitStatus.DONE)
