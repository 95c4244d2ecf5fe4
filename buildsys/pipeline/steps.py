"""What each kind of step does when it runs: files in, files out, each whole or not at all.

What judges, installs or knows source trees is imported when the first such step runs, or by
prepare() while programs run.
"""

import importlib
import os
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, assert_never

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
from buildsys.pipeline.depfile import SourceNotes, parse_depfile
from buildsys.pipeline.executor import Seen, Work
from buildsys.pipeline.outcome import StepError
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

Running = Generator[Call, CommandResult, CommandResult]
Simple = Generate | AssymSource | AssymHeader | Check | Install | Record  # run no program


class Launching(Protocol):
    """How compilers are called through a launcher."""

    def rename(self, argv: tuple[str, ...]) -> tuple[str, ...] | None:
        """Give the words with which a command is really started; None: without the launcher."""

    def surround(self, environment: Mapping[str, str]) -> Mapping[str, str]:
        """Give the environment for that."""


class StepExecutor:
    """Does steps, several side by side in one thread; environment is what programs get."""

    def __init__(
        self,
        environment: Mapping[str, str],
        timeout_seconds: float | None,
        find_place: Callable[[str], str | None],
        notes: SourceNotes,
        launching: Launching | None = None,
    ) -> None:
        self._environment = environment
        self._timeout_seconds = timeout_seconds
        self._find_place = find_place  # where a module is described, for messages
        self._launching = launching
        self._notes = notes
        self._spelling = SpellingFinder()
        self._directives: dict[str, Any] = {}  # of what config(1) reads, by file
        self._judge: Any = None

    def begin(self, step: Step) -> Work:
        """Do a step, asking for programs to be run; StepError says why it could not be done."""
        self._require_inputs(step)
        match step.action:
            case Command() as action:
                return (yield from self._command(action))
            case Configure() as action:
                work: Work = _part("treesteps").configure(action, self._call, self._directives)
                return (yield from work)
            case Gather() as action:
                work = _part("treesteps").gather(action, self._call)
                return (yield from work)
            case action:
                return self._act(action)

    def refusal(self, step: Step) -> StepError:
        """Say again why a check refused its kmod, from the verdict that it left."""
        error: StepError = _part("refusal").refusal_of(_part("judge").load_verdict(step.outputs[0]))
        return error

    def prepare(self, steps: Iterable[Step]) -> list[Callable[[], object]]:
        """Give what some steps will need that takes time: to be called while programs run."""
        kinds = {step.kind for step in steps}
        found: list[Callable[[], object]] = []
        if "check" in kinds:
            checks = [step for step in steps if step.kind == "check"]
            found += [self._find_judge, lambda: self._find_judge().load(checks[0].action)]
        if kinds & {"install", "metalog"}:
            found.append(lambda: _part("installing"))
        return found

    def _act(self, action: Simple) -> Seen:
        seen: Seen
        match action:
            case Generate():
                return _generate(action)
            case AssymSource():
                seen = _part("treesteps").write_source(action)
            case AssymHeader():
                seen = _part("treesteps").write_header(action)
            case Check():
                seen = self._find_judge().check(action)
            case Install():
                seen = _part("installing").install(action)
            case Record():
                seen = _part("installing").record(action)
            case _:
                assert_never(action)
        return seen

    def _find_judge(self) -> Any:
        if self._judge is None:
            self._judge = _part("judge").Judge()
        return self._judge

    def _call(self, argv: tuple[str, ...], directory: Path) -> Running:
        return self._run(argv, self._environment, argv, directory)

    def _require_inputs(self, step: Step) -> None:
        missing = [str(path) for path in step.inputs if not os.path.exists(path)]
        if missing:
            place = self._find_place(step.module)
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
        return seen, describe_output(result)

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
        if command.verb != "compile":
            return ()
        places = [str(place) for place in (command.directory, *command.search_path)]
        return tuple(dict.fromkeys(self._notes.find_assembled(files, places)))

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
            raise StepError(result.describe_status(), argv=shown, output=describe_output(result))
        return result


def _part(name: str) -> Any:
    """Give a module of this package that not every run needs."""
    return importlib.import_module(f"buildsys.pipeline.{name}")


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
    start = f"{command.directory}/"
    names_read = parse_depfile(text)
    return tuple(
        [name if name[0] == "/" else start + name.removeprefix("./") for name in names_read]
    )


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


def describe_output(result: CommandResult) -> str:
    """Give what a program wrote as text."""
    return result.output.decode("utf-8", errors="replace")


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
