"""What is asked of make in one directory, and how its answer is read; runs nothing."""

import re
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from buildsys.base.errors import BuildsysError, Place
from buildsys.base.value import frozen

_BEGIN = "%%modbuild"
# In a loop over sources, '<' and .IMPSRC are the file at hand, as they are in a suffix rule.
_FLAGS = (
    "@<@%file ${<} %a ${AFLAGS.${<:T}} %f "
    "${COPTS.${<:T:C/\\.[yl]$/.c/}} ${CPUFLAGS.${<:T:C/\\.[yl]$/.c/}} "
    "${CPPFLAGS.${<:T:C/\\.[yl]$/.c/}}@"
)
_SOURCES = f"${{SRCS:N*.h:N*.sh:{_FLAGS}}}"
# The same names in the other language: make takes what is there, whatever SRCS says.
_OTHERS = f"${{SRCS:M*.[cS]:C/\\.S$/.%/:C/\\.c$/.S/:C/\\.%$/.c/:{_FLAGS}}}"
QUERIES = (
    ("KMOD", "${KMOD}"),
    ("SUBDIR", "${__REALSUBDIR:U${SUBDIR}}"),
    ("BSD_MK_COMPAT_FILE", "${BSD_MK_COMPAT_FILE}"),
    (".CURDIR", "${.CURDIR}"),
    (".OBJDIR", "${.OBJDIR}"),
    ("NETBSDSRCDIR", "${NETBSDSRCDIR}"),
    ("MACHINE", "${MACHINE}"),
    ("MACHINE_ARCH", "${MACHINE_ARCH}"),
    ("S", "${S}"),
    ("MACHINE_CPU", "${MACHINE_CPU}"),
    ("SOURCES", _SOURCES),
    ("OTHER_SOURCES", _OTHERS),
    ("OBJS", "${OBJS}"),
    ("OWN_RULES", "${OBJS:@.o.@${commands(${.o.}):?${.o.}:}@}"),
    ("DPSRCS", "${DPSRCS}"),
    ("PROG", "${PROG}"),
    (".PATH", "${.PATH}"),
    (".PATH.c", "${.PATH.c}"),
    (".PATH.S", "${.PATH.S}"),
    ("CFLAGS", "${CFLAGS}"),
    ("AFLAGS", "${AFLAGS}"),
    ("CPPFLAGS", "${CPPFLAGS}"),
    ("LDFLAGS", "${LDFLAGS}"),
    ("ASSEMBLY_FLAGS", "${_ASM_TRADITIONAL_CPP}"),
    ("KMODSCRIPT", "${KMODSCRIPT}"),
    ("KMODSCRIPTSRC", "${KMODSCRIPTSRC:U${KMODSCRIPT}}"),
    ("MKLDSCRIPT", "${MKLDSCRIPT}"),
    ("IOCONF", "${IOCONF}"),
    ("IOCONFDIR", "${IOCONFDIR:U${.CURDIR}}"),
    ("CONFIGOPTS", "${CONFIGOPTS}"),
    ("GENASSYM_DIR", "${GENASSYM_DIR}"),
    ("ASSYM_FLAGS", "${PROF} ${GENASSYM_CPPFLAGS:N-no-integrated-as}"),
    ("YACC", "${YACC.y}"),
    ("LEX", "${LEX.l}"),
    ("YHEADER", "${YHEADER:Dyes}"),
    ("ARCHDIR", "${ARCHDIR}"),
    ("TOOL_AWK", "${TOOL_AWK:Uawk}"),
    ("PROGDEBUG", "${PROGDEBUG}"),
    ("DEBUGDIR", "${DEBUGDIR:U/usr/libdata/debug}"),
    ("KMODULEDIR", "${KMODULEDIR}"),
    ("CTFCONVERT", "${CTFCONVERT}"),
    ("CTFFLAGS", "${CTFFLAGS}"),
    ("CTFMERGE", "${CTFMERGE}"),
    ("CTFMFLAGS", "${CTFMFLAGS}"),
    (".MAKE.MAKEFILES", "${.MAKE.MAKEFILES}"),
)
_SEARCH = re.compile(r"^Searching for (/.*) \.\.\.$")
_ERROR = re.compile(
    r'^\S*make[^:"]*(?:\[\d+\])?: "?(?P<path>/[^"]*)"? line (?P<line>\d+): (?P<text>.*)$'
)
_OPTIONAL = re.compile(r'^\.\s*[-s]include\s+"([^"]+)"', re.MULTILINE)
_VARIABLE = re.compile(r"\$(?:\{([^{}:$]+)\}|\(([^():$]+)\)|(\w))")


