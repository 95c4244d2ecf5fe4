"""Loading and unloading modules, one after the other, on the state of a kernel.

sys/kern/kern_module.c, module_load(), module_do_load(), module_do_unload(), and
sys/kern/kern_module_vfs.c. What the modules' own code would do is not known: it is taken to
succeed.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from buildsys.base.value import field, mutable
from buildsys.check.judge import (
    NAME_BYTES,
    judge_commands,
    judge_description,
    judge_length,
    judge_requirement_name,
    read_description,
)
from buildsys.check.kmodfile import KmodCache, Linkable
from buildsys.check.kobj import Halt, KernelObject, halt
from buildsys.check.linker import (
    Definition,
    is_zero,
    judge_duplicates,
    judge_relocations,
    judge_undefined,
    known_value,
)
from buildsys.check.loaded import FindFile, LoadedModule, LoadResult, pass_on, refuse
from buildsys.check.plist import judge_plist, plist_target
from buildsys.check.rulebook import finding
from buildsys.check.unknown import note_limits, note_requirement
from buildsys.check.verdict import Finding, Outcome, Severity
from buildsys.elf.model import SHN_ABS, show_name
from buildsys.elf.modinfo import ModInfo
from buildsys.kernel.model import Kernel, SymbolMap, split_required

_SECMODEL = 5
_MAXIMUM_DEPTH = 100  # modules that wait for one another


@mutable
class _Load:
    """One modload in progress: its flags, the modules pending, what was read and noted."""

    is_forced: bool
    has_properties: bool
    ignored: frozenset[str]
    pending: list[str] = field(default_factory=list)
    inputs: list[Path] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)


class LoaderState:
    """A kernel and the modules in it; find gives the file behind a path of the target system."""

    def __init__(self, kernel: Kernel, find: FindFile, cache: KmodCache | None = None) -> None:
        self.kernel = kernel
        self.has_symbols = kernel.symbols is not None
        self._find = find
        self._cache = KmodCache(kernel) if cache is None else cache
        symbols = SymbolMap(frozenset()) if kernel.symbols is None else kernel.symbols
        zero = (name for name, value in symbols.values.items() if value == 0)
        self._zero_names = frozenset(zero) - symbols.absolute
        self._builtins = dict(self._cache.builtins)  # those that no LoadedModule exists for yet
        self._modules: dict[str, LoadedModule] = {}  # in load order
        self._disabled: dict[str, LoadedModule] = {}
        self._offered: dict[str, LoadedModule] = {}  # who offers a name: the first loaded
        self._zero_offers: set[str] = set()  # by modules, with the value 0 and not absolute
        self._absolute = set(symbols.absolute)

    def explain(self, name: str) -> str:
        """Say why a name is not offered; see linker.Scope."""
        symbols = self.kernel.symbols
        if name in self._cache.providers:
            return f"; module {show_name(self._cache.providers[name])} does, and is not required"
        if symbols is not None and name in symbols.weak:
            return "; the kernel's is weak, which modules cannot use"
        if symbols is not None and name in symbols.local:
            return "; the kernel's is static, which modules cannot use"
        return ""

    def find_module(self, name: str) -> LoadedModule | None:
        """Find a module that is in the kernel."""
        return self._lookup(name)

    def loaded_names(self) -> tuple[str, ...]:
        """Name the modules loaded from files, the first loaded first."""
        return tuple(name for name, module in self._modules.items() if not module.is_builtin)

    def find(self, name: str) -> Definition | None:
        """Find a global: in the kernel first, then in the modules in load order."""
        symbols = self.kernel.symbols
        if symbols is not None and name in symbols.globals:
            return Definition("", symbols.values.get(name), name in symbols.absolute)
        module = self._offered.get(name)
        if module is None or module.file is None:
            return None
        kobj = module.file.kobj
        entry = kobj.defined.get(name)
        if entry is None:
            return Definition(module.name, None, name in module.absolute_needs)
        is_absolute = kobj.symbols.sections[entry] == SHN_ABS
        return Definition(module.name, known_value(kobj, entry), is_absolute)

    def offered(self, names: Iterable[str]) -> frozenset[str]:
        """Choose the globals that exist, as find finds them."""
        wanted = frozenset(names)
        return self.of_kernel(wanted).union(wanted.intersection(self._offered))

    def of_kernel(self, names: Iterable[str]) -> frozenset[str]:
        """Choose the globals that the kernel itself has."""
        symbols = self.kernel.symbols
        return frozenset() if symbols is None else symbols.globals.intersection(names)

    def disable_builtin(self, name: str) -> None:
        """Put a built-in module into the state after modunload(8): it needs force from now on."""
        module = self._lookup(name)
        if module is not None:
            self._forget(module)
            self._disabled[name] = module

    def forget_builtin(self, name: str) -> None:
        """Make the state that of a kernel which was built without this module."""
        module = self._lookup(name)
        if module is not None:
            self._forget(module)

    def load(
        self,
        name: str,
        module_class: int = 0,
        is_forced: bool = False,
        has_properties: bool = True,
        ignored: frozenset[str] = frozenset(),
    ) -> LoadResult:
        """Load a module by name, or by path when there is a slash in it, as modload(8) does.

        ignored names globals that may stand in the kernel too.
        """
        load = _Load(is_forced, has_properties, ignored)
        if self._lookup(name) is not None:
            stop = halt("already-loaded", Path(name), self._show_present(name))
            return LoadResult(stop.outcome, stop.errno, stop.findings)
        long = judge_length(name, self.kernel.modules_directory)
        if long is not None:
            return LoadResult(long.outcome, long.errno, long.findings)
        result = self._do_load(load, name, module_class, is_dependency=False)
        inputs = tuple(dict.fromkeys(load.inputs))
        if isinstance(result, Halt):
            findings = (*result.findings, *load.notes)
            return LoadResult(result.outcome, result.errno, findings, inputs)
        unknown = any(note.severity is Severity.NOTE for note in load.notes)
        outcome = Outcome.UNKNOWN if unknown else Outcome.LOADS
        return LoadResult(outcome, 0, tuple(load.notes), inputs, result)

    def unload(self, name: str) -> LoadResult:
        """Unload a module as modunload(8) does, its own consent assumed."""
        module = self._lookup(name)
        where = Path(name)
        if len(os.fsencode(name)) >= NAME_BYTES:
            return refuse("unload-name", where, f"a name has at most {NAME_BYTES - 1} bytes")
        if module is None:
            return refuse("not-loaded", where, "no such module is loaded",
                           f"module `{show_name(name)}' not found")  # fmt: skip
        if module.references:
            return refuse("still-required", where, f"{module.references} loaded modules need it")
        if module.is_builtin and module.module_class == _SECMODEL:
            return refuse("builtin-secmodel", where, "a built-in security model stays")
        self._forget(module)
        if module.is_builtin:
            self._disabled[name] = module
            note = finding("unload-at-run-time", where, "the built-in module itself may refuse")
            return LoadResult(Outcome.UNKNOWN, 0, (note,))
        return LoadResult(Outcome.LOADS, 0, ())

    def _lookup(self, name: str) -> LoadedModule | None:
        """Find a module in the kernel, as module_lookup() does; built-in ones count."""
        module = self._modules.get(name)
        if module is None and name in self._builtins:
            builtin, references = self._builtins.pop(name)
            module = LoadedModule(name, builtin.module_class, True, builtin.required, references)
            self._modules[name] = module
        return module

    def _register(self, module: LoadedModule) -> None:
        self._modules[module.name] = module
        if module.file is None:
            return
        kobj = module.file.kobj
        self._absolute.update(kobj.absolute)
        for name, entry in kobj.defined.items():
            if self._offered.setdefault(name, module) is module and is_zero(kobj, entry):
                self._zero_offers.add(name)
        # addsymtab() drops undefined symbols, but for KDTRACE_HOOKS and those become absolute
        for name in kobj.undefined if self.kernel.has_dtrace else module.absolute_needs:
            self._offered.setdefault(name, module)

    def _count_references(self, module: LoadedModule, step: int) -> None:
        for name in module.required:
            required = self._lookup(name)
            if required is not None:
                required.references += step

    def _forget(self, module: LoadedModule) -> None:
        del self._modules[module.name]
        self._count_references(module, -1)
        if module.file is not None:
            self._offered = {}
            self._zero_offers = set()
            for other in list(self._modules.values()):
                self._register(other)

    def _do_load(
        self, load: _Load, name: str, module_class: int, is_dependency: bool
    ) -> LoadedModule | Halt:
        """Do what module_do_load() does for one module."""
        if name in self._disabled:
            return self._enable_builtin(load, name, is_dependency)
        present = self._lookup(name)
        if present is not None:
            return present
        found = self._read(load, name, is_dependency)
        if not isinstance(found, Linkable):
            return found
        described = self._cache.ask(read_description, found)
        if isinstance(described, Halt):
            return described
        mod_name = described.name or ""
        stop = judge_description(found, described, self.kernel, load.is_forced, module_class)
        if stop is None and is_dependency and mod_name != name:
            stop = halt("dependency-name", found.path,
                        f"required as {show_name(name)}, but its name is {show_name(mod_name)}",
                        f"dependency name mismatch (`{show_name(name)}' != "
                        f"`{show_name(mod_name)}')")  # fmt: skip
        if stop is None and self._lookup(mod_name) is not None:
            stop = self._already(found.path, mod_name)
        if stop is None and mod_name in load.pending:
            stop = halt("requirement-cycle", found.path,
                        f"requires itself: {' -> '.join([*load.pending, mod_name])}",
                        f"circular dependency detected for `{show_name(mod_name)}'")  # fmt: skip
        if stop is not None:
            return stop
        if len(load.pending) >= _MAXIMUM_DEPTH:
            return halt("requirement-depth", found.path, f"requires a chain of more than "
                        f"{_MAXIMUM_DEPTH} modules")  # fmt: skip
        load.pending.append(mod_name)
        result = self._link(load, found, described)
        load.pending.pop()
        return result

    def _enable_builtin(self, load: _Load, name: str, is_dependency: bool) -> LoadedModule | Halt:
        """Bring a built-in module back that was unloaded; what it requires comes with it."""
        if not load.is_forced:
            shown = show_name(name)
            kernel_message = (
                "" if is_dependency else f"use -f to reinstate builtin module `{shown}'"
            )
            return halt("builtin-disabled", Path(name), "the built-in module was unloaded; "
                        "modload -f brings it back", kernel_message)  # fmt: skip
        return self._reinstate(name)

    def _reinstate(self, name: str) -> LoadedModule:
        """Do what module_do_builtin() does."""
        module = self._disabled.pop(name)
        for required in module.required:
            if required in self._disabled:
                self._reinstate(required)
        self._modules[name] = module
        self._count_references(module, 1)
        return module

    def _read(self, load: _Load, name: str, is_dependency: bool) -> Linkable | LoadedModule | Halt:
        """Find and read the file, link what is local, and read its properties."""
        if not self.kernel.is_modular:
            return halt("kernel-not-modular", Path(name), "this kernel loads no modules at all: "
                        "it was configured without options MODULAR")  # fmt: skip
        target = name
        if "/" not in name:
            target = f"{self.kernel.modules_directory}/{name}/{name}.kmod"
        path = self._find(target) if not (is_dependency and "/" in name) else None
        if path is None:
            if is_dependency and self.kernel.builtins is None:
                return self._assume_builtin(load, name)
            return halt("file-missing", Path(target), "there is no such file; nothing is built in "
                        "under that name either")  # fmt: skip
        load.inputs.append(path)
        file = self._cache.read(path).result
        if isinstance(file, Halt):
            return file
        ignored = frozenset() if is_dependency else load.ignored
        stop = judge_duplicates(file.kobj, self, ignored) or self._cache.ask(
            _judge_local_relocations, file
        )
        if stop is not None:
            return stop
        plist = self._find(plist_target(target))
        if plist is not None and (load.has_properties or is_dependency):
            load.inputs.append(plist)
            has_diagnostic = self.kernel.has_diagnostic
            stop = judge_plist(plist, target, is_dependency, has_diagnostic)
        return file if stop is None else stop

    def _assume_builtin(self, load: _Load, name: str) -> LoadedModule:
        path = load.inputs[0] if load.inputs else Path(name)
        load.notes.append(note_requirement(path, name))
        return LoadedModule(name, 0, is_builtin=True)

    def _link(self, load: _Load, file: Linkable, described: ModInfo) -> LoadedModule | Halt:
        required: list[str] = []
        for name in split_required(described.required or ""):
            own = described.name or ""
            stop = judge_requirement_name(file.path, name, own, len(required), self.kernel)
            if stop is not None:
                return stop
            result = self._do_load(load, name, 0, is_dependency=True)
            if isinstance(result, Halt):
                return pass_on(result, file.path, described.name or "", name)
            required.append(name)
        stop = self._affix(load, file) or self._cache.ask(judge_commands, file)
        if stop is not None:
            return stop
        module = LoadedModule(
            described.name or "",
            described.module_class,
            False,
            tuple(required),
            file=file,
            absolute_needs=self._absolute_needs(file.kobj),
            modinfo=described,
        )
        self._count_references(module, 1)
        self._register(module)
        return module

    def _affix(self, load: _Load, file: Linkable) -> Halt | None:
        kobj = file.kobj
        stop, unknown = judge_undefined(kobj, self)
        if stop is not None:
            return stop
        load.notes += note_limits(kobj, bool(unknown))
        zero = (self._zero_names | self._zero_offers) & kobj.undefined.keys()
        if zero:
            return judge_relocations(kobj, file.relocations, False, zero)
        return self._cache.ask(_judge_global_relocations, file)

    def _absolute_needs(self, kobj: KernelObject) -> frozenset[str]:
        """Give the needs that absolute symbols meet: affixing makes them absolute themselves.

        sys/kern/subr_kobj.c, kobj_checksyms(); addsymtab() then keeps them in the module's table.
        """
        candidates = kobj.undefined.keys() & self._absolute
        return frozenset(name for name in candidates if self._is_absolute(name))

    def _is_absolute(self, name: str) -> bool:
        found = self.find(name)
        return found is not None and found.is_absolute

    def _already(self, path: Path, name: str) -> Halt:
        return halt("already-loaded", path, self._show_present(name),
                    f"module with name `{show_name(name)}' already loaded")  # fmt: skip

    def _show_present(self, name: str) -> str:
        where = "built into the kernel" if self._modules[name].is_builtin else "loaded"
        return f"a module {show_name(name)} is {where} already"


def _judge_local_relocations(file: Linkable) -> Halt | None:
    return judge_relocations(file.kobj, file.relocations, True, frozenset())


def _judge_global_relocations(file: Linkable) -> Halt | None:
    return judge_relocations(file.kobj, file.relocations, False, frozenset())
