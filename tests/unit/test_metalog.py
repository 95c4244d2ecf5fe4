"""METALOG lines: spelled as install(1) does, merged so that a path has one."""

import itertools
import os
import re
from pathlib import PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buildsys.base.errors import BuildsysError
from buildsys.base.value import replace
from buildsys.metalog import (
    EntryType,
    MetalogEntry,
    decode_name,
    encode_name,
    merge_metalog,
    parse_metalog,
    render_entry,
    render_metalog,
    replace_lines,
)

NAMES = st.binary(min_size=1, max_size=12).filter(lambda name: b"\0" not in name)
PATHS = st.lists(st.sampled_from("abcd"), min_size=1, max_size=4).map(lambda p: PurePosixPath(*p))
KMOD = PurePosixPath("stand/amd64/10.99.12/modules/hello/hello.kmod")


def file_entry(path: PurePosixPath, size: int = 5) -> MetalogEntry:
    return MetalogEntry(path, EntryType.FILE, 0o444, "root", "wheel", size, b"\xab" * 32)


def directory_entry(path: PurePosixPath) -> MetalogEntry:
    return MetalogEntry(path, EntryType.DIRECTORY, 0o755, "root", "wheel")


def merge(existing: bytes, *ours: MetalogEntry, gone: tuple[PurePosixPath, ...] = ()) -> str:
    return render_metalog(merge_metalog(parse_metalog(existing), ours, gone)).decode()


def read_paths(content: bytes) -> list[bytes]:
    """Read METALOG by rules of our own making, for the simple names that tests use."""
    return [line.split()[0] for line in content.splitlines() if line.startswith(b".")]


def test_a_file_line_is_that_of_install_with_a_metalog() -> None:
    assert render_entry(file_entry(KMOD, 2104)).decode() == (
        "./stand/amd64/10.99.12/modules/hello/hello.kmod type=file uname=root gname=wheel"
        f" mode=0444 size=2104 sha256={'ab' * 32}\n"
    )


def test_a_directory_line_has_owners_and_the_root_is_a_dot() -> None:
    assert render_entry(directory_entry(PurePosixPath("stand"))) == (
        b"./stand type=dir uname=root gname=wheel mode=0755\n"
    )
    assert render_entry(directory_entry(PurePosixPath("."))).startswith(b". type=dir ")


@pytest.mark.parametrize(
    ("name", "encoded"),
    [
        (b"hello.kmod", b"hello.kmod"),
        (b"a b", rb"a\sb"),
        (b"a\tb\nc", rb"a\tb\nc"),
        (b"a#b\\c", rb"a\#b\\c"),
        (b"[q]*?", b"[q]*?"),
        ("é".encode(), rb"\M-C\M-)"),
        (b"\x07\x08\x0b\x0c\r", rb"\a\b\v\f\r"),
        (b"\x01\x1b\x7f", rb"\^A\^[\^?"),
        (b"\x80\x9f\xff\xa0", rb"\M^@\M^_\M^?\240"),
        (b"\xa01", rb"\2401"),
        (b"\x1c#\x9c\xa3\xdc#", rb"\034\#\234\243\334\#"),
        (b"~!\"$%&'()", b"~!\"$%&'()"),
    ],
)
def test_names_are_encoded_as_strsvis_does(name: bytes, encoded: bytes) -> None:
    # Compared with the output of mtree(8), which calls strsvis with the same flags.
    assert encode_name(name) == encoded
    assert decode_name(encoded) == name


@given(NAMES)
def test_an_encoded_name_is_one_word_and_decodes_to_itself(name: bytes) -> None:
    encoded = encode_name(name)
    assert decode_name(encoded) == name
    assert re.fullmatch(rb"[!-~]+", encoded)
    assert not re.search(rb"(?<!\\)(\\\\)*#", encoded)


@pytest.mark.parametrize(
    ("encoded", "name"),
    [
        (rb"a\040b", b"a b"),
        (rb"\52", b"*"),
        (rb"\x2a", b"*"),
        (rb"a\$b\E", b"ab\x1b"),
        (b"a\\", b"a\\"),
    ],
)
def test_what_other_programs_encode_is_decoded(encoded: bytes, name: bytes) -> None:
    assert decode_name(encoded) == name


