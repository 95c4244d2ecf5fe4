"""Which lists count for a machine, and what their lines mean: distrib/sets/sets.subr."""

from pathlib import Path, PurePosixPath

import pytest

from buildsys.sets.lists import ListMachine, compare_lists, load_lists

MI = "./@MODULEDIR@/a/a.kmod\tbase\tkmod\n./@MODULEDIR@/b/b.kmod\tbase\tkmod,nocompatmodules\n"
EVBPPC = ListMachine("evbppc", "powerpc", "powerpc")
AMD64 = ListMachine("amd64", "x86_64", "x86_64")


def write_lists(tmp_path: Path, program: str = "", **files: str) -> Path:
    """Write lists below sets/lists/modules, and sets/sets.subr if it has a text."""
    directory = tmp_path / "sets/lists/modules"
    directory.mkdir(parents=True)
    for name, text in {"mi": MI, **files}.items():
        (directory / name.replace("_", ".")).write_text(text)
    if program:
        (tmp_path / "sets/sets.subr").write_text(program)
    return directory


def read(directory: Path, machine: ListMachine, absent: tuple[str, ...] = ()) -> list[str]:
    """Give what is missing from an empty tree."""
    variables = {"MODULEDIR": f"stand/{machine.machine}/1/modules"}
    missing = compare_lists((), load_lists(directory, machine, variables), absent).missing
    return sorted(str(entry.target) for entry in missing)


def test_evbppc_has_its_modules_once_more_for_booke(tmp_path: Path) -> None:
    directory = write_lists(tmp_path, "split(KMODARCHDIRS)\n")
    own = ["stand/evbppc/1/modules/a/a.kmod", "stand/evbppc/1/modules/b/b.kmod"]
    assert read(directory, EVBPPC) == [*own, "stand/powerpc-booke/1/modules/a/a.kmod"]
    assert read(directory, EVBPPC, ("compatmodules",)) == own
    assert not any("booke" in name for name in read(directory, AMD64))
    assert not any("booke" in n for n in read(directory, ListMachine("macppc", "powerpc", "-")))


@pytest.mark.parametrize("program", ["# an old one\n", ""])
def test_lists_that_name_booke_themselves_are_not_repeated(tmp_path: Path, program: str) -> None:
    booke = "./stand/powerpc-booke\tbase\tkmod,compatmodules\n"
    directory = write_lists(tmp_path, program, md_evbppc_powerpc=booke)
    assert read(directory, EVBPPC) == [
        "stand/evbppc/1/modules/a/a.kmod", "stand/evbppc/1/modules/b/b.kmod",
        "stand/powerpc-booke",
    ]  # fmt: skip


def test_a_repeated_line_is_known_as_such(tmp_path: Path) -> None:
    directory = write_lists(tmp_path)
    listed = load_lists(directory, EVBPPC, {"MODULEDIR": "stand/evbppc/1/modules"})
    repeated = [(entry.target, entry.line) for entry in listed if entry.is_repeated]
    assert repeated == [(PurePosixPath("stand/powerpc-booke/1/modules/a/a.kmod"), 1)]


def test_a_minus_takes_a_path_away(tmp_path: Path) -> None:
    directory = write_lists(tmp_path, md_amd64="-./stand/amd64/1/modules/a/a.kmod\n")
    assert read(directory, AMD64) == ["stand/amd64/1/modules/b/b.kmod"]


def test_an_architectures_list_counts_where_it_is_not_the_machines_name(tmp_path: Path) -> None:
    extra = "./stand/x\tbase\tkmod\n"
    directory = write_lists(tmp_path, ad_i386=extra, ad_x86_64="", ad_aarch64=extra)
    (directory / "ad.x86_64").write_text(extra)
    assert "stand/x" in read(directory, AMD64)
    assert "stand/x" not in read(directory, ListMachine("i386", "i386", "i386"))
