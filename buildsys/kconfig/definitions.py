"""Where kernel sources define a name: found by reading text, so what is found is probable only."""

import re
from collections.abc import Iterable, Mapping, Sequence

from buildsys.base.value import frozen
from buildsys.kconfig.language import KernelSources, SourceFile

_MAXIMUM_SHOWN = 4  # places for one name
_SUFFIXES = (".c", ".S", ".s", ".y", ".l")
_MAXIMUM_BYTES = 16 << 20
# How a definition of NAME begins: a function with its type on the line before, or on the same; a
# variable; a macro of assembly sources or of alias declarations.
_FORMS = (
    r"^NAME\s*\((?P<after>[^;{]*)(?P<mark>[;{])",
    r"^(?!(?:extern|typedef|return|else|static|#)\b)[A-Za-z_][\w \t*]*[ \t*]NAME\s*\([^;{]*\{",
    r"^(?!(?:extern|typedef|return|static)\b)[A-Za-z_][\w \t*]*[ \t*]NAME\s*"
    r"(?:\[[^\n;]*\])*\s*(?:=|;|,|__\w)",
    r"^\s*(?:[A-Z_]*ENTRY[A-Z_]*|STRONG_ALIAS|__strong_alias|ALTENTRY|XENTRY)\s*\(\s*NAME\s*[,)]",
    r"^NAME:",
)


@frozen
class Definition:
    """A place that seems to define a name; line counts from 1."""

    file: SourceFile
    line: int


def find_definitions(
    sources: KernelSources, names: Iterable[str]
) -> Mapping[str, tuple[Definition, ...]]:
    """Search the sources for names; of those without a definition there is no entry.

    Files that cannot be read are passed over.
    """
    wanted = {name: name.encode() for name in sorted(set(names)) if name}
    if not wanted:
        return {}
    patterns = {name: _pattern(name) for name in wanted}
    found: dict[str, list[Definition]] = {}
    for file in sources.files:
        content = _read(sources, file)
        for name in [name for name, spelled in wanted.items() if spelled in content]:
            places = found.setdefault(name, [])
            if len(places) < _MAXIMUM_SHOWN:
                line = _find_line(content, patterns[name])
                if line:
                    places.append(Definition(file, line))
    return {name: tuple(places) for name, places in found.items() if places}


def _read(sources: KernelSources, file: SourceFile) -> bytes:
    if not file.path.endswith(_SUFFIXES):
        return b""
    try:
        with open(sources.root / file.path, "rb", buffering=0) as stream:
            return stream.read(_MAXIMUM_BYTES)
    except OSError:
        return b""


def _pattern(name: str) -> Sequence[re.Pattern[bytes]]:
    spelled = re.escape(name)
    return tuple(
        re.compile(form.replace("NAME", spelled).encode(), re.MULTILINE) for form in _FORMS
    )


def _find_line(content: bytes, patterns: Sequence[re.Pattern[bytes]]) -> int:
    for pattern in patterns:
        for found in pattern.finditer(content):
            groups = found.groupdict()
            if groups.get("mark") == b";":
                continue  # a call or a declaration
            return content.count(b"\n", 0, found.start()) + 1
    return 0
