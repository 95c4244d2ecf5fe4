"""The verb provenance: an SBOM, and a statement of what was built from what."""

import argparse
from collections.abc import Iterable
from pathlib import Path

from buildsys.base.digest import digest_file
from buildsys.base.epoch import read_time
from buildsys.base.errors import BuildsysError, ExitStatus
from buildsys.base.files import make_directory, write_whole
from buildsys.base.shipped import shipped_path
from buildsys.base.value import frozen, replace
from buildsys.base.wording import count, show_path
from buildsys.cli import Context
from buildsys.install.receipt import load_receipt
from buildsys.pipeline.outputs import refuse_places
from buildsys.pipeline.plan import Plan, make_plan
from buildsys.pipeline.request import Request, load_request
from buildsys.pipeline.session import find_surroundings, lock_objdir, open_store
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
from buildsys.toolchain.doctor import ask_version
from buildsys.toolchain.environment import tool_environment
from buildsys.toolchain.model import Toolchain
from buildsys.verbs.settings import read_config
from buildsys.version import __version__

Roots = tuple[tuple[str, Path], ...]


def provenance(arguments: argparse.Namespace, context: Context) -> ExitStatus:
    """Write the documents about what is installed, from the plan and the receipts."""
    config = read_config(arguments, context)
    output = Path(context.directory, arguments.output or config.sets)
    refuse_places("--output", output, config)
    request = load_request(config, context.environment)
    plan = make_plan(request, find_surroundings(request, False), (), has_install=True)
    build = _describe(request, plan, context)
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
            ("modbuild/include", shipped_path("toolchain/kernel/include")),
            ("", context.directory),
        )
        if root is not None
    )
    installed = [name for name, paths in plan.paths.items() if paths.receipt.exists()]
    if not installed:
        raise BuildsysError("nothing is installed from here; install first", config.destdir)
    with lock_objdir(request, "describing what was built for"):
        store = open_store(request)
        try:
            read = {step.name: tuple(store.seen([step]).stamps) for step in plan.steps}
        finally:
            store.close()
    digests: dict[Path, Digested] = {}
    modules = tuple(
        _describe_module(request, plan, name, roots, _Read(read, digests))
        for name in sorted(installed)
    )
    return Build(
        request.target.machine.label,
        request.target.version.release,
        modules,
        tuple(_describe_tools(request.toolchain, context)),
        __version__,
        read_time(context.environment),
    )


def _describe_tools(toolchain: Toolchain, context: Context) -> Iterable[Digested]:
    """Digest compiler and linker, with the version that each tells."""
    known: dict[Path, str] = {}
    environment = tool_environment(context.environment)
    for role, tool in (("ld", toolchain.ld), ("cc", toolchain.cc)):
        if tool is not None:
            version = ask_version(role, tool.argv, environment)
            known |= dict.fromkeys(tool.files, version)
    for path, version in sorted(known.items()):
        yield replace(digest_named(path.name, path), version=version)


@frozen
class _Read:
    """What each step was seen to read or make, and the digests of files that were taken already."""

    files: dict[str, tuple[str, ...]]
    digests: dict[Path, Digested]

    def digest(self, path: Path, roots: Roots) -> Digested:
        if path not in self.digests:
            self.digests[path] = digest_named(strip_roots(path, roots), path)
        return self.digests[path]


def _describe_module(
    request: Request, plan: Plan, name: str, roots: Roots, read: _Read
) -> BuiltModule:
    receipt = load_receipt(plan.paths[name].receipt)
    if digest_file(plan.paths[name].kmod) != receipt.verdict:
        message = "not the kmod that is installed; install first"
        raise BuildsysError(message, plan.paths[name].kmod)
    commands = []
    sources: set[Path] = set()
    tools = {str(path) for path in request.toolchain.cc.files}
    for step in plan.steps:
        match step.action:
            case Command(verb="compile" | "link" as verb, argv=argv) if step.module == name:
                commands.append(strip_words(argv, roots))
                if verb == "compile":
                    # The source, and the headers that the compiler was seen to read.
                    beside = {*map(str, step.outputs), *tools}
                    found = (path for path in read.files[step.name] if path not in beside)
                    sources.update((step.inputs[0], *map(Path, found)))
    module = next(module for module in plan.modules if module.name == name)
    return BuiltModule(
        name,
        str(request.target.version),
        str(receipt.kmod),
        receipt.verdict,
        module.requires,
        tuple(read.digest(path, roots) for path in sorted(sources)),
        tuple(commands),
    )
