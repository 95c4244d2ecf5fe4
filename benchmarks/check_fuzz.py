"""Feeds damaged modules to the reader and the check: python benchmarks/check_fuzz.py COUNT [SEED].

Each input is one of the measured modules, or an object given with --object, with some bytes
changed where it hurts: headers, section headers, symbols, relocations. Anything but a value or a
BuildsysError is reported with the input, which is kept in the current directory. Says how many
inputs were tried, how fast, and the largest resident size.
"""

import argparse
import random
import resource
import sys
import tempfile
import time
import traceback
from pathlib import Path

from buildsys.base.errors import BuildsysError
from buildsys.check.check import check_kmod
from buildsys.check.verdictfile import parse_verdict, render_verdict
from buildsys.elf.describe import describe_kmod, render_facts
from buildsys.elf.reader import read_elf
from buildsys.kernel.load import load_kernel
from buildsys.kernel.model import Kernel
from buildsys.kernel.version import KernelVersion

TOP = Path(__file__).resolve().parent.parent
CASES = TOP / "tests" / "data" / "loader-cases" / "cases"
KERNEL = TOP / "tests" / "data" / "amd64-10.99.12-small-kernel.kmap.gz"
MACHINES = {3: "i386", 8: "evbmips", 20: "macppc", 43: "sparc64", 40: "shark", 183: "evbarm",
            243: "riscv", 2: "sparc"}  # fmt: skip
INTERESTING = (0, 1, 2, 7, 8, 0x7F, 0x80, 0xFF, 0xFFF1, 0xFFF2, 0xFFFF, 0x7FFFFFFF, 0x80000000,
               0xFFFFFFFF, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)  # fmt: skip


def hot_places(content: bytes, path: Path) -> list[int]:
    """Give the offsets of bytes that steer the reader."""
    elf = read_elf(path)
    size = 64 if elf.layout.width_bits == 64 else 40
    places = list(range(size))
    start = elf.header.section_offset
    places += range(start, start + size * len(elf.sections))
    for section in elf.sections:
        if section.kind in (2, 4, 7, 9) or section.name.startswith(("link_set", ".rodata")):
            places += range(section.offset, section.offset + section.size)
    return [place for place in places if place < len(content)]


def mutate(content: bytes, places: list[int], chance: random.Random) -> bytes:
    """Change a few bytes or numbers, and sometimes cut or lengthen the file."""
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        at = chance.choice(places) if chance.random() < 0.9 else chance.randrange(len(changed))
        if chance.random() < 0.5:
            changed[at] = chance.randrange(256)
        else:
            width = chance.choice((2, 4, 8))
            number = chance.choice(INTERESTING) & ((1 << 8 * width) - 1)
            changed[at : at + width] = number.to_bytes(width, chance.choice(("little", "big")))
    if chance.random() < 0.1:
        del changed[chance.randrange(len(changed)) :]
    return bytes(changed)


def run_one(path: Path, kernel: Kernel) -> str:
    """Put one file through everything that reads kmods; give the outcome in a word."""
    try:
        render_facts(describe_kmod(path))
    except BuildsysError as error:
        message = str(error)
        if not message.startswith(str(path)):
            raise RuntimeError(f"no place: {message}") from error
    try:
        verdict = check_kmod(path, kernel, {})
    except BuildsysError:
        return "error"
    if parse_verdict(render_verdict(verdict), path) != verdict:
        raise RuntimeError("the verdict changed in its file")
    if not verdict.is_fit and not verdict.findings:
        raise RuntimeError("unfit, and no finding")
    return verdict.outcome.value


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("seed", type=int, nargs="?", default=1)
    parser.add_argument("--object", type=Path, action="append", default=[])
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)  # noqa: S311 - not a secret
    samples = []
    for path in [*sorted(CASES.glob("*/*/*.kmod")), *arguments.object]:
        content = path.read_bytes()
        try:
            samples.append((content, hot_places(content, path), read_elf(path).header.machine))
        except BuildsysError:
            continue
    amd64 = load_kernel(KERNEL)
    kernels = {number: Kernel(name, KernelVersion(1099001200)) for number, name in MACHINES.items()}
    outcomes: dict[str, int] = {}
    begin, slowest, failures = time.monotonic(), 0.0, 0
    with tempfile.TemporaryDirectory() as directory:
        target = Path(directory) / "fuzzed.kmod"
        for number in range(arguments.count):
            content, places, machine = chance.choice(samples)
            target.write_bytes(mutate(content, places, chance))
            started = time.monotonic()
            try:
                outcome = run_one(target, kernels.get(machine, amd64))
            except Exception:
                failures += 1
                kept = Path(f"fuzz-{arguments.seed}-{number}.kmod")
                kept.write_bytes(target.read_bytes())
                print(f"{kept}: {traceback.format_exc()}", file=sys.stderr)
                outcome = "exception"
            slowest = max(slowest, time.monotonic() - started)
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
    seconds = time.monotonic() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"{arguments.count} inputs of {len(samples)} samples, seed {arguments.seed}: {outcomes}; "
        f"{seconds:.0f} s, slowest {slowest:.3f} s, at most {peak} MiB"
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
