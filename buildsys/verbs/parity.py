"""The verb parity: our kmods beside those that NetBSD's own makefiles made."""

import argparse
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from buildsys.base.errors import BuildsysError, ExitStatus, UsageError
from buildsys.base.value import frozen
from buildsys.base.wording import count
from buildsys.cli import Context
from buildsys.elf.difference import describe_differences
from buildsys.module.model import Module
from buildsys.pipeline.descriptors import lacks_tree
from buildsys.pipeline.plan import Plan, make_plan
from buildsys.pipeline.request import Request, make_setup
from buildsys.pipeline.session import find_surroundings, load_named
from buildsys.pipeline.step import Command
from buildsys.srctree.dryrun import (
    describe_flags,
    find_compile,
    find_link,
    plain_flags,
    read_stock_commands,
)
from buildsys.verbs.settings import read_config


@frozen
class Comparison:
    """One module: theirs and ours are None where there is no such file."""

    module: Module
    ours: Path | None
    theirs: Path | None
    differences: tuple[str, ...]


def parity(arguments: argparse.Namespace, context: Context) -> ExitStatus:
    """Compare each built kmod with the one below another object directory, byte for byte."""
    config = read_config(arguments, context)
    request, names = load_named(config, context.environment, arguments.names)
    if request.tree is None:
        raise lacks_tree(config, "parity compares modules of a source tree's makefiles")
    plan = make_plan(request, find_surroundings(request, False), names, has_install=False)
    stock = _index(arguments.against)
    comparisons = [_compare(request, plan, module, stock) for module in plan.modules]
    is_wanted = arguments.flags
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        flags = pool.map(
            lambda item: _compare_flags(request, plan, item, context, is_wanted), comparisons
        )
        for item, lines in zip(comparisons, flags, strict=True):
            _show(item, lines)
    return _sum_up(comparisons)


def _index(directory: Path) -> dict[tuple[str, str], list[Path]]:
    """Find the kmods below a directory by their name and the name of their directory."""
    if not directory.is_dir():
        raise UsageError(f"--against: {directory} is not a directory")
    found: dict[tuple[str, str], list[Path]] = {}
    for path in sorted(directory.rglob("*.kmod")):
        found.setdefault((path.parent.name, path.name), []).append(path.resolve())
    return found


def _compare(
    request: Request, plan: Plan, module: Module, stock: dict[tuple[str, str], list[Path]]
) -> Comparison:
    kmod = plan.paths[module.name].kmod
    candidates = stock.get((module.directory.name, kmod.name), [])
    tail = os.path.relpath(module.directory, request.config.src)
    exact = [path for path in candidates if str(path.parent).endswith(f"/{tail}")]
    theirs = next(iter(exact or candidates), None)
    ours = kmod if kmod.exists() else None
    differences: tuple[str, ...] = ()
    if ours is not None and theirs is not None:
        differences = describe_differences(ours, theirs)
    return Comparison(module, ours, theirs, differences)


def _compare_flags(
    request: Request, plan: Plan, item: Comparison, context: Context, is_wanted: bool
) -> tuple[str, ...]:
    if not item.differences and not is_wanted:
        return ()
    try:
        setup = make_setup(request, context.environment)
        commands = read_stock_commands(setup, item.module.directory)
    except BuildsysError as error:
        return (f"flags cannot be compared: {error}",)
    return tuple(_flag_lines(plan, item.module, commands))


def _flag_lines(plan: Plan, module: Module, commands: tuple[tuple[str, ...], ...]) -> Iterator[str]:
    objects = plan.paths[module.name].objects
    sources = {objects / unit.object: unit.name for unit in module.units}
    for step in plan.steps:
        if step.module != module.name or not isinstance(step.action, Command):
            continue
        output = step.outputs[0]
        if output in sources:
            theirs = find_compile(commands, sources[output])
        elif output == plan.paths[module.name].kmod:
            theirs = find_link(commands, output.name)
        else:
            continue
        if theirs is None:
            yield f"{output.name}: make has no such command"
            continue
        difference = describe_flags(
            plain_flags(step.action.argv, objects), plain_flags(theirs, objects)
        )
        if difference:
            yield f"{output.name}: flags: {difference}"


def _show(item: Comparison, lines: tuple[str, ...]) -> None:
    name = item.module.name
    for line in (*item.differences, *lines):
        print(f"{name}: {line}")


def _sum_up(comparisons: list[Comparison]) -> ExitStatus:
    both = [item for item in comparisons if item.ours is not None and item.theirs is not None]
    same = [item for item in both if not item.differences]
    only_ours = [item.module.name for item in comparisons if item.theirs is None and item.ours]
    only_theirs = [item.module.name for item in comparisons if item.ours is None and item.theirs]
    neither = [item.module.name for item in comparisons if item.ours is None and not item.theirs]
    print(f"{count(len(both), 'module')} on both sides: {len(same)} identical, ", end="")
    print(f"{len(both) - len(same)} different")
    for text, names in (
        ("only built here", only_ours),
        ("only built there", only_theirs),
        ("built on neither side", neither),
    ):
        if names:
            print(f"{text}: {', '.join(names)}")
    is_equal = len(same) == len(both) and not only_theirs
    return ExitStatus.DONE if is_equal else ExitStatus.FINDINGS
