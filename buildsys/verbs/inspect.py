"""The verbs that look and change nothing: list, info, deps, why, compile-commands."""

import argparse
import json
from pathlib import Path

from buildsys.base.errors import ExitStatus
from buildsys.base.files import write_whole
from buildsys.base.wording import count, show_path
from buildsys.cli import Context
from buildsys.module.order import close_over, collect_requirements
from buildsys.pipeline.explaining import explain_steps
from buildsys.pipeline.outputs import refuse_inputs
from buildsys.pipeline.plan import make_plan, select_modules
from buildsys.pipeline.request import (
    load_request,
)
from buildsys.pipeline.session import find_surroundings
from buildsys.pipeline.step import Command
from buildsys.verbs.settings import read_config


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
    refuse_inputs("--output", path, (source for step in plan.steps for source in step.inputs))
    described = (module.place.path for module in request.modules)
    refuse_inputs("--output", path, (*described, request.config.file))
    write_whole(path, (json.dumps(rows, indent=1) + "\n").encode())
    print(f"{show_path(path, context.directory)}: {count(len(rows), 'command')}")
    return ExitStatus.DONE
