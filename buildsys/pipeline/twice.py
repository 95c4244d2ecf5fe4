"""Building the same modules twice under conditions that differ in all that must not matter."""

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from buildsys.base.command import CommandRunner
from buildsys.base.epoch import TIMES
from buildsys.base.programs import CommandResult
from buildsys.base.treecopy import copy_sources, give_directory, link_sources
from buildsys.base.value import frozen
from buildsys.config import SETTINGS, Config

_PACKAGE = Path(__file__).resolve().parent.parent
_NOBODY = 65534
_OBJECTS = "o"  # the object directory, below a condition's directory
_PLACES = ("modules", "src", "objdir", "destdir", "metalog", "reproducible")
_CAN_READ = "import os,sys; sys.exit(not all(os.access(p, os.R_OK) for p in sys.argv[1:]))"


@frozen
class Condition:
    """How one of the builds is done; seconds is the time that its sources and results bear."""

    directory: Path
    umask: int
    jobs: int
    seconds: int
    variables: tuple[tuple[str, str], ...]
    user: str  # 'nobody', or '' for whoever calls

    @property
    def objdir(self) -> Path:
        """Give its object directory."""
        return self.directory / _OBJECTS


def choose_conditions(work: Path, jobs: int, needed: Sequence[Path]) -> tuple[Condition, Condition]:
    """Choose two conditions below work; needed are files that another user must be able to read."""
    one = (("TZ", "UTC"), ("LC_ALL", "C"), ("USER", "one"), ("LOGNAME", "one"))
    two = (
        ("TZ", "Pacific/Kiritimati"), ("LC_ALL", "C.UTF-8"), ("LANG", "de_DE.UTF-8"),
        ("USER", "someone"), ("LOGNAME", "someone"), ("HOSTNAME", "elsewhere"),
        ("COLUMNS", "41"), ("MODBUILD_SECOND_BUILD", "an environment of another size"),
    )  # fmt: skip
    place = next(path for path in (work, *work.parents) if path.exists())
    user = "nobody" if can_be_nobody((*needed, place)) else ""
    far = work / "two/in/a/directory-with-a-long-name"  # makefiles bear no blank
    return (
        Condition(work / "1", 0o022, 1, 86400 * 366, one, ""),
        Condition(far, 0o077, max(2, jobs), 86400 * 13000, two, user),
    )


def can_be_nobody(needed: Sequence[Path]) -> bool:
    """Tell whether root here can run as nobody, who must be able to read what is needed."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        return False
    argv = (*_user_argv("nobody"), sys.executable, "-c", _CAN_READ, *map(str, needed))
    return CommandRunner().run(argv, Path("/")).is_success


def _user_argv(user: str) -> tuple[str, ...]:
    if not user:
        return ()
    return ("setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups")


def lay_sources(config: Config, condition: Condition, is_in_place: bool) -> tuple[str, ...]:
    """Put the sources where a condition wants them; gives the options that say where they are."""
    ours = (os.geteuid(), os.getegid())
    give_directory(condition.directory, (_NOBODY, _NOBODY) if condition.user else ours)
    source, modules = config.src, config.modules
    has_modules = modules.is_dir()
    if not is_in_place:
        # What is made may lie among the sources.
        outside = [str(path) for path in (config.objdir, config.destdir, condition.directory)]
        if has_modules:
            modules = condition.directory / "modules"
            copy_sources(config.modules, modules, condition.seconds, outside)
        if source is not None:
            link_sources(source, condition.directory / "src", outside)
            source = condition.directory / "src"
    options = () if source is None else ("--src", str(source))
    return (*options, "--modules", str(modules)) if has_modules else options


def build_once(
    config: Config,
    condition: Condition,
    sources: Sequence[str],
    names: Sequence[str],
    environment: Mapping[str, str],
) -> CommandResult:
    """Build under a condition, in a process of its own; sources is what lay_sources gave."""
    options = [
        word
        for setting in SETTINGS
        if not setting.is_flag and setting.key not in _PLACES
        for value in (str(getattr(config, setting.key) or ""),)
        if value
        for word in (f"--{setting.key.replace('_', '-')}", value)
    ]
    if config.reproducible:
        options.append("--reproducible")
    argv = (
        *_user_argv(condition.user), sys.executable, "-m", "buildsys", "build", "-q", "-k",
        "-j", str(condition.jobs), "-O", str(condition.objdir), *options, *sources, *names,
    )  # fmt: skip
    before = os.umask(condition.umask)
    try:
        known = make_environment(condition, environment)
        return CommandRunner().run(argv, condition.directory, known)
    finally:
        os.umask(before)


def make_environment(condition: Condition, environment: Mapping[str, str]) -> dict[str, str]:
    """Give what a build under a condition gets; a time that the caller chose stays."""
    places = {name for setting in SETTINGS for name in setting.environment} | {"MAKEOBJDIRPREFIX"}
    known = {name: value for name, value in environment.items() if name not in places}
    known |= {**dict(condition.variables), "HOME": str(condition.directory)}
    known["PYTHONPATH"] = os.pathsep.join(
        filter(None, (str(_PACKAGE.parent), known.get("PYTHONPATH", "")))
    )
    known["PYTHONDONTWRITEBYTECODE"] = "yes"
    if not any(name in environment for name in TIMES):
        known["SOURCE_DATE_EPOCH"] = str(condition.seconds)
    return known
