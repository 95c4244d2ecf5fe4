"""How the costs of nothing to do and of planning grow with the tree: at 1, 4 and 16 times.

Nothing is compiled: planning reads descriptors only, and the answer "nothing to do" compares the
stamps of as many files as a build of the tree reads and writes.
"""

import os
import resource
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from synthetic import write_tree

from buildsys import snapshot
from buildsys.base.digest import stat_stamp
from buildsys.snapshotfile import render_snapshot

_MODULES, _SOURCES, _HEADERS = 339, 3, 600
_OUTPUTS = 3  # beside objects, a module has a kmod, a verdict and what is installed
_TIMES = (1, 4, 16)
_PLAN = """
import gc, os, sys, time
gc.set_threshold(200_000)  # as a run does
from pathlib import Path
from buildsys.pipeline.plan import make_plan
from buildsys.pipeline.request import load_request
from buildsys.pipeline.session import find_surroundings
from buildsys.pipeline.settings import load_config
begin = time.process_time()
request = load_request(load_config({}, {}, Path.cwd()), dict(os.environ))
plan = make_plan(request, find_surroundings(request, False), (), True)
print(time.process_time() - begin, len(plan.steps))
"""


def measure_growth(directory: Path, runs: int) -> Iterator[str]:
    """Give lines of the table: CPU seconds at each size, and those of a file as a ratio to 1x."""
    answers: list[tuple[int, float]] = []
    plans: list[tuple[int, float]] = []
    for times in _TIMES:
        tree = directory / str(times)
        write_tree(tree, _MODULES * times, _SOURCES, _HEADERS)
        answers.append(_measure_answer(tree, runs))
        plans.append(_measure_plan(tree))
        shutil.rmtree(tree)
    yield _line("7", "nothing to do", "files", answers)
    yield _line("7", "planning", "steps", plans)


def _line(number: str, name: str, unit: str, found: list[tuple[int, float]]) -> str:
    sizes = "; ".join(f"{count} {unit}: {seconds:.3f} s" for count, seconds in found)
    each = [seconds / count for count, seconds in found]
    growth = " ".join(f"{cost / each[0]:.2f}" for cost in each)
    return f"| {number} | {name} at 1, 4, 16 times the tree, CPU | {sizes} | | {growth} | each |"


def _measure_answer(tree: Path, runs: int) -> tuple[int, float]:
    """Time the answer over the files of a tree and as many outputs as a build would make."""
    objects = tree / "obj/objects"
    objects.mkdir(parents=True)
    sources = sorted(path for path in tree.rglob("*") if path.is_file())
    made = [objects / f"{index}.o" for index in range(len(sources) + len(sources) // _OUTPUTS)]
    for path in made:
        path.touch()
    stamps = [
        (str(path), stamp.numbers)
        for path in (*sources, *made)
        if (stamp := stat_stamp(path)) is not None
    ]
    words = ("build",)
    key = snapshot.request_key(words, os.environ, str(tree))
    place = Path(snapshot.snapshot_path(str(tree / "obj"), key))
    place.parent.mkdir()
    place.write_bytes(render_snapshot(key, "0Nothing to do.\n", stamps))
    command = (sys.executable, "-m", "buildsys", *words)
    seconds = []
    for _ in range(runs):
        before = _cpu()
        ran = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=True)
        seconds.append(_cpu() - before)
        if ran.stdout != "Nothing to do.\n":
            sys.exit(f"{tree}: {ran.stdout}")
    shutil.rmtree(tree / "obj")
    return len(stamps), statistics.median(seconds)


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _measure_plan(tree: Path) -> tuple[int, float]:
    command = (sys.executable, "-c", _PLAN)
    ran = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=True)
    seconds, steps = ran.stdout.split()
    return int(steps), float(seconds)
