"""The program: answers at once when nothing is to do, and else hands over to the command line.

Everything heavy is imported behind that question; a test lists what a run with nothing to do loads.
"""

import os
import sys
from io import TextIOWrapper

from buildsys import snapshot

_QUICK_VERBS = frozenset({"build", "install"})


def main() -> int:
    """Run modbuild with the arguments of the process; give its exit status."""
    arguments = sys.argv[1:]
    _open_output()
    status, message = _find_answer(arguments)
    if message is None and arguments[:1] == ["check"]:
        status, message = _find_verdicts(arguments)
    if message is None:
        return _run(arguments)
    stream = sys.stderr if status == 1 else sys.stdout
    try:
        stream.write(message)
        stream.flush()
    except OSError:  # a reader that has gone, or a full disk: the command line knows what to say
        return _run(arguments)
    return status


def _run(arguments: list[str]) -> int:
    """Hand over to the command line; what imports by name would itself take time to import."""
    cli = __import__("buildsys.cli", fromlist=["run"])
    return int(cli.run(arguments))


def _open_output() -> None:
    """Have an output that takes every file name; one that was closed swallows all."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")


def _find_answer(arguments: list[str]) -> tuple[int, str | None]:
    """Give the exit status and what there is to say when nothing can be done; None: not known.

    The status is 1 where modules of a source tree cannot be built and all others are.
    """
    if not arguments or arguments[0] not in _QUICK_VERBS:
        return 0, None
    try:
        directory = os.getcwd()
    except FileNotFoundError:
        return 0, None
    key = snapshot.request_key(arguments, os.environ, directory)
    objdir = snapshot.guess_objdir(arguments, os.environ, directory)
    answer = snapshot.read_unchanged(snapshot.snapshot_path(objdir, key), key)
    return (0, None) if answer is None else (int(answer[:1]), answer[1:])


def _find_verdicts(arguments: list[str]) -> tuple[int, str | None]:
    """Give the exit status and the text of a check of which no file changed since."""
    directory = snapshot.answers_directory(os.environ)
    if not directory or "--no-cache" in arguments or not snapshot.is_trusted(directory):
        return 0, None
    try:
        key = snapshot.request_key(arguments, os.environ, os.getcwd())
    except FileNotFoundError:
        return 0, None
    answer = snapshot.read_unchanged(snapshot.answer_path(directory, key), key)
    return (0, None) if answer is None else (int(answer[:1]), answer[1:])


if __name__ == "__main__":
    sys.exit(main())