@given(st.binary(max_size=200))
def test_any_content_is_split_into_lines_that_join_again(content: bytes) -> None:
    lines = parse_metalog(content)
    assert b"".join(line.raw for line in lines) == content
    assert render_metalog(lines) == content + (b"\n" if content and content[-1:] != b"\n" else b"")


@given(NAMES.filter(lambda name: name not in (b".", b"..") and b"/" not in name))
def test_a_rendered_line_names_its_path(name: bytes) -> None:
    path = PurePosixPath("stand", os.fsdecode(name))
    (line,) = parse_metalog(render_entry(file_entry(path)))
    assert line.path == path
    assert not line.is_directory


def test_lines_that_name_no_full_path_are_kept_and_have_none() -> None:
    content = (
        b"#mtree\n\n/set type=file uname=root\n..\nbin type=dir\n  # ./a type=dir\n"
        b"./b \\\n type=dir\n"
    )
    lines = parse_metalog(content)
    assert [line.path for line in lines] == [None] * 6 + [PurePosixPath("b")]
    assert lines[-1].raw == b"./b \\\n type=dir\n"
    assert lines[-1].is_directory
    assert merge(content, file_entry(PurePosixPath("c"))).startswith(content.decode())


def test_a_second_merge_changes_nothing() -> None:
    entries = [directory_entry(parent) for parent in KMOD.parents] + [file_entry(KMOD)]
    first = merge(b"./bin type=dir mode=0755\n", *entries)
    assert merge(first.encode(), *entries) == first
    assert len(first.splitlines()) == 8


def test_a_changed_file_is_replaced_and_its_repeats_go() -> None:
    old = render_entry(file_entry(KMOD, 1))
    existing = b"./a type=dir\n" + old + b"./b type=dir\n" + old
    new = render_entry(file_entry(KMOD, 2)).decode()
    assert merge(existing, file_entry(KMOD, 2)) == f"./a type=dir\n./b type=dir\n{new}"


def test_one_path_spelled_in_two_ways_has_one_line() -> None:
    existing = b"./a//b type=file mode=0600\n./a/\\142 type=file mode=0600\n"
    assert merge(existing, file_entry(PurePosixPath("a/b"))).count("\n") == 1


def test_a_directory_that_is_described_keeps_its_last_description() -> None:
    existing = b"./stand type=dir mode=0700\n./x type=dir\n./stand type=dir mode=0755 tags=t\n"
    assert merge(existing, directory_entry(PurePosixPath("stand"))) == (
        "./stand type=dir mode=0755 tags=t\n./x type=dir\n"
    )


def test_a_directory_that_is_described_as_something_else_becomes_a_directory() -> None:
    assert merge(b"./stand type=link link=x\n", directory_entry(PurePosixPath("stand"))) == (
        "./stand type=dir uname=root gname=wheel mode=0755\n"
    )


def test_gone_paths_lose_all_their_lines_and_no_other_does() -> None:
    existing = b"./a type=file\n./a/b type=file\n./aa type=file\n./a type=file\n"
    assert merge(existing, gone=(PurePosixPath("a"),)) == "./a/b type=file\n./aa type=file\n"


def test_a_path_cannot_be_installed_and_gone() -> None:
    with pytest.raises(BuildsysError, match="both installed and gone"):
        merge(b"", file_entry(KMOD), gone=(KMOD,))


def test_the_root_comes_first_and_a_directory_before_what_lies_in_it() -> None:
    existing = b"./stand/amd64/x type=file\n./bin type=dir\n"
    parents = [directory_entry(PurePosixPath(name)) for name in ("stand/amd64", "stand", ".", "z")]
    assert read_paths(merge(existing, *parents).encode()) == [
        b".", b"./stand", b"./stand/amd64", b"./stand/amd64/x", b"./bin", b"./z",
    ]  # fmt: skip


@given(
    st.lists(st.tuples(PATHS, st.sampled_from(["type=dir", "type=file mode=0600", "type=link"]))),
    st.lists(PATHS, unique=True),
    st.sets(PATHS),
)
def test_after_a_merge_each_path_of_ours_has_one_line_and_foreign_lines_are_untouched(
    existing: list[tuple[PurePosixPath, str]],
    ours: list[PurePosixPath],
    gone: set[PurePosixPath],
) -> None:
    foreign = "".join(f"./{path} {words}\n" for path, words in existing).encode()
    gone = gone - set(ours)
    merged = merge(foreign, *map(file_entry, ours), gone=tuple(gone)).encode()
    paths = read_paths(merged)
    assert all(paths.count(f"./{path}".encode()) == 1 for path in ours)
    assert not any(f"./{path}".encode() in paths for path in gone)
    touched = {f"./{path}".encode() for path in (*ours, *gone)}
    assert [line for line in merged.splitlines() if line.split()[0] not in touched] == [
        line for line in foreign.splitlines() if line.split()[0] not in touched
    ]
    assert merge(merged, *map(file_entry, ours), gone=tuple(gone)).encode() == merged


