"""Damaged kmods and kernels for check_fuzz.py: samples of many machines, and ways to spoil them."""

import gzip
import random
import struct
import subprocess
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import ziglang

from buildsys.base.errors import BuildsysError
from buildsys.elf.model import ElfObject
from buildsys.elf.reader import read_elf

ZIG = str(Path(ziglang.__file__).parent / "zig")
NUMBERS = (0, 1, 2, 7, 8, 0x7F, 0x80, 0xFF, 0xFF00, 0xFFF1, 0xFFF2, 0xFFFF, 0x7FFFFFFF, 0x80000000,
           0xFFFFFFFF, 1 << 32, (1 << 32) + 64, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)  # fmt: skip
SHF_COMPRESSED = 0x800
# Zig's name of a target, MACHINE, MACHINE_ARCH, further flags: REL and RELA, 32 and 64 bits, both
# byte orders.
TARGETS = (
    ("x86_64--netbsd", "amd64", "x86_64", ("-mcmodel=kernel",)),
    ("i386--netbsd", "i386", "i386", ()),
    ("aarch64--netbsd", "evbarm", "aarch64", ()),
    ("aarch64_be--netbsd", "evbarm", "aarch64eb", ()),
    ("arm--netbsd-eabi", "shark", "earmv4", ()),
    ("armeb--netbsd-eabi", "evbarm", "earmv7eb", ()),
    ("mips64--netbsd", "evbmips", "mips64eb", ("-mno-abicalls",)),
    ("mips64el--netbsd", "evbmips", "mips64el", ("-mno-abicalls",)),
    ("powerpc--netbsd", "macppc", "powerpc", ()),
    ("sparc64--netbsd", "sparc64", "sparc64", ()),
    ("riscv64--netbsd", "riscv", "riscv64", ()),
)
KERNELS = ("x86_64--netbsd", "i386--netbsd", "powerpc--netbsd", "mips64--netbsd")
_MODINFO = """
struct modinfo {
    unsigned version; int module_class; int (*modcmd)(int, void *);
    const char *name; const char *required;
};
"""
_MODULE = (
    _MODINFO
    + """
extern int printf(const char *, ...);
extern int far_away; int offered = 3; static int own[40];
static int command(int c, void *a) { own[c & 31] = a != 0; return printf("%d", far_away) + own[1]; }
static const struct modinfo mi = { 1099001200u, 1, command, "sample", "firstfs,sample2" };
__attribute__((section("link_set_modules"), used)) static const void *const set = &mi;
__attribute__((section("link_set_evcnts"), used)) static void *const counts[] = { own, &offered };
__asm(".section .note.netbsd.ident,\\"a\\",%note\\n.p2align 2\\n.4byte 7, 4, 1\\n"
      ".asciz \\"NetBSD\\"\\n.byte 0\\n.4byte 1099001200\\n");
"""
)
_KERNEL = (
    _MODINFO
    + """
char machine[] = "MACHINE"; char machine_arch[] = "ARCH";
const char version[] = "NetBSD 10.99.12 (SMALL) #0: Thu Jan  1 00:00:00 UTC 1970\\n";
static int local_one(int a, void *b) { return b ? a : 2; }
static const struct modinfo first = { 1099001200u, 2, local_one, "firstfs", 0 };
static const struct modinfo second = { 1099001200u, 1, local_one, "second", "firstfs" };
__attribute__((section("link_set_modules"), used))
static const void *const set[] = { &first, &second };
__asm(".section .note.netbsd.ident,\\"a\\",%note\\n.p2align 2\\n.4byte 7, 4, 1\\n"
      ".asciz \\"NetBSD\\"\\n.byte 0\\n.4byte 1099001200\\n");
"""
)


@dataclass(frozen=True, slots=True)
class Sample:
    """A whole input: its bytes, the machine it is for, where a change steers the reader."""

    content: bytes
    machine: str
    machine_arch: str
    places: tuple[int, ...]
    elf: ElfObject | None = None


