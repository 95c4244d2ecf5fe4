"""How to mend what a rule found: advice for people, a row for each rule that is an error or odd."""

_AGAIN = "build the file again; if it was copied, copy it again and compare digests"
_RELINK = "link the module with ld -r, as modbuild and NetBSD's makefiles do, and nothing after it"
_MACHINE = "build for the machine of this kernel, or name the kernel of the machine that was meant"
_FLAGS = (
    "compile with the flags of a kernel module (-ffreestanding, -mcmodel=kernel, no PIC, no LTO)"
)
_FAULT = "write a new object: this one was damaged, or made by a tool at fault"
_MODULE_MACRO = "write exactly one MODULE(class, name, requires) in the sources of the module"
_DESCRIPTOR = "let the descriptor and MODULE() in the source say the same"

_MENDS = {
    "kernel-not-modular": "build the kernel with options MODULAR",
    "path-length": "choose a shorter name or path",
    "unload-name": "give the module's name, not a path",
    "modcmd-address": "let MODULE() name a function of the module",
    "plist-panic": "write a property list with one dictionary, as plutil or modbuild makes it",
    "relocation-truncated": "compile with -mcmodel=kernel",
    "relocation-ignored": "keep code of one module in one section (-fno-function-sections)",
    "relocation-wrong": "compile with -mlong-calls",
    "option-drift": "build the module with the options of the kernel, or the other way round",
    "option-refused": "build the module with the options of the kernel, or set drift to warn",
    "root-missing": "install the module, or build a kernel with the file system in it",
    "root-handover": "build a kernel with the file system in it",
    "root-unnamed": "add the lines to boot.cfg, or to the default entry of its menu",
    "root-refused": "mend the module first, or build a kernel with the file system in it",
    "root-to-name": "add the lines to boot.cfg; --boot-cfg looks whether they are there",
    "build-path": "compile with -ffile-prefix-map=DIRECTORY=NAME",
    "file-missing": "install the missing module too, or build a kernel that has it built in",
    "read-failed": _AGAIN,
    "not-elf": "give a kmod; this is another kind of file, or a damaged one",
    "elf-version": _FAULT,
    "elf-type": _RELINK,
    "elf-machine": _MACHINE,
    "section-headers": _AGAIN,
    "no-content": "compile some code into the module; its sections are all empty of content",
    "symbol-table": "do not strip the symbol table: strip with -g (debugging) at most",
    "symbol-strings": _AGAIN,
    "symbol-table-empty": "do not strip the symbol table: strip with -g (debugging) at most",
    "section-names": _AGAIN,
    "no-text": "compile some code into the module: the kernel wants an executable section",
    "too-large": "take large arrays out of the module and allocate them with kmem(9) at run time",
    "alignment": "ask for no alignment above a page in sources and linker scripts",
    "alignment-panic": "ask for no alignment above a page in sources and linker scripts",
    "relocation-target": _FAULT,
    "symbol-name": _FAULT,
    "symbol-strings-index": _FAULT,
    "table-memory": _FAULT,
    "relocation-lost": "leave no relocations for a section without content",
    "relocation-value": "put what is too far away nearer, or align it: compile with the flags of a "
    "kernel module",
    "table-size": _FAULT,
    "redefined-symbol": "rename the function or variable, or make it static; or do not load the "
    "module beside the other that has the name",
    "undefined-symbol": "add the module that offers the name to the requirements, build the kernel "
    "with the option that brings it in, or use another function; after an update build again",
    "relocation-type": _FLAGS,
    "relocation-panic": _FLAGS,
    "relocation-unaddended": "use an ABI whose objects have addends (RELA)",
    "relocation-unpaired": _FAULT,
    "relocation-unsafe": _FAULT,
    "relocation-outside": _FAULT,
    "weak-undefined": "declare the symbol without __weak, or define it in the module",
    "local-undefined": _FAULT,
    "symbol-binding": _FAULT,
    "symbol-nameless": _FAULT,
    "symbol-zero": "do not use a symbol whose address is 0: the kernel takes it for undefined",
    "modinfo-missing": _MODULE_MACRO,
    "modinfo-size": _MODULE_MACRO,
    "modinfo-pointer": "let MODULE() make the modinfo_t: a static structure, not a global one",
    "modinfo-name": "let MODULE() make the modinfo_t: its name is a string, not a global array",
    "name-length": "choose a name of at most 31 characters",
    "class-invalid": "choose a class of module(9): misc, vfs, driver, exec, secmodel or bufq",
    "version-mismatch": "build the module for the version of the kernel that is to load it; they "
    "lie in /stand/MACHINE/VERSION/modules, one directory for each version",
    "class-other": "ask for the class that the module has",
    "dependency-name": "name the directory and the file after the module, NAME/NAME.kmod",
    "already-loaded": "unload the other first, or rename this one",
    "requirement-cycle": "take a requirement out of the circle; put shared code in a third module",
    "required-name-length": "choose a name of at most 30 characters for the required module",
    "requirement-failed": "mend the required module first",
    "builtin-disabled": "load it with modload -f, or boot again",
    "requirement-count": "require fewer modules, some of them through others",
    "requirement-depth": "let fewer modules wait for one another",
    "modcmd-null": "give MODULE() a function NAME_modcmd that is defined in the module",
    "link-set-null": "leave no null pointer in SYSCTL_SETUP or evcnt link sets",
    "autoload-disallowed": "take noautoload out of the plist of the required module, or load that "
    "module first by hand",
    "plist-size": "make the plist smaller: 8190 bytes is the most",
    "plist-invalid": "write a property list with one dictionary, as plutil or modbuild makes it",
    "not-loaded": "load it first",
    "still-required": "unload the modules that require it first",
    "builtin-secmodel": "boot a kernel without this security model",
    "ident-mismatch": "build the module whole again: its version note is of another build",
    "class-expected": _DESCRIPTOR,
    "name-expected": _DESCRIPTOR,
    "requires-expected": _DESCRIPTOR,
    "version-expected": "build again with the headers of the kernel that was named",
    "built-in": "nothing need be done: the kernel has the module already",
    "name-file": "name the file after the module, NAME.kmod in a directory NAME",
    "note-damaged": _AGAIN,
    "weak-unused": "take the declaration out, if the symbol is not meant to be used",
    "constructor": "call the function from the module's command function instead",
    "symbol-not-loaded": "keep the symbol in a section that is loaded (PROGBITS or NOBITS)",
    "symbol-common": "compile with -fno-common",
    "indirect-function": "call the function directly: the kernel resolves no ifunc",
    "relocation-skipped": _FAULT,
    "requirement-unused": "take the requirement out, unless the module must be there for another "
    "reason",
    "requirement-indirect": "require that module, too: others may stop doing so",
    "requirement-missing": "require that module in MODULE()",
    "name-clash": "give one of the modules another name",
    "symbol-clash": "rename the global in one of the modules, or make it static",
    "requirement-invisible": "let MODULE() make the list of requirements: a string, not a global",
    "debugging": "strip -g the module, or build without debugging information",
    "symbols-unknown": "give the kernel itself with --kernel, not stripped of its symbols",
    "requirement-unknown": "give the kernel itself with --kernel: it tells what it has built in",
    "port-unknown": "name a machine whose kernels load modules with -m",
    "value-unknown": "give the kernel itself with --kernel: it tells the values of its symbols",
    "size-at-run-time": "try it on the machine",
    "unload-at-run-time": "try it on the machine",
}  # fmt: skip


def find_mend(rule_id: str) -> str:
    """Give the advice for a rule; '' where there is none."""
    return _MENDS.get(rule_id, "")
