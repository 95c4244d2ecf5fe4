"""Compilers called through a launcher for one run: how, with what around them, what came of it."""

from collections.abc import Callable, Mapping
from pathlib import Path

from buildsys.base.digest import digest_parts
from buildsys.base.files import make_directory, remove_file, write_whole
from buildsys.base.value import frozen
from buildsys.pipeline.jobs import default_jobs
from buildsys.toolchain.launcher import (
    Launcher,
    Tally,
    count_subcommands,
    drop_contrary,
    find_capacity,
    find_launcher,
    launch_environment,
    needs_wrapper,
    read_statistics,
    read_tally,
    render_wrapper,
    wrapper_name,
)
from buildsys.toolchain.model import Toolchain

_DIRECTORY = "launcher"
_LOG = "log"


@frozen
class Launching:
    """How compilers of one run are called: argv stands for the first words (cc) of a command."""

    launcher: Launcher
    cc: tuple[str, ...]
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    before: str  # statistics at the beginning

    def rename(self, argv: tuple[str, ...]) -> tuple[str, ...] | None:
        """Put the launcher before a compiler; None for a command that is of another program."""
        if argv[: len(self.cc)] != self.cc:
            return None
        return (*self.argv, *argv[len(self.cc) :])

    def surround(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Give the environment of a command that goes through the launcher."""
        return {**drop_contrary(environment), **self.environment}

    def finish(self) -> Tally | None:
        """Say what the launcher did; None when it was not called."""
        try:
            log = self.log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            log = ""
        remove_file(self.log)
        after = read_statistics(self.launcher)
        tally = read_tally(self.launcher, log, self.before, after)
        return tally if tally.total else None


def prepare_launching(
    name: str,
    toolchain: Toolchain,
    environment: Mapping[str, str],
    record: Path,
    digest: Callable[[str], bytes],
) -> Launching | None:
    """Make ready to call compilers through the launcher of that name; '' is none.

    record is a directory for this run's files, digest gives the digest of a file's content.
    """
    if not name:
        return None
    launcher = find_launcher(name, environment)
    directory = record / _DIRECTORY
    make_directory(directory)
    identity = digest_parts(*(digest(str(path)) for path in toolchain.cc.files))
    words = count_subcommands(toolchain.cc.argv) + 1
    called = toolchain.cc.argv[:words]
    if needs_wrapper(launcher, toolchain.cc.argv):
        wrapper = directory / wrapper_name(toolchain.compiler)
        content = render_wrapper(toolchain.cc.argv, identity)
        if not wrapper.exists() or wrapper.read_bytes() != content:
            write_whole(wrapper, content, 0o755)
        called = (str(wrapper),)
    log = directory / _LOG
    remove_file(log)
    return Launching(
        launcher,
        toolchain.cc.argv,
        (str(launcher.program), *called, *toolchain.cc.argv[words:]),
        launch_environment(launcher, identity, log),
        log,
        read_statistics(launcher),
    )


def choose_jobs(asked: int | None, name: str, environment: Mapping[str, str]) -> int:
    """Say how many commands run at a time: as asked, else the launcher's capacity, else ours."""
    if asked is not None:
        return asked
    capacity = find_capacity(find_launcher(name, environment), environment) if name else None
    return capacity or default_jobs()
