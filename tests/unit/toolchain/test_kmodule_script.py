"""The linker script on real output of every machine: sections, relocations, strings, the note."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from buildsys.base.errors import BuildsysError
from buildsys.elf.memory import load_memory
from buildsys.elf.model import SHN_COMMON, SHT_NOBITS, SHT_NOTE, SHT_REL, SHT_RELA
from buildsys.elf.modinfo import read_modinfo
from buildsys.elf.notes import ident_version, read_notes
from buildsys.elf.reader import find_symbols, read_relocations
from buildsys.toolchain.discover import load_toolchain
from buildsys.toolchain.machine import load_machine
from buildsys.toolchain.model import Toolchain

# What each port's kobj_machdep.c takes, as far as compilers write it, by ELF machine.
ACCEPTED = {
    3: {1, 2},  # R_386_32, PC32
    8: {2, 4, 5, 6, 18, 28, 29},  # R_MIPS_32, 26, HI16, LO16, 64, HIGHER, HIGHEST
    20: {1, 4, 5, 6},  # R_PPC_ADDR32, ADDR16_LO, ADDR16_HI, ADDR16_HA
    40: {2},  # R_ARM_ABS32
    43: {3, 7, 9, 12, 32},  # R_SPARC_32, WDISP30, HI22, LO10, 64
    62: {1, 2, 4, 10, 11},  # R_X86_64_64, PC32, PLT32, 32, 32S
    183: {257, 258, 275, 276, 277, 278, 282, 283, 284, 285, 286},  # ABS, ADR, LO12, branches
    243: {2, 18, 19, 23, 24, 25, 26, 27, 28},  # R_RISCV_64, CALL, PCREL, HI20, LO12
}
# Compilers' own sections that say something of the machine, of types that are not loaded.
MACHINE_SECTIONS = {
    ".ARM.attributes", ".MIPS.abiflags", ".MIPS.options", ".reginfo", ".riscv.attributes",
}  # fmt: skip
LOADED_SECTIONS = {
    ".text", ".data", ".data.cacheline_aligned", ".data.read_mostly", "link_set_modules",
    "link_set_words",
}  # fmt: skip


def test_header_is_what_the_profile_says(built) -> None:
    header, kind = built.elf.header, built.toolchain.machine.elf
    assert built.elf.layout.width_bits == kind.bits
    assert built.elf.layout.is_little is not kind.is_big_endian
    assert header.machine == kind.e_machine
    assert header.file_type == 1


def test_zeroed_data_is_merged_and_compilers_marks_are_dropped(built) -> None:
    names = [section.name for section in built.elf.sections if section.is_loaded]
    others = {name for name in names if not name.startswith(".rodata")}
    assert others == LOADED_SECTIONS
    assert len(names) == len(set(names))
    assert all(section.kind != SHT_NOBITS for section in built.elf.sections)
    unloaded = {
        section.name
        for section in built.elf.sections
        if section.name and not section.is_loaded and section.kind not in (2, 3, SHT_REL, SHT_RELA)
    }
    assert unloaded - MACHINE_SECTIONS == {".note.netbsd.ident", ".note.modbuild"}


def test_no_common_symbol_is_left(built) -> None:
    symbols = find_symbols(built.elf)
    assert symbols is not None
    assert SHN_COMMON not in symbols.sections


def test_alignments_are_ones_that_the_kernel_takes(built) -> None:
    for section in built.elf.sections:
        if section.is_loaded:
            assert 1 <= section.alignment <= 4096
    lined = built.elf.find_section(".data.cacheline_aligned")
    assert lined is not None
    assert lined.alignment == 64


def test_link_set_of_modules_holds_one_pointer_to_the_modinfo(built) -> None:
    section = built.elf.find_section("link_set_modules")
    assert section is not None
    assert section.size == built.elf.layout.pointer_bytes
    info = read_modinfo(load_memory(built.elf))
    assert (info.version, info.name) == (1099001200, "sample")


def test_relocated_pointers_lead_to_the_strings_of_the_source(built) -> None:
    memory = load_memory(built.elf)
    section = built.elf.find_section("link_set_words")
    assert section is not None
    step = built.elf.layout.pointer_bytes
    words = []
    for offset in range(0, section.size, step):
        pointer = memory.pointer(section.index, offset)
        assert pointer is not None
        words.append(memory.string(pointer))
    assert words == ["alpha", "beta", "alpha", "tail", "gamma", "alpha", "detail"]


def test_relocations_are_those_that_the_ports_loader_takes(built) -> None:
    accepted = ACCEPTED[built.elf.header.machine]
    found = set()
    for section in built.elf.sections:
        if section.kind in (SHT_REL, SHT_RELA):
            # On 64-bit MIPS an entry holds three types, of which the others are none here.
            found |= set(read_relocations(built.elf, section).types)
    assert found
    assert found <= accepted


def test_relocations_have_addends_where_the_loader_needs_them(built) -> None:
    kinds = {section.kind for section in built.elf.sections}
    has_rel = SHT_REL in kinds
    assert has_rel is not (SHT_RELA in kinds)
    is_plain_mips = built.toolchain.machine.arch in ("mipseb", "mipsel")
    if has_rel:  # the loaders of i386 and arm take both
        assert built.elf.header.machine in (3, 40) or is_plain_mips
    if is_plain_mips:
        assert "loads no module" in " ".join(built.toolchain.machine.limits.split())


def test_note_tells_the_version_and_stays_a_note(built) -> None:
    section = built.elf.find_section(".note.netbsd.ident")
    assert section is not None
    assert (section.kind, section.size, section.alignment) == (SHT_NOTE, 24, 4)
    assert ident_version(built.elf, read_notes(built.elf)) == 1099001200


def test_depfile_names_the_object_and_the_source(built) -> None:
    target, _, prerequisites = built.depfile.read_text().partition(":")
    assert target == str(built.depfile.with_suffix(".o"))
    assert prerequisites.replace("\\\n", "").split() == [str(built.depfile.with_suffix(".c"))]


@pytest.mark.parametrize("kind", ["llvm", "gnu"])
@pytest.mark.parametrize("label", ["amd64", "i386"])
def test_toolchains_of_the_host_make_the_same_sections(
    kind: str, label: str, tmp_path: Path, build: Callable[[Toolchain, Path], object]
) -> None:
    try:
        toolchain = load_toolchain(kind, load_machine(label), None, os.environ)
    except BuildsysError as error:
        pytest.skip(f"the host has none: {error}")
    elf = build(toolchain, tmp_path).elf
    loaded = {section.name for section in elf.sections if section.is_loaded}
    assert {name for name in loaded if not name.startswith(".rodata")} == LOADED_SECTIONS
    assert ident_version(elf, read_notes(elf)) == 1099001200
    assert read_modinfo(load_memory(elf)).name == "sample"
    for section in elf.sections:
        if section.kind in (SHT_REL, SHT_RELA):
            assert set(read_relocations(elf, section).types) <= ACCEPTED[elf.header.machine]
