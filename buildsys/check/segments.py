"""Where the kernel puts a module's sections: the sizing and placing of kobj_load().

sys/kern/subr_kobj.c sizes each segment (data, rodata, text) once with addresses counted from 0
and places it a second time at its real address. The two agree as long as no alignment exceeds a
page; beyond that the address decides, for which a typical one is taken here.
"""

from collections.abc import Sequence
from pathlib import Path

from buildsys.base.value import frozen, replace
from buildsys.check.kobj import Halt, KernelObject, halt, relocation_bytes
from buildsys.elf.model import SHT_PROGBITS, SHT_REL, SHT_RELA, Section, show_name

# Aligned to a page and to nothing more, as the first module of a 10.99.12 amd64 kernel was placed.
_TYPICAL_BASE = {64: 0xFFFF_FFFF_80A9_B000, 32: 0xC0A9_B000}
_HUGE_BYTES = 1 << 31  # no port's module map holds as much
LARGE_BYTES = 32 << 20  # from here on, free memory decides
_SEGMENTS = ("data", "rodata", "text")  # in the order of their allocation


@frozen
class Segment:
    """One mapping: address, and size in bytes before rounding to pages."""

    address: int
    size: int


def segment_of(section: Section) -> str:
    """Name the segment of a loaded section: flags decide, allocated or not."""
    if section.is_executable:
        return "text"
    return "data" if section.is_writable else "rodata"


def loaded_bytes(kobj: KernelObject) -> int:
    """Give how much memory the module's sections ask for."""
    return sum(section.size for section in kobj.elf.sections if section.is_loaded)


def judge_segments(kobj: KernelObject, has_diagnostic: bool) -> Halt | None:
    """Size and place the sections, and read them and the relocations."""
    width = kobj.elf.layout.width_bits
    loaded = [section for section in kobj.elf.sections if section.is_loaded]
    sizes = dict.fromkeys(_SEGMENTS, 0)
    for section in loaded:
        name = segment_of(section)
        sizes[name] = _place(sizes[name], section, width)[1]
    if sizes["text"] == 0:
        return halt("no-text", kobj.path, "no executable section has content: no code", "no text")
    for name in _SEGMENTS:
        if sizes[name] >= _HUGE_BYTES:
            return halt("too-large", kobj.path, f"its {name} asks for {sizes[name]} bytes",
                        "out of memory")  # fmt: skip
    segments = _allocate(sizes, kobj)
    return _fill(kobj, segments, has_diagnostic) or _compare(kobj, segments, loaded, width)


def _place(base: int, section: Section, width: int) -> tuple[int, int]:
    """Align base for a section, as C does with an int for a mask; give start and end."""
    limit = (1 << width) - 1
    mask = (section.alignment - 1) & 0xFFFFFFFF
    if mask & 0x80000000:
        mask |= limit ^ 0xFFFFFFFF  # the int is negative, and is widened with its sign
    start = (base + mask) & ~mask & limit
    return start, (start + section.size) & limit


def _allocate(sizes: dict[str, int], kobj: KernelObject) -> dict[str, Segment]:
    page = kobj.port.page_bytes
    address = _TYPICAL_BASE[kobj.elf.layout.width_bits] // page * page
    segments = {}
    for name in _SEGMENTS:
        segments[name] = Segment(address if sizes[name] else 0, sizes[name])
        address += (sizes[name] + page - 1) // page * page
    return segments


def _fill(kobj: KernelObject, segments: dict[str, Segment], has_diagnostic: bool) -> Halt | None:
    width, page = kobj.elf.layout.width_bits, kobj.port.page_bytes
    first = min(s.address for s in segments.values() if s.address)
    last = max(s.address + (s.size + page - 1) // page * page for s in segments.values())
    bases = {name: segment.address for name, segment in segments.items()}
    tables = {section.index for section in kobj.relocation_sections}
    for section in kobj.elf.sections:
        if section.is_loaded:
            name = segment_of(section)
            start, bases[name] = _place(bases[name], section, width)
            is_mapped = first <= start and start + section.size <= last
            stop = _judge_place(kobj, section, is_mapped, has_diagnostic)
            if stop is not None:
                return stop
        elif section.index in tables and not _is_read(kobj, section):
            return _short(kobj, section)
    return None


def _is_read(kobj: KernelObject, section: Section) -> bool:
    """Tell whether a relocation section is read whole: REL without a broken last entry."""
    unit = relocation_bytes(kobj.elf.layout, section.kind)
    whole = section.size // unit * unit
    wanted = whole if section.kind == SHT_REL or whole == 0 else section.size
    return kobj.elf.has_content(replace(section, size=wanted))


def _judge_place(
    kobj: KernelObject, section: Section, is_mapped: bool, has_diagnostic: bool
) -> Halt | None:
    if section.kind == SHT_PROGBITS and not kobj.elf.has_content(section):
        return _short(kobj, section)
    if is_mapped or section.size == 0:
        return None
    what = (
        f"{show_name(section.name)} is aligned to {section.alignment} bytes, which puts it outside "
        "the memory that was sized for it"
    )
    if section.kind != SHT_PROGBITS or has_diagnostic:
        message = "kobj_read_vfs: not in a dedicated segment" if has_diagnostic else ""
        return halt("alignment-panic", kobj.path, what, message)
    return halt("alignment", kobj.path, what, "read failed 14")


def _short(kobj: KernelObject, section: Section) -> Halt:
    what = "relocations" if section.kind in (SHT_REL, SHT_RELA) else "content"
    return halt("read-failed", kobj.path, f"the {what} of section {section.index} "
                f"({show_name(section.name)}) lie beyond the end of the file; it is cut short",
                "read failed 22")  # fmt: skip


def _compare(
    kobj: KernelObject, segments: dict[str, Segment], loaded: Sequence[Section], width: int
) -> Halt | None:
    for name in ("text", "data", "rodata"):
        end = segments[name].address
        for section in loaded:
            if segment_of(section) == name:
                end = _place(end, section, width)[1]
        if end != segments[name].address + segments[name].size:
            return _uneven(kobj.path, name, [s for s in loaded if segment_of(s) == name])
    return None


def _uneven(path: Path, name: str, sections: Sequence[Section]) -> Halt:
    worst = min(sections, key=lambda s: (s.alignment != 0, -s.alignment))
    return halt("alignment-panic", path,
                f"{show_name(worst.name)} is aligned to {worst.alignment} bytes; the kernel panics "
                "when the module's address is not", f"map_{name}_base differs")  # fmt: skip
