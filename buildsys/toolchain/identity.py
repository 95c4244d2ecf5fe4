"""Which files decide what a tool does, so that their content can stand for the tool."""

import os
import re
import shlex
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from buildsys.base.command import CommandRunner
from buildsys.base.errors import BuildsysError, os_error_text

_PROBE_SECONDS = 30.0
# Libraries that hold a compiler or a linker; a C library does not change what they write.
_TOOL_LIBRARY = re.compile(r"lib(clang|LLVM|lld|bfd|opcodes|ctf|isl|mpc|mpfr|gmp)[-.\w]*\.so")
_ABSOLUTE_NAME = re.compile(rb"/[^\s\"'$;&|<>()]+")
_SCRIPT_BYTES = 1 << 16
_LDD_LINE = re.compile(r"^\s*\S+ => (/\S+) \(0x", re.MULTILINE)


def compiler_files(argv: Sequence[str], environment: Mapping[str, str]) -> tuple[Path, ...]:
    """List the files behind a compiler: driver, the programs that it runs, their libraries.

    The driver itself says what it would run (-###), and a script is followed to what it names,
    so that neither a wrapper nor a launcher hides the compiler.
    """
    text = _probe((*argv, "-###", "-c", "-x", "c", os.devnull, "-o", os.devnull), environment)
    programs = [argv[0]]
    for line in text.splitlines():
        if line.startswith(" "):
            programs.extend(_first_word(line))
    found = (shutil.which(program, path=environment.get("PATH")) for program in programs)
    return _with_libraries((Path(program) for program in found if program), environment)


def program_files(program: Path, environment: Mapping[str, str]) -> tuple[Path, ...]:
    """List the files behind another program: itself, what it wraps if a script, their libraries."""
    return _with_libraries((program,), environment)


def script_files(program: Path) -> tuple[Path, ...]:
    """List a program, and where it is a script the programs that it names."""
    return tuple(_follow_scripts((program,)))


def linker_behind(argv: Sequence[str], environment: Mapping[str, str]) -> Path | None:
    """Ask a compiler which linker it calls; None when it names one that is not there."""
    name = _probe((*argv, "-print-prog-name=ld"), environment).strip()
    found = shutil.which(name, path=environment.get("PATH")) if name else None
    return Path(found) if found else None


def _with_libraries(programs: Iterable[Path], environment: Mapping[str, str]) -> tuple[Path, ...]:
    files = tuple(_follow_scripts(programs))
    ldd = shutil.which("ldd", path=environment.get("PATH"))
    if ldd is None:
        return files
    # One call for all: it goes on after a script or a static program, which have no libraries.
    text = _probe((ldd, *map(str, files)), environment)
    libraries = (
        Path(name).resolve()
        for name in _LDD_LINE.findall(text)
        if _TOOL_LIBRARY.match(os.path.basename(name))
    )
    return tuple(dict.fromkeys((*files, *libraries)))


def _follow_scripts(programs: Iterable[Path]) -> dict[Path, None]:
    """Give the programs, and after each script those that it names by an absolute path."""
    files: dict[Path, None] = {}
    waiting = [program.resolve() for program in programs][::-1]
    while waiting:
        path = waiting.pop()
        if path not in files:
            files[path] = None
            waiting += [named.resolve() for named in programs_named_by(path)]
    return files


def programs_named_by(path: Path) -> list[Path]:
    """Give the programs that a script names by an absolute path, as it spells them."""
    try:
        with open(path, "rb") as stream:
            text = stream.read(_SCRIPT_BYTES)
    except OSError as error:
        raise BuildsysError(f"cannot read: {os_error_text(error)}", path) from error
    if not text.startswith(b"#!"):
        return []
    _, _, body = text.partition(b"\n")
    names = [os.fsdecode(name) for name in _ABSOLUTE_NAME.findall(body)]
    return [Path(name) for name in names if os.path.isfile(name) and os.access(name, os.X_OK)]


def _first_word(line: str) -> list[str]:
    try:
        words = shlex.split(line)
    except ValueError:
        return []
    # '(in-process)' is how clang says that it needs no second process.
    return words[:1] if words and not words[0].startswith(("(", "-")) else []


def _probe(argv: Sequence[str], environment: Mapping[str, str]) -> str:
    try:
        result = CommandRunner().run(argv, environment=environment, timeout_seconds=_PROBE_SECONDS)
    except BuildsysError as error:
        raise BuildsysError(f"a tool that was found does not run: {error}") from error
    return result.output.decode(errors="replace")
