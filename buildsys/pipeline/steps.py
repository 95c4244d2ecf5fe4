"""What each kind of step does when it runs: files in, files out, each whole or not at all."""

import os
import tempfile
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import assert_never

from buildsys.base.files import (
    make_directory,
    make_link,
    move_into_place,
    read_whole,
    remove_file,
    temporary_beside,
    write_whole,
)
from buildsys.base.programs import Call, CommandResult, CommandTimeoutError
from buildsys.base.value import replace
from buildsys.check.verdict import Severity
from buildsys.check.verdictfile import load_verdict
from buildsys.install.debug import follow_modules, order_debug
from buildsys.install.lookup import is_for_other_processor
from buildsys.install.order import Order, load_order, order_kmod, write_order
from buildsys.install.switch import describe_switch, switch_modules
from buildsys.pipeline.assym import render_assym_header, render_assym_source
from buildsys.pipeline.depfile import find_assembler_inputs, parse_depfile
from buildsys.pipeline.executor import Seen, Work
from buildsys.pipeline.ioconf import find_config_inputs
from buildsys.pipeline.judge import Judge
from buildsys.pipeline.launching import Launching
from buildsys.pipeline.outcome import FailureKind, StepError
from buildsys.pipeline.progress import describe_finding
from buildsys.pipeline.spelled import SpellingFinder
from buildsys.pipeline.step import (
    AssymHeader,
    AssymSource,
    Check,
    Command,
    Configure,
    Gather,
    Generate,
    Install,
    Record,
    Step,
)
from buildsys.pipeline.vetting import vet_orders

Running = Generator[Call, CommandResult, CommandResult]
Simple = Generate | AssymSource | AssymHeader | Check | Install | Record  # run no program


