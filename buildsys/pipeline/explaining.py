"""Why steps are stale, for who asks: what the record says, and what became of their commands."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from buildsys.base.errors import BuildsysError
from buildsys.base.files import read_whole
from buildsys.base.programs import quote_argv
from buildsys.base.value import field_names
from buildsys.base.wording import name_some
from buildsys.config import Config
from buildsys.pipeline.keptplan import DIRECTORY, KeptPlan
from buildsys.pipeline.plan import make_plan
from buildsys.pipeline.request import load_request
from buildsys.pipeline.session import find_surroundings, lock_objdir, open_store
from buildsys.pipeline.staleness import find_stale
from buildsys.pipeline.step import Command, Generate, Step
from buildsys.pipeline.store import CHANGED_COMMAND, Store

_Kept = tuple[KeptPlan, Mapping[str, int]]  # with the numbers of its steps, by name


def explain_steps(
    config: Config, environment: Mapping[str, str], names: Sequence[str]
) -> tuple[tuple[str, str, str | None], ...]:
    """Give for each step of some modules: its name, why it is stale now, why it last ran.

    The second is '' for a step that is up to date, and for one that waits for a stale one
    'it depends on a stale step'; the third is None for a step that never ran.
    """
    request = load_request(config, environment)
    plan = make_plan(request, find_surroundings(request, False), names, has_install=True)
    with lock_objdir(request, "explaining what is stale"):
        store = open_store(request)
        try:
            stale = find_stale(plan.graph, store).stale
            kept = _load_kept(config.objdir) if CHANGED_COMMAND in stale.values() else []
            return tuple(
                (step.name, _explain(stale, step, store, kept), store.last_reason(step.record))
                for step in plan.steps
                if step.module
            )
        finally:
            store.close()


def _explain(stale: Mapping[str, str], step: Step, store: Store, kept: Sequence[_Kept]) -> str:
    if step.name not in stale:
        return ""
    reason = stale[step.name]
    if reason == CHANGED_COMMAND:
        former = _find_former(step, store, kept)
        more = "" if former is None else describe_change(former, step)
        return f"{reason}: {more}" if more else reason
    return reason or "it depends on a stale step"


def _load_kept(objdir: Path) -> list[_Kept]:
    """Give the plans that are kept of former runs, whatever these were asked for."""
    plans: list[_Kept] = []
    for path in sorted((objdir / DIRECTORY).glob("plan-*.pickle")):
        try:
            plan = KeptPlan(read_whole(path), path)
        except BuildsysError:  # of another version, or just replaced
            continue
        plans.append((plan, {name: number for number, name in enumerate(plan.names)}))
    return plans


def _find_former(step: Step, store: Store, kept: Sequence[_Kept]) -> Step | None:
    """Give a step as it was when it last ran: its recipe tells that it is just that."""
    node = store.find(step.record)
    for plan, numbers in kept if node is not None else ():
        former = plan.step(numbers[step.name]) if step.name in numbers else None
        if former is not None and node is not None and former.recipe == node.recipe:
            return former
    return None


def describe_change(former: Step, present: Step) -> str:
    """Say in what a step differs from what it was; '' where that is not of its own words."""
    was, now = former.action, present.action
    if isinstance(was, Command) and isinstance(now, Command):
        if text := _compare(was.argv, now.argv):
            return text
        if was.argv != now.argv:
            return "its words stand in another order"
    if isinstance(was, Generate) and isinstance(now, Generate):
        known = dict(was.files)
        names = [path.name for path, content in now.files if known.get(path) != content]
        if names:
            return f"what it writes into {name_some(names)}"
    if text := _compare(tuple(map(str, former.inputs)), tuple(map(str, present.inputs))):
        return text
    if type(was) is not type(now):
        return ""
    others = (name for name in field_names(now) if getattr(was, name) != getattr(now, name))
    return name_some([name.replace("_", " ") for name in others])


def _compare(former: Sequence[str], present: Sequence[str]) -> str:
    """Say which words came and which went."""
    came = [quote_argv((word,)) for word in present if word not in former]
    went = [quote_argv((word,)) for word in former if word not in present]
    parts = (("with", came), ("without", went))
    return ", ".join(f"{word} {name_some(words)}" for word, words in parts if words)
