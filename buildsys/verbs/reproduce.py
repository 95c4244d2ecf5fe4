"""The verb reproduce: build twice under other conditions, and compare every byte."""

import argparse
import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from buildsys.base.epoch import TIMES, read_time
from buildsys.base.errors import BuildsysError, ExitStatus, Place, UsageError
from buildsys.base.files import make_directory
from buildsys.base.treecopy import give_directory
from buildsys.base.value import replace
from buildsys.base.wording import count, show_path
from buildsys.cli import Context
from buildsys.config import Config
from buildsys.elf.difference import find_first_difference, find_times
from buildsys.pipeline.jobs import default_jobs
from buildsys.pipeline.outputs import refuse_places
from buildsys.pipeline.request import load_request
from buildsys.pipeline.target import load_target
from buildsys.pipeline.timemacros import find_time_macros
from buildsys.pipeline.twice import Condition, build_once, choose_conditions, lay_sources
from buildsys.toolchain.discover import load_toolchain
from buildsys.toolchain.kind import choose_kind
from buildsys.verbs.settings import read_config

_RESULTS = ("*/*.kmod", "*/*.kmod.debug", "*/*.plist")
_PACKAGE = Path(__file__).resolve().parent.parent


def reproduce(arguments: argparse.Namespace, context: Context) -> ExitStatus:
    """Build all, or the named modules, twice, and say what differs and what was varied."""
    config = read_config(arguments, context)
    if dict(config.origins)["reproducible"] == "default":
        config = replace(config, reproducible=True)
    read_time(context.environment)
    if arguments.output is not None:
        refuse_places("--output", Path(context.directory, arguments.output), config)
    with _open_work(arguments, context) as work:
        jobs = arguments.jobs or default_jobs()
        conditions = choose_conditions(work, jobs, _find_needed(config, context))
        for line in _describe(config, conditions, context, arguments.in_place):
            print(line, flush=True)
        statuses = [
            _build(config, condition, arguments, context, word)
            for condition, word in zip(conditions, ("first", "second"), strict=True)
        ]
        return _compare(config, conditions, max(statuses), context)


@contextlib.contextmanager
def _open_work(arguments: argparse.Namespace, context: Context) -> Iterator[Path]:
    """Give a directory to work in: the one that is asked for stays, any other goes."""
    if arguments.output is not None:
        work = Path(context.directory, arguments.output)
        if work.exists() and any(work.iterdir()):
            raise BuildsysError("is not empty; name another directory with --output", work)
        make_directory(work)
        yield work
        return
    with tempfile.TemporaryDirectory(prefix="modbuild.reproduce.") as name:
        # The second build may be another user's.
        give_directory(Path(name), (os.geteuid(), os.getegid()))
        yield Path(name)


def _find_needed(config: Config, context: Context) -> tuple[Path, ...]:
    machine = load_target(config).machine
    kind = choose_kind(None, config.toolchain or None, str(config.tooldir or "") or None)
    tools = load_toolchain(kind, machine, tooldir=config.tooldir, environment=context.environment)
    paths = [Path(sys.executable).resolve(), _PACKAGE, *tools.cc.files, *tools.link.files]
    paths += [path for path in (config.src, config.kernel, config.tooldir) if path is not None]
    return tuple(paths)


def _describe(
    config: Config, conditions: Sequence[Condition], context: Context, is_in_place: bool
) -> Iterator[str]:
    one, two = conditions
    same = ["the clock (real time passes between the builds)"]
    varied = [
        f"object directory {one.objdir} and {two.objdir}",
        f"umask {one.umask:03o} and {two.umask:03o}",
        f"jobs {one.jobs} and {two.jobs}",
        "time zone, locale, HOME, USER and the size of the environment",
    ]
    if is_in_place:
        same.append("directory of the sources (--in-place)")
    else:
        varied.append("directory of the sources")
        if config.modules.is_dir():
            varied.append("times of descriptors and sources")
        if config.src is not None:
            same.append("times of the source tree (its files are linked)")
    if pinned := next((name for name in TIMES if context.environment.get(name)), ""):
        same.append(f"{pinned}={context.environment[pinned]}, as the environment says")
    else:
        varied.append(f"SOURCE_DATE_EPOCH {one.seconds} and {two.seconds}")
    if two.user:
        varied.append(f"user root and {two.user}")
    else:
        same.append(f"user ({_why_one_user()})")
    yield "varied: " + "; ".join(varied)
    yield "not varied: " + "; ".join(same)
    if not config.reproducible:
        yield "built without -P: directories may enter into the results"


def _why_one_user() -> str:
    if os.geteuid() != 0:
        return "only root can be another"
    return "nobody cannot read Python, tools, sources or directory here, or there is no setpriv"


def _build(
    config: Config, condition: Condition, arguments: argparse.Namespace, context: Context, word: str
) -> ExitStatus:
    sources = lay_sources(config, condition, arguments.in_place)
    result = build_once(config, condition, sources, arguments.names, context.environment)
    status = ExitStatus(result.status) if result.status in tuple(ExitStatus) else ExitStatus.FAILED
    text = result.output.decode(errors="replace").strip()
    if status is ExitStatus.USAGE:
        raise UsageError(text.removeprefix("modbuild: "))
    if text and status is not ExitStatus.DONE:
        print(f"the {word} build says:\n{text}", file=sys.stderr)
    return status


def _compare(
    config: Config, conditions: Sequence[Condition], worst: ExitStatus, context: Context
) -> ExitStatus:
    label = load_target(config).machine.label
    roots = [condition.objdir / label for condition in conditions]
    found = [
        {path.relative_to(root): path for pattern in _RESULTS for path in root.glob(pattern)}
        for root in roots
    ]
    names = sorted(found[0].keys() | found[1].keys())
    modules = sorted({name.parent for name in names if name.suffix == ".kmod"})
    different: set[Path] = set()
    times: list[tuple[Path, str]] = []
    for name in names:
        text = _find_difference(found[0].get(name), found[1].get(name))
        if text:
            different.add(name.parent)
            print(f"{name.name}: differs: {text}")
            times.extend(_find_times(name, found))
    for line in _explain_times(config, context, times):
        print(line)
    told = f"{len(modules) - len(different)} the same byte for byte, {len(different)} not"
    print(f"{count(len(modules), 'module')} built twice: {told}")
    if worst is ExitStatus.FAILED or not modules:
        return ExitStatus.FAILED
    return ExitStatus.FINDINGS if different or worst is not ExitStatus.DONE else ExitStatus.DONE


def _find_times(name: Path, found: Sequence[Mapping[Path, Path]]) -> Iterator[tuple[Path, str]]:
    """Give the module and what to say where both results have a date or time of their own."""
    if all(name in known for known in found):
        times = find_times(*(known[name] for known in found))
        if times is not None:
            yield name.parent, f"{name.name}: a date or time: {times[0]!r} and {times[1]!r}"


def _explain_times(
    config: Config, context: Context, times: Sequence[tuple[Path, str]]
) -> Iterator[str]:
    """Say of differences that they are dates or times, and which lines ask for them."""
    yield from (text for _, text in times)
    names = {str(name) for name, _ in times}
    if names:
        modules = load_request(config, context.environment).modules
        for place, macro in find_time_macros(one for one in modules if one.name in names):
            shown = Place(Path(show_path(place.path, context.directory)), place.line)
            yield f"{shown}: {macro}"


def _find_difference(one: Path | None, two: Path | None) -> str:
    if one is None or two is None:
        return f"built only the {'first' if two is None else 'second'} time"
    return find_first_difference(one, two)
