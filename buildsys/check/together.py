"""What shows only when kmods are seen as one set: clashes, and modules that need luck to load."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from buildsys.base.value import replace
from buildsys.check.judge import read_description
from buildsys.check.kmodfile import KmodCache, Linkable
from buildsys.check.kobj import Halt
from buildsys.check.linker import is_tolerated, known_value
from buildsys.check.loaded import FindFile
from buildsys.check.loader import LoaderState
from buildsys.check.rulebook import finding
from buildsys.check.verdict import Finding, Outcome, Verdict
from buildsys.elf.model import show_name
from buildsys.kernel.model import Kernel

_UNDEFINED = "undefined-symbol"
_SHOWN = 5
_MAXIMUM_CLASHES = 500  # findings; two copies of one tree would have thousands


def find_clashes(paths: Sequence[Path], cache: KmodCache) -> tuple[Finding, ...]:
    """name-clash, symbol-clash: modules of which the kernel takes only the first loaded."""
    linkable = [
        file for path in paths if isinstance(file := cache.read(path).result, Linkable)
    ]  # fmt: skip
    found = [*_find_equal_names(linkable, cache), *_find_equal_symbols(linkable, cache)]
    return tuple(found[:_MAXIMUM_CLASHES])


def add_luck(
    verdicts: Sequence[Verdict], kernel: Kernel, find: FindFile, cache: KmodCache
) -> tuple[Verdict, ...]:
    """Add requirement-missing to modules that would load if others were loaded before by hand."""
    return tuple(_add_luck(verdict, kernel, find, cache) for verdict in verdicts)


def _find_equal_names(files: Sequence[Linkable], cache: KmodCache) -> Iterator[Finding]:
    first: dict[str, Path] = {}
    for file in files:
        name = _module_name(file, cache)
        other = first.setdefault(name, file.path)
        if name and other != file.path:
            yield finding(
                "name-clash",
                file.path,
                f"its name {show_name(name)} is that of {other.name} too: only one of them can be "
                "loaded",
                subject=name,
            )


def _find_equal_symbols(files: Sequence[Linkable], cache: KmodCache) -> Iterator[Finding]:
    owners: dict[str, Linkable] = {}
    shared: dict[tuple[Path, Path], list[str]] = defaultdict(list)
    for file in files:
        for name in file.kobj.defined:
            owner = owners.setdefault(name, file)
            if owner is not file and not is_tolerated(name) and not _is_equal(owner, file, name):
                shared[owner.path, file.path].append(name)
    names = {file.path: _module_name(file, cache) for file in files}
    for (owner_path, path), symbols in shared.items():
        if names[owner_path] == names[path]:
            continue  # name-clash says it
        yield finding(
            "symbol-clash",
            path,
            f"{_shorten(symbols)}: also in {show_name(names[owner_path])}; whichever is loaded "
            "second is refused",
            subject=symbols[0],
        )


def _is_equal(one: Linkable, other: Linkable, name: str) -> bool:
    """Tell whether both give a name the same value wherever they are loaded: the kernel agrees."""
    value = known_value(one.kobj, one.kobj.defined[name])
    return value is not None and value == known_value(other.kobj, other.kobj.defined[name])


def _module_name(file: Linkable, cache: KmodCache) -> str:
    described = cache.ask(read_description, file)
    name = "" if isinstance(described, Halt) else described.name or ""
    return name or file.path.name.removesuffix(".kmod")


def _add_luck(verdict: Verdict, kernel: Kernel, find: FindFile, cache: KmodCache) -> Verdict:
    missing = [f for f in verdict.findings if f.rule == _UNDEFINED and f.path == verdict.path]
    providers = {cache.providers.get(f.subject) for f in missing}
    wanted = sorted(name for name in providers if name is not None and name != verdict.name)
    if not missing or not wanted or None in providers:
        return verdict
    state = LoaderState(kernel, find, cache)
    if state.find_module(verdict.name) is not None:
        state.forget_builtin(verdict.name)
    for name in wanted:
        state.load(name)
    if state.load(verdict.name).outcome is not Outcome.LOADS:
        return verdict
    luck = finding(
        "requirement-missing",
        verdict.path,
        f"loads only after {' and '.join(map(show_name, wanted))}, which it uses and does not "
        "require",
        subject=wanted[0],
    )
    return replace(verdict, findings=(*verdict.findings, luck))


def _shorten(names: Sequence[str]) -> str:
    shown = ", ".join(show_name(name) for name in names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"
