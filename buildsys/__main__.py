"""The program: answers at once when nothing is to do, and else hands over to the command line.

Everything heavy is imported behind that question; a test lists what a run with nothing to do loads.
"""

import importlib
import os
import sys

from buildsys import snapshot

_QUICK_VERBS = frozenset({"build", "install"})


def main() -> int:
    """Run modbuild with the arguments of the process; give its exit status."""
    arguments = sys.argv[1:]
    directory = os.getcwd()
    if arguments and arguments[0] in _QUICK_VERBS:
        key = snapshot.request_key(arguments, os.environ, directory)
        objdir = snapshot.guess_objdir(arguments, os.environ, directory)
        message = snapshot.read_unchanged(snapshot.snapshot_path(objdir, key), key)
        if message is not None:
            sys.stdout.write(message)
            return 0
    cli = importlib.import_module("buildsys.cli")
    return int(cli.run(arguments))


if __name__ == "__main__":
    sys.exit(main())
