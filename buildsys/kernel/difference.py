"""What appeared and vanished between two kernels."""

from buildsys.base.value import frozen
from buildsys.kernel.model import Kernel, SymbolMap
from buildsys.kernel.options import OPTION_PREFIX, list_options


@frozen
class Changes:
    """Names that only the new kernel has, and names that only the old one had, both sorted."""

    appeared: tuple[str, ...]
    vanished: tuple[str, ...]


@frozen
class KernelDifference:
    """Two kernels side by side.

    globals is None where the symbols of one are not known, builtins where the built-in modules are
    not; options are those known to be on ('HZ=100'), so that what a kernel does not tell counts as
    off.
    """

    old: Kernel
    new: Kernel
    globals: Changes | None
    builtins: Changes | None
    options: Changes

    @property
    def is_equal(self) -> bool:
        """Tell whether machine, version and all that is compared agree."""
        changes = (self.globals, self.builtins, self.options)
        return (
            self.old.version == self.new.version
            and self.old.machine == self.new.machine
            and not any(one is not None and (one.appeared or one.vanished) for one in changes)
        )


def compare_kernels(old: Kernel, new: Kernel) -> KernelDifference:
    """Compare two kernels; their addresses do not count."""
    symbols = builtins = None
    if old.symbols is not None and new.symbols is not None:
        symbols = _compare(_globals(old.symbols), _globals(new.symbols))
    if old.builtins is not None and new.builtins is not None:
        builtins = _compare(
            frozenset(module.name for module in old.builtins),
            frozenset(module.name for module in new.builtins),
        )
    return KernelDifference(old, new, symbols, builtins, _compare(_options(old), _options(new)))


def _globals(symbols: SymbolMap) -> frozenset[str]:
    """Leave out the symbols by which config(1) states options."""
    return frozenset(name for name in symbols.globals if not name.startswith(OPTION_PREFIX))


def _options(kernel: Kernel) -> frozenset[str]:
    return frozenset(
        f"{name}={value}" if value else name for name, value in list_options(kernel).items()
    )


def _compare(old: frozenset[str], new: frozenset[str]) -> Changes:
    return Changes(tuple(sorted(new - old)), tuple(sorted(old - new)))
