"""Feeds damaged files to all that reads them: python benchmarks/check_fuzz.py COUNT [SEED].

Inputs are kmods of eleven machines (REL and RELA, both widths, both byte orders), the measured
modules, and kernels as images, nm text, saved maps, gzipped, and gzip bombs, each spoiled: bytes,
numbers, section headers that overlap, loop, claim 4 GiB or to be compressed, cuts, splices. The
process may take no more than 256 MiB (RLIMIT_AS, beyond what it has when it begins to read) and
10 s for an input. Anything but a value or a BuildsysError is told with its traceback, and the
input is kept in the current directory.
"""

import argparse
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
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
from buildsys.report.sarif import render_sarif

TOP = Path(__file__).resolve().parent.parent
CASES = TOP / "tests" / "data" / "loader-cases" / "cases"
KERNEL = TOP / "tests" / "data" / "amd64-10.99.12-small-kernel.kmap.gz"
VERSION = KernelVersion(1099001200)
MEMORY_BYTES = 256 << 20
SECONDS = 10
KERNELS_SHARE = 0.12  # of the inputs; each costs as much as several kmods
BOMBS_SHARE = 0.0002
REPORTED_SHARE = 0.05


class TooSlowError(BaseException):
    """An input took longer than SECONDS; no handler of errors may swallow it."""


def judge_kmod(path: Path, kernel: Kernel, is_reported: bool) -> str:
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
    if is_reported:
        detail = describe_set((path,), kernel, cache)[0]
        result = ModuleResult(kernel.label, verdict.name, path, verdict=verdict, detail=detail)
        report = Report("check", (Target(kernel.label),), (result,))
        for render in (render_json, render_junit, render_sarif):
            render(report)
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("seed", type=int, nargs="?", default=1)
    parser.add_argument("--object", type=Path, action="append", default=[])
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)  # noqa: S311 - not a secret
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        kmods = make_kmods(directory, [*sorted(CASES.glob("*/*/*.kmod")), *arguments.object])
        kernels, bombs = make_kernels(directory, KERNEL), make_bombs()
        amd64 = load_kernel(KERNEL)
        judges = {
            (s.machine, s.machine_arch): Kernel(s.machine, VERSION, s.machine_arch) for s in kmods
        }
        judges["amd64", "x86_64"] = amd64
        limit_memory()
        signal.signal(signal.SIGALRM, stop_late)
        target = directory / "fuzzed.kmod"
        outcomes: Counter[str] = Counter()
        begin, slowest, failures = time.monotonic(), 0.0, 0
        for number in range(arguments.count):
            dice = chance.random()
            pool = bombs if dice < BOMBS_SHARE else kernels if dice < KERNELS_SHARE else kmods
            is_ported = pool is kmods and chance.random() < 0.5  # one of each machine's
            sample = chance.choice(pool[: len(TARGETS)] if is_ported else pool)
            content = spoil(sample, pool, chance)
            if pool is kernels and chance.random() < 0.05:
                content = sample.content  # one that can be read, so that this is tried too
            target.write_bytes(content)
            started = time.monotonic()
            signal.setitimer(signal.ITIMER_REAL, SECONDS)
            try:
                if pool is kmods:
                    kernel = judges[sample.machine, sample.machine_arch]
                    outcome = judge_kmod(target, kernel, chance.random() < REPORTED_SHARE)
                else:
                    outcome = read_kernel(target, sample)
            except (Exception, TooSlowError):
                failures += 1
                kept = Path(f"fuzz-{arguments.seed}-{number}.bin")
                kept.write_bytes(content)
                print(f"{kept}: {sample.machine} {traceback.format_exc()}", file=sys.stderr)
                outcome = "FAILED"
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            slowest = max(slowest, time.monotonic() - started)
            outcomes[outcome] += 1
    seconds = time.monotonic() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"{arguments.count} inputs of {len(kmods)} kmods, {len(kernels)} kernels and "
        f"{len(bombs)} bombs, seed {arguments.seed}: {dict(sorted(outcomes.items()))}; "
        f"{failures} failed; {seconds:.0f} s, slowest {slowest:.3f} s, at most {peak} MiB resident"
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