class StepExecutor:
    """Does steps, several side by side in one thread; environment is what programs get."""

    def __init__(
        self,
        environment: Mapping[str, str],
        timeout_seconds: float | None,
        places: Mapping[str, str],
        launching: Launching | None = None,
    ) -> None:
        self._environment = environment
        self._timeout_seconds = timeout_seconds
        self._places = places  # where each module is described, for messages
        self._launching = launching
        self._assembler_inputs: dict[str, tuple[str, ...]] = {}  # by file
        self._spelling = SpellingFinder()
        self._judge = Judge()

    def begin(self, step: Step) -> Work:
        """Do a step, asking for programs to be run; StepError says why it could not be done."""
        self._require_inputs(step)
        match step.action:
            case Command() as action:
                return (yield from self._command(action))
            case Configure() as action:
                return (yield from self._configure(action))
            case Gather() as action:
                return (yield from self._gather(action))
            case action:
                return self._act(action)

    def _act(self, action: Simple) -> Seen:
        match action:
            case Generate():
                return _generate(action)
            case AssymSource():
                return _write_assym_source(action)
            case AssymHeader():
                write_whole(action.output, render_assym_header(action.object).encode())
                return (), ""
            case Check():
                return self._check(action)
            case Install():
                return _install(action)
            case Record():
                return _record(action)
        assert_never(action)

    def _require_inputs(self, step: Step) -> None:
        missing = [str(path) for path in step.inputs if not os.path.exists(path)]
        if missing:
            place = self._places.get(step.module)
            where = f"{place}: " if place else ""
            verb = "does not exist" if len(missing) == 1 else "do not exist"
            raise StepError(f"{where}{', '.join(missing)} {verb}")

    def _command(self, command: Command) -> Work:
        make_directory(command.directory)
        names = {str(path): str(temporary_beside(path)) for path in command.outputs}
        if command.depfile is not None:
            names[str(command.depfile)] = str(temporary_beside(command.depfile))
        # lld takes a '%' in an output's name for a pattern: directories stay out of it.
        near = {
            path: os.path.basename(name) if Path(name).parent == command.directory else name
            for path, name in names.items()
        }
        argv = tuple(_rename(word, near) for word in command.argv)
        assembled = self._assembled(command, _sources(command))
        try:
            result = yield from self._run(
                *self._launch(command, argv, assembled),
                command.argv,
                command.directory,
                command.standard_output is None,
            )
            if command.standard_output is not None:
                write_whole(Path(names[str(command.standard_output)]), result.output)
                result = replace(result, output=b"")
            result = yield from self._change_outputs(command, near, result)
            places = map(str, command.search_path)
            headers = self._spelling.restore(_read_depfile(command, names), places)
            seen = (*headers, *self._assembled(command, headers), *_named_by_flags(command))
            for path in command.outputs:
                if not os.path.exists(names[str(path)]):
                    raise StepError(
                        f"{path}: the command ended well and did not make it",
                        argv=command.argv,
                    )
            _restore_names(names, near)
            for path in command.outputs:
                move_into_place(Path(names[str(path)]), path)
        finally:
            for name in names.values():
                remove_file(Path(name))
        return seen, _text(result)

    def _change_outputs(
        self, command: Command, names: Mapping[str, str], result: CommandResult
    ) -> Running:
        """Run what changes the outputs afterwards; gives the result with all that was said."""
        environment = {**self._environment, **dict(command.environment)}
        for words in command.further:
            argv = tuple(_rename(word, names) for word in words)
            said = yield from self._run(argv, environment, words, command.directory)
            result = replace(result, output=result.output + said.output)
        return result

    def _assembled(self, command: Command, files: Sequence[str]) -> tuple[str, ...]:
        """Find what the files of a compilation have the assembler read: no depfile tells."""
        places = (command.directory, *command.search_path)
        found: dict[str, None] = {}
        for file in files if command.verb == "compile" else ():
            names = self._assembler_inputs.get(file)
            if names is None:
                content = read_whole(Path(file)) if os.path.isfile(file) else b""
                names = self._assembler_inputs[file] = find_assembler_inputs(content)
            for name in names:
                paths = (os.path.join(place, name) for place in places)
                if (path := next(filter(os.path.exists, paths), None)) is not None:
                    found[path] = None
        return tuple(found)

    def _launch(
        self, command: Command, argv: tuple[str, ...], assembled: Sequence[str]
    ) -> tuple[tuple[str, ...], Mapping[str, str]]:
        """Give the words and the environment with which a command is really started.

        What the assembler reads itself no launcher sees: such a source is compiled without.
        """
        known = {**self._environment, **dict(command.environment)}
        if self._launching is not None and command.verb == "compile" and not assembled:
            launched = self._launching.rename(argv)
            if launched is not None:
                return launched, self._launching.surround(known)
        return argv, known

    def _configure(self, action: Configure) -> Work:
        make_directory(action.directory)
        prefix = ".modbuild.config."
        with tempfile.TemporaryDirectory(prefix=prefix, dir=action.directory) as name:
            place = Path(name)
            argv = (*action.config, "-b", name, "-s", str(action.system), str(action.ioconf))
            result = yield from self._run(argv, self._environment, argv, action.directory)
            for file in action.names:
                if not (place / file).exists():
                    raise StepError(f"{file}: config(1) did not make it", argv=argv)
                write_whole(action.directory / file, read_whole(place / file))
        seen = find_config_inputs(action.ioconf, action.system)
        return tuple(str(path) for path in seen), _text(result)

    def _gather(self, action: Gather) -> Work:
        make_directory(action.directory)
        texts = []
        prefix = f".modbuild.{action.verb}."
        with tempfile.TemporaryDirectory(prefix=prefix, dir=action.directory) as name:
            place = Path(name)
            for argv in action.commands:
                texts.append(_text((yield from self._run(argv, self._environment, argv, place))))
            for file in action.names:
                if not (place / file).exists():
                    raise StepError(f"{file}: the command did not make it", argv=argv)
            for file in action.names:
                move_into_place(place / file, action.directory / file)
        return (), "".join(texts)

    def _check(self, action: Check) -> Seen:
        verdict = self._judge.judge(action)
        if not verdict.is_fit:
            errors = [item for item in verdict.findings if item.severity is Severity.ERROR]
            text = "\n".join(describe_finding(finding) for finding in errors)
            raise StepError("the module is not fit to be loaded", FailureKind.FINDINGS, (), text)
        return tuple(str(path) for path in verdict.inputs), ""

    def _run(
        self,
        argv: tuple[str, ...],
        environment: Mapping[str, str],
        shown: tuple[str, ...],
        directory: Path,
        is_output_merged: bool = True,
    ) -> Running:
        """Have a program run; that it failed, or took too long, is a StepError."""
        timeout = self._timeout_seconds
        try:
            result = yield Call(argv, directory, environment, timeout, is_output_merged)
        except CommandTimeoutError as error:
            raise StepError(error.reason, argv=shown) from error
        if not result.is_success:
            raise StepError(result.describe_status(), argv=shown, output=_text(result))
        return result


