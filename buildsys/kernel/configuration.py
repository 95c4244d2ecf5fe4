"""The configuration that a kernel carries (options INCLUDE_CONFIG_FILE), and what it says.

config(1) puts each line of the configuration into the kernel as a string that starts with _CFG_,
spelled as vis(3) does; lines of included files start with '_CFG_###> '.
"""

import re
from collections.abc import Iterable, Mapping

_LINE = re.compile(rb"_CFG_([^\0\n]*)\n")
_INCLUDED = "###> "
_ESCAPE = re.compile(r"\\(?:(\\)|\^(.)|(s)|([0-7]{3})|M-(.)|M\^(.))")
_MAXIMUM_LINES = 20_000  # GENERIC has some 1,500 with all that it includes
_OPTION = re.compile(r"^(no\s+)?(?:options|makeoptions)\s+(.*)$")


def find_configuration(image: bytes | memoryview) -> tuple[str, ...]:
    """Give the lines of the configuration in a kernel image, () when it carries none."""
    lines = []
    for found in _LINE.finditer(image):
        text = _unvis(found[1].decode("utf-8", "backslashreplace"))
        lines.append(text.removeprefix(_INCLUDED))
        if len(lines) == _MAXIMUM_LINES:
            break
    return tuple(lines)


def read_options(lines: Iterable[str]) -> Mapping[str, str]:
    """Give the options that a configuration sets, with their values ('' for a plain one).

    Later lines count: 'no options X' takes back what an included file has set.
    """
    options: dict[str, str] = {}
    for line in lines:
        found = _OPTION.match(line.partition("#")[0].strip())
        if found is None:
            continue
        for name, value in _split(found[2]):
            if found[1]:
                options.pop(name, None)
            else:
                options[name] = value
    return options


def _split(text: str) -> Iterable[tuple[str, str]]:
    """Take 'A, B=1, C="x y"' apart."""
    for part in re.split(r",(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)", text):
        name, _, value = part.strip().partition("=")
        if name:
            yield name.strip().strip('"'), value.strip().strip('"')


def _unvis(text: str) -> str:
    return _ESCAPE.sub(_plain, text)


def _plain(found: "re.Match[str]") -> str:
    backslash, control, space, octal, meta, meta_control = found.groups()
    if backslash:
        return "\\"
    if control:
        return chr(ord(control) & 31) if control != "?" else "\x7f"
    if space:
        return " "
    if octal:
        return chr(int(octal, 8) & 0xFF)
    return chr((ord(meta or meta_control) & (0x7F if meta else 0x1F)) | 0x80)
