"""What is known of a kernel: version, symbols, built-in modules. Knows nothing of files."""

from collections.abc import Mapping

from buildsys.base.value import field, frozen
from buildsys.kernel.version import KernelVersion


@frozen
class BuiltinModule:
    """A module that is part of the kernel image (link_set_modules); version is MMmmrrpp00."""

    name: str
    module_class: int  # sys/sys/module.h, modclass_t: 1 misc … 6 bufq
    version: int
    required: tuple[str, ...] = ()


@frozen
class SymbolMap:
    """The names in a kernel's symbol table, by what a module can do with them.

    Only globals (STB_GLOBAL) can be linked to or clash: sys/kern/kern_ksyms.c, findsym() with
    KSYMS_EXTERN. absolute is the part of globals that stands in no section. weak and local names
    serve explanations only. values holds the addresses that are known, often none.
    """

    globals: frozenset[str]
    absolute: frozenset[str] = frozenset()
    weak: frozenset[str] = frozenset()
    local: frozenset[str] = frozenset()
    values: Mapping[str, int] = field(default_factory=dict)


@frozen
class Kernel:
    """A kernel to judge modules against.

    symbols is None when only machine and version are known, builtins when the built-in modules
    are not known; machine_arch is '' when unknown (it tells the ABIs of evbarm, evbmips apart).
    """

    machine: str
    version: KernelVersion
    machine_arch: str = ""
    name: str = ""  # the configuration, GENERIC; '' when unknown
    symbols: SymbolMap | None = None
    builtins: tuple[BuiltinModule, ...] | None = None
    has_dtrace: bool = False  # options KDTRACE_HOOKS: undefined names stay in module tables
    has_diagnostic: bool = False  # options DIAGNOSTIC: the kernel's own assertions are live
    is_modular: bool = True  # options MODULAR: it has a linker at all
    configuration: tuple[str, ...] = ()  # lines; INCLUDE_CONFIG_FILE has them in the kernel

    @property
    def label(self) -> str:
        """Name the kernel for people: amd64 10.99.12 (GENERIC)."""
        label = f"{self.machine} {self.version}"
        if self.name:
            label += f" ({self.name})"
        return label if self.symbols is not None else f"{label}, symbols unknown"

    @property
    def modules_directory(self) -> str:
        """Give where this kernel looks for modules: sys/kern/kern_module.c, module_init()."""
        return f"/stand/{self.machine}/{self.version.release}/modules"

    def find_builtin(self, name: str) -> BuiltinModule | None:
        """Find a built-in module by name."""
        return next((module for module in self.builtins or () if module.name == name), None)


def split_required(text: str) -> tuple[str, ...]:
    """Cut mi_required as the kernel does: at commas, spaces kept, ending at an empty name.

    sys/kern/kern_module.c, module_do_load(): a leading comma is stepped over, which is why
    ',a' still names a, while 'a,,b' ends after a.
    """
    names: list[str] = []
    position = 0
    while position < len(text):
        if text[position] == ",":
            position += 1
        end = text.find(",", position)
        end = len(text) if end < 0 else end
        if end == position:
            break
        names.append(text[position:end])
        position = end
    return tuple(names)
