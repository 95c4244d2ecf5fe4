"""The plan: from modules, tools and a kernel to the graph of steps, as data. Touches no file."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from buildsys.base.errors import BuildsysError, UsageError
from buildsys.base.value import frozen
from buildsys.module.model import IDENT_STEM, CompileUnit, Language, Module
from buildsys.module.order import Requirements, close_over, collect_requirements, load_order
from buildsys.pipeline.buildoptions import module_options
from buildsys.pipeline.paths import (
    ModulePaths,
    RunPaths,
    find_run_paths,
    is_installed,
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
from buildsys.pipeline.treeplan import TreePlanner, find_search_path, unique
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

ALL = "METALOG"  # how the installation of all modules is named; else by those asked for


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
    places = find_run_paths(request, is_privileged)
    paths = {module.name: places.find(module) for module in modules}
    steps: list[Step] = []
    common = _find_common(request, surroundings, places, paths)
    for module in modules:
        planner = _ModulePlanner(common, module, paths[module.name])
        steps.extend(planner.build_steps())
        steps.append(planner.check_step())
        if has_install and is_installed(module):
            steps.append(planner.install_step())
    if has_install:
        installed = [module for module in modules if is_installed(module)]
        selection = ",".join(sorted(names)) or ALL
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
class _Common:
    """What planning asks for each module anew, and has one answer."""

    request: Request
    surroundings: Surroundings
    places: RunPaths
    paths: dict[str, ModulePaths]
    requires: Requirements  # of every module that is described
    ordered: frozenset[str]  # the modules that this run installs, if any
    installed: tuple[tuple[str, Path], ...]  # kmods that this run does not make
    flags: dict[Language, tuple[str, ...]]  # the machine's
    cppflags: tuple[str, ...]  # the machine's
    headers: tuple[str, ...]  # -isystem, the last of all flags
    directories: dict[str, Path]  # those that were met, by name


def _find_common(
    request: Request,
    surroundings: Surroundings,
    places: RunPaths,
    paths: dict[str, ModulePaths],
) -> _Common:
    installable = {module.name for module in request.modules if is_installed(module)}
    machine, family = request.target.machine, request.toolchain.compiler
    source = request.config.src
    system = surroundings.kernel_headers if source is None else _tree_headers(source)
    return _Common(
        request=request,
        surroundings=surroundings,
        places=places,
        paths=paths,
        requires=collect_requirements(request.modules),
        ordered=frozenset(installable & paths.keys()),
        installed=tuple(item for item in surroundings.installed_kmods if item[0] not in paths),
        # bsd.kmodule.mk: assembly gets AFLAGS and CPPFLAGS, no CFLAGS.
        flags={
            Language.C: module_cflags(machine, family),
            Language.ASSEMBLY: module_aflags(machine, family),
        },
        cppflags=module_cppflags(machine, family),
        headers=tuple(word for path in system for word in ("-isystem", str(path))),
        directories={},
    )


@frozen
class _ModulePlanner:
    common: _Common
    module: Module
    paths: ModulePaths

    @property
    def request(self) -> Request:
        return self.common.request

    def build_steps(self) -> list[Step]:
        """Plan generating, compiling and linking."""
        recipe = self.module.recipe
        if recipe is not None:
            paths, toolchain = self.paths, self.request.toolchain
            planner = TreePlanner(
                toolchain, self.module, recipe, paths.objects, paths.kmod, self.common.directories
            )
            return list(planner.build_steps())
        units = list(self.module.units)
        if self.module.has_ident_note:
            source = self.paths.objects / f"{IDENT_STEM}.S"
            units.append(CompileUnit(source, f"{IDENT_STEM}.o", Language.ASSEMBLY, ()))
        steps = [self._generate_step()]
        if self.module.ioconf is not None:
            steps.append(self._configure_step(self.module.ioconf))
        after = tuple(step.name for step in steps)
        steps.extend(self._compile_steps(units, after))
        steps.append(self._link_step([step.outputs[0] for step in steps[len(after) :]]))
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
            unique((ioconf, *config.files)),
            tuple(self.paths.objects / name for name in names),
        )

    def _compile_steps(
        self, units: Sequence[CompileUnit], after: tuple[str, ...]
    ) -> Iterator[Step]:
        name, objects, toolchain = self.module.name, self.paths.objects, self.request.toolchain
        spelled: dict[tuple[object, ...], tuple[tuple[str, ...], tuple[Path, ...]]] = {}
        for unit in units:
            kind = (unit.language, unit.flags)
            if kind not in spelled:
                flags = (*self._language_flags(unit), *self._cppflags())
                directories = self.common.directories
                spelled[kind] = flags, find_search_path(flags, objects, directories)
            flags, search_path = spelled[kind]
            output = objects / unit.object
            depfile = output.with_suffix(".d")
            argv = compile_argv(toolchain, flags, unit.source, output, depfile)
            path = (unit.source.parent, *search_path)
            yield Step(
                f"compile:{name}/{unit.object}",
                name,
                Command("compile", argv, objects, (output,), depfile, path),
                unique((unit.source, *toolchain.cc.files)),
                (output,),
                after,
            )

    def _language_flags(self, unit: CompileUnit) -> tuple[str, ...]:
        flags = self.common.flags[unit.language]
        if unit.language is Language.ASSEMBLY:
            return (*flags, *unit.flags)
        return (*flags, *self.module.warnings, *self.module.cflags, *unit.flags)

    def _cppflags(self) -> tuple[str, ...]:
        has_tree = self.request.config.src is not None
        own = ("-I.", f"-I{self.module.directory}") if has_tree else ()
        return (*self.module.cppflags, *self.common.cppflags, *own, *self.common.headers)

    def _link_step(self, objects: Sequence[Path]) -> Step:
        toolchain = self.request.toolchain
        script = self.common.surroundings.link_script
        link_map = self.paths.kmod.with_name(f"{self.paths.kmod.name}.map")
        argv = link_argv(
            toolchain, objects, self.paths.kmod, script, link_map, module_ldflags(toolchain)
        )
        outputs = (self.paths.kmod, link_map)
        return Step(
            f"link:{self.module.name}",
            self.module.name,
            Command("link", argv, self.paths.objects, outputs, None, ()),
            unique((*objects, script, *_linker_files(toolchain.link, toolchain.ld))),
            outputs,
        )

    def check_step(self) -> Step:
        """Plan the judgement over the finished module and all that it may pull in."""
        target = self.request.target
        paths = self.common.paths
        closure = close_over((self.module.name,), self.common.requires)
        required = tuple(
            (name, paths[name].kmod)
            for name in closure
            if name in paths and name != self.module.name
        )
        needs_installed = any(name not in paths for name in closure)  # this run does not build it
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
            installed=self.common.installed if needs_installed else (),
            options=module_options(self.module),
            drift=self.request.config.drift,
        )
        kernel = () if target.kernel is None else (target.kernel,)
        kmods = (path for _, path in required)
        return Step(
            f"check:{self.module.name}",
            self.module.name,
            action,
            unique((self.paths.kmod, *kmods, *kernel, *self.common.surroundings.judge_files)),
            (self.paths.verdict,),
            tuple(f"generate:{name}" for name in closure if name in paths),
        )

    def install_step(self) -> Step:
        """Plan ordering the module to be installed, after the modules that it requires."""
        name = self.module.name
        plist = self.paths.plist if self.module.properties else None
        inputs = [self.paths.verdict, self.paths.kmod]
        if plist is not None:
            inputs.append(plist)
        place = self.common.places.place_of(self.module)
        outputs = [self.paths.order]
        ordered = None
        if (debug := self.paths.debug) is not None:
            ordered = InstallDebug(debug.file, debug.place, debug.order)
            inputs.append(debug.file)
            outputs.append(debug.order)
        action = Install(self.paths.verdict, plist, place, self.paths.order, ordered)
        requires = (other for other in self.module.requires if other in self.common.ordered)
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
    run_paths = find_run_paths(request, is_privileged)
    places = (run_paths.place_of(module) for module in modules)
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
    makers = {str(path): step.name for step in steps for path in step.outputs}
    needs: dict[str, tuple[str, ...]] = {}
    for step in steps:
        made = [name for path in step.inputs if (name := makers.get(str(path)))]
        needs[step.name] = tuple(dict.fromkeys((*step.after, *made)))
    return needs


def _tree_headers(source: Path) -> tuple[Path, ...]:
    """Give the directories of bsd.kmodule.mk's -isystem, in its order."""
    system = source / "sys"
    return (system, system / "arch", Path(os.path.normpath(source / "common/include")))


def _linker_files(*tools: Tool | None) -> tuple[Path, ...]:
    return tuple(path for tool in tools if tool is not None for path in tool.files)
