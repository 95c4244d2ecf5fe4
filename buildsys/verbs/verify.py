"""The verb verify: is what is installed still what was installed, and does the kernel take it."""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from buildsys.base.digest import digest_file
from buildsys.base.errors import BuildsysError, ExitStatus
from buildsys.base.files import read_whole
from buildsys.base.wording import count, show_path
from buildsys.check.check import check_set
from buildsys.check.verdict import Finding, Severity
from buildsys.cli import Context
from buildsys.config import Config
from buildsys.install.receipt import Receipt, load_receipts
from buildsys.install.verify import (
    Recorded,
    compare_metalog,
    compare_tree,
    from_metalog,
    from_receipts,
)
from buildsys.kernel.load import load_kernel
from buildsys.kernel.model import Kernel
from buildsys.metalog import parse_metalog
from buildsys.pipeline.judge import find_kernel
from buildsys.pipeline.request import load_target
from buildsys.provenance.manifest import load_signed_manifest
from buildsys.provenance.signing import parse_key
from buildsys.toolchain.machine import load_machine
from buildsys.verbs.settings import read_config

_KERNEL = "netbsd"


def verify(arguments: argparse.Namespace, context: Context) -> ExitStatus:
    """Compare a tree with its receipts or METALOG, and judge its kmods with its kernel."""
    config = read_config(arguments, context)
    if arguments.tree is not None:
        destdir = Path(context.directory, arguments.tree)
        moved = config.metalog == config.destdir / "METALOG"
        metalog = destdir / "METALOG" if moved else config.metalog
        config = replace(config, destdir=destdir, metalog=metalog)
    receipts = _load_receipts(config)
    recorded = _find_recorded(config, receipts)
    findings = [*compare_tree(config.destdir, recorded, arguments.owners)]
    if receipts and config.metalog.exists():
        lines = parse_metalog(read_whole(config.metalog))
        findings += compare_metalog(config.metalog, recorded, from_metalog(lines))
    if arguments.signed_by:
        findings += _find_unsigned(arguments, context, config, recorded)
    kernel = _find_kernel(config)
    broken = {finding.path for finding in findings if finding.severity is Severity.ERROR}
    findings += _judge(config, kernel, recorded, broken)
    _show(arguments, context, config, recorded, kernel, findings)
    is_right = not any(finding.severity is Severity.ERROR for finding in findings)
    return ExitStatus.DONE if is_right else ExitStatus.FINDINGS


def _find_unsigned(
    arguments: argparse.Namespace, context: Context, config: Config, recorded: Iterable[Recorded]
) -> Iterable[Finding]:
    """Hold each file's bytes against a manifest that trusted keys signed."""
    keys = [parse_key(text, context.directory) for text in arguments.signed_by]
    manifest, signers = load_signed_manifest(config.sets, keys)
    for signer in signers:
        print(f"signed by {signer}", file=sys.stderr if arguments.json else sys.stdout)
    for file in recorded:
        path = config.destdir / file.target
        if manifest.get(str(file.target)) != digest_file(path):
            message = "these bytes are not in the signed manifest"
            yield Finding("file-unsigned", Severity.ERROR, path, message)


def _load_receipts(config: Config) -> tuple[Receipt, ...]:
    directories = sorted(config.objdir.glob("*/receipts/*"))
    found = (receipt for directory in directories for receipt in load_receipts(directory))
    return tuple(receipt for receipt in found if receipt.destdir == config.destdir)


def _find_recorded(config: Config, receipts: Sequence[Receipt]) -> tuple[Recorded, ...]:
    if receipts:
        return from_receipts(file for receipt in receipts for file in receipt.files)
    if not config.metalog.exists():
        raise BuildsysError(
            f"nothing tells what is installed there: no receipt in {config.objdir}, and no"
            f" {config.metalog}",
            config.destdir,
        )
    return from_metalog(parse_metalog(read_whole(config.metalog)))


def _find_kernel(config: Config) -> Kernel:
    """Take the kernel that is given, else the tree's own, else what else is known of it."""
    own = config.destdir / _KERNEL
    if config.kernel is None and own.is_file():
        machine = load_machine(config.machine, config.machine_arch or None)
        return load_kernel(own, machine.module_directory, None, machine.arch)
    target = load_target(config)
    machine = target.machine
    number = target.version.number
    return find_kernel(target.kernel, machine.module_directory, machine.arch, number)


def _judge(
    config: Config, kernel: Kernel, recorded: Iterable[Recorded], broken: set[Path]
) -> Iterable[Finding]:
    """Judge the kmods that this kernel will look for; a kernel newer than all has none."""
    directory = config.destdir / kernel.modules_directory.lstrip("/")
    paths = [config.destdir / file.target for file in recorded]
    ours = [path for path in paths if path.suffix == ".kmod" and directory in path.parents]
    if not ours:
        releases = sorted({path.parts[-4] for path in paths if path.suffix == ".kmod"})
        yield Finding(
            "no-modules-for-kernel",
            Severity.ERROR,
            directory,
            f"the kernel is {kernel.label}, and the modules that are installed are for"
            f" {', '.join(releases) or 'none'}",
        )
        return
    found = sorted(path for path in directory.glob("*/*.kmod") if path.is_file())
    for verdict in check_set(found, kernel):
        if verdict.path not in broken:
            yield from (f for f in verdict.findings if f.severity is Severity.ERROR)


def _show(
    arguments: argparse.Namespace,
    context: Context,
    config: Config,
    recorded: Sequence[Recorded],
    kernel: Kernel,
    findings: Sequence[Finding],
) -> None:
    if arguments.json:
        document = {
            "format": 1,
            "destdir": str(config.destdir),
            "kernel": kernel.label,
            "files": len(recorded),
            "findings": [
                {
                    "rule": finding.rule,
                    "severity": finding.severity.value,
                    "path": str(finding.path),
                    "message": finding.message,
                }
                for finding in findings
            ],
        }
        print(json.dumps(document, indent=1))
        return
    for finding in findings:
        path = show_path(finding.path, context.directory)
        print(f"{path}: {finding.severity.value}: {finding.rule}: {finding.message}")
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    where = show_path(config.destdir, context.directory)
    told = count(errors, "error") if errors else "as installed"
    others = len(findings) - errors
    if others:
        told += f", {count(others, 'warning')}"
    print(f"{where}: {count(len(recorded), 'file')}, kernel {kernel.label}: {told}")
