"""Which file of debugging information belongs to an object: its .gnu_debuglink."""

import zlib

from buildsys.base.value import frozen
from buildsys.elf.model import ElfObject, decode_name

_SECTION = ".gnu_debuglink"
_CRC_BYTES = 4


@frozen
class DebugLink:
    """The name of a file (of its own directory, or of DEBUGDIR), and the CRC-32 of its bytes."""

    name: str
    crc: int

    def is_for(self, name: str, content: bytes) -> bool:
        """Tell whether a file of this name and content is the one."""
        return self.name == name and self.crc == zlib.crc32(content)


def read_debug_link(elf: ElfObject) -> DebugLink | None:
    """Read what 'objcopy --add-gnu-debuglink' wrote: a name, padding to 4 bytes, the CRC.

    None where there is no such section; a broken one is an error.
    """
    section = next((section for section in elf.sections if section.name == _SECTION), None)
    if section is None:
        return None
    content = elf.content(section)
    name, _, rest = bytes(content).partition(b"\0")
    if len(rest) < _CRC_BYTES:
        raise elf.fail(f"{_SECTION}: expected a name, a NUL and four bytes of CRC-32")
    return DebugLink(decode_name(name), int.from_bytes(rest[-_CRC_BYTES:], elf.layout.order))
