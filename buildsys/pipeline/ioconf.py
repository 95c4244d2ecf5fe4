"""What config(1) reads for one ioconf file: its includes, followed through the source tree."""

import os
import re
from pathlib import Path

from buildsys.base.errors import BuildsysError, os_error_text
from buildsys.base.value import field, mutable

Directives = tuple[tuple[str, str], ...]  # each a word and a name
_DIRECTIVE = re.compile(
    r"^(?P<word>include|cinclude|package|prefix)"
    r"(?:[ \t]+(?P<quote>\"?)(?P<name>[^\"\s#]*)(?P=quote))?"
)


def find_config_inputs(ioconf: Path, system: Path, known: dict[str, Directives]) -> tuple[str, ...]:
    """Give the ioconf file and every file that 'config -b -s system' reads for it, sorted.

    usr.bin/config/scan.l: a name is absolute, or beside the including file where it begins with
    './', or below the source directory and the prefixes in force; package is prefix and include
    in one. A named file that does not exist is given too, so that its coming is noticed.
    known holds what was read of files in this run, and gets more of it: most modules include the
    same.
    """
    reader = _Reader(str(system), known)
    reader.follow(str(ioconf))
    return tuple(sorted(reader.found))


@mutable
class _Reader:
    system: str
    known: dict[str, Directives]
    found: set[str] = field(default_factory=set)
    prefixes: list[str] = field(default_factory=list)

    def follow(self, path: str) -> None:
        if path in self.found:
            return
        self.found.add(path)
        directives = self.known.get(path)
        if directives is None:
            directives = self.known[path] = _read(path)
        for word, name in directives:
            match word:
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

    def _locate(self, name: str, including: str) -> str:
        if name.startswith("./"):
            return str(Path(including).parent / name[2:])
        return os.path.normpath(os.path.join(self.system, *self.prefixes, name))


def _read(path: str) -> Directives:
    """Give what a file says of other files; nothing where there is no such file."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            matches = map(_DIRECTIVE.match, stream.read().split("\n"))
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return ()
    except OSError as error:
        raise BuildsysError(f"cannot read: {os_error_text(error)}", Path(path)) from error
    return tuple([(match["word"], match["name"] or "") for match in matches if match is not None])
