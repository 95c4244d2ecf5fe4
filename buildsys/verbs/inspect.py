"""The verbs that look and change nothing: list, info, deps, why, compile-commands."""

import argparse
import json
import sys
from pathlib import Path

from buildsys.base.errors import BuildsysError, ExitStatus
from buildsys.base.files import write_whole
from buildsys.cli import Context
from buildsys.elf.describe import describe_document, describe_kmod, render_facts
from buildsys.module.order import close_over, collect_requirements
from buildsys.pipeline.plan import make_plan, select_modules
from buildsys.pipeline.report import count, show_path
from buildsys.pipeline.request import (
    is_tree_described,
    load_modules,
    load_request,
    load_target,
)
from buildsys.pipeline.session import explain_steps, find_surroundings
from buildsys.pipeline.step import Command
from buildsys.verbs.settings import read_config


def list_modules(arguments: argparse.Namespace, context: Context) -> ExitStatus:
    """List the described modules: name, class, what they require, a line for people."""
    config = read_config(arguments, context)
    machine = load_target(config).machine
    if is_tree_described(config):
        modules = load_request(config, context.environment).modules
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
        print(json.dumps(rows, indent=2))
        return ExitStatus.DONE
    width = max(len(module.name) for module in modules)
    for module in modules:
        requires = f"  requires {', '.join(module.requires)}" if module.requires else ""
        other = "" if module.is_for(machine.name, machine.arch) else f"  (not {machine.label})"
        kmod_class = module.kmod_class.value if module.kmod_class else "?"
        print(f"{module.name:<{width}}  {kmod_class:<8}  {module.description}{requires}{other}")
    return ExitStatus.DONE


def info(arguments: argparse.Namespace, _context: Context) -> ExitStatus:
    """Show what each kmod says of itself."""
    facts = []
    troubles = []
    for path in arguments.files:
        try:
            facts.append(describe_kmod(path))
        except BuildsysError as error:
            troubles.append(f"modbuild: {error}")
    if arguments.json:
        documents = [describe_document(fact) for fact in facts]
        is_one = len(arguments.files) == 1 and not troubles
        print(json.dumps(documents[0] if is_one else documents, indent=2))
    else:
        print("\n".join(render_facts(fact) for fact in facts), end="")
    sys.stdout.flush()
    for trouble in troubles:
        print(trouble, file=sys.stderr)
    return ExitStatus.FAILED if troubles else ExitStatus.DONE


def deps(arguments: argparse.Namespace, context: Context) -> ExitStatus:
    """Show modules in the order in which they load, each after what it requires."""
    request = load_request(read_config(arguments, context), context.environment)
    modules = select_modules(request, tuple(arguments.names))
    known = collect_requirements(request.modules)
    if arguments.dot:
        print("digraph requires {")
        for module in modules:
            print(f'  "{module.name}";')
            for name in module.requires:
                print(f'  "{module.name}" -> "{name}";')
        print("}")
        return ExitStatus.DONE
    for module in modules:
        others = [name for name in close_over(module.requires, known) if name != module.name]
        foreign = [name for name in others if name not in known]
        line = module.name
        if others:
            line += f": {', '.join(others)}"
        if foreign:
            line += f"  (not described here: {', '.join(foreign)})"
        print(line)
    return ExitStatus.DONE


def why(arguments: argparse.Namespace, context: Context) -> ExitStatus:
    """Say what is stale now and why, and why each step last ran."""
    config = read_config(arguments, context)
    rows = explain_steps(config, context.environment, tuple(arguments.names))
    for name, reason, last in rows:
        if reason:
            print(f"{name}: stale: {reason}")
        else:
            print(f"{name}: up to date; last made because {last}")
    stale = sum(bool(reason) for _, reason, _ in rows)
    print(f"{count(stale, 'step')} stale of {len(rows)}")
    return ExitStatus.DONE


def compile_commands(arguments: argparse.Namespace, context: Context) -> ExitStatus:
    """Write compile_commands.json, for editors and analysers."""
    request = load_request(read_config(arguments, context), context.environment)
    plan = make_plan(request, find_surroundings(request, False), (), has_install=False)
    rows = []
    for step in plan.steps:
        match step.action:
            case Command(verb="compile", argv=argv, directory=directory, outputs=outputs):
                rows.append(
                    {
                        "directory": str(directory),
                        "file": str(step.inputs[0]),
                        "arguments": argv,
                        "output": str(outputs[0]),
                    }
                )
    path = Path(context.directory, arguments.output)
    write_whole(path, (json.dumps(rows, indent=1) + "\n").encode())
    print(f"{show_path(path, context.directory)}: {count(len(rows), 'command')}")
    return ExitStatus.DONE