@frozen
class Evaluation:
    """What the makefiles say of one directory.

    makefiles are all files that make read, probes further paths whose presence it asked for.
    """

    directory: str
    values: dict[str, str]
    makefiles: tuple[str, ...]
    probes: tuple[tuple[str, bool], ...]

    def words(self, name: str) -> tuple[str, ...]:
        """Give a value as the words that a shell would see."""
        return split_words(self.values[name], Path(self.directory) / "Makefile")


def query_argv(make: Sequence[str]) -> tuple[str, ...]:
    """Spell the call of make that answers QUERIES and names the files that it looks for."""
    asked = (word for _, expression in QUERIES for word in ("-V", expression))
    return (*make, "-dd", "-V", f"${{:U{_BEGIN}}}", *asked)


def read_answer(directory: Path, output: str) -> Evaluation:
    """Read what make answered; raises with make's own message where it gave none."""
    lines = output.split("\n")
    if _BEGIN not in lines or len(lines) < lines.index(_BEGIN) + 1 + len(QUERIES):
        raise read_error(directory, output)
    begin = lines.index(_BEGIN) + 1
    answers = zip(QUERIES, lines[begin : begin + len(QUERIES)], strict=True)
    values = {name: " ".join(line.split()) for (name, _), line in answers}
    found = dict.fromkeys(match[1] for match in map(_SEARCH.match, lines[: begin - 1]) if match)
    probes = tuple((path, Path(path).exists()) for path in found)
    makefiles = tuple(dict.fromkeys(values[".MAKE.MAKEFILES"].split()))
    return Evaluation(str(directory), values, makefiles, probes)


def read_error(directory: Path, output: str) -> BuildsysError:
    """Turn what a failed make wrote into one message with its place."""
    for line in output.split("\n"):
        match = _ERROR.match(line)
        if match is not None:
            return BuildsysError(match["text"], Place(Path(match["path"]), int(match["line"])))
    rest = [line for line in output.split("\n") if line and not _is_noise(line)]
    text = "; ".join(rest[:3]) or "make gave no answer"
    return BuildsysError(text, Place(directory / "Makefile"))


def _is_noise(line: str) -> bool:
    return line[0].isspace() or line.startswith(("Searching for", "Expanding ", "Adding "))


def find_optional_arguments(text: str) -> tuple[str, ...]:
    """Give what a makefile includes if it exists, as it is written there."""
    return tuple(_OPTIONAL.findall(text)) if "include" in text else ()


def expand_arguments(arguments: Iterable[str], values: dict[str, str]) -> tuple[str, ...]:
    """Give the files that arguments of an include mean, where their names can be told."""
    names: list[str] = []
    for argument in arguments:
        expanded = _VARIABLE.sub(
            lambda match: values.get(match[1] or match[2] or match[3], "$"), argument
        )
        if "$" not in expanded and expanded.startswith("/"):
            names.append(expanded)
    return tuple(names)


def split_words(text: str, makefile: Path) -> tuple[str, ...]:
    """Split a value of a makefile as a shell would."""
    if not any(mark in text for mark in "\\'\""):
        return tuple(text.split())
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise BuildsysError(
            f"a quote that is not closed, in the words: {text}", makefile
        ) from error
