"""Where sources ask the compiler for the date or the time: __DATE__, __TIME__, __TIMESTAMP__."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from buildsys.base.errors import Place
from buildsys.module.model import Module

_MACRO = re.compile(rb"\b__(?:DATE|TIME|TIMESTAMP)__\b")
_HEADERS = frozenset({".h", ".inc"})


def find_time_macros(modules: Iterable[Module]) -> tuple[tuple[Place, str], ...]:
    """Find the uses in the sources of modules and the headers beside them, by path and line."""
    files = {path for module in modules for path in _find_files(module)}
    return tuple(found for path in sorted(files) for found in _search(path))


def _find_files(module: Module) -> Iterator[Path]:
    directories = {module.directory, *module.include_path}
    for unit in module.units:
        yield unit.source
        directories.add(unit.source.parent)
    for directory in directories:
        if directory.is_dir():
            yield from (path for path in directory.iterdir() if path.suffix in _HEADERS)


def _search(path: Path) -> Iterator[tuple[Place, str]]:
    try:
        content = path.read_bytes()
    except OSError:
        return
    for number, line in enumerate(content.split(b"\n"), 1):
        for macro in dict.fromkeys(_MACRO.findall(line)):
            yield Place(path, number), macro.decode()
