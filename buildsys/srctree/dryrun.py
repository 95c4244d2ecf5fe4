"""The commands that make itself would run in a directory, to compare ours with."""

import os
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from buildsys.base.command import CommandRunner
from buildsys.base.errors import BuildsysError
from buildsys.base.files import make_directory
from buildsys.srctree.environment import MakeSetup

_DEPENDENCIES = {"-MD": 1, "-MF": 2, "-MT": 2, "-c": 1, "-o": 2}  # words, with their arguments


def read_stock_commands(setup: MakeSetup, directory: Path) -> tuple[tuple[str, ...], ...]:
    """Ask make (-n) for every command of a whole build of a directory; nothing is built."""
    make_directory(setup.objdir)
    argv = (*setup.argv, "-n", "dependall")
    result = CommandRunner().run(argv, directory, setup.environment)
    text = result.output.decode("utf-8", errors="replace")
    if not result.is_success:
        raise BuildsysError(f"make -n failed: {text.strip()[-500:]}", directory)
    return tuple(_split_commands(text.replace("\\\n", " ")))


def _split_commands(text: str) -> Iterator[tuple[str, ...]]:
    for line in text.split("\n"):
        try:
            words = tuple(shlex.split(line))
        except ValueError:
            continue  # a piece of a shell script of several lines
        if words:
            yield words


def find_compile(commands: Sequence[tuple[str, ...]], source: str) -> tuple[str, ...] | None:
    """Find the command that compiles a source: the one that has it after -c."""
    names = (source, os.path.basename(source))
    for words in commands:
        if "-c" in words and any(name in words[words.index("-c") :] for name in names):
            return words
    return None


def find_link(commands: Sequence[tuple[str, ...]], name: str) -> tuple[str, ...] | None:
    """Find the command that joins the objects into name."""
    for words in commands:
        if "-r" in words and "-o" in words and words[words.index("-o") + 1 :][:1] == (name,):
            return words
    return None


def plain_flags(argv: Sequence[str], directory: Path) -> tuple[str, ...]:
    """Give a command's flags alone: no program, no output, no dependency file, no object names.

    A name below directory is given as it looks from there.
    """
    prefix = f"{directory}{os.sep}"
    flags: list[str] = []
    position = 1
    while position < len(argv):
        word = argv[position]
        skipped = _DEPENDENCIES.get(word, 0)
        if not skipped:
            flags.append(word.replace(prefix, ""))
        position += skipped or 1
    return tuple(flags)


def describe_flags(ours: Sequence[str], theirs: Sequence[str]) -> str:
    """Say how two lists of flags differ; '' where they are the same."""
    if tuple(ours) == tuple(theirs):
        return ""
    here, there = list(ours), list(theirs)
    for flag in ours:
        if flag in there:
            there.remove(flag)
    for flag in theirs:
        if flag in here:
            here.remove(flag)
    if not here and not there:
        return "the same flags in another order"
    parts = []
    if here:
        parts.append(f"only here: {shlex.join(here)}")
    if there:
        parts.append(f"only there: {shlex.join(there)}")
    return "; ".join(parts)
