"""A kernel from whatever the user has of it: an image, nm text, or a map saved by this tool."""

import json
import mmap
import zlib
from pathlib import Path
from typing import Any

from buildsys.base.errors import BuildsysError, os_error_text
from buildsys.base.files import write_whole
from buildsys.base.value import replace
from buildsys.elf.modinfo import CLASS_NAMES
from buildsys.elf.reader import MAGIC, parse_elf, read_image
from buildsys.kernel.image import (
    builtins_by_symbol,
    has_diagnostic,
    has_dtrace,
    is_modular,
    kernel_from_elf,
)
from buildsys.kernel.model import BuiltinModule, Kernel, split_required
from buildsys.kernel.nm import is_nm_text, parse_nm
from buildsys.kernel.port import MODULE_MACHINES, find_ports
from buildsys.kernel.saved import is_kernel_map, parse_kernel_map, render_kernel_map
from buildsys.kernel.version import KernelVersion

_GZIP = b"\x1f\x8b"
_MAXIMUM_UNPACKED_BYTES = 128 << 20
_PACKED_PIECE_BYTES = 16 << 10  # of which deflate makes 16 MiB at most
_MAXIMUM_TEXT_BYTES = 8 << 20
_KINDS = "a kernel (netbsd, netbsd.gdb, netbsd.gz), the output of nm, or a saved kernel map"


def load_kernel(
    path: Path,
    machine: str = "",
    version: KernelVersion | None = None,
    machine_arch: str = "",
    name: str = "",
    builtins: Path | None = None,
) -> Kernel:
    """Read a kernel image, nm text or a saved map, each also gzipped.

    machine (or the name a kernel has for its modules, as mips-n32) and version are what the kernel
    must be for; nm text, which tells neither, needs both.
    builtins names a JSON list of its built-in modules, for nm text; without, their names are taken
    from its local symbols.
    """
    image = _unpack(read_image(path), path)
    if bytes(image[:4]) == MAGIC:
        kernel = kernel_from_elf(parse_elf(image, path), machine, machine_arch)
    elif is_kernel_map(bytes(image[:16])) and len(image) <= _MAXIMUM_TEXT_BYTES:
        kernel = _parse_map(bytes(image), path)
    else:
        kernel = _kernel_from_nm(image, path, machine, version, machine_arch, name, builtins)
    if machine in MODULE_MACHINES and set(find_ports(machine)) & set(find_ports(kernel.machine)):
        kernel = replace(kernel, machine=machine)
    _refuse_other(kernel, path, machine, version)
    return kernel


def find_kernel(path: Path | None, machine: str, machine_arch: str, number: int) -> Kernel:
    """Load the kernel to judge with; machine is its module_machine, number its version.

    Without a path only machine and version are known, and no symbols.
    """
    version = KernelVersion(number)
    if path is None:
        return Kernel(machine, version, machine_arch)
    return load_kernel(path, machine, version, machine_arch)


def save_kernel(kernel: Kernel, path: Path) -> None:
    """Write the saved map of a kernel; equal kernels give equal bytes."""
    write_whole(path, render_kernel_map(kernel))


def load_builtins(path: Path) -> tuple[BuiltinModule, ...]:
    """Read a JSON list of built-in modules: name, class (word), version (number), required."""
    try:
        document: Any = json.loads(bytes(read_image(path, _MAXIMUM_TEXT_BYTES)))
        return tuple(
            BuiltinModule(
                str(entry["name"]),
                CLASS_NAMES.index(entry["class"]),
                int(entry["version"]),
                split_required(entry["required"] or ""),
            )
            for entry in document
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BuildsysError(
            "expected a JSON list of objects with name, class, version and required", path
        ) from error


def _unpack(image: memoryview, path: Path) -> memoryview:
    if bytes(image[:2]) != _GZIP:
        return image
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:  # pages come as they are written, none twice
        content = mmap.mmap(-1, _MAXIMUM_UNPACKED_BYTES)
    except OSError as error:
        raise BuildsysError(f"cannot unpack: {os_error_text(error)}", path) from error
    position = size = 0
    try:
        while position < len(image) and not unpacker.eof:
            piece = image[position : position + _PACKED_PIECE_BYTES]
            position += len(piece)
            unpacked = unpacker.decompress(piece)
            size += len(unpacked)
            if size > _MAXIMUM_UNPACKED_BYTES:
                raise BuildsysError(
                    f"unpacks to more than {_MAXIMUM_UNPACKED_BYTES >> 20} MiB; gunzip it first",
                    path,
                )
            content.write(unpacked)
    except zlib.error as error:
        raise BuildsysError(f"a damaged gzip file: {error}; fetch it again", path) from error
    if not unpacker.eof:
        raise BuildsysError("the gzip file is cut short; fetch or copy it again", path)
    return memoryview(content)[:size].toreadonly()


def _parse_map(content: bytes, path: Path) -> Kernel:
    try:
        return parse_kernel_map(content)
    except BuildsysError as error:
        raise BuildsysError(str(error), path) from error


def _kernel_from_nm(
    image: memoryview,
    path: Path,
    machine: str,
    version: KernelVersion | None,
    machine_arch: str,
    name: str,
    builtins: Path | None,
) -> Kernel:
    if len(image) > _MAXIMUM_TEXT_BYTES or b"\0" in bytes(image[:4096]):
        raise BuildsysError(f"expected {_KINDS}", path)
    text = bytes(image).decode("utf-8", "backslashreplace")
    if not is_nm_text(text):
        raise BuildsysError(f"expected {_KINDS}", path)
    if not machine or version is None:
        raise BuildsysError(
            "the output of nm tells neither the machine nor the version of the kernel: "
            "give both, or the kernel itself",
            path,
        )
    try:
        symbols = parse_nm(text)
    except BuildsysError as error:
        raise BuildsysError(str(error), path) from error
    return Kernel(
        machine=machine,
        version=version,
        machine_arch=machine_arch,
        name=name,
        symbols=symbols,
        builtins=builtins_by_symbol(symbols, version)
        if builtins is None
        else load_builtins(builtins),
        has_dtrace=has_dtrace(symbols),
        has_diagnostic=has_diagnostic(symbols),
        is_modular=is_modular(symbols),
    )


def _refuse_other(kernel: Kernel, path: Path, machine: str, version: KernelVersion | None) -> None:
    if machine and kernel.machine != machine:
        raise BuildsysError(
            f"this kernel is for {kernel.machine}, the modules are for {machine}: "
            f"give a {machine} kernel, or build with -m {kernel.machine}",
            path,
        )
    if version is not None and kernel.version != version:
        raise BuildsysError(
            f"this kernel is NetBSD {kernel.version}, the modules are for {version}: "
            f"give a {version} kernel, or build for {kernel.version}",
            path,
        )
