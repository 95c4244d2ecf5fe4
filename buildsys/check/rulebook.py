"""Every rule of the check: its identifier, what the kernel does, and where the kernel decides.

The rules are data; the functions that apply them are in linker.py, loader.py and beyond.py. A
finding takes severity, errno and source from here, so that the documentation cannot drift.
"""

from pathlib import Path

from buildsys.base.value import frozen
from buildsys.check.verdict import Finding, Outcome, Severity

ENOENT, EPERM, ENOEXEC, EDEADLK, ENOMEM = 2, 1, 8, 11, 12
EFAULT, EBUSY, EEXIST, EINVAL, EFBIG, EPROGMISMATCH = 14, 16, 17, 22, 27, 75
ENAMETOOLONG, ENOSYS = 63, 78
_ERRNO_NAMES = {
    ENOENT: "ENOENT", EPERM: "EPERM", ENOEXEC: "ENOEXEC", EDEADLK: "EDEADLK", ENOMEM: "ENOMEM",
    EFAULT: "EFAULT", EBUSY: "EBUSY", EEXIST: "EEXIST", EINVAL: "EINVAL", EFBIG: "EFBIG",
    EPROGMISMATCH: "EPROGMISMATCH", ENAMETOOLONG: "ENAMETOOLONG", ENOSYS: "ENOSYS",
}  # fmt: skip

_KOBJ = "sys/kern/subr_kobj.c, "
_VFS = "sys/kern/kern_module_vfs.c, "
_MODULE = "sys/kern/kern_module.c, "


@frozen
class Rule:
    """One rule; outcome is what the kernel does when it is broken, source where it decides."""

    id: str
    severity: Severity
    outcome: Outcome
    errno: int
    source: str
    meaning: str


def _refused(id_: str, errno: int, source: str, meaning: str) -> Rule:
    return Rule(id_, Severity.ERROR, Outcome.REFUSED, errno, source, meaning)


def _panics(id_: str, source: str, meaning: str) -> Rule:
    return Rule(id_, Severity.ERROR, Outcome.PANICS, 0, source, meaning)


def _corrupts(id_: str, source: str, meaning: str) -> Rule:
    return Rule(id_, Severity.ERROR, Outcome.UNKNOWN, 0, source, meaning)


def _error(id_: str, meaning: str) -> Rule:
    return Rule(id_, Severity.ERROR, Outcome.LOADS, 0, "", meaning)


def _warning(id_: str, source: str, meaning: str) -> Rule:
    return Rule(id_, Severity.WARNING, Outcome.LOADS, 0, source, meaning)


def _note(id_: str, source: str, meaning: str) -> Rule:
    return Rule(id_, Severity.NOTE, Outcome.UNKNOWN, 0, source, meaning)


_LOAD = _KOBJ + "kobj_load"
_RELOCATE = _KOBJ + "kobj_relocate"
_LOOKUP = _KOBJ + "kobj_sym_lookup"
_CHECKSYMS = _KOBJ + "kobj_checksyms"
_DO_LOAD = _MODULE + "module_do_load"
_FETCH = _MODULE + "module_fetch_info"

