"""Small amd64 modules from a real assembler, whole or with a few bytes changed."""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import ziglang

from buildsys.base.command import run_command
from buildsys.elf.model import ElfObject, Section
from buildsys.elf.reader import read_elf
from buildsys.kernel.model import BuiltinModule, Kernel, SymbolMap
from buildsys.kernel.version import KernelVersion

ZIG = str(Path(ziglang.__file__).parent / "zig")
VERSION = 1099001200


@dataclass(slots=True)
class Factory:
    """Assembles modules; equal text is assembled once, each file has a directory of its own."""

    directory: Path
    objects: dict[tuple[str, str], bytes] = field(default_factory=dict)
    count: int = 0

    def assemble(self, text: str, target: str = "x86_64--netbsd") -> bytes:
        key = (text, target)
        if key not in self.objects:
            source = self.directory / f"source{len(self.objects)}.s"
            source.write_text(text)
            output = source.with_suffix(".o")
            argv = (ZIG, "clang", "-target", target, "-c", str(source), "-o", str(output))
            result = run_command(argv, timeout_seconds=120)
            assert result.is_success, result.output.decode()
            self.objects[key] = output.read_bytes()
        return self.objects[key]

    def write(self, content: bytes, name: str = "sample") -> Path:
        self.count += 1
        path = self.directory / f"kmod{self.count}" / f"{name}.kmod"
        path.parent.mkdir()
        path.write_bytes(content)
        return path

    def module(self, name: str = "sample", **changes: str | int | None) -> Path:
        return self.write(self.assemble(module_text(name, **changes)), name)

    def patched(self, path: Path, at: int, content: bytes) -> Path:
        changed = bytearray(path.read_bytes())
        changed[at : at + len(content)] = content
        return self.write(bytes(changed), path.stem)


def module_text(name: str = "sample", **changes: str | int | None) -> str:
    """Spell a module; 'extra' is more assembly, 'required' mi_required, and so on."""
    values: dict[str, str | int | None] = {
        "version": VERSION, "module_class": 1, "modcmd": "cmd", "name_pointer": "nm",
        "required": None, "link_set": ".quad mi", "text": "xorl %eax, %eax", "extra": "",
        "before": "", **changes,
    }  # fmt: skip
    required = values["required"]
    return f"""
    {values["before"]}
    .text
cmd: {values["text"]}
    ret
    .section .rodata,"a"
    .p2align 3
mi: .long {values["version"]}, {values["module_class"]}
    .quad {values["modcmd"]}, {values["name_pointer"]}, {"0" if required is None else "rq"}
nm: .asciz "{name}"
rq: .asciz "{required or ""}"
    .section link_set_modules,"a"
    .p2align 3
    {values["link_set"]}
    .text
    {values["extra"]}
"""


def section_field(path: Path, name: str, offset: int) -> int:
    """Give where in a 64-bit file a field of a section header stands."""
    elf = read_elf(path)
    return elf.header.section_offset + 64 * section_of(elf, name).index + offset


def section_of(elf: ElfObject, name: str) -> Section:
    section = elf.find_section(name)
    assert section is not None
    return section


def symbol_at(path: Path, name: str) -> int:
    """Give where in a 64-bit file the entry of a symbol stands."""
    elf = read_elf(path)
    table, strings = section_of(elf, ".symtab"), bytes(elf.content(section_of(elf, ".strtab")))
    for at in range(table.offset, table.offset + table.size, 24):
        (offset,) = struct.unpack_from("<I", elf.image, at)
        if strings[offset:].startswith(name.encode() + b"\0"):
            return at
    raise AssertionError(name)


@pytest.fixture(scope="session")
def factory(tmp_path_factory: pytest.TempPathFactory) -> Factory:
    return Factory(tmp_path_factory.mktemp("kmods"))


@pytest.fixture(scope="session")
def kernel() -> Kernel:
    """A kernel of a few symbols."""
    names = {
        "printf",
        "kern_number",
        "_end",
        "kern_absolute",
        "kern_zero",
        "kern_null",
        "__start_link_set_x",
    }
    return Kernel(
        machine="amd64",
        version=KernelVersion(VERSION),
        machine_arch="x86_64",
        name="TEST",
        symbols=SymbolMap(
            globals=frozenset(names),
            absolute=frozenset({"kern_absolute", "kern_null"}),
            weak=frozenset({"kern_weak"}),
            local=frozenset({"kern_static"}),
            values={"kern_absolute": 4096, "kern_zero": 0, "kern_null": 0},
        ),
        builtins=(
            BuiltinModule("ufs", 1, VERSION),
            BuiltinModule("ffs", 2, VERSION, ("ufs",)),
            BuiltinModule("secmodel_test", 5, VERSION),
        ),
    )


@dataclass(frozen=True, slots=True)
class Tools:
    """The helpers above, for tests."""

    module_text: Callable[..., str] = module_text
    section_field: Callable[[Path, str, int], int] = section_field
    symbol_at: Callable[[Path, str], int] = symbol_at


@pytest.fixture(scope="session")
def tools() -> Tools:
    return Tools()
