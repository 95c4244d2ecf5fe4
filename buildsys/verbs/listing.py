"""The verb that lists modules; without a source tree it needs the descriptors alone."""

import argparse
import importlib

from buildsys.base.errors import ExitStatus
from buildsys.cli import Context
from buildsys.pipeline.descriptors import is_tree_described, load_modules
from buildsys.toolchain.machine import load_machine
from buildsys.verbs.settings import read_config


def list_modules(arguments: argparse.Namespace, context: Context) -> ExitStatus:
    """List the described modules: name, class, what they require, a line for people."""
    config = read_config(arguments, context)
    machine = load_machine(config.machine, config.machine_arch or None)
    if is_tree_described(config):
        request = importlib.import_module("buildsys.pipeline.request")
        modules = request.load_request(config, context.environment).modules
    else:
        modules = load_modules(config, machine)
    if arguments.json:
        rows = [
            {
                "name": module.name,
                "class": module.kmod_class.value if module.kmod_class else None,
                "requires": module.requires,
                "description": module.description,
                "descriptor": str(module.place),
                "sources": [str(unit.source) for unit in module.units],
                "machines": module.machines,
                "is_for_this_machine": module.is_for(machine.name, machine.arch),
            }
            for module in modules
        ]
        print(importlib.import_module("json").dumps(rows, indent=2))
        return ExitStatus.DONE
    width = max(len(module.name) for module in modules)
    lines = []
    for module in modules:
        requires = f"  requires {', '.join(module.requires)}" if module.requires else ""
        other = "" if module.is_for(machine.name, machine.arch) else f"  (not {machine.label})"
        kmod_class = module.kmod_class.value if module.kmod_class else "?"
        line = f"{module.name:<{width}}  {kmod_class:<8}  {module.description}{requires}{other}"
        lines.append(line)
    print("\n".join(lines))
    return ExitStatus.DONE
