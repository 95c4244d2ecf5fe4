"""Conditions of files.* in the words of a kernel configuration."""

import re

from buildsys.kconfig.language import KernelSources

_NAME = re.compile(r"[A-Za-z_][\w-]*")
_WORDS = {"attribute": "the attribute"}


def describe_condition(sources: KernelSources, condition: str) -> str:
    """Spell a condition: 'usb & !ehci' as 'the attribute usb & !device ehci'; '' is 'always'."""
    if not condition:
        return "every kernel"

    def spell(found: "re.Match[str]") -> str:
        name = found[0]
        word = sources.words.get(name, "")
        shown = name.upper() if word in ("options", "file-system") else name
        return f"{_WORDS.get(word, word)} {shown}".strip()

    return _NAME.sub(spell, condition)
