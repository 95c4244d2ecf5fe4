"""The version of a NetBSD kernel: its number, its names, and which module versions it accepts."""

import re

from buildsys.base.errors import BuildsysError
from buildsys.base.value import frozen

_CURRENT_MINOR = 99
_RELEASE_SPAN = 10000  # sys/kern/kern_module.c, module_compatible(): what a release tolerates
_MAXIMUM = 0x7FFF_FFFF  # the kernel compares versions as int
_TEXT = re.compile(r"(\d{1,2})\.(\d{1,2})(?:\.(\d{1,2}))?(?:_[A-Za-z0-9_]+)?")
_NUMBER = re.compile(r"\d{8,10}")
_PATCH_UNIT = 100
_MINOR_UNIT = 1000000
_MAJOR_UNIT = 100000000


@frozen
class KernelVersion:
    """A kernel's __NetBSD_Version__ (sys/sys/param.h), the decimal digits MMmmrrpp00."""

    number: int

    def __lt__(self, other: "KernelVersion") -> bool:
        return self.number < other.number

    @property
    def major(self) -> int:
        """Give MM."""
        return self.number // _MAJOR_UNIT

    @property
    def minor(self) -> int:
        """Give mm; 99 is the development branch."""
        return self.number // _MINOR_UNIT % 100

    @property
    def patch(self) -> int:
        """Give pp."""
        return self.number // _PATCH_UNIT % 100

    @property
    def is_current(self) -> bool:
        """Tell whether this is the development branch, where every version stands alone."""
        return self.minor == _CURRENT_MINOR

    @property
    def release(self) -> str:
        """Name the directory of its modules: MM.99.pp on current, MM.mm on a release branch.

        sys/conf/osrelease.sh -k; sys/kern/kern_module.c, module_init().
        """
        return str(self) if self.is_current else f"{self.major}.{self.minor}"

    def accepts(self, module_version: int) -> bool:
        """Decide as the kernel does whether a module of that version may be loaded.

        sys/kern/kern_module.c, module_compatible(): equality on current, a difference below
        10000 (the patch level) on a release.
        """
        if self.is_current:
            return module_version == self.number
        return abs(module_version - self.number) < _RELEASE_SPAN

    def __str__(self) -> str:
        text = f"{self.major}.{self.minor}"
        return f"{text}.{self.patch}" if self.is_current or self.patch else text


def parse_version(text: str) -> KernelVersion:
    """Read 10.99.12, 10.1, 10.1_STABLE or 1099001200."""
    words = text.strip()
    if _NUMBER.fullmatch(words) and _MAJOR_UNIT <= int(words) <= _MAXIMUM:
        return KernelVersion(int(words))
    match = _TEXT.fullmatch(words)
    if match is None or int(match[1]) == 0 or int(match[1]) * _MAJOR_UNIT > _MAXIMUM:
        raise BuildsysError(
            f"{text!r}: expected a NetBSD version such as 10.99.12, 10.1 or 1099001200"
        )
    major, minor, patch = int(match[1]), int(match[2]), int(match[3] or 0)
    return KernelVersion(major * _MAJOR_UNIT + minor * _MINOR_UNIT + patch * _PATCH_UNIT)
