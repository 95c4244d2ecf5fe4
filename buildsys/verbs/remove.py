"""The verbs that take away what others made: uninstall, clean."""

import argparse
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path

from buildsys.base.errors import ExitStatus, UsageError
from buildsys.base.files import remove_file, remove_tree
from buildsys.base.value import replace
from buildsys.base.wording import count, show_path
from buildsys.cli import Context
from buildsys.install.debug import find_debug_trees
from buildsys.install.layout import InstallPlace
from buildsys.install.receipt import Receipt, load_receipts
from buildsys.install.remove import uninstall_recorded
from buildsys.install.switch import finish_interrupted
from buildsys.pipeline.needing import NeededError, describe_needs, find_builtins, find_needs
from buildsys.pipeline.objdir import KEPT, RECORD_DIRECTORY, objects_directory
from buildsys.pipeline.paths import install_place, machine_objdir, receipts_directory
from buildsys.pipeline.places import installation_at
from buildsys.pipeline.plan import select_modules
from buildsys.pipeline.request import Request, load_request
from buildsys.pipeline.session import lock_objdir
from buildsys.pipeline.vetting import find_kmods
from buildsys.verbs.settings import read_config


def uninstall(arguments: argparse.Namespace, context: Context) -> ExitStatus:
    """Remove installed modules by their receipts: the named ones, the left-over ones, or all."""
    request = load_request(read_config(arguments, context), context.environment)
    directory = receipts_directory(request)
    place = install_place(request, is_privileged=False)
    installation = installation_at(request.config, request.target, place)
    with _lock(request, "uninstalling"):
        finish_interrupted(installation)
        receipts = load_receipts(directory)
        installed = {receipt.name for receipt in receipts}
        for name in arguments.names:
            if name not in installed:
                raise UsageError(f"module {name} was not installed in {place.destdir} from here")
        names = set(arguments.names) if arguments.names else installed
        if arguments.left_over:
            described = {module.name for module in request.modules}
            names &= {receipt.name for receipt in receipts if receipt.name not in described}
        _judge_needs(arguments, context, request, place, names)
        trees = _find_trees(request, place, receipts)
        removals = [
            uninstall_recorded(path, own, request.config.metalog, names, arguments.force)
            for path, own in trees
        ]
    removed = [path for removal in removals for path in removal.removed]
    kept = [file for removal in removals for file in removal.kept]
    for path in removed:
        print(f"#    remove  {show_path(place.destdir / path, context.directory)}")
    for file in kept:
        print(f"kept: {show_path(place.destdir / file.target, context.directory)}: {file.reason}")
    print(f"{count(len(removed), 'file')} removed, {len(kept)} kept")
    return ExitStatus.FAILED if kept else ExitStatus.DONE


def _find_trees(
    request: Request, place: InstallPlace, receipts: Iterable[Receipt]
) -> list[tuple[Path, InstallPlace]]:
    """Give where modules are installed, and their debugging information, with the receipts.

    Beside the usual directory these are those that makefiles name (KMODULEDIR).
    """
    trees = []
    for modules in sorted({place.target, *(receipt.directory for receipt in receipts)}):
        own = place if modules == place.target else replace(place, modules=modules)
        installation = installation_at(request.config, request.target, own)
        trees.append((installation.receipts, own))
        trees += [(tree.receipts, tree.place) for tree in find_debug_trees(installation)]
    return trees


def _judge_needs(
    arguments: argparse.Namespace,
    context: Context,
    request: Request,
    place: InstallPlace,
    names: set[str],
) -> None:
    """Refuse to take away what other modules or the machine need, or say so where it is forced."""
    tree = place.destdir / place.target
    needs = find_needs(request.config, find_kmods(tree), names)
    if not needs:
        return
    where = show_path(tree, context.directory)
    if not arguments.even_needed:
        known = find_builtins(request.config) is not None
        hint = "" if known else " (or give --kernel, if that has them built in)"
        raise NeededError(
            f"{where}: nothing was removed, for these are needed; name what requires them, too, or"
            f" insist with --even-needed{hint}:\n{describe_needs(needs)}"
        )
    print(f"{where}: removed, though needed:\n{describe_needs(needs)}", file=sys.stderr)


def clean(arguments: argparse.Namespace, context: Context) -> ExitStatus:
    """Remove what builds made: of the named modules, or the whole machine's object directory.

    Receipts stay, so that what is installed can still be uninstalled.
    """
    request = load_request(read_config(arguments, context), context.environment)
    objdir = machine_objdir(request)
    if not objdir.exists():
        print("Nothing to clean.")
        return ExitStatus.DONE
    with _lock(request, "cleaning"):
        remove_tree(request.config.objdir / ".snapshots")
        if arguments.names:
            chosen = {module.name for module in select_modules(request, arguments.names)}
            for name in sorted(chosen & set(arguments.names)):
                objects = objects_directory(objdir, name)
                remove_tree(objects)
                print(f"Cleaned {show_path(objects, context.directory)}.")
        else:
            _clean_machine(objdir)
            print(f"Cleaned {show_path(objdir, context.directory)}.")
    return ExitStatus.DONE


def _clean_machine(objdir: Path) -> None:
    """Remove all but what is known of installed modules, and the lock that this run holds."""
    for path in sorted(objdir.iterdir()):
        if path.is_dir() and path.name not in KEPT:
            remove_tree(path)
    for path in sorted((objdir / RECORD_DIRECTORY).glob("store.sqlite3*")):
        remove_file(path)


def _lock(request: Request, purpose: str) -> AbstractContextManager[None]:
    return lock_objdir(request, f"{purpose} {request.target.machine.label}")
