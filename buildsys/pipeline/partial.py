"""What is installed when some modules failed and the others may go on: a tree that fits together.

No file goes: a module that failed keeps its former kmod. That one was judged with the former
kmods of what it requires, and others with theirs; so whoever is tied to it by a requirement, and
would change, waits with it. One that would not change ties nobody.
"""

from collections.abc import Collection, Iterable, Mapping

from buildsys.base.value import replace
from buildsys.install.order import load_order
from buildsys.install.receipt import find_receipt
from buildsys.module.model import Module
from buildsys.pipeline.outcome import RunResult
from buildsys.pipeline.plan import ALL, Plan, record_step
from buildsys.pipeline.request import Request
from buildsys.pipeline.step import Record, Step

SELECTION = "what-passed"


def plan_partial(request: Request, plan: Plan, result: RunResult, is_privileged: bool) -> Plan:
    """Plan installing what can be after failures; an empty plan when that is nothing."""
    passed = _find_passed(plan, result)
    held = find_held(plan.modules, passed, *_look_at(plan, passed))
    chosen = [module for module in plan.modules if module.name in passed - held]
    if not chosen:
        return replace(plan, steps=(), needs={})
    step = record_step(request, is_privileged, chosen, plan.paths, _name_selection(plan))
    return replace(plan, steps=(step,), needs={step.name: ()})


def _name_selection(plan: Plan) -> str:
    """Name what passed of all modules, or of those that were asked for."""
    own = next(step.name for step in plan.steps if isinstance(step.action, Record))
    asked = own.partition(":")[2]
    return SELECTION if asked == ALL else f"{SELECTION}-of-{asked}"


def _find_passed(plan: Plan, result: RunResult) -> set[str]:
    """Name the modules that were ordered: their install step is done, now or before."""
    open_steps = {step.name for step in result.left_out}
    open_steps.update(failed.step.name for failed in result.failed)
    return {
        step.module for step in plan.steps if step.kind == "install" and step.name not in open_steps
    }


def _look_at(plan: Plan, passed: Collection[str]) -> tuple[set[str], set[str]]:
    """Name the modules that are installed, and those of passed that would change."""
    receipts = {name: find_receipt(paths.receipt) for name, paths in plan.paths.items()}
    installed = {name for name, receipt in receipts.items() if receipt is not None}
    changing = {
        name for name in passed if load_order(plan.paths[name].order).receipt != receipts[name]
    }
    return installed, changing


def find_held(
    modules: Iterable[Module],
    passed: Collection[str],
    installed: Collection[str],
    changing: Collection[str],
) -> set[str]:
    """Name those that passed and must wait: tied to an installed one that failed."""
    ties: dict[str, set[str]] = {}
    for module in modules:
        for other in module.requires:
            ties.setdefault(module.name, set()).add(other)
            ties.setdefault(other, set()).add(module.name)
    known = {module.name for module in modules}
    pending = [name for name in installed if name in known and name not in passed]
    held: set[str] = set()
    while pending:
        tied = ties.get(pending.pop(), set()) & set(changing) - held
        held |= tied
        pending.extend(tied)
    return held


def join_results(whole: RunResult, part: RunResult, plan: Plan, partial: Plan) -> RunResult:
    """Say what became of both runs: modules that had to wait count as left out."""
    if part.failed or part.left_out or not partial.steps:
        left_out = whole.left_out
    else:
        left_out = tuple(step for step in whole.left_out if not isinstance(step.action, Record))
        left_out += tuple(_find_waiting(plan, partial, left_out))
    return replace(
        whole,
        done=whole.done + part.done,
        failed=whole.failed + part.failed,
        left_out=left_out,
        is_interrupted=whole.is_interrupted or part.is_interrupted,
        moved=part.moved,  # of one store, which has told of the whole's, too
        seconds=whole.seconds + part.seconds,
        further=partial.steps,
    )


def _find_waiting(plan: Plan, partial: Plan, left_out: Collection[Step]) -> Iterable[Step]:
    chosen: set[str] = set()
    by_order: Mapping[object, str] = {paths.order: name for name, paths in plan.paths.items()}
    for step in partial.steps:
        chosen.update(by_order[path] for path in step.inputs if path in by_order)
    known = {step.name for step in left_out}
    for step in plan.steps:
        if step.kind == "install" and step.module not in chosen and step.name not in known:
            yield step
