"""The speed of rebuilds at the size of a whole tree, as one table: run with --help.

Each figure stands beside a peer that was run in turn with it: ninja with the same commands (from
the plan's own compile and link steps, and cp for install), 'python -c pass', the compilers' own
CPU time over the processors, cp with fsync. Quote the ratios; the machine's speed is not the
tool's. What each line is for stands in README.md.
"""

import argparse
import compileall
import os
import platform
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

from growth import measure_growth
from synthetic import write_tree

import buildsys
from buildsys.install.switch import KEPT_GENERATIONS
from buildsys.pipeline.jobs import default_jobs
from buildsys.pipeline.plan import Plan, make_plan
from buildsys.pipeline.request import load_request
from buildsys.pipeline.session import find_surroundings
from buildsys.pipeline.settings import load_config
from buildsys.pipeline.step import Command, Generate, Install

# As the launcher starts it.
MODBUILD = (sys.executable, "-S", str(Path(buildsys.__path__[0]) / "launch.py"))
# The same, telling at its end how much memory the process had at most (KiB), how much CPU the
# programs took that it ran, and how long the steps lasted that run none (seconds). VmHWM begins
# anew with a program; the maximum that getrusage gives would be that of this process.
_PROGRAM = """
import os, sys
sys.path.insert(0, os.environ["BENCH_PACKAGE"])
from buildsys import __main__
own = []
if "BENCH_PLAIN" not in os.environ:
    __main__._load_site()
    from buildsys.pipeline import outcome
    make = outcome.StepDone
    def note(step, seconds, *more):
        if step.kind in ("check", "install", "metalog"):
            own.append(seconds)
        return make(step, seconds, *more)
    outcome.StepDone = note
status = __main__.main()
import resource
programs = resource.getrusage(resource.RUSAGE_CHILDREN)
with open("/proc/self/status") as lines, open(os.environ["BENCH_PEAK"], "w") as stream:
    peak = next(line.split()[1] for line in lines if line.startswith("VmHWM"))
    print(peak, programs.ru_utime + programs.ru_stime, sum(own), file=stream)
sys.stdout.flush()
os._exit(status)
"""
TELLING = (sys.executable, "-S", "-c", _PROGRAM)
VERBS = (("--help",), ("config",), ("schema",), ("list",), ("info", "KMOD"))


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run cost: wall and CPU seconds of the process and its children, peak memory.

    Of modbuild where it tells them: its own peak, the CPU seconds of the programs that it ran, the
    wall seconds of steps that run none (check, install, METALOG).
    """

    wall: float
    cpu: float
    megabytes: float = 0.0
    programs: float = 0.0
    own: float = 0.0


def main() -> int:
    """Measure, and print a table in Markdown."""
    options = _parse_options()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    compileall.compile_dir(str(Path(buildsys.__path__[0])), quiet=2)
    directory = Path(tempfile.mkdtemp(prefix="modbuild-bench."))
    os.environ["BENCH_PEAK"] = f"{directory}.peak"
    os.environ["BENCH_PACKAGE"] = str(Path(buildsys.__path__[0]).parent)
    try:
        write_tree(directory, options.modules, options.sources, options.headers)
        _Bench(directory, options).run()
    finally:
        shutil.rmtree(directory)
    return 0


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--modules", type=int, default=339)
    parser.add_argument("--sources", type=int, default=3, help="sources a module")
    parser.add_argument("--headers", type=int, default=1200)
    parser.add_argument("--runs", type=int, default=5, help="runs of each, for the median")
    parser.add_argument("--jobs", type=int, default=default_jobs(), help="of both tools")
    parser.add_argument("--src", type=Path, help="a NetBSD source tree, for line 5 (TOOLDIR set)")
    return parser.parse_args()


class _Bench:
    def __init__(self, directory: Path, options: argparse.Namespace) -> None:
        self._directory = directory
        self._options = options
        self._runs, self._jobs = options.runs, options.jobs
        self._processors = len(os.sched_getaffinity(0))
        self._words = ("install", "--quiet", f"-j{options.jobs}")
        self._modbuild, self._telling = (*MODBUILD, *self._words), (*TELLING, *self._words)
        self._ninja = ("ninja", f"-j{options.jobs}", "--quiet")
        self._source = directory / "modules/m0000/m0000_0.c"
        self._wide = directory / "include/wide.h"

    def run(self) -> None:
        """Run every comparison and print its line."""
        plan = self._write_ninja()
        kinds = [step.kind for step in plan.steps]
        size = f"{len(plan.modules)} modules, {kinds.count('compile')} objects, {len(kinds)} steps"
        print(f"{size}; {_describe_machine()}; -j{self._jobs}; medians of {self._runs}\n")
        print("| | what | modbuild | peer | ratio | |\n| --- | --- | --- | --- | --- | --- |")
        ours, theirs = self._build_fully()
        more = statistics.median(a.cpu - b.cpu for a, b in zip(ours, theirs, strict=True))
        most = max(cost.megabytes for cost in ours)
        full = f"{more / len(kinds) * 1000:.2f} ms CPU a step over ninja's; {most:.0f} MB"
        for _ in range(KEPT_GENERATIONS + 2):  # as many installations as there are kept
            _append(self._source)
            self._once(self._modbuild)
            self._once(self._ninja)
        idle = self._compare("1", "nothing to do; ninja", lambda: None, self._ninja)
        python = (sys.executable, "-c", "pass")
        os.environ["BENCH_PLAIN"] = "1"
        most = self._once(self._telling).megabytes
        del os.environ["BENCH_PLAIN"]
        name = "nothing to do; `python -c pass`"
        self._compare("1", name, lambda: None, python, f"{most:.0f} MB")
        self._compare("2", "one source; ninja", lambda: _append(self._source), self._ninja)
        self._tell_one_source(idle)
        self._compare_wide()
        self._show("4", "full build; ninja", ours, theirs, full)
        self._show_limit("4", "full build; the programs' CPU over the processors", ours)
        self._evaluate()
        self._compare_install(plan)
        for line in measure_growth(self._directory / "growth", self._runs):
            print(line, flush=True)
        self._start_up(plan)

    def _build_fully(self) -> tuple[list[Cost], list[Cost]]:
        """Build all in turn, ninja first: who begins finds less in the system's memory."""
        ours: list[Cost] = []
        theirs: list[Cost] = []
        for _ in range(min(3, self._runs)):
            self._once(("ninja", "-t", "clean"))
            theirs.append(self._once(self._ninja))
            for name in ("obj", "destdir"):
                shutil.rmtree(self._directory / name, ignore_errors=True)
            ours.append(self._once(self._telling))
        return ours, theirs

    def _tell_one_source(self, idle: float) -> None:
        """Compare with the steps of one module, and with them and twice ninja's overhead.

        What these take another run tells: to tell it costs time.
        """
        ours, limits = [], []
        for _ in range(self._runs):
            _append(self._source)
            wall = self._once(self._modbuild).wall
            _append(self._source)
            told = self._once(self._telling)
            ours.append(Cost(wall, told.cpu, told.megabytes))
            limits.append(Cost(told.programs + told.own + 2 * idle, 0))
        self._show("2", "one source; its steps and 2 x idle ninja", ours, limits)

    def _compare_wide(self) -> None:
        ours, theirs = [], []
        for _ in range(min(2, self._runs)):
            _append(self._wide)
            ours.append(self._once(self._telling))
            theirs.append(self._once(self._ninja))
        self._show("3", "wide header; ninja", ours, theirs)
        self._show_limit("3", "wide header; the programs' CPU over the processors", ours)

    def _show_limit(self, number: str, name: str, ours: Sequence[Cost]) -> None:
        limits = [Cost(cost.programs / self._processors, 0) for cost in ours]
        self._show(number, name, ours, limits)

    def _evaluate(self) -> None:
        """Read all makefiles of a source tree, first anew, then from what was kept."""
        if self._options.src is None:
            return
        place = self._directory / "evaluation"
        place.mkdir()
        argv = (*TELLING, "list", "--src", str(self._options.src), "-O", str(place / "obj"))
        first, again = (self._once(argv, place) for _ in range(2))
        self._show("5", "evaluation of a source tree, first; again", [first], [again])

    def _start_up(self, plan: Plan) -> None:
        kmod = str(next(iter(plan.paths.values())).kmod)
        python = (sys.executable, "-c", "pass")
        for words in VERBS:
            argv = (*MODBUILD, *(kmod if word == "KMOD" else word for word in words))
            ours = [self._once(argv) for _ in range(self._runs)]
            theirs = [self._once(python) for _ in range(self._runs)]
            self._show("8", f"`modbuild {words[0]}`; `python -c pass`", ours, theirs)

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

    def _once(self, argv: Sequence[str], directory: Path | None = None) -> Cost:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begin = time.monotonic()
        done = subprocess.run(
            argv, cwd=directory or self._directory, stdout=subprocess.DEVNULL, check=False
        )
        wall = time.monotonic() - begin
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode != 0:
            sys.exit(f"{shlex.join(argv)}: status {done.returncode}")
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        peak = Path(os.environ["BENCH_PEAK"])
        words = peak.read_text().split() if peak.exists() else ("0", "0", "0")
        peak.unlink(missing_ok=True)
        return Cost(wall, cpu, int(words[0]) / 1024, float(words[1]), float(words[2]))

    def _compare(
        self,
        number: str,
        name: str,
        change: Callable[[], None],
        peer: Sequence[str],
        remark: str = "",
    ) -> float:
        """Run both in turn; gives the peer's median wall seconds."""
        ours, theirs = [], []
        for _ in range(self._runs):
            change()
            ours.append(self._once(self._modbuild))
            theirs.append(self._once(peer))
        self._show(number, name, ours, theirs, remark)
        return statistics.median(cost.wall for cost in theirs)

    def _compare_install(self, plan: Plan) -> None:
        ours, theirs = [], []
        pairs = [(paths.kmod, paths.installed / paths.kmod.name) for paths in plan.paths.values()]
        for _ in range(self._runs):
            shutil.rmtree(self._directory / "destdir")
            ours.append(self._once(self._modbuild))
            shutil.rmtree(self._directory / "copy", ignore_errors=True)
            begin = time.monotonic()
            _copy_and_sync(pairs, self._directory / "copy")
            theirs.append(Cost(time.monotonic() - begin, 0))
        self._show("6", "install of all; cp and fsync", ours, theirs)

    def _show(
        self,
        number: str,
        name: str,
        ours: Sequence[Cost],
        theirs: Sequence[Cost],
        remark: str = "",
    ) -> None:
        wall, peer = (statistics.median(cost.wall for cost in costs) for costs in (ours, theirs))
        ratio = statistics.median(a.wall / b.wall for a, b in zip(ours, theirs, strict=True))
        most = max(cost.megabytes for cost in ours)
        remark = remark or (f"{most:.0f} MB" if most else "")
        print(f"| {number} | {name} | {wall:.3f} s | {peer:.3f} s | {ratio:.2f} | {remark} |")
        sys.stdout.flush()


def _describe_machine() -> str:
    processors = len(os.sched_getaffinity(0))
    system = f"{platform.system()} {platform.machine()}, {processors} processors"
    return f"{system}, Python {platform.python_version()}"


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
    """Have a source or header define one more thing: what is made of it is another."""
    name = f"added_{time.time_ns()}"
    text = f"#define {name} 1\n" if path.suffix == ".h" else f"int {name}(void);\n"
    if path.suffix == ".c":
        text += f"int {name}(void) {{ return 1; }}\n"
    with open(path, "a", encoding="ascii") as stream:
        stream.write(text)


def _copy_and_sync(pairs: Sequence[tuple[Path, Path]], directory: Path) -> None:
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
