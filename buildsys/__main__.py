"""The program: answers at once when nothing is to do, and else hands over to the command line.

Everything heavy is imported behind that question; a test lists what a run with nothing to do loads.
"""

import gc
import os
import sys
import time
from io import TextIOWrapper

from buildsys import snapshot

_ALLOCATIONS = 200_000  # of objects, before Python looks for cycles among them
_QUICK_VERBS = frozenset({"build", "install"})


def main() -> int:
    """Run modbuild with the arguments of the process; give its exit status."""
    gc.set_threshold(_ALLOCATIONS)  # looking for cycles takes a tenth of a build, and finds few
    try:
        _open_output()
        return answer(sys.argv[1:])
    except KeyboardInterrupt:  # before who deals with it was imported
        sys.stderr.write("modbuild: interrupted\n")
        return 1


def run_and_exit() -> None:
    """End the process with the status of its run, at once: nothing is left to be cleared away."""
    status = 1
    try:
        status = main()
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            status = status or 1
    os._exit(status)


def answer(arguments: list[str]) -> int:
    """Do what a command line says, in the shortest way that is right; give the exit status."""
    began_ns = time.time_ns()
    verb = arguments[0] if arguments else ""
    if verb in _QUICK_VERBS:
        path, key = _find_snapshot(arguments)
    elif verb == "check":
        path, key = _find_answer(arguments)
    else:
        path, key = "", b""
    found = snapshot.read_snapshot(path, key, _prepare) if path else None
    if found is None:
        return _run(arguments)
    if found.changed:
        status = None
        if found.frame:
            _prepare(found)
            again = __import__("buildsys.verbs.again", fromlist=["run"])
            status = again.run(arguments, found, path, key, began_ns)
        return _run(arguments) if status is None else int(status)
    status = int(found.message[:1])
    # What a check found is what was asked for; of a build it is what went wrong.
    is_wrong = status == 1 or (status != 0 and verb in _QUICK_VERBS)
    stream = sys.stderr if is_wrong else sys.stdout
    try:
        stream.write(found.message[1:])
        stream.flush()
    except OSError:  # a reader that has gone, or a full disk: the command line knows what to say
        return _run(arguments)
    return status


def _prepare(found: snapshot.Snapshot) -> None:
    """Load what a run needs that is not up to date, while others look what changed."""
    if found.frame:
        _load_site()
        __import__("buildsys.verbs.again")


def _run(arguments: list[str]) -> int:
    """Hand over to the command line; what imports by name would itself take time to import."""
    _load_site()
    cli = __import__("buildsys.cli", fromlist=["run"])
    return int(cli.run(arguments))


def _load_site() -> None:
    """Find the installed packages, where Python was started without looking for them (-S)."""
    if sys.flags.no_site and "site" not in sys.modules:
        __import__("site").main()


def _open_output() -> None:
    """Have an output that takes every file name; one that was closed swallows all."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")


def _find_snapshot(arguments: list[str]) -> tuple[str, bytes]:
    """Give where the snapshot of a build would be, and what tells its request from others."""
    try:
        directory = os.getcwd()
    except FileNotFoundError:
        return "", b""
    key = snapshot.request_key(arguments, os.environ, directory)
    objdir = snapshot.guess_objdir(arguments, os.environ, directory)
    return snapshot.snapshot_path(objdir, key), key


def _find_answer(arguments: list[str]) -> tuple[str, bytes]:
    """Give where the answer to a check would be, and what tells its request from others."""
    directory = snapshot.answers_directory(os.environ)
    if not directory or "--no-cache" in arguments or not snapshot.is_trusted(directory):
        return "", b""
    try:
        key = snapshot.request_key(arguments, os.environ, os.getcwd())
    except FileNotFoundError:
        return "", b""
    return snapshot.answer_path(directory, key), key


if __name__ == "__main__":
    run_and_exit()
