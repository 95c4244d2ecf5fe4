"""The verb verify: is what is installed still what was installed, and does the kernel take it."""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from buildsys.base.digest import digest_file
from buildsys.base.errors import ExitStatus
from buildsys.base.value import replace
from buildsys.base.wording import count, show_path
from buildsys.check.verdict import Finding, Severity
from buildsys.cli import Context
from buildsys.config import Config
from buildsys.install.verify import (
    Recorded,
)
from buildsys.kernel.model import Kernel
from buildsys.pipeline.verifying import find_recorded, verify_tree
from buildsys.provenance.keys import DIGESTS
from buildsys.provenance.manifest import load_signed_manifest
from buildsys.provenance.signing import parse_key
from buildsys.verbs.settings import read_config


def verify(arguments: argparse.Namespace, context: Context) -> ExitStatus:
    """Compare a tree with its receipts or METALOG, and judge its kmods with its kernel."""
    config = read_config(arguments, context)
    if arguments.tree is not None:
        destdir = Path(context.directory, arguments.tree)
        moved = config.metalog == config.destdir / "METALOG"
        metalog = _find_metalog(destdir) if moved else config.metalog
        beside = destdir.parent / config.sets.name  # where a release has them
        is_beside = dict(config.origins)["sets"] == "default" and (beside / DIGESTS).is_file()
        sets = beside if is_beside else config.sets
        config = replace(config, destdir=destdir, metalog=metalog, sets=sets)
    recorded = find_recorded(config)
    unsigned: Iterable[Finding] = ()
    if arguments.signed_by:
        unsigned = _find_unsigned(arguments, context, config, recorded)
    done = verify_tree(config, recorded, unsigned, arguments.owners)
    _show(arguments, context, config, recorded, done.kernel, done.findings)
    is_right = not any(finding.severity is Severity.ERROR for finding in done.findings)
    return ExitStatus.DONE if is_right else ExitStatus.FINDINGS


def _find_metalog(destdir: Path) -> Path:
    """Find the METALOG of a tree: in it, or beside it, where a release has it."""
    inside, beside = destdir / "METALOG", destdir.parent / "METALOG"
    return beside if beside.is_file() and not inside.exists() else inside


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
        if not path.is_file() or path.is_symlink():
            continue  # compare_tree says so
        if manifest.get(str(file.target)) != digest_file(path):
            message = "these bytes are not in the signed manifest"
            yield Finding("file-unsigned", Severity.ERROR, path, message)


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
