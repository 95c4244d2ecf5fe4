"""Programs before a compiler: they remember what it made, or have another machine make it.

A launcher changes where and whether a compiler runs, not what it makes; so it is no part of a
step. What could make it give other bytes is set for it here.
"""

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from buildsys.base.command import run_command
from buildsys.base.errors import BuildsysError, UsageError
from buildsys.base.telnet import ask_server
from buildsys.base.value import frozen
from buildsys.toolchain.model import CompilerFamily

_SECONDS = 30.0
_ICECC_PORT = 8765  # of the scheduler; the next one answers questions
_HIT = re.compile(r"^(?:direct|preprocessed)_cache_hit$", re.MULTILINE)
_CCACHE_INPUT = re.compile(r"^# ", re.MULTILINE)
_DISTCC_DONE = re.compile(r"^distcc\[\d+\] compile .* on (\S+) completed ok$", re.MULTILINE)
_ICECC_HOST = re.compile(r"Have to use host (\S+?)[: ]")
_ICECC_SLOTS = re.compile(r"\bjobs=\d+/(\d+)")
# Settings of ccache by which an object could be another than the compiler would make: another
# compiler called in its place, text compiled that was preprocessed, a directory taken for another,
# headers or options that do not count. Direct mode is among them: it does not see a header that
# appears earlier on the include path.
_CCACHE_STRICT = {
    "CCACHE_BASEDIR": "",
    "CCACHE_COMPILER": "",
    "CCACHE_COMPILERTYPE": "auto",
    "CCACHE_CPP2": "1",
    "CCACHE_HASHDIR": "1",
    "CCACHE_IGNOREHEADERS": "",
    "CCACHE_IGNOREOPTIONS": "",
    "CCACHE_NODIRECT": "1",
    "CCACHE_NOHARDLINK": "1",
    "CCACHE_SLOPPINESS": "",
}
# Variables that say the contrary of one of these; ccache heeds whichever stands last.
_CCACHE_CONTRARY = frozenset(
    {"CCACHE_DIRECT", "CCACHE_HARDLINK", "CCACHE_NOCPP2", "CCACHE_NOHASHDIR"}
)


@frozen
class Launcher:
    """A program that was found; name is ccache, sccache, distcc or icecc."""

    name: str
    program: Path

    @property
    def is_remote(self) -> bool:
        """Tell whether it is for the sake of other machines' processors."""
        return self.name in ("distcc", "icecc")


@frozen
class Tally:
    """What a launcher did: compilations through it, of these found (hits) or done elsewhere."""

    launcher: str
    total: int
    spared: int

    def describe(self) -> str:
        """Say it as the summary of a run does."""
        what = "done by other machines" if self.launcher in ("distcc", "icecc") else "hits"
        noun = "compilation" if self.total == 1 else "compilations"
        return f"{self.launcher}: {self.spared} of {self.total} {noun} {what}"


LAUNCHERS = ("ccache", "sccache", "distcc", "icecc")


def find_launcher(name: str, environment: Mapping[str, str]) -> Launcher:
    """Find a launcher on PATH."""
    if name not in LAUNCHERS:
        raise UsageError(f"launcher {name} is not known; there are {', '.join(LAUNCHERS)}")
    found = shutil.which(name, path=environment.get("PATH"))
    if found is None:
        raise BuildsysError(f"launcher {name}: not found on PATH; apt install {name}")
    return Launcher(name, Path(found))


def needs_wrapper(launcher: Launcher, cc: Sequence[str]) -> bool:
    """Tell whether a compiler must be one program to be understood ('zig clang' is two words).

    sccache takes the program's bytes for the compiler, so it gets some that stand for all of it.
    """
    if launcher.name == "sccache":
        return True
    return launcher.name == "ccache" and bool(count_subcommands(cc))


def count_subcommands(cc: Sequence[str]) -> int:
    """Count the words after the program that are no options: 1 for 'zig clang -target …'."""
    options = (index for index, word in enumerate(cc[1:]) if word.startswith("-"))
    return next(options, len(cc) - 1)