def _rename(word: str, names: Mapping[str, str]) -> str:
    """Put the temporary name in place of an output's, where it stands alone or after a '='."""
    if word in names:
        return names[word]
    if "=" not in word:
        return word
    for start in (0, *(index + 1 for index, sign in enumerate(word) if sign == "=")):
        if word[start:] in names:
            return word[:start] + names[word[start:]]
    return word


def _restore_names(names: Mapping[str, str], near: Mapping[str, str]) -> None:
    """Have a linker's map name the outputs as they will be: GNU ld writes the temporary names."""
    for path in names:
        if path.endswith(".map"):
            map_file = Path(names[path])
            content = renamed = read_whole(map_file)
            for real, temporary in near.items():
                meant = real if "/" in temporary else os.path.basename(real)
                renamed = renamed.replace(os.fsencode(temporary), os.fsencode(meant))
            if renamed != content:
                write_whole(map_file, renamed)


def _read_depfile(command: Command, names: Mapping[str, str]) -> tuple[str, ...]:
    if command.depfile is None:
        return ()
    path = Path(names[str(command.depfile)])
    try:
        text = os.fsdecode(path.read_bytes())
    except OSError as error:
        raise StepError(
            f"{command.depfile}: the compiler did not write it", argv=command.argv
        ) from error
    names_read = (name.removeprefix("./") for name in parse_depfile(text))
    return tuple(os.path.join(command.directory, name) for name in names_read)


def _sources(command: Command) -> tuple[str, ...]:
    words = (word for word in command.argv if word.endswith((".c", ".S", ".s")))
    return tuple(os.path.join(command.directory, word) for word in words)


def _named_by_flags(command: Command) -> tuple[str, ...]:
    """Find the files that a compiler's flags name after a '=': -fprofile-use=FILE."""
    if command.verb != "compile":
        return ()
    tails = (word.partition("=")[2] for word in command.argv if word.startswith("-f"))
    paths = (os.path.join(command.directory, tail) for tail in tails if tail)
    return tuple(path for path in paths if os.path.isfile(path))


def _text(result: CommandResult) -> str:
    return result.output.decode("utf-8", errors="replace")


def _write_assym_source(action: AssymSource) -> Seen:
    make_directory(action.output.parent)
    text = read_whole(action.config).decode("utf-8", errors="replace")
    write_whole(action.output, render_assym_source(text, action.config).encode())
    return (), ""


def _generate(action: Generate) -> Seen:
    for path, content in action.files:
        make_directory(path.parent)
        write_whole(path, content)
    for link, target in action.links:
        make_directory(link.parent)
        make_link(link, target)
    for path in action.removed:
        remove_file(path)
    return (), ""


def _install(action: Install) -> Seen:
    approved = load_verdict(action.verdict).approve()
    make_directory(action.order.parent)
    write_order(action.order, order_kmod(approved, action.plist, action.place))
    if (debug := action.debug) is not None:
        write_order(debug.order, order_debug(approved, debug.file, debug.place))
    return (), ""


def _record(action: Record) -> Seen:
    orders = tuple(load_order(path) for path in action.orders)
    texts = []
    for installation in action.installations:
        target = installation.place.target
        own = [order for order in orders if order.receipt.directory == target]
        texts.append(vet_orders(own, installation, action.vetting))
        texts.append(_describe_other_processor(own))
        texts.append(describe_switch(switch_modules(own, installation)))
        follow_modules(installation, [order for order in orders if order.is_debug_of(target)])
    return (), "\n".join(filter(None, texts))


def _describe_other_processor(orders: Sequence[Order]) -> str:
    """Say how many modules replace those of another processor, before they do; '' for none."""
    receipts = [order.receipt for order in orders]
    places = (
        receipt.destdir / receipt.kmod
        for receipt, order in zip(receipts, orders, strict=True)
        if is_for_other_processor(order.sources[-1], receipt.destdir / receipt.kmod)
    )
    replaced = tuple(places)
    if not replaced:
        return ""
    place = replaced[0].parent.parent
    return (
        f"modules of another processor lay in {place}: {len(replaced)} replaced"
        " ('modbuild rollback' brings them back)\n"
    )
