"""boot.cfg, as NetBSD's boot loaders read it: which modules they hand to the kernel.

sys/lib/libsa/bootcfg.c, perform_bootcfg(), and the menus' commands.
"""

import re

from buildsys.base.value import frozen

_MAXIMUM_BYTES = 32768  # what the x86 and EFI loaders give perform_bootcfg()
_MAXIMUM_ENTRIES = 20  # BOOTCFG_MAXMENU in sys/lib/libsa/bootcfg.h; further ones are left out
_NUMBER = re.compile(r"[ \t\n\v\f\r]*([+-]?[0-9]+)")  # as atoi(3) reads it


@frozen
class BootConfiguration:
    """The modules of 'load=' lines, and the commands of each menu entry; default counts from 0."""

    loads: tuple[str, ...]
    entries: tuple[tuple[str, ...], ...]
    default: int

    @property
    def loaded_by_default(self) -> tuple[str, ...]:
        """Name what is loaded when nobody touches a key; nothing after 'modules off'."""
        return self.loaded_by(self.entries[self.default] if self.entries else ())

    def loaded_by(self, commands: tuple[str, ...]) -> tuple[str, ...]:
        """Name what is loaded by a menu entry, with what every entry loads."""
        names, is_on = list(self.loads), True
        for command in commands:
            verb, _, rest = command.strip().partition(" ")
            word = rest.strip()
            if verb == "load" and word:
                names.append(word)
            elif verb == "modules":
                is_on = word in ("on", "enabled") or (is_on and word not in ("off", "disabled"))
                names = [] if word == "reset" else names
            elif verb in ("boot", "pkboot"):
                break
        return tuple(dict.fromkeys(names)) if is_on else ()


def parse_boot_cfg(content: bytes) -> BootConfiguration:
    """Read a boot.cfg; a line without '=' says nothing, keys count by their start.

    A file that is too large is not read at all, one with a NUL up to there.
    """
    whole = b"" if len(content) > _MAXIMUM_BYTES else content.partition(b"\0")[0]
    text = whole.decode("utf-8", "replace")
    loads: list[str] = []
    entries: list[tuple[str, ...]] = []
    default = 0
    for line in text.split("\n"):
        key, equals, value = line.partition("#")[0].partition("=")
        if not equals:
            continue
        if key.startswith("menu"):
            _, colon, commands = value.partition(":")
            if colon and len(entries) < _MAXIMUM_ENTRIES:
                entries.append(tuple(commands.split(";")))
        elif key.startswith("default"):
            default = _number(value) - 1
        elif key.startswith("load"):
            loads.append(value.lstrip(" \t"))  # what follows is part of the name
    default = min(max(default, 0), max(len(entries) - 1, 0))
    return BootConfiguration(tuple(loads), tuple(entries), default)


def _number(text: str) -> int:
    found = _NUMBER.match(text)
    return int(found[1]) if found else 0
