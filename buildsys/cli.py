"""The command line: verbs and options to calls, results to the exit status."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from buildsys.base.errors import BuildsysError, ExitStatus
from buildsys.base.value import frozen
from buildsys.config import SETTINGS
from buildsys.ending import end_well
from buildsys.options import GROUPS
from buildsys.version import __version__

_DESCRIPTION = "Build, check and install NetBSD kernel modules, without make."
_EPILOG = """\
Settings come from options, then from the environment, then from modbuild.yaml in this
directory ('modbuild config' shows each with its origin). In a clone of modbuild,
'./modbuild selftest' runs its tests.

exit status: 0 done; 1 the tool or a command failed; 2 a module is not fit; 3 wrong usage
"""


@frozen
class Context:
    """What a verb may know of the process that it runs in."""

    directory: Path
    environment: dict[str, str]
    words: tuple[str, ...]  # the command line as it was given


@frozen
class Verb:
    """One verb: where it is done (module:function), what it takes, and its line of help."""

    name: str
    place: str
    text: str
    takes: tuple[str, ...]  # groups of options, below


VERBS = (
    Verb("install", "build:install", "build, check and install modules",
         ("settings", "run", "install", "names")),
    Verb("build", "build:build", "build and check modules", ("settings", "run", "names")),
    Verb("check", "remembering:check", "say whether kmods would load",
         ("settings", "check", "explain", "report", "cache", "json")),
    Verb("uninstall", "remove:uninstall", "remove what install put there",
         ("settings", "uninstall", "names")),
    Verb("rollback", "rollback:rollback", "put a former generation of the modules in place",
         ("settings", "rollback")),
    Verb("plan", "plan:plan", "say what an update of the kernel will need",
         ("settings", "plan", "json")),
    Verb("prune", "rollback:prune", "remove former generations", ("settings", "prune")),
    Verb("versions", "rollback:versions", "list what is installed, for which kernels",
         ("settings", "json")),
    Verb("verify", "verify:verify", "compare an installed tree with what was installed",
         ("settings", "verify", "json")),
    Verb("release", "release:release", "build, check, install, pack and verify for many machines",
         ("settings", "run", "release", "report", "names")),
    Verb("pack", "pack:pack", "make the sets modules and debug", ("settings", "pack")),
    Verb("sets", "pack:compare_sets", "compare what is installed with the lists of sets",
         ("settings", "sets")),
    Verb("provenance", "provenance:provenance", "write an SBOM and a statement of the build",
         ("settings", "provenance")),
    Verb("reproduce", "reproduce:reproduce", "build twice under other conditions, and compare",
         ("settings", "reproduce", "names")),
    Verb("clean", "remove:clean", "remove objects and the record of the build",
         ("settings", "names")),
    Verb("list", "listing:list_modules", "list the modules that are described",
         ("settings", "json")),
    Verb("info", "info:info", "show what a kmod says of itself", ("files", "json")),
    Verb("deps", "inspect:deps", "show the order in which modules load",
         ("settings", "names", "dot")),
    Verb("why", "inspect:why", "say why a module would be built, and why it last was",
         ("settings", "names")),
    Verb("parity", "parity:parity", "compare kmods with those that NetBSD's makefiles made",
         ("settings", "parity", "names")),
    Verb("import", "importing:import_tree", "write a source tree's modules as descriptors",
         ("settings", "import", "names")),
    Verb("kernel", "kernel:kernel", "show a kernel, save its symbols as a map, compare two",
         ("settings", "kernel", "json")),
    Verb("compile-commands", "inspect:compile_commands", "write compile_commands.json",
         ("settings", "output")),
    Verb("doctor", "setup:doctor", "show the toolchains that are found", ("settings", "json")),
    Verb("config", "configuration:config", "show every setting and where it comes from",
         ("settings",)),
    Verb("schema", "schema:schema", "print the JSON Schema of module descriptors, or of reports",
         ("schema",)),
    Verb("init", "setup:init", "start a directory with a module of your own", ("init",)),
)  # fmt: skip
_NO_VERB = ("-h", "--help", "--version")  # what may stand in place of a verb
_PROGRAM = "modbuild"
_USUAL_COLUMNS = 80
_SHORT = {
    "machine": "-m", "machine_arch": "-a", "objdir": "-O", "destdir": "-D", "reproducible": "-P",
}  # fmt: skip


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """End with our status for wrong usage."""
        self.print_usage(sys.stderr)
        print(f"{self.prog}: {message}", file=sys.stderr)
        sys.exit(ExitStatus.USAGE)


class _Several(argparse.Action):
    """Keeps the last value of a setting under its key, and all of them under KEY_given."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Take one more value."""
        del parser, option_string
        every = f"{self.dest}_given"
        setattr(namespace, every, (*getattr(namespace, every, ()), values))
        setattr(namespace, self.dest, values)


