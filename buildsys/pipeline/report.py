"""What came of a run, in words for people."""

from collections import Counter
from pathlib import Path

from buildsys.base.wording import count, show_path
from buildsys.pipeline.notes import describe_work
from buildsys.pipeline.outcome import FailureKind, RunResult
from buildsys.pipeline.progress import describe_failure
from buildsys.pipeline.session import Session


def describe_pruned(session: Session, directory: Path) -> list[str]:
    """Say what was taken out of the object directory, and what was left there."""
    pruned = session.pruned
    if pruned is None:
        return []
    lines = []
    if pruned.files:
        whose = "that no step makes any more"
        if pruned.modules:
            whose = f"of {', '.join(pruned.modules)}, no longer described"
        place = show_path(session.request.config.objdir, directory)
        lines.append(f"removed from {place}: {count(pruned.files, 'file')} {whose}")
    lines.extend(
        f"kept: {show_path(path, directory)}: no step makes it any more, and it is not what was"
        " made"
        for path in pruned.kept
    )
    return lines


def describe_up_to_date(session: Session, has_install: bool, directory: Path) -> str:
    """Say that there was nothing to do."""
    if not session.plan.modules:
        return f"Nothing to do: no module is for {session.request.target.machine.label}."
    number = count(len(session.plan.modules), "module")
    is_are = "is" if len(session.plan.modules) == 1 else "are"
    where = f" in {describe_place(session, has_install, directory)}"
    return f"Nothing to do: {number} {is_are} up to date{where}."


def describe_place(session: Session, has_install: bool, directory: Path) -> str:
    """Name the directory where the result lies."""
    if not has_install:
        return show_path(session.request.config.objdir, directory)
    if not session.plan.modules:
        return show_path(session.request.config.destdir, directory)
    first = session.plan.paths[session.plan.modules[0].name].installed
    return show_path(first.parent, directory)


def describe_through(session: Session, has_install: bool, directory: Path) -> str:
    """Say how far the modules came."""
    modules = session.plan.modules
    words = [count(len(modules), "module")]
    stages = [("build", "built"), ("check", "checked"), ("install", "installed")]
    for kind, word in stages if has_install else stages[:2]:
        words.append(f"{_count_through(session, kind)} {word}")
    if has_install:
        words[-1] += f" in {describe_place(session, has_install, directory)}"
    if not modules:
        words = [f"no module is for {session.request.target.machine.label}"]
    return ": ".join(filter(None, (words[0], ", ".join(words[1:]))))


def describe_summary(session: Session, has_install: bool, directory: Path) -> str:
    """Sum up a run that did something: modules by how far they came, steps, time."""
    result = session.result
    text = f"{describe_through(session, has_install, directory)} ({describe_work(result)})"
    return text + describe_end(session)


def describe_end(session: Session) -> str:
    """Say what a launcher did, what failed and what that kept from being done, in lines."""
    result, text = session.result, ""
    if session.tally is not None:
        text += f"\n{session.tally.describe()}"
    bad = Counter(failed.kind for failed in result.failed)
    if bad[FailureKind.FINDINGS]:
        text += f"\n{count(bad[FailureKind.FINDINGS], 'module')} not fit to be loaded"
    if bad[FailureKind.COMMAND]:
        text += f"\n{count(bad[FailureKind.COMMAND], 'step')} failed"
    if result.left_out:
        failed = {failure.step.module for failure in result.failed}
        names = sorted({step.module for step in result.left_out} - failed - {""})
        if any(not step.module for step in result.left_out):
            names.append("the installation")
        if names:
            text += f"\nleft out after that: {', '.join(names)}"
    return text


def _count_through(session: Session, kind: str) -> int:
    """Count the modules that are past a stage, now or before: none of their steps to it is open.

    One that has no such stage (built, and installed nowhere) does not count.
    """
    kinds = {
        "build": {"generate", "compile", "link"},
        "check": {"generate", "compile", "link", "check"},
        "install": {"generate", "compile", "link", "check", "install"},
    }[kind]
    open_steps = {failed.step.name for failed in session.result.failed}
    open_steps.update(step.name for step in session.result.left_out)
    open_modules = {
        step.module for step in session.plan.steps if step.kind in kinds and step.name in open_steps
    }
    result = session.result
    unfinished = (*result.left_out, *(failed.step for failed in result.failed))
    if kind == "install" and any(not step.module for step in unfinished):
        return 0  # the one moment at which all are installed did not come
    last = "link" if kind == "build" else kind
    concerned = {step.module for step in session.plan.steps if step.kind == last}
    return sum(
        module.name in concerned and module.name not in open_modules
        for module in session.plan.modules
    )


def describe_failures(result: RunResult) -> str:
    """Repeat every failure, for the end of a run; '' for none."""
    return "\n".join(describe_failure(failed) for failed in result.failed)
