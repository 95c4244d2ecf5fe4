"""modinfo, the version note and the description of a kmod, on real objects of every machine."""

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from buildsys.base.command import run_command
from buildsys.base.errors import BuildsysError
from buildsys.elf.describe import describe_document, describe_kmod, render_facts
from buildsys.elf.memory import load_memory
from buildsys.elf.model import show_name
from buildsys.elf.modinfo import find_link_set, read_modinfo, read_modinfos
from buildsys.elf.notes import ident_version, read_notes
from buildsys.elf.reader import parse_elf, read_elf


def test_modinfo_is_read_through_the_relocations_of_every_machine(sample: Path) -> None:
    memory = load_memory(read_elf(sample))
    modinfo = read_modinfo(memory)
    assert (modinfo.name, modinfo.required, modinfo.version) == ("sample", "ffs,hello", 1099001200)
    assert modinfo.class_name == "driver"
    section = modinfo.modcmd.section
    assert section is not None
    assert memory.elf.sections[section].name == ".text"


def test_the_note_is_read_in_the_byte_order_of_the_machine(
    build: Callable[..., Path], machine: str, note_text: str
) -> None:
    elf = read_elf(build(machine, note_text, ".s"))
    notes = read_notes(elf)
    assert [(note.owner, note.kind, len(note.content)) for note in notes] == [("NetBSD", 1, 4)]
    assert ident_version(elf, notes) == 1099001200


def test_the_description_has_what_pyelftools_and_readelf_have(sample: Path) -> None:
    facts = describe_kmod(sample)
    with sample.open("rb") as stream:
        oracle = ELFFile(stream)
        names = [(s.name, s["sh_size"], s["sh_addralign"]) for s in oracle.iter_sections()][1:]
    assert [(s.name, s.size, s.alignment) for s in facts.sections] == names
    readelf = shutil.which("readelf") or shutil.which("llvm-readelf")
    if readelf is not None:
        output = run_command((readelf, "-W", "-S", str(sample))).output.decode()
        for section in facts.sections:
            assert section.name[:17] in output
            assert f" {section.type[:15]}" in output
    assert facts.file_size == sample.stat().st_size
    assert set(facts.undefined) == {"printf", "offered"}
    assert facts.weak_undefined == ("maybe",)
    assert facts.defined == ("common_like", "shared_counter")
    assert (facts.name, facts.module_class, facts.requires) == ("sample", "driver", "ffs,hello")
    assert sum(count for _, count in facts.relocations) > 5


def test_the_description_is_json_and_text(sample: Path) -> None:
    facts = describe_kmod(sample)
    document = json.loads(json.dumps(describe_document(facts)))
    assert document["format"] == 1
    assert document["name"] == "sample"
    assert document["relocations"] == dict(facts.relocations)
    text = render_facts(facts)
    assert "requires  ffs,hello\n" in text
    assert f"{facts.width_bits}-bit, {facts.byte_order}-endian" in text


def test_a_file_without_modinfo_is_described_too(build: Callable[..., Path]) -> None:
    facts = describe_kmod(build("x86_64", "int f(void) { return 1; }\n"))
    assert facts.name is None
    assert facts.version is None
    assert facts.note_version is None
    assert "name      -\n" in render_facts(facts)


def test_a_module_with_two_descriptions_is_an_error(
    build: Callable[..., Path], sample_text: str
) -> None:
    second = sample_text[sample_text.index("static const struct modinfo") :].replace(
        "sample_modinfo", "other"
    )
    path = build("x86_64", sample_text + second.replace("link_sample", "link_other"))
    memory = load_memory(read_elf(path))
    assert [modinfo.name for modinfo in read_modinfos(memory)] == ["sample", "sample"]
    with pytest.raises(BuildsysError, match=r"expected one module description .* found 2"):
        read_modinfo(memory)


def test_a_link_set_that_points_nowhere_is_an_error(build: Callable[..., Path]) -> None:
    text = '.section link_set_modules,"a"\n.quad 4096\n'
    with pytest.raises(BuildsysError, match="entry 0 points to no modinfo_t"):
        read_modinfos(load_memory(read_elf(build("x86_64", text, ".s"))))


def test_a_null_entry_of_a_link_set_is_left_out(build: Callable[..., Path]) -> None:
    text = '.section link_set_modules,"a"\n.quad 0\n'
    assert read_modinfos(load_memory(read_elf(build("x86_64", text, ".s")))) == ()


def test_a_huge_link_set_is_refused(build: Callable[..., Path]) -> None:
    text = '.section link_set_modules,"aw",@nobits\n.zero 0x40000000\n'
    elf = read_elf(build("x86_64", text, ".s"))
    assert find_link_set(elf) is not None
    with pytest.raises(BuildsysError, match="too many for a list of modules"):
        read_modinfos(load_memory(elf))


def test_a_note_longer_than_its_section_is_an_error(
    build: Callable[..., Path], note_text: str
) -> None:
    elf = read_elf(build("x86_64", note_text.replace("7, 4, 1", "7, 400, 1"), ".s"))
    with pytest.raises(BuildsysError, match=r"the note at byte 0 says 7 \+ 400 bytes"):
        read_notes(elf)


def test_a_note_of_another_owner_or_kind_is_no_version(
    build: Callable[..., Path], note_text: str
) -> None:
    for text in (note_text.replace("NetBSD", "NetBSX"), note_text.replace("7, 4, 1", "7, 4, 2")):
        elf = read_elf(build("x86_64", text, ".s"))
        assert len(read_notes(elf)) == 1
        assert ident_version(elf, read_notes(elf)) is None


def test_a_linked_image_is_read_by_its_addresses(build: Callable[..., Path]) -> None:
    path = build("x86_64", '.section .rodata,"a"\ntext: .asciz "hello"\n', ".s")
    content = bytearray(path.read_bytes())
    elf = read_elf(path)
    rodata = elf.find_section(".rodata")
    assert rodata is not None
    content[16:18] = struct.pack("<H", 2)  # ET_EXEC
    at = elf.header.section_offset + 64 * rodata.index + 16
    content[at : at + 8] = struct.pack("<Q", 0x400000)
    memory = load_memory(parse_elf(memoryview(content), path))
    assert memory.string(memory.at_address(0x400000)) == "hello"
    assert memory.string(memory.at_address(0x400003)) == "lo"
    assert memory.string(memory.at_address(0x400006)) is None
    assert memory.string(memory.at_address(0x3FFFFF)) is None


def test_names_from_files_are_shown_printable_and_short() -> None:
    assert show_name("plain_name") == "plain_name"
    assert show_name("a\x1b[31m\n") == "a\\x1b[31m\\n"
    assert len(show_name("x" * 5000)) == 120