def read_sample(path: Path, machine: str, machine_arch: str) -> Sample:
    """Read an ELF file and find the offsets of headers, symbols, relocations, notes, modinfo."""
    content = path.read_bytes()
    elf = read_elf(path)
    size = 64 if elf.layout.width_bits == 64 else 40
    places = list(range(size))
    start = elf.header.section_offset
    places += range(start, start + size * len(elf.sections))
    for section in elf.sections:
        is_data = section.name.startswith(("link_set", ".rodata"))
        if section.kind in (2, 4, 7, 9) or is_data:
            places += range(section.offset, min(section.offset + section.size, len(content)))
    known = tuple(place for place in places if place < len(content))
    return Sample(content, machine, machine_arch, known, elf)


def make_kmods(directory: Path, given: Sequence[Path]) -> list[Sample]:
    """Compile a module for each target, and read the given ones, which are amd64's."""
    samples = []
    for target, machine, arch, flags in TARGETS:
        path = _compile(directory, target, flags, _MODULE, machine)
        samples.append(read_sample(path, machine, arch))
    for path in given:
        try:
            samples.append(read_sample(path, "amd64", "x86_64"))
        except BuildsysError:
            continue  # some of the measured cases are damaged from the start
    return samples


def make_kernels(directory: Path, saved_map: Path) -> list[Sample]:
    """Link a kernel for some targets, and give it as an image, nm text, map, and gzipped."""
    samples = []
    functions = "".join(f"int function_{i}(void) {{ return {i}; }}\n" for i in range(220))
    for target, machine, arch, flags in TARGETS:
        if target not in KERNELS:
            continue
        text = _KERNEL.replace("MACHINE", machine).replace("ARCH", arch) + functions
        made = _compile(directory, target, flags, text, f"kernel-{machine}")
        image = made.with_suffix(".elf")
        argv = (ZIG, "ld.lld", "-e", "0", "-z", "norelro", "-o", str(image), str(made))
        subprocess.run(argv, check=True)
        samples.append(read_sample(image, machine, arch))
    names = "".join(f"ffffffff80{i:06x} {'TtDdBbAWV'[i % 9]} name_{i}\n" for i in range(300))
    content = gzip.decompress(saved_map.read_bytes())
    head = tuple(range(600))  # a map is text: its head says machine, version, counts
    texts = (names.encode(), content[:6000] + content[-2000:], content)
    samples += [Sample(text, "amd64", "x86_64", head) for text in texts]
    samples += [
        Sample(gzip.compress(sample.content, 1), sample.machine, sample.machine_arch,
               tuple(range(min(64, len(sample.content)))))
        for sample in list(samples)
    ]  # fmt: skip
    return samples


def make_bombs() -> list[Sample]:
    """Give gzip files that unpack to more than anybody wants, one of them a gzip in a gzip."""
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    block = bytes(1 << 20)
    bomb = b"".join(packer.compress(block) for _ in range(300)) + packer.flush()
    elf = b"\x7fELF\x02\x01\x01" + bytes(4096)
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    large = packer.compress(elf) + b"".join(packer.compress(block) for _ in range(300))
    large += packer.flush()
    return [
        Sample(content, "amd64", "x86_64", tuple(range(20)))
        for content in (bomb, gzip.compress(bomb), large)
    ]


def _compile(directory: Path, target: str, flags: Sequence[str], text: str, name: str) -> Path:
    source = directory / f"{name}-{target}.c"
    source.write_text(text)
    made = source.with_suffix(".o")
    argv = (ZIG, "clang", "-target", target, *flags, "-O1", "-ffreestanding", "-fno-pic", "-c",
            str(source), "-o", str(made))  # fmt: skip
    subprocess.run(argv, check=True)
    return made


def spoil(sample: Sample, others: Sequence[Sample], chance: random.Random) -> bytes:
    """Change a sample in one to eight places or structures, and sometimes cut it."""
    changed = bytearray(sample.content)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        if not changed:
            break
        way = chance.choices(_WAYS, _WEIGHTS)[0]
        way(changed, sample, others, chance)
    return bytes(changed)


