"""Times the check of a set of modules from cold: python benchmarks/check_speed.py [DIR [KERNEL]].

Without DIR, the 339 amd64 modules of a 10.99.12 tree are made again from their facts (globals,
undefined symbols, modinfo, as many relocations of each kind) with the
embedded toolchain. Each run is a process of its own, so imports and reading the kernel count.
"""

import gzip
import json
import subprocess
import sys
import tempfile
import time
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
PROGRAM = """
import sys, time
from pathlib import Path
from buildsys.check.check import check_set
from buildsys.kernel.load import load_kernel
kmods = sorted(Path(sys.argv[1]).rglob('*.kmod'))
verdicts = check_set(kmods, load_kernel(Path(sys.argv[2])))
print(len(verdicts), sum(v.is_fit for v in verdicts))
"""


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


def measure(directory: Path, kernel: Path) -> None:
    times = []
    for _ in range(RUNS):
        begin = time.perf_counter()
        argv = (sys.executable, "-c", PROGRAM, str(directory), str(kernel))
        output = subprocess.run(argv, cwd=TOP, check=True, capture_output=True, text=True).stdout
        times.append(time.perf_counter() - begin)
    size = sum(path.stat().st_size for path in directory.rglob("*.kmod"))
    print(f"{output.split()[0]} modules ({output.split()[1]} fit), {size / 1e6:.1f} MB")
    print(f"best of {RUNS}: {min(times):.3f} s, worst {max(times):.3f} s, start-up included")


def main() -> None:
    kernel = Path(sys.argv[2]) if len(sys.argv) > 2 else KERNEL
    if len(sys.argv) > 1:
        measure(Path(sys.argv[1]).resolve(), kernel)
        return
    with tempfile.TemporaryDirectory() as name:
        make_modules(Path(name))
        measure(Path(name), kernel)


if __name__ == "__main__":
    main()
