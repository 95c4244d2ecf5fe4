"""Where make finds a source, and what MODULE() in it says."""

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from buildsys.base.digest import digest_bytes
from buildsys.base.errors import BuildsysError
from buildsys.base.files import read_whole
from buildsys.base.value import frozen
from buildsys.module.model import ModuleClass

# A pattern that begins with fixed text is searched for many times faster: what must not stand
# before that text is asked afterwards.
_COMMENT = re.compile(r"/\*[^*]*(?:\*(?!/)[^*]*)*\*/|//[^\n]*")
_MACRO = re.compile(
    r"MODULE\w*\s*\(\s*MODULE_CLASS_(?P<class>\w+)\s*,\s*[^,()\"]+,"
    r"\s*(?P<required>(?:[^()]|\([^()]*\))*?)\s*\)"
)
# conf/osrelease.sh, which makefiles ask for the release (!=), takes the line of this header that
# defines __NetBSD_Version__.
RELEASE_HEADER = "sys/sys/param.h"
RELEASE_WORD = b"__NetBSD_Version__"
# sys/net/npf/npf.h: this macro puts npf before what it is given.
_NPF_MACRO = re.compile(
    r"NPF_EXT_MODULE(?<!\wNPF_EXT_MODULE)\s*\(\s*\w+\s*,\s*(?P<required>\"[^\"]*\")\s*\)"
)
_LITERAL = re.compile(r'"([^"]*)"')
_DOTS = frozenset({".", ".."})  # are in every directory, and in no listing


@frozen
class SourcePath:
    """The directories where make looks for a source, in its order (.PATH and .PATH.SUFFIX)."""

    directory: str  # .CURDIR
    general: tuple[str, ...]
    by_suffix: dict[str, tuple[str, ...]]
    listings: dict[str, frozenset[str] | None]  # of directories that were asked already

    def find(self, name: str) -> str | None:
        """Give the file's name as make would spell it; None where it is not found."""
        if name.startswith("/"):
            return name if os.path.exists(name) else None
        suffix = os.path.splitext(name)[1]
        first = name.partition("/")[0]
        for directory in (".", *self.by_suffix.get(suffix, ()), *self.general):
            base = self.directory if directory in (".", ".DOTLAST") else directory
            path = f"{base}/{name}"
            if self._may_have(base, first) and os.path.exists(path):
                return path
        return None

    def _may_have(self, directory: str, name: str) -> bool:
        """Tell whether a directory has a name, or cannot be listed though it may be looked into."""
        if directory not in self.listings:
            try:
                self.listings[directory] = _DOTS.union(os.listdir(directory))
            except (FileNotFoundError, NotADirectoryError):
                self.listings[directory] = frozenset()
            except OSError:
                self.listings[directory] = None
        names = self.listings[directory]
        return names is None or name in names


@frozen
class Announcement:
    """What a source says in MODULE(): () where nothing is required."""

    kmod_class: ModuleClass | None
    requires: tuple[str, ...]


def read_announcement(text: str) -> Announcement | None:
    """Find MODULE(MODULE_CLASS_X, name, "required") in a source; None where there is none.

    A required list that is a macro is looked up among the macros of the same file; of several
    definitions (for several machines) all names count, since they only order the modules.
    """
    if "MODULE_CLASS_" not in text and "NPF_EXT_MODULE" not in text:
        return None
    text = _COMMENT.sub(" ", text)
    match = _NPF_MACRO.search(text)
    if match is not None:
        further = match["required"][1:-1].split(",")
        return Announcement(ModuleClass.MISC, ("npf", *filter(None, further)))
    match = _MACRO.search(text)
    if match is None:
        return None
    classes = {item.name: item for item in ModuleClass}
    pieces = "".join(_read_string(text, match["required"]))
    names = tuple(dict.fromkeys(name for name in pieces.split(",") if name.strip()))
    return Announcement(classes.get(match["class"]), names)


def digest_said(said: Announcement | None) -> bytes:
    """Digest what a source says (SHA-256, 32 bytes)."""
    words = () if said is None else (said.kmod_class and said.kmod_class.value, *said.requires)
    return digest_bytes(repr(words).encode())


def digest_lines(path: str, word: bytes) -> bytes:
    """Digest the lines of a file that have a word in them (SHA-256, 32 bytes)."""
    lines = read_whole(path).split(b"\n")
    return digest_bytes(b"\n".join(line for line in lines if word in line))


def is_release_header(path: str) -> bool:
    """Tell whether a file is what tells the release of a tree, beside much else."""
    return path.endswith(f"/{RELEASE_HEADER}")


def digest_words(path: str) -> bytes:
    """Digest what a file says now: a source of its module, sys/sys/param.h of the release.

    SHA-256, 32 bytes; b'' where the header cannot be read.
    """
    if is_release_header(path):
        with suppress(BuildsysError):
            return digest_lines(path, RELEASE_WORD)
        return b""
    return digest_said(read_announcement(read_source(path)))


def _read_string(text: str, expression: str) -> Sequence[str]:
    pieces: list[str] = []
    for word in re.findall(r'"[^"]*"|[A-Za-z_]\w*', expression):
        if word.startswith('"'):
            pieces.append(word[1:-1])
        elif word != "NULL":
            pieces.extend(_read_definitions(text, word))
    return pieces


def _read_definitions(text: str, name: str) -> Sequence[str]:
    pattern = rf"^[ \t]*#[ \t]*define[ \t]+{re.escape(name)}[ \t]+((?:\\\n|[^\n])*)"
    values = ("".join(_LITERAL.findall(body)) for body in re.findall(pattern, text, re.MULTILINE))
    return [f"{value}," for value in values if value]


def read_source(path: str) -> str:
    """Read a source for its announcement; '' when it cannot be read, which its compile will say."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
