"""The verb plan: what an update of the kernel will need, before anything is touched."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from buildsys.base.errors import BuildsysError, ExitStatus
from buildsys.base.wording import count, show_path
from buildsys.check.drift import parse_policy
from buildsys.check.update import Update, plan_update
from buildsys.cli import Context
from buildsys.config import Config
from buildsys.kernel.difference import compare_kernels
from buildsys.kernel.load import load_kernel
from buildsys.pipeline.descriptors import is_tree_described, load_modules
from buildsys.pipeline.request import load_request
from buildsys.pipeline.vetting import find_kmods
from buildsys.toolchain.machine import load_machine
from buildsys.verbs.settings import read_config

_SHOWN = 8


def plan(arguments: argparse.Namespace, context: Context) -> ExitStatus:
    """Say what must be done to the modules when a kernel takes the place of another."""
    config = read_config(arguments, context)
    machine = load_machine(config.machine, config.machine_arch or None)
    old, new = (
        load_kernel(context.directory / path, machine.module_directory, None, machine.arch)
        for path in (arguments.old, arguments.new)
    )
    difference = compare_kernels(old, new)
    place = config.destdir / old.modules_directory.lstrip("/")
    kmods = find_kmods(place)
    if not kmods:
        raise BuildsysError(f"no module for {old.label} is installed there", place)
    described = _find_described(config, context)
    update = plan_update(difference, kmods, described, parse_policy(config.drift))
    there = len(find_kmods(config.destdir / new.modules_directory.lstrip("/")))
    if arguments.json:
        print(json.dumps(_document(update, place, there), indent=1))
    else:
        print("\n".join(_describe(update, show_path(place, context.directory), there)))
    return ExitStatus.DONE if update.needs_nothing else ExitStatus.FINDINGS


def _find_described(config: Config, context: Context) -> tuple[str, ...] | None:
    """Name the modules that could be built here; None where there is no description of any."""
    if is_tree_described(config):
        return tuple(m.name for m in load_request(config, context.environment).modules)
    if not config.modules.is_dir():
        return None
    machine = load_machine(config.machine, config.machine_arch or None)
    modules = load_modules(config, machine)
    return tuple(m.name for m in modules if m.is_for(machine.name, machine.arch))


def _describe(update: Update, place: str, there: int) -> Iterator[str]:
    difference = update.difference
    old, new = difference.old, difference.new
    yield f"from {old.label} to {new.label}"
    yield f"installed: {count(len(update.modules), 'module')} in {place}"
    if not update.is_same_directory:
        state = f"holds {count(there, 'module')} already" if there else "is not there yet"
        yield f"new directory: {new.modules_directory}, {state}; the old one stays as it is"
    changes, builtins = difference.globals, difference.builtins
    if changes is None:
        yield "symbols: not compared; one of the kernels has none"
    else:
        yield f"symbols: {len(changes.vanished)} gone, {len(changes.appeared)} new"
    for title, names in (
        ("built-in modules gone", () if builtins is None else builtins.vanished),
        ("built-in modules new", () if builtins is None else builtins.appeared),
        ("must be built anew", update.rebuilt),
        ("becomes part of the kernel, and is refused as a file", update.becoming_builtin),
        ("vanishes: installed, not described, and does not load any more", update.vanishing),
        ("described, and not installed now", update.unbuilt),
    ):
        if names:
            yield f"{title} ({len(names)}): {_some(names)}"
    for module in update.modules:
        if module.symbols_gone:
            yield f"{module.name}: uses what is gone: {_some(module.symbols_gone)}"
        if module.requires_gone:
            lost = _some(module.requires_gone)
            yield f"{module.name}: requires what was built in and is gone: {lost}"
        if module.reason and update.is_compatible and update.is_same_directory:
            yield f"{module.name}: {module.reason}"
    if update.needs_nothing:
        yield "nothing to do: every installed module loads with the new kernel as it is"


def _some(names: tuple[str, ...]) -> str:
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _document(update: Update, place: Path, there: int) -> dict[str, object]:
    difference = update.difference
    symbols, builtins = difference.globals, difference.builtins
    return {
        "format": 1,
        "from": difference.old.label,
        "to": difference.new.label,
        "directory": str(place),
        "new_directory": difference.new.modules_directory,
        "is_same_directory": update.is_same_directory,
        "is_compatible": update.is_compatible,
        "modules_there": there,
        "symbols_gone": None if symbols is None else symbols.vanished,
        "symbols_new": None if symbols is None else symbols.appeared,
        "builtins_gone": None if builtins is None else builtins.vanished,
        "builtins_new": None if builtins is None else builtins.appeared,
        "rebuilt": update.rebuilt,
        "becoming_builtin": update.becoming_builtin,
        "vanishing": update.vanishing,
        "unbuilt": update.unbuilt,
        "needs_nothing": update.needs_nothing,
        "modules": [
            {
                "name": module.name,
                "reason": module.reason,
                "symbols_gone": module.symbols_gone,
                "requires_gone": module.requires_gone,
            }
            for module in update.modules
        ],
    }
