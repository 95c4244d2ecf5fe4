"""Times the check of a set of modules: python benchmarks/check_speed.py [DIR [KERNEL]].

Without DIR, the 339 amd64 modules of a 10.99.12 tree are made again from their facts (globals,
undefined symbols, modinfo, as many relocations of each kind) with the embedded toolchain. Each
round times three processes, start-up included: the check from cold (--no-cache), the same check
when nothing has changed since, and readelf -aW over the same files as the peer. What counts are
the ratios to the peer, which a busy or slow machine changes little, and CPU time, which it changes
less than wall; seconds are told beside.
"""

import gzip
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ziglang

TOP = Path(__file__).resolve().parent.parent
FACTS = TOP / "tests" / "data" / "real-modules-amd64.json.gz"
KERNEL = TOP / "toolchain" / "kernel" / "amd64-10.99.12-GENERIC.kmap.gz"
RUNS = 5
DIRECTIVES = {
    "R_X86_64_64": ".quad {}",
    "R_X86_64_PC32": ".long {} - .",
    "R_X86_64_32S": ".reloc ., R_X86_64_32S, {}\n.long 0",
    "R_X86_64_PLT32": ".long {}@PLT - .",
}


def spell(module: dict[str, Any]) -> str:
    modinfo = module["modinfo"][0]
    required = modinfo["required"]
    names = [*module["undefined"], *module["globals"]] or ["cmd"]
    lines = [
        ".text", "cmd: ret", '.section link_set_modules,"a"', ".quad mi", '.section .rodata,"a"',
        ".p2align 3", f"mi: .long {modinfo['version']}, {modinfo['class']}",
        f".quad cmd, nm, {'0' if required is None else 'rq'}",
        f'nm: .asciz "{modinfo["name"]}"', f'rq: .asciz "{required or ""}"', ".data",
    ]  # fmt: skip
    lines += [f'.globl "{name}"\n"{name}": .byte 0' for name in module["globals"]]
    lines += [f'.quad "{name}"' for name in module["undefined"]]
    for kind, count in module["relocations"].items():
        directive = DIRECTIVES[kind]
        lines += [directive.format(f'"{names[i % len(names)]}"') for i in range(count)]
    return "\n".join(lines) + "\n"


def make_modules(directory: Path) -> None:
    modules = json.loads(gzip.decompress(FACTS.read_bytes()))["modules"]
    for module in modules:
        (directory / f"{module['name']}.s").write_text(spell(module))
    zig = str(Path(ziglang.__file__).parent / "zig")
    sources = [f"{module['name']}.s" for module in modules]
    subprocess.run((zig, "clang", "-target", "x86_64--netbsd", "-c", *sources),
                   cwd=directory, check=True)  # fmt: skip
    for module in modules:
        (directory / f"{module['name']}.o").rename(directory / f"{module['name']}.kmod")


@dataclass(frozen=True, slots=True)
class Took:
    """What a process took, in seconds: of the clock, and of processors (user and system)."""

    wall: float
    cpu: float


def children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def time_process(argv: Sequence[str], environment: dict[str, str]) -> Took:
    """Run a command; give its times. A check may end with findings."""
    begin, before = time.perf_counter(), children_seconds()
    ran = subprocess.run(
        argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False
    )
    if ran.returncode not in (0, 2):
        sys.exit(f"{argv[0]}: status {ran.returncode}: {ran.stderr.decode()}")
    return Took(time.perf_counter() - begin, children_seconds() - before)


def medians(took: Sequence[Took]) -> tuple[float, float]:
    """Give the medians of wall and CPU seconds."""
    return statistics.median(one.wall for one in took), statistics.median(one.cpu for one in took)


def measure(directory: Path, kernel: Path, cache: Path) -> None:
    """Time all three, in turns, and print medians and ratios."""
    kmods = sorted(directory.rglob("*.kmod"))
    check = (sys.executable, "-m", "buildsys", "check", "--kernel", str(kernel), str(directory))
    environment = {**os.environ, "PYTHONPATH": str(TOP), "MODBUILD_CACHE": str(cache)}
    commands = {
        "cold": (*check, "--no-cache"),
        "unchanged": check,
        "readelf": ("readelf", "-aW", *map(str, kmods)),
    }
    for argv in commands.values():
        time_process(argv, environment)  # bytecode, the file cache, the remembered answer
    times: dict[str, list[Took]] = {name: [] for name in commands}
    for _ in range(RUNS):
        for name, argv in commands.items():
            times[name].append(time_process(argv, environment))
    size = sum(path.stat().st_size for path in kmods)
    print(f"{len(kmods)} kmods, {size / 1e6:.1f} MB, {RUNS} rounds")
    peer, peer_cpu = medians(times["readelf"])
    for name, took in times.items():
        wall, cpu = medians(took)
        best = min(one.wall for one in took)
        print(
            f"{name:10} median {wall:.3f} s, best {best:.3f} s, {wall / peer:.2f} x readelf -aW; "
            f"CPU {cpu:.3f} s, {cpu / peer_cpu:.2f} x"
        )


def main() -> None:
    kernel = Path(sys.argv[2]) if len(sys.argv) > 2 else KERNEL
    with tempfile.TemporaryDirectory() as name:
        cache = Path(name) / "cache"
        if len(sys.argv) > 1:
            measure(Path(sys.argv[1]).resolve(), kernel, cache)
            return
        (Path(name) / "kmods").mkdir()
        make_modules(Path(name) / "kmods")
        time.sleep(0.1)  # a file as young as a later edit is not trusted to be unchanged
        measure(Path(name) / "kmods", kernel, cache)


if __name__ == "__main__":
    main()
