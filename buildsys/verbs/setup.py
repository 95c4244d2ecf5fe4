"""The verbs that help to start: init, schema, config, doctor."""

import argparse
import json
import re

from buildsys.base.errors import BuildsysError, ExitStatus, UsageError
from buildsys.base.files import make_directory, write_whole
from buildsys.cli import Context
from buildsys.config import describe_config
from buildsys.module.descriptor import describe_schema
from buildsys.module.model import MAXIMUM_NAME_BYTES, ModuleClass
from buildsys.pipeline.report import show_path
from buildsys.report.document import describe_report_schema
from buildsys.template import render_new_directory
from buildsys.toolchain.doctor import examine_toolchains, render_doctor, render_doctor_json
from buildsys.toolchain.kind import choose_kind
from buildsys.toolchain.machine import load_machine
from buildsys.verbs.settings import read_config

_IDENTIFIER = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def init(arguments: argparse.Namespace, context: Context) -> ExitStatus:
    """Start a directory with a module of one's own; nothing that exists is overwritten."""
    directory = context.directory / arguments.path
    name = arguments.name or directory.resolve().name
    if not _IDENTIFIER.fullmatch(name) or len(name) > MAXIMUM_NAME_BYTES:
        raise UsageError(
            f"{name!r}: expected a C identifier of at most {MAXIMUM_NAME_BYTES} letters;"
            " give one with --name"
        )
    classes = {kmod_class.value: kmod_class for kmod_class in ModuleClass}
    kmod_class = classes.get(arguments.kmod_class)
    if kmod_class is None:
        raise UsageError(f"--class: expected one of {', '.join(classes)}")
    files = tuple(render_new_directory(name, kmod_class))
    for path, _ in files:
        if (directory / path).exists():
            raise BuildsysError("this file is here already; nothing was written", directory / path)
    for path, text in files:
        make_directory((directory / path).parent)
        write_whole(directory / path, text.encode())
        print(show_path(directory / path, context.directory))
    print(f"Now: cd {arguments.path} && modbuild install")
    return ExitStatus.DONE


def schema(arguments: argparse.Namespace, _context: Context) -> ExitStatus:
    """Print the JSON Schema of module descriptors, or of reports."""
    describe = {"descriptor": describe_schema, "report": describe_report_schema}[arguments.which]
    print(json.dumps(describe(), indent=2))
    return ExitStatus.DONE


def config(arguments: argparse.Namespace, context: Context) -> ExitStatus:
    """Show every setting, its value and where that comes from."""
    rows = describe_config(read_config(arguments, context))
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for key, value, origin in rows:
        print(f"{key:<{widths[0]}}  {value:<{widths[1]}}  ({origin})")
    return ExitStatus.DONE


def doctor(arguments: argparse.Namespace, context: Context) -> ExitStatus:
    """Show the toolchains that are found, and try each."""
    settings = read_config(arguments, context)
    machine = load_machine(settings.machine, settings.machine_arch or None)
    tooldir = settings.tooldir
    kind = choose_kind(None, settings.toolchain or None, str(tooldir or "") or None)
    examined = examine_toolchains(machine, kind, tooldir, context.environment)
    render = render_doctor_json if arguments.json else render_doctor
    print(render(machine, examined), end="")
    is_working = any(toolchain.is_chosen and toolchain.is_working for toolchain in examined)
    return ExitStatus.DONE if is_working else ExitStatus.FAILED
