"""What config(1) reads for one ioconf file: its includes, followed through the source tree."""

import os
import re
from pathlib import Path

from buildsys.base.errors import BuildsysError, os_error_text
from buildsys.base.value import field, mutable

_DIRECTIVE = re.compile(
    r"^(?P<word>include|cinclude|package|prefix)"
    r"(?:[ \t]+(?P<quote>\"?)(?P<name>[^\"\s#]*)(?P=quote))?"
)


def find_config_inputs(ioconf: Path, system: Path) -> tuple[Path, ...]:
    """Give the ioconf file and every file that 'config -b -s system' reads for it, sorted.

    usr.bin/config/scan.l: a name is absolute, or beside the including file where it begins with
    './', or below the source directory and the prefixes in force; package is prefix and include
    in one. A named file that does not exist is given too, so that its coming is noticed.
    """
    reader = _Reader(system)
    reader.follow(ioconf)
    return tuple(sorted(reader.found))


@mutable
class _Reader:
    system: Path
    found: set[Path] = field(default_factory=set)
    prefixes: list[str] = field(default_factory=list)

    def follow(self, path: Path) -> None:
        if path in self.found:
            return
        self.found.add(path)
        for line in _read(path).split("\n"):
            match = _DIRECTIVE.match(line)
            if match is None:
                continue
            name = match["name"] or ""
            match match["word"]:
                case "prefix" if name:
                    self.prefixes.append(name)
                case "prefix":
                    del self.prefixes[-1:]
                case "package" if name:
                    self.prefixes.append(os.path.dirname(name) or ".")
                    self.follow(self._locate(os.path.basename(name), path))
                    self.prefixes.pop()
                case _ if name:
                    self.follow(self._locate(name, path))

    def _locate(self, name: str, including: Path) -> Path:
        if name.startswith("./"):
            return including.parent / name[2:]
        return Path(os.path.normpath(self.system.joinpath(*self.prefixes, name)))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return ""
    except OSError as error:
        raise BuildsysError(f"cannot read: {os_error_text(error)}", path) from error
