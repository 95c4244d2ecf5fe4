"""The verb provenance: an SBOM, and a statement of what was built from what."""

import argparse
from collections.abc import Iterable
from pathlib import Path

from buildsys.base.digest import digest_file
from buildsys.base.epoch import read_time
from buildsys.base.errors import BuildsysError, ExitStatus
from buildsys.base.files import make_directory, write_whole
from buildsys.base.wording import count, show_path
from buildsys.cli import Context
from buildsys.install.receipt import load_receipt
from buildsys.pipeline.plan import Plan, make_plan
from buildsys.pipeline.request import Request, load_request
from buildsys.pipeline.session import find_surroundings
from buildsys.pipeline.step import Command
from buildsys.provenance.build import (
    Build,
    BuiltModule,
    Digested,
    digest_named,
    strip_roots,
    strip_words,
)
from buildsys.provenance.documents import render_sbom, render_statement
from buildsys.verbs.settings import read_config
from buildsys.version import __version__

Roots = tuple[tuple[str, Path], ...]


def provenance(arguments: argparse.Namespace, context: Context) -> ExitStatus:
    """Write the documents about what is installed, from the plan and the receipts."""
    config = read_config(arguments, context)
    request = load_request(config, context.environment)
    plan = make_plan(request, find_surroundings(request, False), (), has_install=True)
    build = _describe(request, plan, context)
    output = Path(context.directory, arguments.output or config.sets)
    make_directory(output)
    for name, content in (
        ("modules.spdx.json", render_sbom(build)),
        ("modules.intoto.json", render_statement(build)),
    ):
        write_whole(output / name, content, durable=True)
        print(f"{show_path(output / name, context.directory)}: {count(len(build.modules), 'kmod')}")
    return ExitStatus.DONE


def _describe(request: Request, plan: Plan, context: Context) -> Build:
    config = request.config
    roots: Roots = tuple(
        (label, root)
        for label, root in (
            ("OBJDIR", config.objdir),
            ("NETBSDSRCDIR", config.src),
            ("", context.directory),
        )
        if root is not None
    )
    installed = [name for name, paths in plan.paths.items() if paths.receipt.exists()]
    if not installed:
        raise BuildsysError("nothing is installed from here; install first", config.destdir)
    modules = tuple(_describe_module(request, plan, name, roots) for name in sorted(installed))
    toolchain = request.toolchain
    files = (toolchain.cc.files, () if toolchain.ld is None else toolchain.ld.files)
    tools = sorted({path for group in files for path in group})
    return Build(
        request.target.machine.label,
        request.target.version.release,
        modules,
        tuple(digest_named(path.name, path) for path in tools),
        __version__,
        read_time(context.environment),
    )


def _describe_module(request: Request, plan: Plan, name: str, roots: Roots) -> BuiltModule:
    receipt = load_receipt(plan.paths[name].receipt)
    if digest_file(plan.paths[name].kmod) != receipt.verdict:
        message = "not the kmod that is installed; install first"
        raise BuildsysError(message, plan.paths[name].kmod)
    commands = []
    sources: list[Path] = []
    for step in plan.steps:
        match step.action:
            case Command(verb="compile" | "link" as verb, argv=argv) if step.module == name:
                commands.append(strip_words(argv, roots))
                if verb == "compile":
                    sources.append(step.inputs[0])
    module = next(module for module in plan.modules if module.name == name)
    return BuiltModule(
        name,
        str(request.target.version),
        str(receipt.kmod),
        receipt.verdict,
        module.requires,
        tuple(_digest_all(sources, roots)),
        tuple(commands),
    )


def _digest_all(paths: Iterable[Path], roots: Roots) -> Iterable[Digested]:
    for path in paths:
        yield digest_named(strip_roots(path, roots), path)
