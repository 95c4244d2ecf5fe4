"""The verb kernel: show what is known of a kernel, save its symbols as a map, compare two."""

import argparse
import json
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from buildsys.base.errors import ExitStatus, UsageError
from buildsys.base.wording import show_path
from buildsys.check.check import check_set
from buildsys.check.verdict import Outcome, Verdict
from buildsys.cli import Context
from buildsys.config import Config
from buildsys.elf.model import show_name
from buildsys.kernel.difference import Changes, KernelDifference, compare_kernels
from buildsys.kernel.load import load_kernel, save_kernel
from buildsys.kernel.model import Kernel
from buildsys.kernel.options import WATCHED, find_option
from buildsys.kernel.version import parse_version
from buildsys.pipeline.outputs import refuse_inputs
from buildsys.pipeline.target import load_target
from buildsys.toolchain.machine import load_machine
from buildsys.verbs.settings import read_config
from buildsys.verbs.targets import load_other_kernel

_WIDTH = 96
_SHOWN = 60  # names of one kind; --json has all


def kernel(arguments: argparse.Namespace, context: Context) -> ExitStatus:
    """Do what the word after 'kernel' says: show (the default), save or diff."""
    config = read_config(arguments, context)
    operands = [context.directory / Path(word).expanduser() for word in arguments.operands]
    match arguments.action:
        case "diff":
            return _diff(arguments, config, operands)
        case "save":
            if not 1 <= len(operands) <= 2:
                raise UsageError("kernel save: expected [KERNEL] FILE")
            found, path = _load(arguments, config, operands[0] if len(operands) == 2 else None)
            refuse_inputs("kernel save", operands[-1], (path, arguments.builtins, config.file))
            save_kernel(found, operands[-1])
            print(f"{found.label}: saved as {show_path(operands[-1], context.directory)}")
            return ExitStatus.DONE
    if len(operands) > 1:
        raise UsageError("kernel show: expected one KERNEL at most")
    found, path = _load(arguments, config, operands[0] if operands else None)
    for line in _describe(found, show_path(path, context.directory)):
        print(line)
    return ExitStatus.DONE


def _load(arguments: argparse.Namespace, config: Config, given: Path | None) -> tuple[Kernel, Path]:
    """Load the kernel that is named, else the one that modules are checked with."""
    is_set = given is None or dict(config.origins)["machine"] != "default" or arguments.name
    path = given or config.kernel or load_target(config).kernel
    if path is None:
        raise UsageError("no kernel is known for this machine and version; give one with --kernel")
    machine = load_machine(config.machine, config.machine_arch or None)
    version = parse_version(config.release) if config.release else None
    names = (machine.module_directory, version, machine.arch) if is_set else ("", version, "")
    return load_kernel(path, *names, arguments.name, arguments.builtins), path


def _describe(found: Kernel, where: str) -> Iterator[str]:
    yield f"kernel:    {found.label}"
    yield f"from:      {where}"
    yield f"modules:   {found.modules_directory}"
    if found.symbols is not None:
        yield f"symbols:   {len(found.symbols.globals)} global, {len(found.symbols.weak)} weak"
    names = sorted(module.name for module in found.builtins or ())
    known = "not known" if found.builtins is None else f"{len(names)}: {' '.join(names)}"
    yield textwrap.fill(f"built in:  {known}", _WIDTH, subsequent_indent=" " * 11)
    options = [find_option(found, name) for name in WATCHED]
    words = {True: "on", False: "off", None: "not known"}
    shown = ", ".join(f"{option.name} {words[option.is_on]}" for option in options)
    yield textwrap.fill(f"options:   {shown}", _WIDTH, subsequent_indent=" " * 11)


