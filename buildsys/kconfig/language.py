"""config(5)'s files.*: which source files a kernel is made of, and what brings each in.

Read are the statements that name files and what conditions are made of; whatever else config(1)
understands is passed over. Nothing is evaluated: conditions stay as they are spelled.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from buildsys.base.errors import BuildsysError, os_error_text
from buildsys.base.value import field, frozen, mutable

_TOKEN = re.compile(r'"[^"\n]*"|[^\s"#,:|&!(){}\[\]=]+|[,:|&!(){}\[\]=]')
_COMMENT = re.compile(r"(?:^|(?<=\s))#[^\n]*", re.MULTILINE)
_CONTINUED = re.compile(r"\n(?=[ \t]+\S)")
_FLAGS = frozenset({"needs-flag", "needs-count"})
_MAXIMUM_DEPTH = 40  # files that include one another
# What a statement defines, in the words of a kernel configuration.
_DEFINERS = {
    "defflag": "options", "defparam": "options", "defopt": "options", "deffs": "file-system",
    "defpseudo": "pseudo-device", "defpseudodev": "pseudo-device", "device": "device",
    "devclass": "attribute", "define": "attribute",
}  # fmt: skip


@frozen
class SourceFile:
    """A file statement: path relative to sys/; condition is '' when every kernel has the file."""

    path: str
    condition: str


@frozen
class KernelSources:
    """What files.* say: the files in their order, and the word for each name in conditions.

    words maps a name to 'options', 'file-system', 'pseudo-device', 'device' or 'attribute'.
    """

    root: Path  # sys/
    files: tuple[SourceFile, ...]
    words: dict[str, str]


@mutable
class _Reading:
    """One reading in progress."""

    root: Path
    files: dict[str, list[str]] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    seen: set[Path] = field(default_factory=set)


def read_kernel_sources(root: Path, machine: str) -> KernelSources:
    """Read sys/conf/files and the machine's own, with all that they include; root is sys/.

    Raises when sys/conf/files cannot be read; a file included that does not exist is passed over.
    """
    reading = _Reading(root)
    _read_file(reading, root / "conf/files", "", 0)
    own = root / "arch" / machine / "conf" / f"files.{machine}"
    if machine and own.is_file():
        _read_file(reading, own, "", 0)
    files = tuple(
        SourceFile(path, "" if "" in conditions else " | ".join(conditions))
        for path, conditions in reading.files.items()
    )
    return KernelSources(root, files, reading.words)


def split_statements(text: str) -> Iterator[list[str]]:
    """Cut a text into the words of its statements; a line that starts with space continues one."""
    plain = _CONTINUED.sub(" ", _COMMENT.sub("", text))
    for line in plain.split("\n"):
        words = _TOKEN.findall(line)
        if words:
            yield words


def _read_file(reading: _Reading, path: Path, prefix: str, depth: int) -> None:
    if path in reading.seen or depth > _MAXIMUM_DEPTH:
        return
    reading.seen.add(path)
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        if depth == 0:
            raise BuildsysError(f"cannot read: {os_error_text(error)}", path) from error
        return
    prefixes: list[str] = []
    for words in split_statements(text):
        verb, rest = words[0], words[1:]
        where = prefixes[-1] if prefixes else prefix
        if verb == "prefix":
            if rest:
                prefixes.append(_unquote("".join(rest)))
            elif prefixes:
                prefixes.pop()
        elif verb in ("include", "cinclude") and rest:
            _read_file(reading, reading.root / where / _unquote(rest[0]), where, depth + 1)
        elif verb in ("file", "object") and rest:
            _note_file(reading, where, rest)
        elif verb in _DEFINERS:
            _note_names(reading, verb, rest)


def _note_file(reading: _Reading, where: str, words: list[str]) -> None:
    """Note 'file PATH [CONDITION] [needs-flag] [needs-count] [compile with RULE]'."""
    name = _unquote(words[0])
    path = f"{where}/{name}" if where else name
    condition: list[str] = []
    for word in words[1:]:
        if word == "compile":
            break
        if word not in _FLAGS:
            condition.append(word)
    conditions = reading.files.setdefault(path, [])
    spelled = _spell(condition)
    if spelled not in conditions:
        conditions.append(spelled)


def _spell(condition: list[str]) -> str:
    text = " ".join(condition)
    return text.replace("! ", "!").replace("( ", "(").replace(" )", ")")


def _note_names(reading: _Reading, verb: str, words: list[str]) -> None:
    """Note what 'defflag [HEADER] NAME… [: …]' and the others define."""
    names = []
    for word in words:
        if word in (":", "{", "="):
            break
        names.append(_unquote(word))
    if verb in ("defflag", "defparam", "defopt", "deffs") and names and names[0].endswith(".h"):
        names = names[1:]
    if verb in ("define", "device", "devclass", "defpseudo", "defpseudodev"):
        names = names[:1]
    for name in names:
        reading.words.setdefault(name.lower() if verb == "deffs" else name, _DEFINERS[verb])
        reading.words.setdefault(name.lower(), _DEFINERS[verb])


def _unquote(word: str) -> str:
    return word.strip('"')
