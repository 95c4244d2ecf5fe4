"""Feeds damaged files to all that reads them: python benchmarks/check_fuzz.py COUNT [SEED].

Inputs are kmods of eleven machines (REL and RELA, both widths, both byte orders), the measured
modules, and kernels as images, nm text, saved maps, gzipped, and gzip bombs, each spoiled: bytes,
numbers, section headers that overlap, loop, claim 4 GiB or to be compressed, cuts, splices. The
process may take no more than 256 MiB (RLIMIT_AS, beyond what it has when it begins to read) and
10 s of processor time for an input. Anything but a value or a BuildsysError is told with its
traceback, and the input is kept in the current directory. SIGTERM ends it with its figures.
"""

import argparse
import contextlib
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from fuzz_inputs import TARGETS, Sample, make_bombs, make_kernels, make_kmods, spoil

from buildsys.base.errors import BuildsysError
from buildsys.check.check import check_set
from buildsys.check.detail import describe_set
from buildsys.check.kmodfile import KmodCache
from buildsys.check.verdictfile import parse_verdict, render_verdict
from buildsys.elf.describe import describe_kmod, render_facts
from buildsys.kernel.load import load_kernel
from buildsys.kernel.model import Kernel
from buildsys.kernel.version import KernelVersion
from buildsys.report.document import render_json
from buildsys.report.junit import render_junit
from buildsys.report.model import ModuleResult, Report, Target
from buildsys.report.page import render_page
from buildsys.report.sarif import render_sarif
from buildsys.report.text import render_text

TOP = Path(__file__).resolve().parent.parent
CASES = TOP / "tests" / "data" / "loader-cases" / "cases"
KERNEL = TOP / "tests" / "data" / "amd64-10.99.12-small-kernel.kmap.gz"
VERSION = KernelVersion(1099001200)
MEMORY_BYTES = 256 << 20
SECONDS = 10
KERNELS_SHARE = 0.12  # of the inputs; each costs as much as several kmods
BOMBS_SHARE = 0.0002
REPORTED_SHARE = 0.05
PAGE_SHARE = 0.05  # of the reported ones: the HTML page takes as long as fifty inputs


class TooSlowError(BaseException):
    """An input took longer than SECONDS of processor time; no handler of errors may swallow it."""


def judge_kmod(path: Path, kernel: Kernel, chance: random.Random) -> str:
    """Put one file through everything that reads kmods; give the outcome in a word."""
    try:
        render_facts(describe_kmod(path))
    except BuildsysError as error:
        if not str(error).startswith(str(path)):
            raise RuntimeError(f"no place: {error}") from error
    cache = KmodCache(kernel)
    try:
        verdict = check_set((path,), kernel, cache)[0]
    except BuildsysError:
        return "kmod: error"
    if parse_verdict(render_verdict(verdict), path) != verdict:
        raise RuntimeError("the verdict changed in its file")
    if not verdict.is_fit and not verdict.findings:
        raise RuntimeError("unfit, and no finding")
    if chance.random() < REPORTED_SHARE:
        detail = describe_set((path,), kernel, cache)[0]
        result = ModuleResult(kernel.label, verdict.name, path, verdict=verdict, detail=detail)
        report = Report("check", (Target(kernel.label),), (result,))
        for render in (render_json, render_junit, render_sarif, render_text):
            render(report)
        if chance.random() < PAGE_SHARE:
            render_page(report)
    return f"kmod: {verdict.outcome.value}"


def read_kernel(path: Path, sample: Sample) -> str:
    """Read one file as a kernel; give what came of it in a word."""
    try:
        load_kernel(path, sample.machine, VERSION, sample.machine_arch)
    except BuildsysError as error:
        if not str(error).startswith(str(path)):
            raise RuntimeError(f"no place: {error}") from error
        return "kernel: error"
    return "kernel: read"


