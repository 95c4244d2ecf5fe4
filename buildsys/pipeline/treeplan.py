"""The steps of a module that has a recipe: NetBSD's own way of making it, flag for flag."""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from buildsys.base.value import frozen, replace
from buildsys.module.model import CompileUnit, Language, Module, ParserSource, Recipe, Trampolines
from buildsys.pipeline.step import (
    Action,
    AssymHeader,
    AssymSource,
    Command,
    Configure,
    Gather,
    Generate,
    Step,
)
from buildsys.toolchain.argv import compile_argv, link_argv
from buildsys.toolchain.model import LinkStyle, Tool, Toolchain

_IOCONF_NAMES = ("ioconf.c", "ioconf.h", "locators.h")
_PATH_FLAGS = ("-I", "-isystem", "-iquote")


@frozen
class TreePlanner:
    """Plans what comes before the check; kmod is the finished file, objects its directory."""

    toolchain: Toolchain
    module: Module
    recipe: Recipe
    objects: Path
    kmod: Path
    directories: dict[str, Path]  # for find_search_path, shared by all modules

    def build_steps(self) -> Iterator[Step]:
        """Plan the links, the generated files, each object and the module, in stock's order."""
        generators = tuple(self._generators())
        yield from generators
        after = tuple(step.name for step in generators)
        for unit in self.module.units:
            yield self._compile_step(unit, after)
        objects = tuple(self.objects / unit.object for unit in self.module.units)
        whole = self.kmod if self.recipe.debug is None else self.objects / "undivided.kmod"
        if self.recipe.trampolines is not None:
            yield from self._trampoline_steps(self.recipe.trampolines, objects, whole)
        else:
            yield from self._link_steps(objects, whole)
        if self.recipe.debug is not None:
            yield self._debug_step(whole, self.recipe.debug)

    def _generators(self) -> Iterator[Step]:
        machine = self.toolchain.machine
        links = tuple(
            (self.objects / link.name, self.recipe.system / link.target) for link in machine.links
        )
        removed = (self.kmod.with_suffix(".plist"),)
        name = self.module.name
        action = Generate((), links, removed)
        yield Step(f"generate:{name}", name, action, (), tuple(link for link, _ in links))
        if self.module.ioconf is not None:
            yield self._configure_step(self.module.ioconf)
        for parser in self.recipe.parsers:
            yield self._parser_step(parser)
        if self.recipe.assym is not None:
            yield from self._assym_steps(self.recipe.assym)

    def _configure_step(self, ioconf: Path) -> Step:
        config = self.toolchain.require("config")
        argv = (*config.argv, *self.recipe.config_options)
        action = Configure(argv, self.recipe.system, ioconf, self.objects, _IOCONF_NAMES)
        outputs = [self.objects / name for name in _IOCONF_NAMES]
        return self._step("generate", "ioconf", action, (ioconf, *config.files), outputs)

    def _parser_step(self, parser: ParserSource) -> Step:
        argv = (*parser.argv, "-o", parser.names[0], str(parser.source))
        action = Gather("parser", (argv,), self.objects, parser.names)
        outputs = [self.objects / name for name in parser.names]
        program = Path(parser.argv[0])
        inputs = (parser.source, program) if program.is_absolute() else (parser.source,)
        return self._step("generate", parser.names[0], action, inputs, outputs)

    def _assym_steps(self, config: Path) -> Iterator[Step]:
        source = self.objects / "modbuild_assym.c"
        compiled = source.with_suffix(".o")
        header = self.objects / "assym.h"
        action = AssymSource(config, source)
        yield self._step("generate", source.name, action, (config,), [source])
        recipe = self.recipe
        # sys/modules/Makefile.assym: CFLAGS without -Wa,*, CPPFLAGS, PROF, GENASSYM_CPPFLAGS.
        cflags = (flag for flag in recipe.cflags if not flag.startswith("-Wa,"))
        flags = (*cflags, *recipe.cppflags, *recipe.assym_flags, "-Wno-error", "-w")
        links = (f"generate:{self.module.name}", *self._configured())
        yield self._compile(source, compiled, flags, links, has_ctf=False)
        read = AssymHeader(compiled, header)
        yield self._step("generate", header.name, read, (compiled,), [header])

    def _configured(self) -> tuple[str, ...]:
        return () if self.module.ioconf is None else (f"generate:{self.module.name}/ioconf",)

    def _compile_step(self, unit: CompileUnit, after: tuple[str, ...]) -> Step:
        recipe = self.recipe
        if unit.language is Language.C:
            flags = (*recipe.cflags, *recipe.cppflags)
        elif unit.source.suffix == ".s":
            flags = (*recipe.aflags, *unit.early_flags)
        else:
            early = (*recipe.aflags, *unit.early_flags)
            flags = (*early, *recipe.cppflags, *recipe.assembly_flags)
        output = self.objects / unit.object
        return self._compile(unit.source, output, (*flags, *unit.flags), after, unit.name)

    def _compile(
        self,
        source: Path,
        output: Path,
        flags: Sequence[str],
        after: tuple[str, ...],
        spelling: str = "",
        has_ctf: bool = True,
    ) -> Step:
        depfile = output.with_suffix(".d")
        # What is made in the object directory is compiled under its bare name, as make does.
        name = source.name if source.parent == self.objects else spelling or str(source)
        argv = compile_argv(self.toolchain, flags, name, output, depfile)
        search_path = (source.parent, *find_search_path(flags, self.objects, self.directories))
        action = Command("compile", argv, self.objects, (output,), depfile, search_path)
        inputs = (source, *self.toolchain.cc.files)
        if has_ctf and self.recipe.ctf_convert is not None:
            tool = self.toolchain.require("ctfconvert")
            action = replace(action, further=((*tool.argv, *self.recipe.ctf_convert, str(output)),))
            inputs = (*inputs, *tool.files)
        return self._step("compile", output.name, action, inputs, [output], after)

    def _link_steps(self, objects: Sequence[Path], kmod: Path) -> Iterator[Step]:
        recipe, script = self.recipe, self.recipe.link_script
        if recipe.link_sets is not None:
            script = self.objects / "kldscript"
            yield self._link_script_step(recipe.link_sets, objects, script)
        link_map = self.kmod.with_name(f"{self.kmod.name}.map")
        flags = linker_flags(self.toolchain, recipe.ldflags)
        argv = link_argv(self.toolchain, objects, kmod, script, link_map, flags)
        outputs = (kmod, link_map)
        inputs = [*objects, script, *self._linker_files()]
        further: tuple[tuple[str, ...], ...] = ()
        if recipe.ctf_merge is not None:
            tool = self.toolchain.require("ctfmerge")
            further = ((*tool.argv, *recipe.ctf_merge, "-o", str(kmod), *map(str, objects)),)
            inputs += tool.files
        action = Command("link", argv, self.objects, outputs, None, (), further=further)
        yield Step(f"link:{self.module.name}", self.module.name, action, unique(inputs), outputs)

    def _link_script_step(self, program: Path, objects: Sequence[Path], script: Path) -> Step:
        objdump = self.toolchain.require("objdump")
        template = str(self.recipe.link_script)
        argv = (
            "env", f"OBJDUMP={objdump.argv[0]}", "sh", str(program), "-t", template,
            *map(str, objects),
        )  # fmt: skip
        action = Command("link script", argv, self.objects, (script,), None, (), script)
        inputs = (program, self.recipe.link_script, *objects, *objdump.files)
        return self._step("link", script.name, action, inputs, [script])

    def _trampoline_steps(
        self, recipe: Trampolines, objects: Sequence[Path], kmod: Path
    ) -> Iterator[Step]:
        """Plan arm's commands of bsd.kmodule.mk; what awk writes goes through files (@FILE)."""
        name = self.module.name
        first, joined = self.objects / "tmp.o", self.objects / f"{name}_tmp.o"
        tramp = self.objects / f"{name}_tramp.S"
        last = kmod if recipe.hide is None else self.objects / "unhidden.o"
        ld = self.toolchain.require("ld")
        dump, nm = self.toolchain.require("objdump"), self.toolchain.require("nm")
        awk = self._awk(recipe.awk)
        listing = (*dump.argv, "--syms", "--reloc")
        yield self._join((*ld.argv, "-r", "-o"), first, (), objects, ld)
        wrapped = self.objects / "kmodwrap.args"
        yield from self._filter(listing, dump, first, (awk, recipe.wrap), wrapped)
        yield self._join((*ld.argv, "-r", f"@{wrapped}", "-o"), joined, (wrapped,), (first,), ld)
        yield from self._filter(listing, dump, joined, (awk, recipe.tramp), tramp)
        unit = CompileUnit(tramp, f"{name}_tramp.o", Language.ASSEMBLY, ())
        yield self._compile_step(unit, (f"generate:{name}",))
        link_map = self.kmod.with_name(f"{self.kmod.name}.map")
        parts = (joined, self.objects / unit.object)
        yield self._join((*ld.argv, "-r", f"-Map={link_map}", "-o"), last, (), parts, ld, link_map)
        if recipe.hide is not None:
            hidden = self.objects / "kmodhide.args"
            yield from self._filter(nm.argv, nm, last, (awk, recipe.hide), hidden)
            objcopy = self.toolchain.require("objcopy")
            argv = (*objcopy.argv, f"@{hidden}", str(last), str(kmod))
            action = Command("hide", argv, self.objects, (kmod,), None, ())
            yield self._step("link", kmod.name, action, (hidden, last, *objcopy.files), [kmod])

    def _awk(self, program: str) -> Tool:
        """Give the awk that makefiles name, with the files that decide what it does."""
        found = self.toolchain.awk
        if not os.path.isabs(program):  # without TOOLDIR
            return self.toolchain.require("awk")
        if found is not None and found.argv == (program,):
            return found
        return Tool((program,), (Path(program),))

    def _join(
        self,
        head: tuple[str, ...],
        output: Path,
        further: Sequence[Path],
        objects: Sequence[Path],
        ld: Tool,
        link_map: Path | None = None,
    ) -> Step:
        argv = (*head, str(output), *map(str, objects))
        outputs = [output] if link_map is None else [output, link_map]
        action = Command("join", argv, self.objects, tuple(outputs), None, ())
        return self._step("link", output.name, action, (*objects, *further, *ld.files), outputs)

    def _filter(
        self,
        argv: tuple[str, ...],
        tool: Tool,
        subject: Path,
        filtering: tuple[Tool, Path],
        output: Path,
    ) -> Iterator[Step]:
        """Plan 'argv SUBJECT | awk -f PROGRAM > OUTPUT' with a file in place of the pipe."""
        listing = self.objects / f"{output.name}.list"
        command = (*argv, str(subject))
        action = Command("list", command, self.objects, (listing,), None, (), listing)
        yield self._step("link", listing.name, action, (subject, *tool.files), [listing])
        awk, program = filtering
        command = (*awk.argv, "-f", str(program), str(listing))
        action = Command("filter", command, self.objects, (output,), None, (), output)
        yield self._step("link", output.name, action, (listing, program, *awk.files), [output])

    def _debug_step(self, whole: Path, options: tuple[str, ...]) -> Step:
        """Plan bsd.kmodule.mk's division into NAME.kmod and NAME.kmod.debug."""
        objcopy = self.toolchain.require("objcopy")
        name, debug = self.kmod.name, f"{self.kmod.name}.debug"
        source = str(whole)
        divide = (*objcopy.argv, "--only-keep-debug", *options, source, debug)
        strip = (
            *objcopy.argv, "--strip-debug", "-p", "-R", ".gnu_debuglink",
            f"--add-gnu-debuglink={debug}", source, name,
        )  # fmt: skip
        action = Gather("debug", (divide, strip), self.objects, (name, debug))
        outputs = [self.kmod, self.kmod.with_name(debug)]
        return self._step("link", debug, action, (whole, *objcopy.files), outputs)

    def _linker_files(self) -> tuple[Path, ...]:
        tools = (self.toolchain.link, self.toolchain.ld)
        return tuple(path for tool in tools if tool is not None for path in tool.files)

    def _step(
        self,
        kind: str,
        name: str,
        action: Action,
        inputs: Sequence[Path],
        outputs: Sequence[Path],
        after: tuple[str, ...] = (),
    ) -> Step:
        module = self.module.name
        full = f"{kind}:{module}/{name}"
        return Step(full, module, action, unique(inputs), tuple(outputs), after)


