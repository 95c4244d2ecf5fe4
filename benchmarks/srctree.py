"""How long a NetBSD source tree takes: to evaluate for the first time, and with all known.

    python benchmarks/srctree.py /usr/src [MACHINE [TOOLDIR]]

The evaluation goes into a directory that is removed afterwards; nothing is built.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

from buildsys.pipeline.jobs import default_jobs
from buildsys.srctree.environment import find_make_setup
from buildsys.srctree.tree import MODULES, read_tree
from buildsys.toolchain.discover import load_toolchain
from buildsys.toolchain.kind import choose_kind
from buildsys.toolchain.machine import load_machine


def main(words: list[str]) -> None:
    source = Path(words[0]).absolute()
    machine = load_machine(words[1] if len(words) > 1 else "amd64", None)
    tooldir = Path(words[2]).absolute() if len(words) > 2 else None
    kind = choose_kind(None, None, str(tooldir or "") or None)
    toolchain = load_toolchain(kind, machine, tooldir, os.environ)
    jobs = default_jobs()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        setup = find_make_setup(toolchain, source, place / "make", tooldir, os.environ)
        for title in ("first", "again"):
            begin = time.perf_counter()
            tree = read_tree(
                setup, place / "record.json", lambda name: place / name, (source / MODULES,), jobs
            )
            seconds = time.perf_counter() - begin
            print(
                f"{title}: {seconds:.2f} s, {tree.started} makes started for {tree.evaluated} "
                f"directories, {len(tree.modules)} modules, {len(tree.troubles)} without"
            )


if __name__ == "__main__":
    main(sys.argv[1:])
