"""The verb kernel: show what is known of a kernel, or save its symbols as a map."""

import argparse
import textwrap

from buildsys.base.errors import ExitStatus, UsageError
from buildsys.base.wording import show_path
from buildsys.cli import Context
from buildsys.kernel.load import load_kernel, save_kernel
from buildsys.kernel.version import parse_version
from buildsys.pipeline.target import load_target
from buildsys.toolchain.machine import load_machine
from buildsys.verbs.settings import read_config


def show(arguments: argparse.Namespace, context: Context) -> ExitStatus:
    """Show version, symbols and built-in modules of the kernel that modules are checked with."""
    config = read_config(arguments, context)
    path = config.kernel or load_target(config).kernel
    if path is None:
        raise UsageError("no kernel is known for this machine and version; give one with --kernel")
    machine = load_machine(config.machine, config.machine_arch or None)
    kernel = load_kernel(
        path,
        machine.module_directory,
        parse_version(config.release) if config.release else None,
        machine.arch,
        arguments.name,
        arguments.builtins,
    )
    print(f"kernel:    {kernel.label}")
    print(f"from:      {show_path(path, context.directory)}")
    print(f"modules:   {kernel.modules_directory}")
    if kernel.symbols is not None:
        print(f"symbols:   {len(kernel.symbols.globals)} global, {len(kernel.symbols.weak)} weak")
    names = sorted(module.name for module in kernel.builtins or ())
    known = "not known" if kernel.builtins is None else f"{len(names)}: {' '.join(names)}"
    print(textwrap.fill(f"built in:  {known}", 96, subsequent_indent=" " * 11))
    if arguments.save is not None:
        save_kernel(kernel, arguments.save)
        print(f"saved as {show_path(arguments.save, context.directory)}")
    return ExitStatus.DONE