def find_search_path(
    flags: Sequence[str], directory: Path, known: dict[str, Path]
) -> tuple[Path, ...]:
    """Give the directories of -I, then those of -isystem, as a compiler run in directory sees.

    A '..' stays: where it leads is a matter of links, and compilers spell headers with it.
    known are directories by name, which most modules have in common; found ones are added.
    """
    found: dict[str, list[Path]] = {flag: [] for flag in _PATH_FLAGS}
    words = iter(flags)
    for word in words:
        if not word.startswith(_PATH_FLAGS):
            continue
        flag = next(flag for flag in _PATH_FLAGS if word.startswith(flag))
        name = word.removeprefix(flag) or next(words, "")
        place = os.path.join(directory, name)
        if place not in known:
            known[place] = Path(place)
        found[flag].append(known[place])
    return (*found["-iquote"], *found["-I"], *found["-isystem"])


def linker_flags(toolchain: Toolchain, ldflags: Sequence[str]) -> tuple[str, ...]:
    """Give LDFLAGS as what links takes them: a linker called itself gets what -Wl, hides."""
    if toolchain.link_style is not LinkStyle.DIRECT:
        return tuple(ldflags)
    passed = (flag.removeprefix("-Wl,") for flag in ldflags if flag.startswith("-Wl,"))
    return tuple(word for flags in passed for word in flags.split(","))


def unique(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Give each path once, in the order in which they come first."""
    return tuple({str(path): path for path in paths}.values())  # hashing paths takes longer
