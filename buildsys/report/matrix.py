"""Modules by kernels, as a table for people: who loads what."""

from collections.abc import Iterator
from pathlib import Path

from buildsys.report.model import ModuleResult, Report
from buildsys.report.spelling import plain

_LOADS = "loads"
_NAME_WIDTH = 32


def describe_matrix(report: Report) -> Iterator[str]:
    """Give a line for each module that not every kernel loads; nothing for a single kernel.

    A column is a kernel, in the order of the report; a module that was not judged for a kernel has
    '-' there.
    """
    words: dict[tuple[str, Path | None], dict[str, str]] = {}
    for result in report.results:
        row = words.setdefault((result.name, result.path), {})
        row[result.target] = _word(result)
    names = [target.name for target in report.targets]
    shared = {module: row for module, row in words.items() if len(row) > 1}
    if len(names) < 2 or not shared:
        return
    yield "modules by kernel:"
    for number, name in enumerate(names, 1):
        yield f"    {number}: {plain(name)}"
    odd = [key for key, row in shared.items() if set(row.values()) != {_LOADS}]
    odd.sort(key=lambda key: (key[0], str(key[1])))
    width = max((len(plain(module)) for module, _ in odd), default=0)
    width = min(max(width, 6), _NAME_WIDTH)
    if odd:
        numbers = "  ".join(f"{number:<14}" for number in range(1, len(names) + 1))
        yield f"    {'module':<{width}}  {numbers}".rstrip()
    for key in odd:
        cells = "  ".join(f"{shared[key].get(name, '-'):<14}" for name in names)
        yield f"    {plain(key[0]):<{width}}  {cells}".rstrip()
    yield f"{len(shared) - len(odd)} of {len(shared)} modules load with every kernel"


def _word(result: ModuleResult) -> str:
    if result.verdict is not None and result.word == "refused" and result.verdict.errno:
        return f"refused {result.verdict.errno}"
    return result.word
