"""What another kernel will mean for the modules that are installed: decided, nothing is done."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from buildsys.base.value import frozen
from buildsys.check.check import check_set
from buildsys.check.drift import DriftPolicy
from buildsys.check.kmodfile import KmodCache, Linkable
from buildsys.check.verdict import Severity, Verdict
from buildsys.kernel.difference import Changes, KernelDifference

_NONE = Changes((), ())


@frozen
class ModuleUpdate:
    """What becomes of one installed module.

    symbols_gone are names that it uses, the new kernel has no more, and no installed module
    offers; requires_gone are built-in modules that it requires and the new kernel has no more.
    reason says why it cannot stay as it is, '' where it can.
    """

    name: str
    path: Path
    reason: str
    symbols_gone: tuple[str, ...]
    requires_gone: tuple[str, ...]


@frozen
class Update:
    """The whole plan: vanishing modules are installed and will not be built for the new kernel.

    becoming_builtin are installed modules that the new kernel has inside, unbuilt those that are
    described and not installed now; both, and vanishing, are names.
    """

    difference: KernelDifference
    modules: tuple[ModuleUpdate, ...]
    vanishing: tuple[str, ...]
    becoming_builtin: tuple[str, ...]
    unbuilt: tuple[str, ...]

    @property
    def is_same_directory(self) -> bool:
        """Tell whether both kernels look for modules in the same directory."""
        return is_same_directory(self.difference)

    @property
    def is_compatible(self) -> bool:
        """Tell whether the new kernel takes modules that were built for the old one's version."""
        return is_compatible(self.difference)

    @property
    def rebuilt(self) -> tuple[str, ...]:
        """Name the modules that must be built anew."""
        leaving = {*self.vanishing, *self.becoming_builtin}
        return tuple(m.name for m in self.modules if m.reason and m.name not in leaving)

    @property
    def needs_nothing(self) -> bool:
        """Tell whether every installed module can stay as it is."""
        return not (self.vanishing or any(module.reason for module in self.modules))


def is_same_directory(difference: KernelDifference) -> bool:
    """Compare where kernels look for modules: sys/kern/kern_module.c, module_init()."""
    return difference.old.modules_directory == difference.new.modules_directory


def is_compatible(difference: KernelDifference) -> bool:
    """Compare versions as sys/kern/kern_module.c, module_compatible() does."""
    return difference.new.version.accepts(difference.old.version.number)


def plan_update(
    difference: KernelDifference,
    kmods: Mapping[str, Path],
    described: Collection[str] | None,
    policy: DriftPolicy = DriftPolicy.WARN,
) -> Update:
    """Decide for installed kmods, by module name; described is None where nothing tells."""
    modules = tuple(_decide(difference, kmods, policy))
    new_builtins = set((difference.builtins or _NONE).appeared)
    becoming = sorted(kmods.keys() & new_builtins)
    known = kmods.keys() if described is None else set(described)
    # A module that can stay as it is vanishes from no directory.
    vanishing = sorted(
        module.name
        for module in modules
        if module.reason and module.name not in known and module.name not in new_builtins
    )
    unbuilt = sorted(known - kmods.keys() - new_builtins)
    return Update(difference, modules, tuple(vanishing), tuple(becoming), tuple(unbuilt))


def _decide(
    difference: KernelDifference, kmods: Mapping[str, Path], policy: DriftPolicy
) -> Iterator[ModuleUpdate]:
    old_cache = KmodCache(difference.old)
    offered = {name for path in kmods.values() for name in _names(old_cache, path, "defined")}
    gone = set((difference.globals or _NONE).vanished) - offered
    lost = set((difference.builtins or _NONE).vanished) - kmods.keys()
    verdicts: dict[Path, Verdict] = {}
    if is_compatible(difference) and is_same_directory(difference):
        judged = check_set(tuple(kmods.values()), difference.new, policy=policy)
        verdicts = {verdict.path: verdict for verdict in judged}
    before = {v.path: v for v in check_set(tuple(kmods.values()), difference.old)}
    for name, path in sorted(kmods.items()):
        symbols = tuple(sorted(gone & set(_names(old_cache, path, "undefined"))))
        requires = tuple(other for other in before[path].requires if other in lost)
        reason = _find_reason(difference, verdicts.get(path))
        yield ModuleUpdate(name, path, reason, symbols, requires)


def _names(cache: KmodCache, path: Path, which: str) -> tuple[str, ...]:
    result = cache.read(path).result
    if not isinstance(result, Linkable):
        return ()
    return tuple(result.kobj.defined if which == "defined" else result.kobj.undefined)


def _find_reason(difference: KernelDifference, verdict: Verdict | None) -> str:
    if not is_compatible(difference):
        return f"built for {difference.old.version}, which {difference.new.version} does not take"
    if verdict is None:
        return f"the new kernel looks for modules in {difference.new.modules_directory}"
    errors = (f for f in verdict.findings if f.severity is Severity.ERROR)
    return next((f"{finding.rule}: {finding.message}" for finding in errors), "")