def make_parser(only: str = "", has_options: bool = True) -> argparse.ArgumentParser:
    """Make the parser of the whole command line, or of one verb alone, which takes less time.

    Without has_options it knows the verbs, and nothing that they take.
    """
    width = _find_columns() - 2  # argparse would import shutil to find it, for every option anew
    parser = _Parser(
        prog=_PROGRAM,
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=partial(argparse.RawDescriptionHelpFormatter, width=width),
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"modbuild {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, prog=_PROGRAM)
    for verb in VERBS:
        if only not in ("", verb.name):
            continue
        child = verbs.add_parser(
            verb.name,
            help=verb.text,
            description=verb.text,
            formatter_class=partial(argparse.HelpFormatter, width=width),
            allow_abbrev=False,
        )
        for group in verb.takes if has_options else ():
            _GROUPS[group](child)
        child.set_defaults(complain=child.error)
    return parser


def _find_columns() -> int:
    """Give the width of the terminal as shutil finds it."""
    text = os.environ.get("COLUMNS", "")
    if text.isdecimal() and int(text) > 0:
        return int(text)
    try:
        return os.get_terminal_size().columns or _USUAL_COLUMNS
    except OSError:
        return _USUAL_COLUMNS


def parse_words(words: Sequence[str]) -> argparse.Namespace:
    """Parse a command line; names of modules may stand before, between and after options."""
    verb = next((verb.name for verb in VERBS if verb.name in words[:1]), "")
    has_options = words[0] not in _NO_VERB if words else False
    arguments, rest = make_parser(verb, has_options).parse_known_args(words)
    names = getattr(arguments, "names", None)
    if rest and (names is None or any(word.startswith("-") for word in rest)):
        arguments.complain(f"unrecognized arguments: {' '.join(rest)}")
    if names is not None:
        names.extend(rest)
    return arguments


def run(words: Sequence[str]) -> ExitStatus:
    """Do what a command line says; every trouble that a user can cause is one message."""
    return end_well(lambda: _act(words))


def _act(words: Sequence[str]) -> ExitStatus:
    try:
        arguments = parse_words(words)
    except SystemExit as error:
        return ExitStatus(error.code if isinstance(error.code, int) else ExitStatus.USAGE)
    verb = next(verb for verb in VERBS if verb.name == arguments.verb)
    try:
        directory = Path.cwd()
    except FileNotFoundError as error:
        raise BuildsysError("the current directory does not exist any more") from error
    context = Context(directory, dict(os.environ), tuple(words))
    module, _, function = verb.place.partition(":")
    act = getattr(importlib.import_module(f"buildsys.verbs.{module}"), function)
    return ExitStatus(act(arguments, context))


def _add_settings(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("settings")
    for setting in SETTINGS:
        option = f"--{setting.key.replace('_', '-')}"
        names = [_SHORT[setting.key], option] if setting.key in _SHORT else [option]
        text = setting.text
        if setting.environment:
            text += f" ({', '.join(setting.environment)})"
        if setting.is_flag:
            group.add_argument(
                *names, dest=setting.key, action="store_const", const="yes", help=text,
                default=argparse.SUPPRESS,
            )  # fmt: skip
            continue
        if setting.default:
            text += f"; default {setting.default}"
        meta = "PATH" if setting.is_path else "WORD"
        group.add_argument(
            *names, dest=setting.key, metavar=meta, help=text, default=argparse.SUPPRESS,
            action=_Several,
        )  # fmt: skip
    group.add_argument("--config", type=Path, metavar="FILE", help="read this modbuild.yaml")


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-j",
        "--jobs",
        type=_count,
        metavar="N",
        help="commands at a time; default: what the launcher can take, else more than processors",
    )
    parser.add_argument(
        "-k", "--keep-going", action="store_true", help="after a failure go on with the others"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="show whole commands")
    parser.add_argument("-q", "--quiet", action="store_true", help="show failures and doubts only")
    parser.add_argument(
        "--timeout", type=_seconds, metavar="SECONDS", help="end a command that runs longer"
    )


def _add_install(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--privileged",
        action="store_true",
        help="give the files to root:wheel on disk too, not only in METALOG (needs root)",
    )
    parser.add_argument(
        "--prune", action="store_true", help="remove installed modules that nothing describes"
    )
    parser.add_argument(
        "--replace-only", action="store_true",
        help="the named modules alone; what they require stays as it is installed",
    )  # fmt: skip
    parser.add_argument(
        "--from", dest="sources", type=Path, metavar="SET", action="append", default=[],
        help="install the modules of a set (its directory, or modules.tgz) in place of building;"
        " once more for the debugging information of the same kmods (debug.tgz)",
    )  # fmt: skip


def _add_uninstall(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--left-over",
        action="store_true",
        help="only modules that were installed and are no longer described",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="also files that were changed after they were installed",
    )
    parser.add_argument(
        "--even-needed",
        action="store_true",
        help="also modules that other installed modules require, or that the machine starts with",
    )


def _add_names(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="modules; default: all")


def _add_files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="kmods")


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="as JSON")


def _add_dot(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dot", action="store_true", help="as a graph for dot(1)")


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("compile_commands.json"), metavar="FILE",
        help="file to write; default: compile_commands.json",
    )  # fmt: skip


def _add_parity(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--against", type=Path, required=True, metavar="OBJDIR",
        help="object directory of NetBSD's own build (MAKEOBJDIRPREFIX, or any above the kmods)",
    )  # fmt: skip
    parser.add_argument(
        "--flags", action="store_true",
        help="compare the flags of every command too, not only where a kmod differs",
    )  # fmt: skip


def _add_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR",
        help="directory for the descriptors, DIR/NAME/NAME.yaml",
    )  # fmt: skip


def _add_init(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=Path, metavar="DIR", help="directory to make")
    parser.add_argument("--name", default="", help="name of the module; default: the directory's")
    parser.add_argument(
        "--class", dest="kmod_class", default="misc", metavar="CLASS",
        help="class of the module: misc, vfs, driver, exec, secmodel or bufq; default: misc",
    )  # fmt: skip


def _count(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 1, got {text!r}")
    return number


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number of seconds above 0, got {text!r}")
    return number


_GROUPS = {
    **GROUPS,
    "settings": _add_settings,
    "run": _add_run,
    "install": _add_install,
    "uninstall": _add_uninstall,
    "names": _add_names,
    "files": _add_files,
    "json": _add_json,
    "dot": _add_dot,
    "output": _add_output,
    "import": _add_import,
    "parity": _add_parity,
    "init": _add_init,
}
