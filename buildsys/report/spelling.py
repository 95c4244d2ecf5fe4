"""Names of files and modules as text that stands on one line and is valid in every format."""

import os
from pathlib import PurePath

_PLAIN_IN_URI = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/:@!$&'()*+,;="
)


def plain(text: str) -> str:
    """Spell text on one line: control characters and bytes that are no UTF-8 as escapes."""
    if text.isprintable():
        return text
    return "".join(_escape(letter) for letter in text)


def block(text: str) -> str:
    """Spell text of several lines: as plain does, with line ends and tabs kept."""
    return "\n".join(
        "\t".join(plain(cell) for cell in line.split("\t")) for line in text.split("\n")
    )


def spell_path(path: PurePath | str) -> str:
    """Spell a path on one line."""
    return plain(str(path))


def path_uri(path: PurePath | str) -> str:
    """Spell a path as a URI reference (RFC 3986), every odd byte percent-encoded.

    An absolute path becomes a file URI. A relative one stays so, and begins with './' where its
    first part has a colon, which would make it a scheme.
    """
    text = "".join(
        chr(byte) if byte in _PLAIN_IN_URI else f"%{byte:02X}" for byte in os.fsencode(path)
    )
    if text.startswith("/"):
        return f"file:///{text.lstrip('/')}"
    return f"./{text}" if ":" in text.partition("/")[0] else text


def _escape(letter: str) -> str:
    if letter.isprintable():
        return letter
    code = ord(letter)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name that is no UTF-8: PEP 383
        return f"\\x{code - 0xDC00:02x}"
    return letter.encode("unicode_escape", "backslashreplace").decode("ascii")