def render_wrapper(cc: Sequence[str], identity: bytes) -> bytes:
    """Give a script that calls a compiler; identity is the digest of all that decides its work."""
    words = cc[: 1 + count_subcommands(cc)]
    quoted = " ".join("'" + word.replace("'", "'\\''") + "'" for word in words)
    return f'#!/bin/sh\n# {identity.hex()}\nexec {quoted} "$@"\n'.encode()


def wrapper_name(family: CompilerFamily) -> str:
    """Give a script the name by which launchers know how to read a compiler's options."""
    return family.value


def drop_contrary(environment: Mapping[str, str]) -> dict[str, str]:
    """Leave out the variables that contradict what launch_environment gives."""
    return {name: text for name, text in environment.items() if name not in _CCACHE_CONTRARY}


def launch_environment(launcher: Launcher, identity: bytes, log: Path) -> dict[str, str]:
    """Give the variables that make a launcher right, and have it say in log what it did."""
    match launcher.name:
        case "ccache":
            check = f"string:{identity.hex()}"
            return {**_CCACHE_STRICT, "CCACHE_COMPILERCHECK": check, "CCACHE_STATSLOG": str(log)}
        case "distcc":
            return {"DISTCC_LOG": str(log), "DISTCC_VERBOSE": "1"}
        case "icecc":
            return {"ICECC_LOGFILE": str(log), "ICECC_DEBUG": "debug"}
    return {}


def read_tally(launcher: Launcher, log: str, before: str, after: str) -> Tally:
    """Count from what a launcher logged, or from its statistics (JSON) before and after."""
    match launcher.name:
        case "ccache":
            hits = len(_HIT.findall(log))
            return Tally(launcher.name, len(_CCACHE_INPUT.findall(log)), hits)
        case "distcc":
            hosts = _DISTCC_DONE.findall(log)
            away = sum(not host.startswith("localhost") for host in hosts)
            return Tally(launcher.name, len(hosts), away)
        case "icecc":
            return _count_icecc(log)
    first, last = _read_sccache(before), _read_sccache(after)
    return Tally(launcher.name, last[0] - first[0], last[1] - first[1])


def _count_icecc(log: str) -> Tally:
    local = log.count("building myself")
    away = len(_ICECC_HOST.findall(log))
    return Tally("icecc", local + away, away)


def _read_sccache(text: str) -> tuple[int, int]:
    try:
        stats = json.loads(text)["stats"]
        return int(stats["compile_requests"]), sum(stats["cache_hits"]["counts"].values())
    except (ValueError, KeyError, TypeError):
        return 0, 0


def read_statistics(launcher: Launcher) -> str:
    """Ask sccache for its statistics, which starts its server if need be; '' for others."""
    if launcher.name != "sccache":
        return ""
    program = str(launcher.program)
    run_command((program, "--start-server"), timeout_seconds=_SECONDS)
    argv = (program, "--show-stats", "--stats-format=json")
    return run_command(argv, timeout_seconds=_SECONDS).output.decode(errors="replace")


def find_capacity(launcher: Launcher, environment: Mapping[str, str]) -> int | None:
    """Say how many compilers may run at a time; None when that is this machine's own affair."""
    match launcher.name:
        case "distcc":
            return _ask_distcc(launcher)
        case "icecc":
            return _ask_scheduler(environment)
    return None


def _ask_distcc(launcher: Launcher) -> int:
    result = run_command((str(launcher.program), "-j"), timeout_seconds=_SECONDS)
    words = result.output.split()
    if not result.is_success or not words or not words[-1].isdigit() or int(words[-1]) < 1:
        message = "it knows no hosts; set DISTCC_HOSTS or write ~/.distcc/hosts"
        raise BuildsysError(f"launcher distcc: {message}")
    return int(words[-1])


def _ask_scheduler(environment: Mapping[str, str]) -> int | None:
    host, _, port = environment.get("USE_SCHEDULER", "").partition(":")
    number = int(port) if port.isdigit() else _ICECC_PORT
    answer = ask_server(host or "localhost", number + 1, "listcs\nquit\n")
    return read_slots(answer)


def read_slots(answer: str) -> int | None:
    """Add up the slots of the machines that icecc's scheduler lists; None when it lists none."""
    return sum(int(slots) for slots in _ICECC_SLOTS.findall(answer)) or None