def _diff(arguments: argparse.Namespace, config: Config, operands: Sequence[Path]) -> ExitStatus:
    if len(operands) < 2:
        raise UsageError("kernel diff: expected OLD NEW [DIRECTORY or kmod…]")
    old, new = (load_other_kernel(config, path, is_free=True) for path in operands[:2])
    difference = compare_kernels(old, new)
    paths = _find_kmods(operands[2:], config, old, new)
    pairs = tuple(zip(check_set(paths, old), check_set(paths, new), strict=True))
    broken = [(a, b) for a, b in pairs if _is_usable(a) and not _is_usable(b)]
    mended = [(a, b) for a, b in pairs if _is_usable(b) and not _is_usable(a)]
    if arguments.json:
        print(json.dumps(_document(difference, len(pairs), broken, mended), indent=1))
    else:
        for line in _describe_difference(difference, len(pairs), broken, mended):
            print(line)
    return ExitStatus.FINDINGS if broken else ExitStatus.DONE


def _find_kmods(
    named: Sequence[Path], config: Config, old: Kernel, new: Kernel
) -> tuple[Path, ...]:
    """Give the kmods that were named, else those that are installed for either kernel."""
    if not named:
        places = {kernel.modules_directory.lstrip("/"): None for kernel in (old, new)}
        named = [config.destdir / place for place in places]
    found: dict[Path, None] = {}
    for path in named:
        found.update(dict.fromkeys(sorted(path.rglob("*.kmod")) if path.is_dir() else (path,)))
    return tuple(path for path in found if path.exists() or (path in named and not path.is_dir()))


def _is_usable(verdict: Verdict) -> bool:
    """Tell whether a kernel has what the module does: it loads, or is built in."""
    is_builtin = verdict.is_fit and verdict.outcome is Outcome.REFUSED
    return verdict.is_fit and (is_builtin or verdict.outcome is not Outcome.PANICS)


def _describe_difference(
    difference: KernelDifference,
    count: int,
    broken: Sequence[tuple[Verdict, Verdict]],
    mended: Sequence[tuple[Verdict, Verdict]],
) -> Iterator[str]:
    old, new = difference.old, difference.new
    yield f"old: {old.label}"
    yield f"new: {new.label}"
    if old.version != new.version:
        yield f"version: {old.version} -> {new.version}"
    yield from _describe_changes("globals", difference.globals)
    yield from _describe_changes("built-in modules", difference.builtins)
    yield from _describe_changes("options", difference.options)
    for word, pairs, index in (("breaks", broken, 1), ("mends", mended, 0)):
        for pair in pairs:
            reason = pair[index].findings[0]
            yield f"{word}: {show_name(pair[0].name)}: {reason.rule}: {reason.message}"
    yield f"{count} kmods judged with both: {len(broken)} break, {len(mended)} are mended"


def _describe_changes(what: str, changes: Changes | None) -> Iterator[str]:
    if changes is None:
        yield f"{what}: not known of both kernels"
        return
    for word, names in (("appeared", changes.appeared), ("vanished", changes.vanished)):
        if names:
            shown = " ".join(show_name(name) for name in names[:_SHOWN])
            rest = f" and {len(names) - _SHOWN} more (--json has all)" if names[_SHOWN:] else ""
            text = f"{what} {word}: {len(names)}: {shown}{rest}"
            yield textwrap.fill(
                text, _WIDTH, subsequent_indent="    ", break_long_words=False,
                break_on_hyphens=False,
            )  # fmt: skip


def _document(
    difference: KernelDifference,
    count: int,
    broken: Sequence[tuple[Verdict, Verdict]],
    mended: Sequence[tuple[Verdict, Verdict]],
) -> dict[str, object]:
    return {
        "format": 1,
        "old": difference.old.label,
        "new": difference.new.label,
        "is_equal": difference.is_equal,
        "versions": [difference.old.version.number, difference.new.version.number],
        "globals": _changes_document(difference.globals),
        "builtins": _changes_document(difference.builtins),
        "options": _changes_document(difference.options),
        "judged": count,
        "broken": [_pair_document(pair, 1) for pair in broken],
        "mended": [_pair_document(pair, 0) for pair in mended],
    }


def _changes_document(changes: Changes | None) -> dict[str, object] | None:
    if changes is None:
        return None
    return {"appeared": list(changes.appeared), "vanished": list(changes.vanished)}


def _pair_document(pair: tuple[Verdict, Verdict], index: int) -> dict[str, object]:
    findings = [f"{finding.rule}: {finding.message}" for finding in pair[index].findings]
    return {"name": pair[0].name, "path": str(pair[0].path), "reasons": findings}
