"""Rebuilds at the size of a whole tree, against ninja on the same graph: run with --help.

Each figure stands beside a peer that was run in turn with it: ninja with the same commands (from
the plan's own compile and link steps, and cp for install), 'python -c pass', and cp with sync.
Quote the ratios; the machine's speed is not the tool's.
"""

import argparse
import os
import resource
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from synthetic import write_tree

from buildsys.pipeline.plan import Plan, make_plan
from buildsys.pipeline.request import load_request
from buildsys.pipeline.session import find_surroundings
from buildsys.pipeline.settings import load_config
from buildsys.pipeline.step import Command, Generate, Install

# The program itself, telling at its end how much memory the process had at most (KiB).
_PROGRAM = """
import atexit, os, resource, sys
def tell():
    with open(os.environ["BENCH_PEAK"], "w") as stream:
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=stream)
atexit.register(tell)
from buildsys.__main__ import main
sys.exit(main())
"""
MODBUILD = (sys.executable, "-c", _PROGRAM, "install", "--quiet")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run cost: wall and CPU seconds of the process and its children, peak memory."""

    wall: float
    cpu: float
    megabytes: float


def main() -> int:
    """Measure, and print a table."""
    options = _parse_options()
    directory = Path(tempfile.mkdtemp(prefix="modbuild-bench."))
    os.environ["BENCH_PEAK"] = f"{directory}.peak"
    try:
        write_tree(directory, options.modules, options.sources, options.headers)
        _Bench(directory, options.runs, options.jobs).run()
    finally:
        shutil.rmtree(directory)
    return 0


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--modules", type=int, default=400)
    parser.add_argument("--sources", type=int, default=6, help="sources a module")
    parser.add_argument("--headers", type=int, default=1200)
    parser.add_argument("--runs", type=int, default=5, help="runs of each, for the median")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    return parser.parse_args()


class _Bench:
    def __init__(self, directory: Path, runs: int, jobs: int) -> None:
        self._directory = directory
        self._runs = runs
        self._modbuild = (*MODBUILD, f"-j{jobs}")
        self._ninja = ("ninja", f"-j{jobs}", "--quiet")
        self._source = directory / "modules/m0000/m0000_0.c"
        self._wide = directory / "include/wide.h"

    def run(self) -> None:
        """Run every comparison and print its line."""
        plan = self._write_ninja()
        kinds = [step.kind for step in plan.steps]
        print(f"{len(plan.modules)} modules, {len(kinds)} steps, {kinds.count('compile')} objects")
        print(f"{'':28}{'modbuild':>10}{'peer':>10}{'ratio':>8}  CPU ratio, MB")
        ours, peer = self._once(self._modbuild), self._once(self._ninja)
        self._show("full build, ninja", [ours], [peer])
        overhead = (ours.cpu - peer.cpu) / len(kinds) * 1000
        print(f"{'':28}{overhead:.2f} ms CPU a step over ninja's")
        self._once(self._modbuild)
        self._compare("nothing to do, ninja", lambda: None, self._ninja)
        self._compare("nothing to do, python", lambda: None, (sys.executable, "-c", "pass"))
        self._compare("one source, ninja", lambda: _append(self._source), self._ninja)
        self._compare("wide header, ninja", lambda: _append(self._wide), self._ninja)
        self._compare_install(plan)

    def _write_ninja(self) -> Plan:
        config = load_config({}, {}, self._directory)
        request = load_request(config, dict(os.environ))
        plan = make_plan(request, find_surroundings(request, False), (), has_install=True)
        (self._directory / "build.ninja").write_text(render_ninja(plan, self._directory))
        for step in plan.steps:
            match step.action:
                case Generate(files=files):
                    for path, content in files:
                        copy = _ninja_path(str(path), self._directory)
                        Path(copy).parent.mkdir(parents=True, exist_ok=True)
                        Path(copy).write_bytes(content)
        return plan

    def _once(self, argv: Sequence[str]) -> Cost:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begin = time.monotonic()
        done = subprocess.run(argv, cwd=self._directory, stdout=subprocess.DEVNULL, check=False)
        wall = time.monotonic() - begin
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode != 0:
            sys.exit(f"{shlex.join(argv)}: status {done.returncode}")
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        peak = Path(os.environ["BENCH_PEAK"])
        megabytes = int(peak.read_text()) / 1024 if peak.exists() else 0.0
        peak.unlink(missing_ok=True)
        return Cost(wall, cpu, megabytes)

    def _compare(self, name: str, change: Callable[[], None], peer: Sequence[str]) -> None:
        ours, theirs = [], []
        for _ in range(self._runs):
            change()
            ours.append(self._once(self._modbuild))
            theirs.append(self._once(peer))
        self._show(name, ours, theirs)

    def _compare_install(self, plan: Plan) -> None:
        ours, theirs = [], []
        pairs = [(paths.kmod, paths.installed / paths.kmod.name) for paths in plan.paths.values()]
        for _ in range(self._runs):
            shutil.rmtree(self._directory / "destdir")
            ours.append(self._once(self._modbuild))
            begin = time.monotonic()
            _copy_and_sync(pairs, self._directory / "copy")
            theirs.append(Cost(time.monotonic() - begin, 0, 0))
        self._show("install all, cp and fsync", ours, theirs)

    def _show(self, name: str, ours: Sequence[Cost], theirs: Sequence[Cost]) -> None:
        wall, peer = (statistics.median(cost.wall for cost in costs) for costs in (ours, theirs))
        ratios = [a.wall / b.wall for a, b in zip(ours, theirs, strict=True)]
        cpu = statistics.median(cost.cpu for cost in ours)
        peer_cpu = statistics.median(cost.cpu for cost in theirs)
        cpu_ratio = f"{cpu / peer_cpu:.2f}" if peer_cpu else "-"
        memory = max(cost.megabytes for cost in ours)
        print(
            f"{name:28}{wall:9.3f}s{peer:9.3f}s{statistics.median(ratios):8.2f}"
            f"  {cpu_ratio}, {memory:.0f}"
        )


def render_ninja(plan: Plan, directory: Path) -> str:
    """Give a build.ninja with the plan's compile and link commands, and cp in place of install."""
    lines = [
        "rule cc",
        "  command = cd $dir && $cmd",
        "  depfile = $dep",
        "  deps = gcc",
        "rule run",
        "  command = $cmd",
    ]
    for step in plan.steps:
        match step.action:
            case Command(argv=argv, depfile=depfile, outputs=outputs, directory=place):
                argv = tuple(_ninja_path(word, directory) for word in argv)
                inputs = " ".join(_ninja_path(str(path), directory) for path in step.inputs)
                output = _ninja_path(str(outputs[0]), directory)
                command = shlex.join(argv).replace("$", "$$")
                rule = "cc" if depfile is not None else "run"
                lines += [f"build {output}: {rule} {inputs}", f"  cmd = {command}"]
                if depfile is not None:
                    lines.append(f"  dep = {_ninja_path(str(depfile), directory)}")
                    lines.append(f"  dir = {_ninja_path(str(place), directory)}")
            case Install():
                kmod = _ninja_path(str(step.inputs[1]), directory)
                target = f"{directory}/ninja-destdir/{step.module}.kmod"
                lines += [f"build {target}: run {kmod}", f"  cmd = cp {kmod} {target}"]
    return "\n".join(lines) + "\n"


def _ninja_path(word: str, directory: Path) -> str:
    return word.replace(f"{directory}/obj/", f"{directory}/ninja-obj/")


def _append(path: Path) -> None:
    with open(path, "a", encoding="ascii") as stream:
        stream.write(f"/* {time.time_ns()} */\n")


def _copy_and_sync(pairs: Sequence[tuple[Path, Path]], directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    for source, target in pairs:
        place = directory / target.parent.name
        place.mkdir(parents=True)
        copy = place / target.name
        shutil.copyfile(source, copy)
        descriptor = os.open(copy, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main())
