"""assym.h: a genassym.cf turned into C whose object holds the numbers, and the object read back.

What usr.bin/genassym makes with a compiler's assembly text is made here from the object file, so
that any compiler serves, the one with an assembler of its own among them.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from buildsys.base.errors import BuildsysError, Place
from buildsys.elf.reader import find_symbols, read_elf

_SYMBOL = "modbuild_assym"
_ENTRY = re.compile(rf"{_SYMBOL}_(\d+)_(\w+)")
_CONDITIONS = ("if", "ifdef", "ifndef", "else", "elif", "endif")
_NAME = re.compile(r"[A-Za-z_]\w*")
_NUMBER_BYTES = 8


def render_assym_source(text: str, path: Path) -> str:
    """Turn a genassym.cf into C: for each defined name an array of its value and its size.

    The words of the language are those of genassym.cf(5): include, if and its kin, struct,
    member, export, define, quote, config; path is for messages.
    """
    lines: list[str] = []
    structure = ""
    for number, line in enumerate(text.split("\n"), start=1):
        word, rest = _split(line)
        if not word or word.startswith("#"):
            continue
        place = Place(path, number)
        if word == "quote":
            lines.append(rest)
        elif word == "include" or word in _CONDITIONS:
            lines.append(f"#{word} {rest}".rstrip())
        elif word == "struct":
            structure = rest
            lines.append(_entry(f"{rest}_SIZEOF", f"sizeof(struct {rest})", number, place))
        elif word == "member":
            name, field = _split(rest)
            offset = f"__builtin_offsetof(struct {structure}, {field or name})"
            lines.append(_entry(name, offset, number, place))
        elif word == "export":
            lines.append(_entry(rest, rest, number, place))
        elif word == "define":
            name, expression = _split(rest)
            lines.append(_entry(name, expression, number, place))
        elif word != "config":
            raise BuildsysError(f"{word}: expected a word of genassym.cf(5)", place)
    return "\n".join(lines) + "\n"


def _split(text: str) -> tuple[str, str]:
    """Split off the first word."""
    parts = text.split(None, 1)
    return (parts[0], parts[1].strip()) if len(parts) == 2 else (text.strip(), "")


def _entry(name: str, expression: str, number: int, place: Place) -> str:
    if not _NAME.fullmatch(name) or not expression:
        raise BuildsysError(f"{name}: expected a name and its value", place)
    value = f"{{ (long long)({expression}), sizeof({expression}) }}"
    variable = f"{_SYMBOL}_{number}_{name}"
    # The line keeps a compiler's complaint at the line of genassym.cf that asks for it.
    return f"extern const long long {variable}[2]; const long long {variable}[2] = {value};"


def render_assym_header(path: Path) -> str:
    """Read the object back: one #define a name, in the order of genassym.cf."""
    return "".join(f"#define {name} {value}\n" for name, value in _read_values(path))


def _read_values(path: Path) -> Iterator[tuple[str, int]]:
    elf = read_elf(path)
    table = find_symbols(elf)
    if table is None:
        raise BuildsysError("it has no symbols; the compiler did not compile for ELF", path)
    found: list[tuple[int, str, int]] = []
    for index in range(len(table)):
        match = _ENTRY.fullmatch(table.name(index))
        if match is not None and table.section(index) < len(elf.sections):
            start = elf.sections[table.section(index)].offset + table.values[index]
            numbers = [
                int.from_bytes(elf.image[at : at + _NUMBER_BYTES], elf.layout.order)
                for at in (start, start + _NUMBER_BYTES)
            ]
            found.append((int(match[1]), match[2], _as_signed(*numbers)))
    for _, name, value in sorted(found):
        yield name, value


def _as_signed(value: int, size: int) -> int:
    """Read a number as compilers print an operand of its size: with a sign."""
    bits = 8 * size
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value