RULES: tuple[Rule, ...] = (
    # the file
    _refused("kernel-not-modular", ENOSYS, "sys/kern/subr_kobj_vfs.c, kobj_load_vfs",
             "the kernel was built without options MODULAR"),
    _refused("path-length", ENAMETOOLONG, "sys/kern/sys_module.c, handle_modctl_load",
             "a path has at most 1023 bytes, a part of it 255"),
    _refused("file-missing", ENOENT, _VFS + "module_load_vfs", "there is no such file"),
    _refused("read-failed", EINVAL, _LOAD, "a header or table lies beyond the end of the file"),
    _refused("not-elf", ENOEXEC, _LOAD, "the file does not start with the ELF magic"),
    _refused("elf-version", ENOEXEC, _LOAD, "EI_VERSION and e_version must be 1"),
    _refused("elf-type", ENOEXEC, _LOAD, "e_type must be ET_REL: linked with ld -r"),
    _refused("elf-machine", ENOEXEC, _LOAD, "e_machine must be the kernel's"),
    _refused("section-headers", ENOEXEC, _LOAD, "e_shnum, e_shoff or e_shentsize is wrong"),
    _refused("no-content", ENOEXEC, _LOAD, "there is no PROGBITS or NOBITS section"),
    _refused("symbol-table", ENOEXEC, _LOAD, "there must be exactly one symbol table"),
    _refused("symbol-strings", ENOEXEC, _LOAD, "the symbol table's strings are missing or empty"),
    _refused("symbol-table-empty", ENOEXEC, _LOAD, "the symbol table has no entry"),
    _refused("section-names", ENOEXEC, _LOAD, "e_shstrndx names no section"),
    _refused("no-text", ENOEXEC, _LOAD, "no executable section has content"),
    _refused("too-large", ENOMEM, _LOAD, "the sections do not fit the kernel's memory"),
    _refused("alignment", EFAULT, _LOAD, "an alignment above a page, or 0, misplaces a section"),
    _panics("alignment-panic", _LOAD, "an alignment above a page, or 0, breaks the sizes"),
    _corrupts("relocation-target", _LOAD, "a relocation section names a section beyond the table"),
    _corrupts("symbol-name", _CHECKSYMS, "a symbol's name lies outside the string table"),
    _corrupts("symbol-strings-index", _LOAD,
              "the number of the symbol strings' section is negative to the kernel"),
    _corrupts("table-memory", _LOAD, "the kernel waits for ever for the memory of a table"),
    _corrupts("table-size", _LOAD, "the tables are larger than this check reads"),
    # symbols and relocations
    _refused("redefined-symbol", ENOEXEC, _CHECKSYMS,
             "the kernel or a loaded module has the same global"),
    _refused("undefined-symbol", ENOEXEC, _CHECKSYMS,
             "neither the kernel nor a loaded module has the global"),
    _refused("relocation-type", ENOEXEC, "sys/arch/*/*/kobj_machdep.c, kobj_reloc",
             "the port does not know the relocation type"),
    _panics("relocation-panic", "sys/arch/*/*/kobj_machdep.c, kobj_reloc",
            "the port panics on relocations without addend"),
    _refused("relocation-unaddended", ENOEXEC, "sys/arch/*/*/kobj_machdep.c, kobj_reloc",
             "the port takes relocations with addend only"),
    _refused("relocation-unpaired", ENOEXEC, "sys/arch/riscv/riscv/kobj_machdep.c, kobj_findhi20",
             "a riscv PCREL_LO12 has no PCREL_HI20 in its section"),
    _refused("relocation-value", ENOEXEC, "sys/arch/*/*/kobj_machdep.c, kobj_reloc",
             "a relocated value does not fit, or is not aligned"),
    _corrupts("relocation-unsafe", "sys/arch/*/*/kobj_machdep.c, kobj_reloc",
              "the port looks the type up beyond its table"),
    _panics("relocation-lost", _RELOCATE, "a relocation is for a section that has no address"),
    _corrupts("relocation-outside", _RELOCATE, "a relocation writes outside its section"),
    _refused("weak-undefined", ENOEXEC, _LOOKUP, "a relocation uses an undefined weak symbol"),
    _refused("local-undefined", ENOEXEC, _LOOKUP, "a relocation uses an undefined local symbol"),
    _refused("symbol-binding", ENOEXEC, _LOOKUP, "a relocation uses an undefined odd symbol"),
    _refused("symbol-nameless", ENOEXEC, _LOOKUP, "a relocation uses an undefined nameless symbol"),
    _refused("symbol-zero", ENOEXEC, _LOOKUP, "a relocation uses a symbol whose value is 0"),
    # the module's description
    _refused("modinfo-missing", ENOENT, _FETCH, "there is no section link_set_modules"),
    _refused("modinfo-size", ENOEXEC, _FETCH, "link_set_modules must hold exactly one pointer"),
    _panics("modinfo-pointer", _DO_LOAD, "the pointer to modinfo is not set when it is read"),
    _panics("modinfo-name", _DO_LOAD, "the pointer to the name is not set when it is read"),
    _refused("name-length", EINVAL, _DO_LOAD, "a module's name has at most 31 characters"),
    _refused("class-invalid", EINVAL, _DO_LOAD, "the class must be 1 to 6"),
    _refused("version-mismatch", EPROGMISMATCH, _MODULE + "module_compatible",
             "the module was built for another kernel version"),
    _refused("class-other", ENOENT, _DO_LOAD, "another class was asked for"),
    _refused("dependency-name", ENOENT, _DO_LOAD, "the file of a requirement holds another name"),
    _refused("already-loaded", EEXIST, _DO_LOAD, "a module of that name is loaded"),
    _refused("requirement-cycle", EDEADLK, _DO_LOAD, "the module requires itself, round about"),
    _refused("required-name-length", EINVAL, _DO_LOAD,
             "a required name has at most 30 characters"),
    _refused("requirement-count", EINVAL, _DO_LOAD,
             "a module requires at most 9 others (up to 7.99.10)"),
    _refused("requirement-failed", 0, _DO_LOAD, "a required module does not load"),
    _refused("builtin-disabled", EPERM, _DO_LOAD, "the built-in module was unloaded: use force"),
    _corrupts("requirement-depth", _DO_LOAD, "so long a chain overflows the kernel's stack"),
    _panics("modcmd-null", _DO_LOAD, "the module's command function is missing"),
    _panics("modcmd-address", _DO_LOAD, "the module's command function is not in its code"),
    _panics("link-set-null", _MODULE + "module_load_sysctl", "a link set entry is a null pointer"),
    # properties
    _refused("autoload-disallowed", EPERM, _VFS + "module_load_vfs",
             "the plist of a required module says noautoload"),
    _refused("plist-size", EFBIG, _VFS + "module_load_plist_vfs", "a plist has at most 8190 bytes"),
    _refused("plist-invalid", EINVAL, _VFS + "module_load_plist_vfs",
             "the plist is no property list with a dictionary"),
    _panics("plist-panic", _VFS + "module_load_plist_vfs",
            "the same in a kernel with DIAGNOSTIC, which asserts that it was one"),
    # unloading
    _refused("unload-name", ENAMETOOLONG, "sys/kern/sys_module.c, sys_modctl",
             "a name to unload has at most 31 bytes"),
    _refused("not-loaded", ENOENT, _MODULE + "module_do_unload",
             "no module of that name is loaded"),
    _refused("still-required", EBUSY, _MODULE + "module_do_unload", "a loaded module requires it"),
    _refused("builtin-secmodel", EPERM, _MODULE + "module_do_unload",
             "a built-in security model stays"),
    # what was promised
    _error("ident-mismatch", "the version note and the module's version must agree"),
    _error("class-expected", "the class differs from the descriptor's"),
    _error("name-expected", "the name differs from the descriptor's"),
    _error("requires-expected", "the requirements differ from the descriptor's"),
    _error("version-expected", "the version differs from the one built for"),
    _error("option-refused", "the module's kernel options are not the kernel's"),
    # the root file system
    _error("root-missing", "the root's file system is neither built in nor installed"),
    _error("root-handover", "the machine's boot loader hands no modules to the kernel"),
    _error("root-unnamed", "boot.cfg does not load what the root needs"),
    _error("root-refused", "the root's file system does not load"),
    # beyond the kernel's judgement
    Rule("built-in", Severity.WARNING, Outcome.REFUSED, EEXIST, _MODULE + "module_load",
         "the kernel has a module of that name built in"),
    _warning("name-file", _VFS + "module_load_vfs",
             "the name differs from the file's: a requirement on it would look for NAME/NAME.kmod"),
    _warning("note-damaged", "", "a note section cannot be read"),
    _warning("weak-unused", _LOOKUP, "an undefined weak symbol that nothing uses"),
    _warning("constructor", _LOAD, "constructors are never run"),
    _warning("symbol-not-loaded", _LOAD, "a symbol stands in a section that is not loaded"),
    _warning("symbol-common", _LOAD, "a common symbol has its alignment for an address"),
    _warning("indirect-function", _LOAD, "an indirect function is not resolved"),
    _warning("relocation-skipped", _RELOCATE, "a relocation with no such symbol is left out"),
    _warning("relocation-truncated", "sys/arch/amd64/amd64/kobj_machdep.c, kobj_reloc",
             "only the lower half of an address is stored, unchecked"),
    _warning("relocation-ignored", "sys/arch/arm/arm32/kobj_machdep.c, kobj_reloc",
             "a branch to a local symbol with an offset is left as it is"),
    _warning("relocation-wrong", "sys/arch/mips/mips/kobj_machdep.c, kobj_reloc",
             "the port computes jumps within 256 MiB wrongly"),
    _warning("requirement-unused", _DO_LOAD, "no symbol of a required module is used"),
    _warning("requirement-indirect", _DO_LOAD,
             "a module is used that is required through others only"),
    _warning("requirement-missing", _CHECKSYMS,
             "the module loads only after another that it uses and does not require"),
    _warning("name-clash", _DO_LOAD, "two modules have one name: only one can be loaded"),
    _warning("symbol-clash", _CHECKSYMS, "two modules define a global: the second is refused"),
    _warning("requirement-invisible", _DO_LOAD, "the requirements are not set when they are read"),
    _warning("debugging", _LOAD, "debugging sections are loaded into the kernel's memory"),
    _warning("option-drift", "", "the module's kernel options are not the kernel's"),
    _warning("root-to-name", "", "boot.cfg, which was not given, must load what the root needs"),
    _warning("build-path", "", "names of files on the machine that built it are left in"),
    # what cannot be told
    _note("symbols-unknown", _CHECKSYMS, "the kernel's symbols are not known"),
    _note("requirement-unknown", _DO_LOAD, "it is not known whether a requirement is built in"),
    _note("port-unknown", "", "no kernel linker is known for this machine"),
    _note("value-unknown", _CHECKSYMS, "both define an absolute symbol, its value is not known"),
    _note("size-at-run-time", _LOAD, "whether that much memory is there is decided at run time"),
    _note("unload-at-run-time", _MODULE + "module_do_unload", "the module itself may refuse"),
)  # fmt: skip

_RULE_OF_ID = {rule.id: rule for rule in RULES}


def show_errno(number: int) -> str:
    """Give a number of NetBSD's sys/sys/errno.h with its name: '8 ENOEXEC'."""
    return f"{number} {_ERRNO_NAMES.get(number, '')}".rstrip()


def find_rule(rule_id: str) -> Rule:
    """Give the rule of an identifier; an unknown one is our bug."""
    return _RULE_OF_ID[rule_id]


def finding(
    rule_id: str,
    path: Path,
    message: str,
    kernel_message: str = "",
    errno: int | None = None,
    source: str | None = None,
    subject: str = "",
) -> Finding:
    """Make the finding that a rule is broken."""
    rule = _RULE_OF_ID[rule_id]
    return Finding(
        rule.id,
        rule.severity,
        path,
        message,
        rule.errno if errno is None else errno,
        rule.source if source is None else source,
        kernel_message,
        subject,
    )
