"""A kernel from its ELF image: netbsd, netbsd.gdb, or a dump of /dev/ksyms."""

import re

from buildsys.elf.memory import Memory, load_memory
from buildsys.elf.model import (
    ET_DYN,
    ET_EXEC,
    SHN_ABS,
    SHN_UNDEF,
    STB_GLOBAL,
    STB_LOCAL,
    STB_WEAK,
    STT_FILE,
    STT_SECTION,
    ElfObject,
    SymbolTable,
)
from buildsys.elf.modinfo import find_link_set, read_modinfos
from buildsys.elf.notes import ident_version, read_notes
from buildsys.kernel.configuration import find_configuration, read_options
from buildsys.kernel.model import BuiltinModule, Kernel, SymbolMap, split_required
from buildsys.kernel.port import machine_of_elf
from buildsys.kernel.version import KernelVersion

_MINIMUM_GLOBALS = 200  # any bootable kernel has thousands
_CONFIGURATION = re.compile(r"NetBSD \S+ \(([^)\s]+)\)")  # sys/conf/newvers.sh, version[]
# sys/kern/uipc_mbuf.c, and sys/kern/vfs_vnode.c: these exist under DIAGNOSTIC only
DIAGNOSTIC_NAMES = frozenset(
    {
        "m_verify_packet",
        "vstate_assert_change",
        "vstate_assert_get",
        "vstate_assert_wait_stable",
    }
)
_LINK_SET_ENTRY, _MODINFO = "__link_set_modules_sym_", "_modinfo"
_STRIPPED = (
    "the kernel has no symbol table (it is stripped); give the unstripped netbsd or netbsd.gdb "
    "from the kernel's build directory, or its 'nm' output"
)


def kernel_from_elf(elf: ElfObject, machine: str, machine_arch: str) -> Kernel:
    """Read what a kernel image tells; machine is '' to have it found in the image."""
    if elf.header.file_type not in (ET_EXEC, ET_DYN):
        raise elf.fail("expected a kernel (an executable), this is an object file or a module")
    number = ident_version(elf, read_notes(elf))
    if number is None:
        raise elf.fail(
            "expected a NetBSD kernel: it has no .note.netbsd.ident; give the netbsd file itself"
        )
    memory = load_memory(elf)
    if len(memory.symbols) == 0:
        raise elf.fail(_STRIPPED)
    symbols = symbols_as_ksyms(memory.symbols)
    if len(symbols.globals) < _MINIMUM_GLOBALS:
        raise elf.fail(f"{_STRIPPED} (only {len(symbols.globals)} global symbols are left)")
    lines = find_configuration(elf.image)
    found = _string_of(memory, symbols, "machine") or machine_of_elf(elf.header.machine)
    if not (found or machine):
        raise elf.fail("the image does not tell its machine; name it (-m MACHINE)")
    configuration = _CONFIGURATION.match(_string_of(memory, symbols, "version"))
    return Kernel(
        machine=found or machine,
        version=KernelVersion(number),
        machine_arch=_string_of(memory, symbols, "machine_arch") or machine_arch,
        name="" if configuration is None else configuration[1],
        symbols=symbols,
        builtins=_read_builtins(memory) or builtins_by_symbol(symbols, KernelVersion(number)),
        has_dtrace=has_dtrace(symbols),
        has_diagnostic=has_diagnostic(symbols) or "DIAGNOSTIC" in read_options(lines),
        is_modular=is_modular(symbols),
        configuration=lines,
    )


def symbols_as_ksyms(table: SymbolTable) -> SymbolMap:
    """Sort a symbol table as the kernel's own tables do: sys/kern/kern_ksyms.c, addsymtab()."""
    names: dict[int, list[str]] = {STB_GLOBAL: [], STB_WEAK: [], STB_LOCAL: []}
    absolute: list[str] = []
    values: dict[str, int] = {}
    for index, info in enumerate(table.infos):
        section = table.sections[index]
        if section == SHN_UNDEF or (info & 15) in (STT_FILE, STT_SECTION):
            continue
        name, binding = table.name(index), info >> 4
        if not name or binding not in names:
            continue
        names[binding].append(name)
        if binding == STB_GLOBAL:
            values[name] = table.values[index]
            if section == SHN_ABS:
                absolute.append(name)
    return SymbolMap(
        globals=frozenset(names[STB_GLOBAL]),
        absolute=frozenset(absolute),
        weak=frozenset(names[STB_WEAK]),
        local=frozenset(names[STB_LOCAL]),
        values=values,
    )


def has_dtrace(symbols: SymbolMap) -> bool:
    """Tell whether the kernel has KDTRACE_HOOKS: only then is sys/kern/kern_sdt.c in it."""
    return "sdt_probe_func" in symbols.globals


def has_diagnostic(symbols: SymbolMap) -> bool:
    """Tell whether the kernel has DIAGNOSTIC, from names that only such a kernel has."""
    return not DIAGNOSTIC_NAMES.isdisjoint(symbols.globals | symbols.local)


def is_modular(symbols: SymbolMap) -> bool:
    """Tell whether the kernel has MODULAR: sys/kern/subr_kobj.c is empty without."""
    return "kobj_sym_lookup" in symbols.globals


def builtins_by_symbol(
    symbols: SymbolMap, version: KernelVersion
) -> tuple[BuiltinModule, ...] | None:
    """Name the built-in modules by the local symbols of their link set entries; None without.

    sys/sys/module.h, _MODULE_REGISTER(), and sys/sys/cdefs_elf.h: the entry of NAME is called
    __link_set_modules_sym_NAME_modinfo. Class and requirements are not told: misc and none.
    """
    names = sorted(
        name.removeprefix(_LINK_SET_ENTRY).removesuffix(_MODINFO)
        for name in symbols.local
        if name.startswith(_LINK_SET_ENTRY) and name.endswith(_MODINFO)
    )
    return tuple(BuiltinModule(name, 1, version.number) for name in names) or None


def _string_of(memory: Memory, symbols: SymbolMap, name: str) -> str:
    address = symbols.values.get(name)
    if address is None or name in symbols.absolute:
        return ""
    return memory.string(memory.at_address(address)) or ""


def _read_builtins(memory: Memory) -> tuple[BuiltinModule, ...] | None:
    if find_link_set(memory.elf) is None:
        return None  # a dump of /dev/ksyms holds no data
    return tuple(
        BuiltinModule(m.name, m.module_class, m.version, split_required(m.required or ""))
        for m in read_modinfos(memory)
        if m.name is not None
    )
