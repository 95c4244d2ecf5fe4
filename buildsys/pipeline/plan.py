"""The plan: from modules, tools and a kernel to the graph of steps, as data. Touches no file."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from buildsys.base.errors import BuildsysError, UsageError
from buildsys.base.value import frozen
from buildsys.module.model import IDENT_STEM, CompileUnit, Language, Module
from buildsys.module.order import Requirements, close_over, collect_requirements, load_order
from buildsys.pipeline.buildoptions import module_options
from buildsys.pipeline.paths import (
    ModulePaths,
    find_paths,
    is_installed,
    module_place,
    receipts_directory,
)
from buildsys.pipeline.places import installation_at
from buildsys.pipeline.reproducible import make_reproducible
from buildsys.pipeline.request import Request
from buildsys.pipeline.step import (
    Check,
    Command,
    Configure,
    Generate,
    Graph,
    Install,
    InstallDebug,
    Record,
    Step,
    Vetting,
)
from buildsys.pipeline.treeplan import TreePlanner, find_search_path
from buildsys.plist import render_plist
from buildsys.toolchain.argv import (
    compile_argv,
    link_argv,
    module_aflags,
    module_cflags,
    module_cppflags,
    module_ldflags,
)
from buildsys.toolchain.ident import render_ident_source
from buildsys.toolchain.model import Tool


@frozen
class Plan:
    """Steps in an order in which each comes after those it needs; needs holds those by name."""

    steps: tuple[Step, ...]
    needs: dict[str, tuple[str, ...]]
    modules: tuple[Module, ...]
    paths: dict[str, ModulePaths]

    @property
    def graph(self) -> Graph:
        """Give the steps and what each needs, without what they are for."""
        return Graph(self.steps, self.needs)


@frozen
class Surroundings:
    """What of this machine and of the tool itself decides results: found before planning."""

    link_script: Path
    kernel_headers: tuple[Path, ...]  # -isystem, where no source tree is given
    judge_files: tuple[Path, ...]  # the sources of the check itself
    installed_kmods: tuple[tuple[str, Path], ...]  # below DESTDIR, by name
    is_privileged: bool


def make_plan(
    request: Request,
    surroundings: Surroundings,
    names: Sequence[str],
    has_install: bool,
    is_closed: bool = True,
) -> Plan:
    """Plan the named modules (all for none) and what they require, installing only on demand.

    Not is_closed: what they require is not built, but taken as it is installed.
    """
    modules = select_modules(request, names)
    if not is_closed:
        modules = tuple(module for module in modules if module.name in names)
    is_privileged = surroundings.is_privileged
    paths = {module.name: find_paths(request, is_privileged, module) for module in modules}
    steps: list[Step] = []
    requires = collect_requirements(request.modules)
    installable = {module.name for module in request.modules if is_installed(module)}
    ordered = frozenset(installable & paths.keys())
    for module in modules:
        planner = _ModulePlanner(request, surroundings, module, paths, requires, ordered)
        steps.extend(planner.build_steps())
        steps.append(planner.check_step())
        if has_install and is_installed(module):
            steps.append(planner.install_step())
    if has_install:
        installed = [module for module in modules if is_installed(module)]
        selection = ",".join(sorted(names)) or "METALOG"
        steps.append(record_step(request, is_privileged, installed, paths, selection))
    if request.config.reproducible:
        steps = make_reproducible(steps, modules, request, surroundings.kernel_headers)
    return Plan(tuple(steps), _find_needs(steps), modules, paths)


def select_modules(request: Request, names: Sequence[str]) -> tuple[Module, ...]:
    """Give the named modules and those that they require, each after what it requires."""
    known = {module.name: module for module in request.modules}
    for name in names:
        if name not in known:
            raise _unknown_module(request, name)
    requires = collect_requirements(request.modules)
    chosen = set(close_over(names or known, requires))
    return tuple(known[name] for name in load_order(requires) if name in chosen)


def _unknown_module(request: Request, name: str) -> BuildsysError:
    for trouble in () if request.tree is None else request.tree.troubles:
        if name in (trouble.name, trouble.directory.name):
            return BuildsysError(f"{trouble.message} (so there is no module {name})")
    label = request.target.machine.label
    if name in request.other_modules:
        return UsageError(f"module {name} is not for {label} (machines: in its descriptor)")
    known = ", ".join(module.name for module in request.modules) or "none"
    where = request.config.modules if request.tree is None else request.config.src
    return UsageError(f"no module {name} in {where}; there are {known}")


@frozen
class _ModulePlanner:
    request: Request
    surroundings: Surroundings
    module: Module
    all_paths: dict[str, ModulePaths]
    requires: Requirements  # of every module that is described
    ordered: frozenset[str]  # the modules that this run installs, if any

    @property
    def paths(self) -> ModulePaths:
        return self.all_paths[self.module.name]

    def build_steps(self) -> list[Step]:
        """Plan generating, compiling and linking."""
        recipe = self.module.recipe
        if recipe is not None:
            paths, toolchain = self.paths, self.request.toolchain
            planner = TreePlanner(toolchain, self.module, recipe, paths.objects, paths.kmod)
            return list(planner.build_steps())
        units = list(self.module.units)
        generate = self._generate_step()
        if self.module.has_ident_note:
            source = self.paths.objects / f"{IDENT_STEM}.S"
            units.append(CompileUnit(source, f"{IDENT_STEM}.o", Language.ASSEMBLY, ()))
        steps = [generate]
        if self.module.ioconf is not None:
            steps.append(self._configure_step(self.module.ioconf))
        after = tuple(step.name for step in steps)
        steps.extend(self._compile_step(unit, after) for unit in units)
        steps.append(self._link_step([self.paths.objects / unit.object for unit in units]))
        return steps

    def _generate_step(self) -> Step:
        files: list[tuple[Path, bytes]] = []
        removed: tuple[Path, ...] = ()
        if self.module.has_ident_note:
            text = render_ident_source(
                self.request.target.version.number, module_options(self.module)
            )
            files.append((self.paths.objects / f"{IDENT_STEM}.S", text.encode()))
        if self.module.properties:
            files.append((self.paths.plist, render_plist(self.module.properties)))
        else:
            removed = (self.paths.plist,)
        links: tuple[tuple[Path, Path], ...] = ()
        if self.request.config.src is not None:
            system = self.request.config.src / "sys"
            links = tuple(
                (self.paths.objects / link.name, system / link.target)
                for link in self.request.target.machine.links
            )
        outputs = (*(path for path, _ in files), *(link for link, _ in links))
        action = Generate(tuple(files), links, removed)
        return Step(f"generate:{self.module.name}", self.module.name, action, (), outputs)

    def _configure_step(self, ioconf: Path) -> Step:
        source = self.request.config.src
        if source is None:
            raise BuildsysError(
                "ioconf: config(1) needs a NetBSD source tree; give one with --src or NETBSDSRCDIR",
                self.module.place,
            )
        config = self.request.toolchain.require("config")
        names = ("ioconf.c", "ioconf.h", "locators.h")
        return Step(
            f"generate:{self.module.name}/ioconf",
            self.module.name,
            Configure(config.argv, source / "sys", ioconf, self.paths.objects, names),
            _unique((ioconf, *config.files)),
            tuple(self.paths.objects / name for name in names),
        )

    def _compile_step(self, unit: CompileUnit, after: tuple[str, ...]) -> Step:
        output = self.paths.objects / unit.object
        depfile = output.with_suffix(".d")
        toolchain = self.request.toolchain
        flags = (*self._language_flags(unit), *self._cppflags())
        argv = compile_argv(toolchain, flags, unit.source, output, depfile)
        search_path = (unit.source.parent, *find_search_path(flags, self.paths.objects))
        return Step(
            f"compile:{self.module.name}/{unit.object}",
            self.module.name,
            Command("compile", argv, self.paths.objects, (output,), depfile, search_path),
            _unique((unit.source, *toolchain.cc.files)),
            (output,),
            after,
        )

    def _language_flags(self, unit: CompileUnit) -> tuple[str, ...]:
        family = self.request.toolchain.compiler
        machine = self.request.target.machine
        if unit.language is Language.ASSEMBLY:
            # bsd.kmodule.mk: assembly gets AFLAGS and CPPFLAGS, no CFLAGS.
            return (*module_aflags(machine, family), *unit.flags)
        return (
            *module_cflags(machine, family),
            *self.module.warnings,
            *self.module.cflags,
            *unit.flags,
        )

    def _cppflags(self) -> tuple[str, ...]:
        machine = self.request.target.machine
        system: Iterable[Path] = self.surroundings.kernel_headers
        own: tuple[str, ...] = ()
        if self.request.config.src is not None:
            own = ("-I.", f"-I{self.module.directory}")
            system = _tree_headers(self.request.config.src)
        return (
            *self.module.cppflags,
            *module_cppflags(machine, self.request.toolchain.compiler),
            *own,
            *(word for path in system for word in ("-isystem", str(path))),
        )

    def _link_step(self, objects: Sequence[Path]) -> Step:
        toolchain = self.request.toolchain
        script = self.surroundings.link_script
        link_map = self.paths.kmod.with_name(f"{self.paths.kmod.name}.map")
        argv = link_argv(
            toolchain, objects, self.paths.kmod, script, link_map, module_ldflags(toolchain)
        )
        outputs = (self.paths.kmod, link_map)
        return Step(
            f"link:{self.module.name}",
            self.module.name,
            Command("link", argv, self.paths.objects, outputs, None, ()),
            _unique((*objects, script, *_linker_files(toolchain.link, toolchain.ld))),
            outputs,
        )

    def check_step(self) -> Step:
        """Plan the judgement over the finished module and all that it may pull in."""
        target = self.request.target
        closure = close_over((self.module.name,), self.requires)
        required = tuple(
            (name, self.all_paths[name].kmod)
            for name in closure
            if name in self.all_paths and name != self.module.name
        )
        installed = tuple(
            (name, path)
            for name, path in self.surroundings.installed_kmods
            if name not in self.all_paths
        )
        action = Check(
            name=self.module.name,
            kmod=self.paths.kmod,
            verdict=self.paths.verdict,
            kernel=target.kernel,
            machine=target.machine.module_directory,
            machine_arch=target.machine.arch,
            kernel_version=target.version.number,
            # What makefiles describe promises nothing beside its source.
            expected_class=None if self.module.recipe else self.module.kmod_class,
            expected_requires=self.module.requires,
            required=required,
            installed=installed if self._needs_installed(closure) else (),
            options=module_options(self.module),
            drift=self.request.config.drift,
        )
        kernel = () if target.kernel is None else (target.kernel,)
        kmods = (path for _, path in required)
        return Step(
            f"check:{self.module.name}",
            self.module.name,
            action,
            _unique((self.paths.kmod, *kmods, *kernel, *self.surroundings.judge_files)),
            (self.paths.verdict,),
            tuple(f"generate:{name}" for name in closure if name in self.all_paths),
        )

    def _needs_installed(self, closure: Iterable[str]) -> bool:
        """Tell whether something is required that this run does not build."""
        return any(name not in self.all_paths for name in closure)

    def install_step(self) -> Step:
        """Plan ordering the module to be installed, after the modules that it requires."""
        name = self.module.name
        plist = self.paths.plist if self.module.properties else None
        inputs = [self.paths.verdict, self.paths.kmod]
        if plist is not None:
            inputs.append(plist)
        place = module_place(self.request, self.surroundings.is_privileged, self.module)
        outputs = [self.paths.order]
        ordered = None
        if (debug := self.paths.debug) is not None:
            ordered = InstallDebug(debug.file, debug.place, debug.order)
            inputs.append(debug.file)
            outputs.append(debug.order)
        action = Install(self.paths.verdict, plist, place, self.paths.order, ordered)
        requires = (other for other in self.module.requires if other in self.ordered)
        return Step(
            f"install:{name}",
            name,
            action,
            tuple(inputs),
            tuple(outputs),
            tuple(f"install:{other}" for other in requires),
            self.paths.receipt.parent.name,
        )


def record_step(
    request: Request,
    is_privileged: bool,
    modules: Sequence[Module],
    paths: Mapping[str, ModulePaths],
    selection: str,
) -> Step:
    """Plan the one moment at which all that was ordered is installed; selection names it."""
    orders: list[Path] = []
    outputs: list[Path] = [request.config.metalog]
    for module in modules:
        own = paths[module.name]
        orders.append(own.order)
        outputs += [own.receipt, own.installed / f"{module.name}.kmod"]
        if module.properties:
            outputs.append(own.installed / f"{module.name}.plist")
        if own.debug is not None:
            orders.append(own.debug.order)
            outputs += [own.debug.receipt, own.debug.installed]
    places = (module_place(request, is_privileged, module) for module in modules)
    installations = [
        installation_at(request.config, request.target, place) for place in dict.fromkeys(places)
    ]
    target, trust = request.target, request.trust
    vetting = Vetting(
        target.kernel,
        target.machine.module_directory,
        target.machine.arch,
        target.version.number,
        tuple(module.name for module in request.modules),
        trust,
    )
    action = Record(tuple(orders), tuple(installations), vetting)
    inputs = (*orders, *(() if trust is None else trust.files))
    use = receipts_directory(request).name
    return Step(f"metalog:{selection}", "", action, inputs, tuple(outputs), use=use)


def _find_needs(steps: Sequence[Step]) -> dict[str, tuple[str, ...]]:
    """Find which steps each step needs: the makers of its inputs, and those it names."""
    makers = {path: step.name for step in steps for path in step.outputs}
    needs: dict[str, tuple[str, ...]] = {}
    for step in steps:
        made = (makers[path] for path in step.inputs if path in makers)
        needs[step.name] = tuple(dict.fromkeys((*step.after, *made)))
    return needs


def _tree_headers(source: Path) -> tuple[Path, ...]:
    """Give the directories of bsd.kmodule.mk's -isystem, in its order."""
    system = source / "sys"
    return (system, system / "arch", Path(os.path.normpath(source / "common/include")))


def _linker_files(*tools: Tool | None) -> tuple[Path, ...]:
    return tuple(path for tool in tools if tool is not None for path in tool.files)


def _unique(paths: Iterable[Path]) -> tuple[Path, ...]:
    return tuple(dict.fromkeys(paths))
