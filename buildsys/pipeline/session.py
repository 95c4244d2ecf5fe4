"""One run from configuration to result: load, plan, lock, run, and say what came of it."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from buildsys.base.errors import BuildsysError, ExitStatus, UsageError
from buildsys.base.files import remove_temporaries
from buildsys.base.locks import hold_lock
from buildsys.base.shipped import shipped_path
from buildsys.base.value import frozen, replace
from buildsys.config import Config
from buildsys.install.layout import module_directory
from buildsys.install.lookup import find_host, refuse_foreign_root
from buildsys.install.receipt import Receipt, load_receipts
from buildsys.kernel.version import parse_version
from buildsys.pipeline.beside import find_beside, find_program_places
from buildsys.pipeline.executor import Progress
from buildsys.pipeline.installed import find_installed, stamp_others
from buildsys.pipeline.launching import Launching, choose_jobs, prepare_launching
from buildsys.pipeline.objdir import RECORD_DIRECTORY
from buildsys.pipeline.outcome import RunResult
from buildsys.pipeline.partial import join_results, plan_partial
from buildsys.pipeline.paths import install_place, machine_objdir, receipts_directory
from buildsys.pipeline.plan import Plan, Surroundings, make_plan
from buildsys.pipeline.plancache import Planned, find_announcing, find_planned, save_planned
from buildsys.pipeline.pruning import prune_left_over
from buildsys.pipeline.request import Request, load_request
from buildsys.pipeline.runoptions import RunOptions
from buildsys.pipeline.scratch import hold_scratch
from buildsys.pipeline.staleness import forget_changed_modes
from buildsys.pipeline.step import Graph
from buildsys.pipeline.steps import StepExecutor
from buildsys.pipeline.store import Store
from buildsys.pipeline.sweeping import Pruned, note_planned, prune
from buildsys.pipeline.target import DEFAULT_RELEASE
from buildsys.pipeline.tasks import run_plan
from buildsys.pipeline.watch import Watch, take_watch, watch_further
from buildsys.snapshot import name_request
from buildsys.srctree.tree import MODULES, Trouble
from buildsys.toolchain.environment import tool_environment
from buildsys.toolchain.launcher import Tally

_PACKAGE = Path(__file__).resolve().parent.parent
_JUDGES = ("check", "elf", "kernel")  # the parts of the tool whose word is in a verdict


@frozen
class Session:
    """What a run was made from, what came of it, and the files that decide what a next one does.

    left_over are receipts of installed modules that no descriptor names any more.
    """

    request: Request
    plan: Plan
    result: RunResult
    left_over: tuple[Receipt, ...]
    watch: Watch
    identity: bytes = b""  # of the plan as it is kept; empty: it is not
    tally: Tally | None = None  # what a launcher did
    pruned: Pruned | None = None  # what was taken out of OBJDIR
    troubles: tuple[Trouble, ...] = ()
    token: bytes = b""  # that the record was marked with at the end
    is_complete: bool = False  # with all files as they are, a next run would do and say the same


def run_session(
    config: Config,
    environment: Mapping[str, str],
    options: RunOptions,
    progress: Progress,
) -> Session:
    """Bring modules up to date, one run at a time on an object directory."""
    asked = options.names
    kept = find_planned(config.objdir, options.key) if options.key else None
    if kept is None:
        request, names = load_named(config, environment, options.names)
    else:
        request, names = kept.request, kept.names
    troubles = find_troubles(request, asked)
    _refuse_troubles(request, troubles, options.is_keep_going)
    _refuse_early(request, options)
    options = replace(options, names=names)
    jobs = choose_jobs(options.jobs, config.launcher, environment)
    purpose = f"building {request.target.machine.label}"
    with (
        lock_objdir(request, purpose),
        hold_scratch(machine_objdir(request), environment) as programs,
    ):
        surroundings = find_surroundings(request, options.is_privileged)
        planned = _plan(request, surroundings, options, kept)
        plan = planned.plan
        _sweep(plan)
        store = open_store(request, options.began_ns)
        try:
            forget_changed_modes(plan.steps, store)
            launching = find_launching(request, environment, store)
            result, is_complete = _run_steps(
                planned, options, store, launching, progress, jobs, programs
            )
            tally = None if launching is None else launching.finish()
            pruned = _prune_objects(request, plan, store, asked, result)
            if options.has_prune and result.exit_status is ExitStatus.DONE:
                prune_left_over(request, options.is_privileged)
            watch = _watch_all(
                request, environment, plan, surroundings, store, options.began_ns, result
            )
            if planned is not kept and options.key and watch.is_settled:
                places = find_program_places(request, environment)
                planned = replace(planned, identity=_keep(planned, options, watch, places))
            token = b""
            if is_complete and watch.is_settled and options.key:  # a snapshot will be left
                token = store.mark(name_request(options.key))
        finally:
            store.close()
    described = {module.name for module in request.modules}
    left_over = load_receipts(receipts_directory(request), described)
    return Session(
        request, plan, result, left_over, watch, planned.identity, tally, pruned, troubles,
        token, is_complete,
    )  # fmt: skip


def _run_steps(
    planned: Planned,
    options: RunOptions,
    store: Store,
    launching: Launching | None,
    progress: Progress,
    jobs: int,
    programs: Mapping[str, str],
) -> tuple[RunResult, bool]:
    """Run all that is stale; tells, too, whether all was done. programs is their environment."""
    plan = planned.plan
    executor = make_executor(plan, programs, options.timeout_seconds, store, launching)
    result = run_plan(plan.graph, store, executor, progress, jobs, options.is_keep_going)
    is_complete = has_done_all(plan.graph, result)
    result = install_passed(planned, options, store, executor, progress, jobs, result)
    is_complete = is_complete and all(failed.is_refusal for failed in result.failed)
    return result, is_complete and not result.is_interrupted and not result.moved


def has_done_all(graph: Graph, result: RunResult) -> bool:
    """Tell whether only kmods that are not fit kept anything from being done."""
    closed = {failed.step.name for failed in result.failed}
    if not all(failed.is_refusal for failed in result.failed):
        return False
    for step in graph.steps if closed else ():
        if not closed.isdisjoint(graph.needs[step.name]):
            closed.add(step.name)
    return all(step.name in closed for step in result.left_out)


def install_passed(
    planned: Planned,
    options: RunOptions,
    store: Store,
    executor: StepExecutor,
    progress: Progress,
    jobs: int,
    result: RunResult,
) -> RunResult:
    """Install what can be where others failed and -k asks to go on; gives what came of all."""
    is_wanted = options.has_install and options.is_keep_going and not result.is_interrupted
    if not is_wanted or not result.left_out:
        return result
    partial = plan_partial(planned.request, planned.plan, result, options.is_privileged)
    forget_changed_modes(partial.steps, store)
    part = run_plan(partial.graph, store, executor, progress, jobs, True)
    return join_results(result, part, planned.plan, partial)


def _plan(
    request: Request, surroundings: Surroundings, options: RunOptions, kept: Planned | None
) -> Planned:
    if kept is not None and kept.surroundings == surroundings:
        return kept
    is_closed = not options.is_replacing
    plan = make_plan(request, surroundings, options.names, options.has_install, is_closed)
    announcing = find_announcing(request, options.began_ns)
    return Planned(request, options.names, surroundings, plan, announcing)


def _keep(planned: Planned, options: RunOptions, watch: Watch, programs: Collection[str]) -> bytes:
    """Keep a plan for the next run, which without it only takes longer; gives its identity."""
    stamps = tuple((path, stamp) for path, stamp in watch.stamps if path in watch.beside)
    try:
        objdir = planned.request.config.objdir
        return save_planned(objdir, options.key, planned, stamps, programs)
    except BuildsysError:
        return b""


def _prune_objects(
    request: Request, plan: Plan, store: Store, asked: Sequence[str], result: RunResult
) -> Pruned | None:
    """Take out of OBJDIR what nothing plans any more, where this run planned all there is."""
    if result.is_interrupted or any(map(_is_directory, asked)):
        return None
    config = request.config
    owner = config.modules if request.tree is None or config.src is None else config.src / MODULES
    if asked:
        note_planned(plan, store, str(owner))
        return None
    if request.tree is not None and request.tree.troubles:
        return None  # one that could not be read is not gone
    return prune(plan, store, str(owner), machine_objdir(request))


def _is_directory(name: str) -> bool:
    """Tell whether a word names a directory with a Makefile, and not a module."""
    return "/" in name or name in (".", "..")


def _refuse_early(request: Request, options: RunOptions) -> None:
    """Refuse what could only fail after the whole build."""
    if options.is_replacing and not options.names:
        raise UsageError("--replace-only: name the modules to replace")
    version = request.target.version
    if request.config.src is None and version != parse_version(DEFAULT_RELEASE):
        raise BuildsysError(
            f"the kernel headers that come with modbuild are those of NetBSD {DEFAULT_RELEASE};"
            f" for {version} give its sources with --src or NETBSDSRCDIR"
        )
    if options.has_install:
        place = install_place(request, options.is_privileged)
        refuse_foreign_root(place, find_host())
        if place.destdir.exists() and not place.destdir.is_dir():
            message = "expected DESTDIR, a directory; a file stands there: name another with -D"
            raise BuildsysError(message, place.destdir)


def load_named(
    config: Config, environment: Mapping[str, str], names: Sequence[str]
) -> tuple[Request, tuple[str, ...]]:
    """Load what names ask for: a name with a '/' is a directory with a Makefile of its own.

    Gives the request and the names of modules that are meant.
    """
    plain = tuple(name for name in names if not _is_directory(name))
    directories = tuple(Path.cwd() / name for name in names if name not in plain)
    if not directories:
        return load_request(config, environment), plain
    if plain and config.src is not None:
        directories = (*directories, config.src / MODULES)
    request = load_request(config, environment, directories)
    if not plain:
        return request, tuple(module.name for module in request.modules)
    own = [module.name for module in request.modules if module.directory in directories]
    return request, (*own, *plain)


def find_troubles(request: Request, asked: Sequence[str]) -> tuple[Trouble, ...]:
    """Give the directories of a source tree that should have given modules and did not.

    Where modules are asked for by name, other directories do not matter.
    """
    if request.tree is None or (asked and not any(map(_is_directory, asked))):
        return ()
    return request.tree.troubles


def _refuse_troubles(request: Request, troubles: Sequence[Trouble], is_keep_going: bool) -> None:
    """Raise when a directory of the source tree gives no module, unless others may go on."""
    if troubles and not is_keep_going:
        rest = f" ({len(troubles) - 1} more)" if len(troubles) > 1 else ""
        mend = "; with -k the other modules are built"
        raise BuildsysError(f"{troubles[0].message}{rest}{mend}")
    if request.tree is not None and not request.modules:
        message = troubles[0].message if troubles else "no directory of the tree has KMOD"
        raise BuildsysError(message)


def _sweep(plan: Plan) -> None:
    """Remove the temporary files that a killed run left beside its outputs."""
    for directory in dict.fromkeys(paths.objects for paths in plan.paths.values()):
        remove_temporaries(directory)


def _watch_all(
    request: Request,
    environment: Mapping[str, str],
    plan: Plan,
    surroundings: Surroundings,
    store: Store,
    began_ns: int,
    result: RunResult,
) -> Watch:
    is_settled = store.settle()
    left_out = {step.name for step in result.left_out}
    if result.further:  # which are in place of the whole's installation
        left_out.update(step.name for step in plan.steps if not step.module)
    steps = (*(step for step in plan.steps if step.name not in left_out), *result.further)
    beside = find_beside(request, environment)
    watch = take_watch(store.seen(steps), beside, began_ns, store.times.has)
    if result.failed:  # what is installed in part depends on what was installed before
        watch = watch_further(watch, (str(one.receipt) for one in plan.paths.values()), began_ns)
    # We install there ourselves, so its stamp is new: what else is there must be as it was.
    directory = str(installed_directory(request))
    stamps = (*watch.stamps, *stamp_others(directory, plan.paths))
    ours = _find_ours(plan)
    others = set(surroundings.installed_kmods) - ours
    is_same = set(_find_installed(request)) - ours == others
    return replace(watch, stamps=stamps, is_settled=watch.is_settled and is_settled and is_same)


def _find_ours(plan: Plan) -> set[tuple[str, Path]]:
    return {(name, paths.installed / f"{name}.kmod") for name, paths in plan.paths.items()}


def lock_objdir(request: Request, purpose: str) -> AbstractContextManager[None]:
    """Hold the object directory of this machine for a block; purpose is for who must wait."""
    return hold_lock(machine_objdir(request) / RECORD_DIRECTORY / "lock", purpose)


def open_store(request: Request, began_ns: int | None = None) -> Store:
    """Open the record of what was made for this machine; began_ns is when the run began."""
    return Store(machine_objdir(request) / RECORD_DIRECTORY / "store.sqlite3", began_ns)


def find_launching(
    request: Request, environment: Mapping[str, str], store: Store
) -> Launching | None:
    """Make the configured launcher ready, if there is one; the store knows what the compiler is."""
    record = machine_objdir(request) / RECORD_DIRECTORY
    name = request.config.launcher
    return prepare_launching(name, request.toolchain, environment, record, store.digest)


def make_executor(
    plan: Plan,
    environment: Mapping[str, str],
    timeout_seconds: float | None,
    store: Store,
    launching: Launching | None,
) -> StepExecutor:
    """Make what runs the steps of a plan."""
    places = {module.name: str(module.place) for module in plan.modules}
    variables = tool_environment(environment)
    return StepExecutor(variables, timeout_seconds, places.get, store.notes, launching)


def find_surroundings(request: Request, is_privileged: bool) -> Surroundings:
    """Look at what of this machine and of the tool itself enters into a plan."""
    headers = () if request.config.src is not None else (shipped_path("toolchain/kernel/include"),)
    return Surroundings(
        link_script=shipped_path("toolchain/kmodule.ld"),
        kernel_headers=headers,
        judge_files=_own_sources(_JUDGES),
        installed_kmods=_find_installed(request),
        is_privileged=is_privileged,
    )


def _own_sources(packages: Sequence[str]) -> tuple[Path, ...]:
    return tuple(path for name in packages for path in sorted((_PACKAGE / name).glob("*.py")))


def _find_installed(request: Request) -> tuple[tuple[str, Path], ...]:
    return find_installed(installed_directory(request))


def installed_directory(request: Request) -> Path:
    """Give the modules directory of the machine and version below DESTDIR."""
    machine = request.target.machine.module_directory
    return module_directory(request.config.destdir, machine, request.target.version.release)
