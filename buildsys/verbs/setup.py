"""The verbs that help to start: init, schema, config, doctor."""

import argparse
import re

from buildsys.base.errors import BuildsysError, ExitStatus, UsageError
from buildsys.base.files import make_directory, write_whole
from buildsys.base.wording import show_path
from buildsys.cli import Context
from buildsys.module.model import MAXIMUM_NAME_BYTES, ModuleClass
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