_Way = Callable[[bytearray, Sample, Sequence[Sample], random.Random], None]


def _change_byte(
    changed: bytearray, sample: Sample, _others: Sequence[Sample], chance: random.Random
) -> None:
    at = _choose_place(changed, sample, chance)
    changed[at] = chance.randrange(256)


def _change_number(
    changed: bytearray, sample: Sample, _others: Sequence[Sample], chance: random.Random
) -> None:
    at = _choose_place(changed, sample, chance)
    width = chance.choice((2, 4, 8))
    number = chance.choice(NUMBERS) & ((1 << 8 * width) - 1)
    changed[at : at + width] = number.to_bytes(width, chance.choice(("little", "big")))


def _change_section(
    changed: bytearray, sample: Sample, _others: Sequence[Sample], chance: random.Random
) -> None:
    """Give one member of a section header the value of another's, a huge one, or itself."""
    elf = sample.elf
    if elf is None or len(elf.sections) < 2:
        return
    is_wide = elf.layout.width_bits == 64
    order = "<" if elf.layout.is_little else ">"
    form = "IIQQQQIIQQ" if is_wide else "IIIIIIIIII"
    size = struct.calcsize(order + form)
    victim, other = chance.choice(elf.sections), chance.choice(elf.sections)
    at = elf.header.section_offset + victim.index * size
    if at + size > len(changed):
        return
    row = list(struct.unpack_from(order + form, changed, at))
    member = chance.choice((1, 2, 4, 4, 5, 5, 6, 7, 8, 9))
    same = (other.name_offset, other.kind, other.flags, other.address, other.offset, other.size,
            other.link, other.info, other.alignment, other.entry_bytes)[member]  # fmt: skip
    row[member] = chance.choice((same, same, victim.index, len(changed), *NUMBERS))
    if chance.random() < 0.1:
        row[2] |= SHF_COMPRESSED
        claim = struct.pack(order + ("IIQQ" if is_wide else "III"),
                            *((1, 0, 1 << 32, 8) if is_wide else (1, 0xFFFFFFF0, 8)))  # fmt: skip
        changed[victim.offset : victim.offset + len(claim)] = claim
    limits = [(1 << (64 if letter == "Q" else 32)) - 1 for letter in form]
    struct.pack_into(
        order + form, changed, at,
        *(value & limit for value, limit in zip(row, limits, strict=True)),
    )  # fmt: skip


def _splice(
    changed: bytearray, _sample: Sample, others: Sequence[Sample], chance: random.Random
) -> None:
    """Put a piece of another sample, or of this one, somewhere."""
    content = chance.choice(others).content if chance.random() < 0.5 else bytes(changed)
    length = chance.choice((8, 16, 24, 40, 64, 256))
    start = chance.randrange(max(1, len(content) - length))
    at = chance.randrange(len(changed))
    changed[at : at + length] = content[start : start + length]


def _cut(
    changed: bytearray, _sample: Sample, _others: Sequence[Sample], chance: random.Random
) -> None:
    del changed[chance.randrange(len(changed)) :]


def _turn(
    changed: bytearray, _sample: Sample, _others: Sequence[Sample], chance: random.Random
) -> None:
    """Claim another width, byte order or machine."""
    if len(changed) > 20:
        at, value = chance.choice(((4, 1), (4, 2), (5, 1), (5, 2), (18, 3), (18, 62), (19, 8)))
        changed[at] = value


def _choose_place(changed: bytearray, sample: Sample, chance: random.Random) -> int:
    if sample.places and chance.random() < 0.9:
        at = chance.choice(sample.places)
        if at < len(changed):
            return at
    return chance.randrange(len(changed))


_WAYS: tuple[_Way, ...] = (_change_byte, _change_number, _change_section, _splice, _cut, _turn)
_WEIGHTS = (8, 8, 8, 2, 2, 1)
