"""The verbs around generations: rollback, prune, versions."""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

from buildsys.base.errors import ExitStatus
from buildsys.base.wording import count, show_path
from buildsys.cli import Context
from buildsys.config import Config
from buildsys.install.debug import follow_modules
from buildsys.install.history import Generation, prune_history
from buildsys.install.installation import Installation
from buildsys.install.inventory import ModuleTree, find_trees
from buildsys.install.layout import DEBUG_ROOT
from buildsys.install.receipt import Receipt, load_installed, load_receipts
from buildsys.install.rollback import (
    choose_generation,
    find_difference,
    list_generations,
    roll_back,
)
from buildsys.install.switch import describe_switch
from buildsys.pipeline.places import installation_at, lock_machine, usual_place
from buildsys.pipeline.target import Target, load_target
from buildsys.verbs.settings import read_config


def rollback(arguments: argparse.Namespace, context: Context) -> ExitStatus:
    """Put a former generation of the modules directory in place, or list them."""
    config = read_config(arguments, context)
    target = load_target(config)
    installation = _find_installation(config, target)
    with lock_machine(config, target, "rolling back"):
        generations = list_generations(installation)
        if arguments.list:
            _list(installation, generations)
            return ExitStatus.DONE
        generation = choose_generation(generations, arguments.to)
        difference = find_difference(installation, generation)
        switch = roll_back(installation, generation)
        follow_modules(installation)
    where = show_path(installation.tree, context.directory)
    if text := describe_switch(switch):
        print(text)
    if not switch.is_changed:
        print(f"Nothing to do: {where} is as generation {generation.number} was.")
        return ExitStatus.DONE
    changes = [f"{count(len(difference.back), 'module')} restored"]
    if difference.removed:
        changes.append(f"{len(difference.removed)} removed ({', '.join(difference.removed)})")
    print(f"{where}: generation {generation.number} is back: {', '.join(changes)}")
    return ExitStatus.DONE


def _list(installation: Installation, generations: Sequence[Generation]) -> None:
    print(f"now: {count(len(load_installed(installation)), 'module')}")
    for generation in generations:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(generation.replaced_ns / 1e9))
        difference = find_difference(installation, generation)
        other = len(difference.back) + len(difference.removed)
        modules = count(len(generation.receipts), "module")
        print(f"{generation.number}: {modules}, replaced {when}, {other} other than now")


def prune(arguments: argparse.Namespace, context: Context) -> ExitStatus:
    """Remove former generations but the latest."""
    config = read_config(arguments, context)
    target = load_target(config)
    installation = _find_installation(config, target)
    with lock_machine(config, target, "pruning"):
        generations = list_generations(installation)
        gone = prune_history(generations[0].path.parent, arguments.keep) if generations else ()
    print(f"{count(len(gone), 'generation')} removed, {len(generations) - len(gone)} kept")
    return ExitStatus.DONE


def versions(arguments: argparse.Namespace, context: Context) -> ExitStatus:
    """List what is installed below DESTDIR, of every machine and kernel version."""
    config = read_config(arguments, context)
    receipts: dict[Path, tuple[Receipt, ...]] = {}
    for directory in sorted(config.objdir.glob("*/receipts/*")):
        for receipt in load_receipts(directory):
            if receipt.destdir == config.destdir and DEBUG_ROOT not in receipt.directory.parents:
                place = receipt.destdir / receipt.directory
                receipts[place] = (*receipts.get(place, ()), receipt)
    trees = find_trees(config.destdir, receipts)
    if arguments.json:
        print(json.dumps([_document(tree) for tree in trees], indent=1))
        return ExitStatus.DONE
    for tree in trees:
        print(_describe(tree))
    if not trees:
        print(f"no modules below {show_path(config.destdir, context.directory)}")
    return ExitStatus.DONE


def _describe(tree: ModuleTree) -> str:
    state = "complete" if tree.is_complete else "incomplete"
    if not tree.recorded:
        state = "not installed from here"
    elif tree.is_interrupted:
        state = "a switch was interrupted; install or rollback will finish it"
    elif tree.missing:
        state += f", missing {', '.join(tree.missing)}"
    size = f"{tree.size / 1000:.0f} kB"
    return f"{tree.machine} {tree.release}: {count(len(tree.kmods), 'module')}, {size}, {state}"


def _document(tree: ModuleTree) -> dict[str, object]:
    return {
        "machine": tree.machine,
        "release": tree.release,
        "path": str(tree.path),
        "modules": tree.kmods,
        "bytes": tree.size,
        "recorded": tree.recorded,
        "missing": tree.missing,
        "is_complete": tree.is_complete,
    }


def _find_installation(config: Config, target: Target) -> Installation:
    return installation_at(config, target, usual_place(config, target))
