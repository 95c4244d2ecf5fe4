"""A kernel's symbols from the text that nm(1) prints."""

import re

from buildsys.base.errors import BuildsysError
from buildsys.kernel.model import SymbolMap

# 'ffffffff80200000 T start', 'T start' or '                 U name'
_LINE = re.compile(r"^(?:([0-9a-fA-F]{4,16}) |[ \t]*)([A-Za-z?-]) (\S+)[ \t]*$", re.MULTILINE)
_UNDEFINED = frozenset("Uwv")
_WEAK = frozenset("WV")


def is_nm_text(text: str) -> bool:
    """Tell whether a text begins as the output of nm does."""
    return _LINE.match(text) is not None


def parse_nm(text: str) -> SymbolMap:
    """Sort the names of nm's output: upper case is global, W and V weak, A absolute."""
    names: dict[str, list[str]] = {}
    values: dict[str, int] = {}
    lines = 0
    for match in _LINE.finditer(text):
        lines += 1
        value, letter, name = match.groups()
        names.setdefault(letter, []).append(name)
        if value and letter.isupper() and letter not in _WEAK:
            values[name] = int(value, 16)
    count = text.count("\n") + (not text.endswith("\n"))
    if not lines or lines < count - text.count("\n\n") - 2:
        raise BuildsysError("expected the output of nm: lines of address, letter and name")
    letters = frozenset(names) - _UNDEFINED
    strong = frozenset(letter for letter in letters if letter.isupper() and letter not in _WEAK)
    return SymbolMap(
        globals=_join(names, strong),
        absolute=frozenset(names.get("A", ())),
        weak=_join(names, letters & _WEAK),
        local=_join(names, letters - strong - _WEAK),
        values=values,
    )


def _join(names: dict[str, list[str]], letters: frozenset[str]) -> frozenset[str]:
    return frozenset().union(*(names[letter] for letter in letters))
