"""The saved map: what is known of a kernel in one small file that loads fast.

It is gzip over JSON with "format": 2. Names stand in sorted, newline-joined strings: one string
of 17,000 names is read many times faster than a list of them. Equal kernels give equal bytes.
"""

import json
import struct
import zlib
from itertools import repeat
from typing import Any

from buildsys.base.errors import BuildsysError
from buildsys.kernel.model import BuiltinModule, Kernel, SymbolMap
from buildsys.kernel.version import KernelVersion

MAP_FORMAT = 2
_GZIP_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\2\xff"  # no time, no file name, no system


def render_kernel_map(kernel: Kernel) -> bytes:
    """Give the bytes of the saved map of a kernel."""
    document: dict[str, Any] = {
        "format": MAP_FORMAT,
        "machine": kernel.machine,
        "machine_arch": kernel.machine_arch,
        "version": kernel.version.number,
        "name": kernel.name,
        "has_dtrace": kernel.has_dtrace,
        "has_diagnostic": kernel.has_diagnostic,
        "is_modular": kernel.is_modular,
        "configuration": list(kernel.configuration),
        "builtins": None
        if kernel.builtins is None
        else [[b.name, b.module_class, b.version, list(b.required)] for b in kernel.builtins],
        "symbols": None if kernel.symbols is None else _symbols_document(kernel.symbols),
    }
    return compress(json.dumps(document, ensure_ascii=True, separators=(",", ":")).encode())


def parse_kernel_map(content: bytes) -> Kernel:
    """Take the JSON of a saved map apart."""
    try:
        document = json.loads(content)
        if document["format"] != MAP_FORMAT:
            raise BuildsysError(
                f"a saved kernel map of format {document['format']!r}; this version of the tool "
                f"reads format {MAP_FORMAT}: save the map again"
            )
        return _kernel_from(document)
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        ArithmeticError,
        RecursionError,
    ) as error:
        raise BuildsysError("not a saved kernel map, or a damaged one: save it again") from error


def is_kernel_map(content: bytes) -> bool:
    """Tell whether (decompressed) bytes begin as a saved map does."""
    return content.startswith(b'{"format":')


def compress(content: bytes) -> bytes:
    """Give a gzip file of content that is the same whenever and wherever it is made."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = deflate.compress(content) + deflate.flush()
    return _GZIP_HEADER + body + struct.pack("<II", zlib.crc32(content), len(content) & 0xFFFFFFFF)


def _symbols_document(symbols: SymbolMap) -> dict[str, Any]:
    ordered = sorted(symbols.globals)
    has_all = len(symbols.values) >= len(ordered) > 0
    known = ordered if has_all else sorted(symbols.values)
    return {
        "globals": "\n".join(ordered),
        "absolute": "\n".join(sorted(symbols.absolute)),
        "weak": "\n".join(sorted(symbols.weak)),
        "local": "\n".join(sorted(symbols.local)),
        "valued": None if known is ordered else "\n".join(known),
        "values": " ".join(f"{symbols.values[name]:x}" for name in known),
    }


def _kernel_from(document: dict[str, Any]) -> Kernel:
    for key, kind in (
        ("machine", str), ("machine_arch", str), ("version", int), ("name", str),
        ("has_dtrace", bool), ("has_diagnostic", bool), ("is_modular", bool),
    ):  # fmt: skip
        if not isinstance(document[key], kind):
            raise TypeError(key)
    builtins = document["builtins"]
    symbols = document["symbols"]
    return Kernel(
        machine=document["machine"],
        version=KernelVersion(document["version"]),
        machine_arch=document["machine_arch"],
        name=document["name"],
        symbols=None if symbols is None else _symbols_from(symbols),
        builtins=None
        if builtins is None
        else tuple(
            BuiltinModule(str(name), int(module_class), int(version), tuple(map(str, required)))
            for name, module_class, version, required in builtins
        ),
        has_dtrace=document["has_dtrace"],
        has_diagnostic=document["has_diagnostic"],
        is_modular=document["is_modular"],
        configuration=tuple(map(str, document["configuration"])),
    )


def _symbols_from(document: dict[str, Any]) -> SymbolMap:
    ordered = _names(document["globals"])
    valued = document["valued"]
    known = ordered if valued is None else _names(valued)
    numbers = document["values"].split()
    return SymbolMap(
        globals=frozenset(ordered),
        absolute=frozenset(_names(document["absolute"])),
        weak=frozenset(_names(document["weak"])),
        local=frozenset(_names(document["local"])),
        values=dict(zip(known, map(int, numbers, repeat(16)), strict=True)) if numbers else {},
    )


def _names(text: str) -> list[str]:
    return text.split("\n") if text else []
