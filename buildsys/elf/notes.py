"""Note sections, and the one in which NetBSD states its version."""

from collections.abc import Iterator

from buildsys.elf.model import SHT_NOTE, ElfObject, Note, Section, decode_name, show_name

IDENT_SECTION = ".note.netbsd.ident"
IDENT_OWNER = "NetBSD"
IDENT_KIND = 1  # sys/sys/exec_elf.h, ELF_NOTE_TYPE_NETBSD_TAG
_HEADER_BYTES = 12
_MAXIMUM_SECTION_BYTES = 1 << 20


def read_notes(elf: ElfObject) -> tuple[Note, ...]:
    """Read all notes of a file; a damaged note section is an error."""
    return tuple(
        note
        for section in elf.sections
        if section.kind == SHT_NOTE
        for note in iterate_notes(elf, section)
    )


def iterate_notes(elf: ElfObject, section: Section) -> Iterator[Note]:
    """Go through one note section: sizes of owner and content, kind, both padded to 4 bytes."""
    if section.size > _MAXIMUM_SECTION_BYTES:
        raise elf.fail(f"{show_name(section.name)}: {section.size} bytes is too much for notes")
    content = elf.content(section)
    at = 0
    while at + _HEADER_BYTES <= len(content):
        owner_size, size, kind = (
            int.from_bytes(content[at + i : at + i + 4], elf.layout.order) for i in (0, 4, 8)
        )
        start = at + _HEADER_BYTES + _padded(owner_size)
        if start + size > len(content):
            raise elf.fail(
                f"{show_name(section.name)}: the note at byte {at} says {owner_size} + {size} "
                f"bytes, more than its section of {len(content)} has"
            )
        owner = bytes(content[at + _HEADER_BYTES : at + _HEADER_BYTES + owner_size])
        yield Note(
            section.name,
            decode_name(owner.rstrip(b"\0")),
            kind,
            bytes(content[start : start + size]),
        )
        at = start + _padded(size)


def ident_version(elf: ElfObject, notes: tuple[Note, ...]) -> int | None:
    """Give the NetBSD version (MMmmrrpp00) that the file was stamped with; None without a stamp."""
    for note in notes:
        if note.owner == IDENT_OWNER and note.kind == IDENT_KIND and len(note.content) == 4:
            return int.from_bytes(note.content, elf.layout.order)
    return None


def _padded(size: int) -> int:
    return (size + 3) & ~3
