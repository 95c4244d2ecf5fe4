"""What toolchains this machine has, whether they work, and how to get what is missing."""

import json
import os
import tempfile
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from buildsys.base.command import CommandRunner
from buildsys.base.errors import BuildsysError
from buildsys.base.value import frozen
from buildsys.toolchain.discover import find_toolchain
from buildsys.toolchain.environment import tool_environment
from buildsys.toolchain.kind import list_kinds, load_kind
from buildsys.toolchain.model import Machine, MissingTool, Toolchain
from buildsys.toolchain.trial import Trial, run_trial

_PROBE_SECONDS = 30.0
# Roles of which a version can be asked, with the arguments that ask; config(1), genassym,
# ctfconvert, ctfmerge and some awks have none.
_VERSION_ARGUMENTS: dict[str, tuple[str, ...]] = {
    "cc": ("--version",),
    "ld": ("--version",),
    "objcopy": ("--version",),
    "nm": ("--version",),
    "objdump": ("--version",),
    "make": ("-f", os.devnull, "-V", "MAKE_VERSION"),
}


@frozen
class ExaminedTool:
    """A tool that was found; version is its own first line, '' where it tells none."""

    role: str
    argv: tuple[str, ...]
    version: str


@frozen
class ExaminedToolchain:
    """One kind for one machine; without a trial it cannot be used, and trouble says why."""

    kind: str
    title: str
    is_chosen: bool
    tools: tuple[ExaminedTool, ...]
    missing: tuple[MissingTool, ...]  # tools that a build may do without
    trouble: str
    trial: Trial | None

    @property
    def is_working(self) -> bool:
        """Tell whether the trial module was built."""
        return self.trial is not None and self.trial.is_success


def examine_toolchains(
    machine: Machine,
    chosen: str,
    tooldir: Path | None,
    environment: Mapping[str, str],
    kinds: Sequence[str] | None = None,
) -> tuple[ExaminedToolchain, ...]:
    """Look for each kind, ask the versions, and build a tiny module with each that is there."""
    names = list_kinds() if kinds is None else kinds
    return tuple(_examine(name, machine, name == chosen, tooldir, environment) for name in names)


def render_doctor(machine: Machine, examined: Sequence[ExaminedToolchain]) -> str:
    """Write the findings for a person."""
    lines = [
        f"machine {machine.label}: MACHINE {machine.name}, MACHINE_ARCH {machine.arch}, "
        f"{machine.triple}"
    ]
    if machine.limits:
        lines += textwrap.wrap(
            f"limits: {machine.limits}", 96, initial_indent="  ", subsequent_indent="    "
        )
    for toolchain in examined:
        lines += ["", *_render_toolchain(toolchain)]
    return "\n".join(lines) + "\n"


def render_doctor_json(machine: Machine, examined: Sequence[ExaminedToolchain]) -> str:
    """Write the findings for a program."""
    document = {
        "format": 1,
        "machine": {
            "machine": machine.name,
            "machine_arch": machine.arch,
            "triple": machine.triple,
            "limits": machine.limits,
        },
        "toolchains": [
            {
                "kind": toolchain.kind,
                "title": toolchain.title,
                "chosen": toolchain.is_chosen,
                "found": toolchain.trial is not None,
                "works": toolchain.is_working,
                "trouble": toolchain.trouble,
                "tools": [
                    {"role": tool.role, "argv": list(tool.argv), "version": tool.version}
                    for tool in toolchain.tools
                ],
                "missing": [
                    {"role": tool.role, "names": list(tool.names), "mend": tool.mend}
                    for tool in toolchain.missing
                ],
            }
            for toolchain in examined
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def _examine(
    name: str,
    machine: Machine,
    is_chosen: bool,
    tooldir: Path | None,
    environment: Mapping[str, str],
) -> ExaminedToolchain:
    kind = load_kind(name)
    try:
        toolchain = find_toolchain(kind, machine, tooldir, environment)
    except BuildsysError as error:
        return ExaminedToolchain(name, kind.title, is_chosen, (), (), str(error), None)
    with tempfile.TemporaryDirectory(prefix="modbuild-doctor.") as directory:
        trial = run_trial(toolchain, Path(directory), environment)
    return ExaminedToolchain(
        name,
        kind.title,
        is_chosen,
        _examine_tools(toolchain, tool_environment(environment)),
        toolchain.missing,
        "" if trial.is_success else trial.output,
        trial,
    )


def _examine_tools(
    toolchain: Toolchain, environment: Mapping[str, str]
) -> tuple[ExaminedTool, ...]:
    return tuple(
        ExaminedTool(role, tool.argv, ask_version(role, tool.argv, environment))
        for role, tool in toolchain.tools()
        if tool is not None and role != "link"
    )


def ask_version(role: str, argv: tuple[str, ...], environment: Mapping[str, str]) -> str:
    """Ask a tool of a role for its version: its own first line, '' where it tells none."""
    arguments = _VERSION_ARGUMENTS.get(role)
    if arguments is None:
        return ""
    try:
        result = CommandRunner().run(
            (*argv, *arguments), environment=environment, timeout_seconds=_PROBE_SECONDS
        )
    except BuildsysError as error:
        return str(error)
    lines = result.output.decode(errors="replace").splitlines()
    # llvm-objcopy and its like put a heading before the line that tells the version.
    telling = [line.strip() for line in lines if any(sign.isdigit() for sign in line)]
    return telling[0] if telling else ""


def _render_toolchain(toolchain: ExaminedToolchain) -> list[str]:
    mark = ", chosen" if toolchain.is_chosen else ""
    lines = [f"toolchain {toolchain.kind} ({toolchain.title}){mark}: {_state(toolchain)}"]
    lines += [f"    {line}" for line in toolchain.trouble.splitlines()]
    lines += [
        f"  {tool.role:10} {tool.argv[0]}{f'  [{tool.version}]' if tool.version else ''}"
        for tool in toolchain.tools
    ]
    lines += [
        f"  {tool.role:10} none ({' or '.join(tool.names)}): {tool.mend}"
        for tool in toolchain.missing
    ]
    return lines


def _state(toolchain: ExaminedToolchain) -> str:
    if toolchain.trial is None:
        return "not there:"
    if not toolchain.trial.is_success:
        return "there, but FAILS to build a module:"
    return f"works (a module built in {toolchain.trial.seconds:.2f} s)"
