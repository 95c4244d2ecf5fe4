"""What kmods are made of and who offers what they use: the facts behind verdicts, for reports."""

from collections.abc import Sequence
from pathlib import Path

from buildsys.base.value import frozen
from buildsys.check.judge import read_description
from buildsys.check.kmodfile import KmodCache, Linkable
from buildsys.check.kobj import Halt
from buildsys.kernel.model import Kernel, split_required


@frozen
class SymbolUse:
    """The global names that a module takes from one place, in the order of the alphabet.

    provider is '' for the kernel and the module's name for a module.
    """

    provider: str
    names: tuple[str, ...]


@frozen
class ModuleDetail:
    """What a kmod says of itself, and who offers what it uses.

    size is bytes; version is None and module_class '' where its description cannot be read;
    missing are the names that neither the kernel nor any module at hand offers.
    """

    size: int
    module_class: str
    version: int | None
    requires: tuple[str, ...] = ()
    uses: tuple[SymbolUse, ...] = ()
    missing: tuple[str, ...] = ()
    offers: tuple[str, ...] = ()
    relocations: int = 0


def describe_set(
    paths: Sequence[Path], kernel: Kernel, cache: KmodCache
) -> tuple[ModuleDetail | None, ...]:
    """Take kmods apart; None for one at which the kernel would stop before its symbols.

    cache is the one that check_set filled: it knows which module offers a name.
    """
    return tuple(_describe(path, kernel, cache) for path in paths)


def _describe(path: Path, kernel: Kernel, cache: KmodCache) -> ModuleDetail | None:
    file = cache.read(path).result
    if not isinstance(file, Linkable):
        return None
    known = frozenset() if kernel.symbols is None else kernel.symbols.globals
    uses: dict[str, list[str]] = {}
    missing = []
    for name in sorted(file.kobj.undefined):
        provider = "" if name in known else cache.providers.get(name)
        if provider is None:
            missing.append(name)
        else:
            uses.setdefault(provider, []).append(name)
    described = cache.ask(read_description, file)
    modinfo = None if isinstance(described, Halt) else described
    return ModuleDetail(
        size=len(file.kobj.elf.image),
        module_class="" if modinfo is None else modinfo.class_name,
        version=None if modinfo is None else modinfo.version,
        requires=() if modinfo is None else split_required(modinfo.required or ""),
        uses=tuple(SymbolUse(provider, tuple(names)) for provider, names in sorted(uses.items())),
        missing=tuple(missing),
        offers=tuple(sorted(file.kobj.defined)),
        relocations=sum(len(relocations.table) for relocations in file.relocations),
    )