def test_the_same_lines_come_out_whatever_was_installed_first() -> None:
    entries = [
        MetalogEntry(PurePosixPath(name), EntryType.DIRECTORY, 0o755, "root", "wheel")
        for name in (".", "stand", "stand/i386", "stand/amd64", "stand/amd64/10.99.12")
    ]
    entries += [file_entry(KMOD, 1), file_entry(KMOD.with_name("a.plist"), 2)]
    found = set()
    for order in itertools.permutations(entries, len(entries)):
        text = b""
        for entry in order:
            text = render_metalog(merge_metalog(parse_metalog(text), [entry]))
        found.add(text)
    assert len(found) == 1
    names = [line.split()[0] for line in found.pop().decode().splitlines()]
    assert names == sorted(names)


def test_lines_whose_place_has_a_meaning_stay_in_their_order() -> None:
    existing = b"/set uname=root\n" + render_entry(file_entry(KMOD, 1)) + b"/set uname=me\n./b\n"
    merged = merge(existing, file_entry(KMOD, 2))
    assert [line.split()[0] for line in merged.splitlines()][::2] == ["/set", "/set"]


MODULES = "stand/amd64/10.99.12/modules"
FOREIGN = st.sampled_from(
    [
        b"./stand/amd64/10.99.12/modules/zz/zz.kmod type=file mode=0600\n",
        b"./stand/amd64/10.99.12/modules/ab type=dir uname=me\n",
        b"./stand//amd64 type=dir\n",
        b"./stand/amd64/10.99.12/modules/. type=dir\n",
        b"./stand/amd64/10.99.12/modules/..\n",
        b"./stand/amd64/../amd64 type=dir\n",
        b"./stand/amd64/10.99.12/modules/aa/aa.kmod\ttype=file\n",
        b"./usr/bin/awk type=file\n",
        b"./stand/sparc type=file\n",
        b"./stand/sparc/a b type=dir\n",
        b"# remark\n",
        b"/set uname=me\n",
        b"\n",
        b"./stand/amd64/10.99.12/modules/aa/aa.plist type=file\n",
        b"./stand/amd64/10.99.12/modules/m\\303 type=dir\n",
        b"./stand type=link\n",
        b"no newline",
    ]
)


def module_entries(names: set[str]) -> list[MetalogEntry]:
    above = [PurePosixPath(*MODULES.split("/")[:count]) for count in range(5)]
    paths = [PurePosixPath(MODULES, name) for name in names]
    entries = [directory_entry(path) for path in (*above, *paths)]
    entries += [file_entry(path / f"{path.name}.kmod", len(path.name)) for path in paths]
    return sorted(entries, key=lambda entry: entry.path.parts)


@settings(max_examples=500)
@given(
    st.sets(st.sampled_from(["aa", "ab", "b", "b-c", "B"])),
    st.lists(FOREIGN, max_size=2),
    st.sets(st.sampled_from(["aa", "ab", "b", "b-c", "B"]), min_size=1),
    st.booleans(),
)
def test_the_easy_way_to_merge_gives_the_same(
    known: set[str], foreign: list[bytes], names: set[str], is_sorted: bool
) -> None:
    content = merge(b"", *module_entries(known)).encode() if known else b""
    lines = content.splitlines(keepends=True) + foreign
    content = b"".join(sorted(lines) if is_sorted else lines)
    ours = [replace(entry, mode=0o400) for entry in module_entries(names)]
    gone = tuple(PurePosixPath(MODULES, name, f"{name}.plist") for name in names)
    quickly = replace_lines(content, ours, gone)
    slowly = merge(content, *ours, gone=gone).encode()
    if not foreign and not is_sorted and (not known or names <= known):
        assert quickly is not None
    assert quickly in (None, slowly)