def limit_memory() -> None:
    """Let the process grow by MEMORY_BYTES and no more."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def stop_late(_number: int, _frame: FrameType | None) -> None:
    """End an input that takes too long."""
    raise TooSlowError


@dataclass(slots=True)
class Tally:
    """What came of the inputs so far; seconds is of the slowest."""

    outcomes: Counter[str] = field(default_factory=Counter)
    failures: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Stock:
    """What inputs are made from, and what kmods are judged for."""

    kmods: list[Sample]
    kernels: list[Sample]
    bombs: list[Sample]
    judges: dict[tuple[str, str], Kernel]

    def choose(self, chance: random.Random) -> tuple[Sample, list[Sample]]:
        """Choose a sample, and the samples of its kind."""
        dice = chance.random()
        if dice < BOMBS_SHARE:
            return chance.choice(self.bombs), self.bombs
        if dice < KERNELS_SHARE:
            return chance.choice(self.kernels), self.kernels
        is_ported = chance.random() < 0.5  # one of each machine's
        return chance.choice(self.kmods[: len(TARGETS)] if is_ported else self.kmods), self.kmods


def make_stock(directory: Path, objects: list[Path]) -> Stock:
    """Compile and read all samples."""
    kmods = make_kmods(directory, [*sorted(CASES.glob("*/*/*.kmod")), *objects])
    judges = {
        (s.machine, s.machine_arch): Kernel(s.machine, VERSION, s.machine_arch) for s in kmods
    }
    judges["amd64", "x86_64"] = load_kernel(KERNEL)
    return Stock(kmods, make_kernels(directory, KERNEL), make_bombs(), judges)


def try_one(stock: Stock, target: Path, chance: random.Random, tally: Tally, keep: str) -> None:
    """Make an input, put it through, and keep it under that name when it fails."""
    sample, pool = stock.choose(chance)
    content = spoil(sample, pool, chance)
    if pool is stock.kernels and chance.random() < 0.05:
        content = sample.content  # one that can be read, so that this is tried too
    target.write_bytes(content)
    started = time.monotonic()
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        if pool is stock.kmods:
            kernel = stock.judges[sample.machine, sample.machine_arch]
            outcome = judge_kmod(target, kernel, chance)
        else:
            outcome = read_kernel(target, sample)
    except (Exception, TooSlowError):
        tally.failures += 1
        Path(keep).write_bytes(content)
        print(f"{keep}: {sample.machine} {traceback.format_exc()}", file=sys.stderr, flush=True)
        outcome = "FAILED"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    tally.seconds = max(tally.seconds, time.monotonic() - started)
    tally.outcomes[outcome] += 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("seed", type=int, nargs="?", default=1)
    parser.add_argument("--object", type=Path, action="append", default=[])
    arguments = parser.parse_args()
    seed, tally = arguments.seed, Tally()
    chance = random.Random(seed)  # noqa: S311 - not a secret
    memory = "/dev/shm"  # noqa: S108 - a disk would take longer than the check
    with tempfile.TemporaryDirectory(dir=memory if os.path.isdir(memory) else None) as name:
        stock = make_stock(Path(name), arguments.object)
        limit_memory()
        signal.signal(signal.SIGPROF, stop_late)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        begin = time.monotonic()
        with contextlib.suppress(KeyboardInterrupt):  # what was done is told all the same
            for number in range(arguments.count):
                keep = f"fuzz-{seed}-{number}.bin"
                try_one(stock, Path(name) / "fuzzed.kmod", chance, tally, keep)
    seconds = time.monotonic() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"{tally.outcomes.total()} inputs of {len(stock.kmods)} kmods, {len(stock.kernels)} kernels"
        f" and {len(stock.bombs)} bombs, seed {seed}: {dict(sorted(tally.outcomes.items()))}; "
        f"{tally.failures} failed; {seconds:.0f} s, slowest {tally.seconds:.3f} s, "
        f"at most {peak} MiB resident"
    )
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
