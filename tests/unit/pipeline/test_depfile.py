"""Dependency files read back as the compiler meant them, and what could shadow a header."""

import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from buildsys.base.command import run_command
from buildsys.base.errors import BuildsysError
from buildsys.pipeline.depfile import find_shadows, parse_depfile, resolve_place
from buildsys.pipeline.spelled import SpellingFinder
from buildsys.toolchain.discover import load_toolchain
from buildsys.toolchain.machine import load_machine

# Names as a compiler meets them: it cannot write one that ends in a backslash or holds a newline.
NAMES = st.text(
    st.characters(exclude_characters="\n\r\t\v\f\x1c\x1d\x1e\x85\u2028\u2029\0", codec="utf-8"),
    min_size=1,
).filter(
    lambda name: not name.endswith(("\\", ":")) and name.strip() == name and name.isprintable()
)


def spell_name(name: str) -> str:
    """Escape a name as clang does (lib/Frontend/DependencyFile.cpp, PrintFilename)."""
    spelled = ""
    for index, character in enumerate(name):
        if character == " ":
            before = name[:index]
            spelled += "\\" * (1 + len(before) - len(before.rstrip("\\")))
        elif character == "#":
            spelled += "\\"
        elif character == "$":
            spelled += "$"
        spelled += character
    return spelled


@given(st.lists(NAMES, min_size=1, unique=True))
@example(["a\\ b", "#", "$$", "c:d.h", "\\x", "a\\\\ b"])
def test_what_a_compiler_writes_is_read_back(names: list[str]) -> None:
    text = "out.o: " + " \\\n  ".join(map(spell_name, names)) + "\n"
    assert parse_depfile(text) == tuple(names)


@given(st.text())
def test_any_text_is_read_without_complaint(text: str) -> None:
    assert all(parse_depfile(text))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ()),
        ("a.o:\n", ()),
        ("a.o: a.c", ("a.c",)),
        ("a.o: a.c a.h\n\na.h:\n", ("a.c", "a.h")),
        ("a.o: a.c \\\r\n a.h\r\n", ("a.c", "a.h")),
        ("a.o b.o: a.c a.c\nc.o: d.c\n", ("a.c", "d.c")),
        ("C:/a.o: a\\:b.h", ("a\\:b.h",)),
        ("a.o: a\tb.h c\\\td.h e\u00a0f.h", ("a\tb.h", "c\td.h", "e\u00a0f.h")),
    ],
)
def test_other_forms_of_rules_are_read(text: str, names: tuple[str, ...]) -> None:
    assert parse_depfile(text) == names


ODD = (
    "a b", "c#d", "e$f", "i:j", "k=l", "ü", "m'n", "b\\s", "b\\ s", "b\\\\s", "b\\#s", "x\\:y",
    "t\tt", "n\u00a0b", "\udcff", "a;b", "a*b", "[a]", "$(x)",
)  # fmt: skip


@pytest.mark.parametrize("kind", ["zig", "llvm", "gnu"])
def test_a_real_compiler_names_awkward_files_so_that_they_are_found(
    tmp_path: Path, kind: str
) -> None:
    try:
        cc = load_toolchain(kind, load_machine("amd64"), None, os.environ).cc
    except BuildsysError:
        pytest.skip(f"no toolchain {kind} is installed here")
    headers = [tmp_path / place / f"{name}.h" for place in ODD for name in ODD]
    headers += (tmp_path / f"{name}\\/end.h" for name in ODD)
    for path in headers:
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    source = tmp_path / "b\\s" / "x.c"
    lines = (f'#include "../{path.relative_to(tmp_path)}"\n' for path in headers)
    source.write_bytes(os.fsencode("".join(lines)))
    depfile = tmp_path / "x.d"
    words = ("-nostdinc", "-MD", "-MF", str(depfile), "-c", str(source))
    result = run_command((*cc.argv, *words, "-o", str(tmp_path / "x.o")))
    assert result.is_success, result.output
    spelled = parse_depfile(os.fsdecode(depfile.read_bytes()))
    read = SpellingFinder().restore(spelled, (str(source.parent),))
    assert [os.path.normpath(name) for name in read] == [str(source), *map(str, headers)]


def test_where_a_slash_may_be_a_backslash_both_files_count(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("i/a/b.h", "i/a\\b.h", "i\\a/b.h")]
    for path in paths:
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text("")
    name = str(paths[0])
    finder = SpellingFinder()
    assert finder.restore([name], [f"{tmp_path}/i"]) == (str(paths[1]), name)
    found = finder.restore([name], [f"{tmp_path}/i\\a", f"{tmp_path}/i"])
    assert found == (str(paths[2]), str(paths[1]), name)
    assert finder.restore([name], [f"{tmp_path}/i/a"]) == (name,)
    assert finder.restore(["/nowhere/at/all.h"], [f"{tmp_path}/i"]) == ("/nowhere/at/all.h",)


def test_a_real_name_of_gcc_s_is_one_through_the_include_path(tmp_path: Path) -> None:
    (tmp_path / "tree/sys").mkdir(parents=True)
    (tmp_path / "src").symlink_to("tree")
    (tmp_path / "tree/sys/a.h").write_text("")
    real, spelled = f"{tmp_path}/tree/sys/a.h", f"{tmp_path}/src/sys/a.h"
    finder = SpellingFinder()
    other = f"{tmp_path}/src/sys/./a.h"
    assert finder.restore([real], [f"{tmp_path}/src/sys"]) == (spelled, other)
    assert finder.restore([spelled], [f"{tmp_path}/src/sys"]) == (spelled,)
    assert finder.restore([real], [f"{tmp_path}/tree", f"{tmp_path}/src"]) == (real,)


def test_a_name_beyond_the_include_path_is_looked_for(tmp_path: Path) -> None:
    path = tmp_path / "o\\f" / "x.h"
    path.parent.mkdir()
    path.write_text("")
    assert SpellingFinder().restore([f"{tmp_path}/o/f/x.h"], []) == (str(path),)


def shadows(headers: list[str], roots: list[str], *there: str, source: str = "/m/x.c") -> set[str]:
    known = {*headers, *there}
    known |= {str(parent) for path in known for parent in Path(path).parents}

    def listing(directory: str) -> frozenset[str]:
        place = os.path.normpath(directory)
        return frozenset(Path(path).name for path in known if str(Path(path).parent) == place)

    found = find_shadows(source, headers, roots, listing, known.__contains__)
    assert found.dangling == ()
    return {f"{place}/{name}" for place, names in found.absent.items() for name in names}


def test_each_earlier_directory_and_the_source_s_own_could_shadow() -> None:
    assert (
        shadows(["/c/x.h"], ["/m", "/a", "/b", "/c", "/d"])
        == {
            "/m/x.h",
            "/a/x.h",
            "/b/x.h",
        }
        - set()
        | set()
    )


def test_the_first_missing_part_stands_for_all_below_it() -> None:
    found = shadows(["/c/sys/a.h", "/c/sys/b.h"], ["/a", "/b", "/c"], "/b/sys/z.h", "/a/x")
    assert {"/a/sys", "/b/sys/a.h", "/b/sys/b.h", "/m/sys"} <= found
    assert not {"/a/sys/a.h", "/m/sys/a.h"} & found


def test_the_directory_of_an_including_header_could_shadow() -> None:
    assert "/d/x.h" in shadows(["/c/x.h", "/d/y.h"], ["/c", "/d"])


def test_a_header_may_have_been_found_below_any_directory_that_leads_to_it() -> None:
    found = shadows(["/c/deep/x.h"], ["/a", "/c", "/c/deep"], "/a/y.h")
    assert {"/a/deep", "/a/x.h", "/c/x.h"} <= found


def test_dots_in_a_path_are_always_there() -> None:
    assert "/a/../x.h" in shadows(["/c/../x.h"], ["/a", "/c"], "/a/y.h")


def test_what_is_there_is_not_watched() -> None:
    assert shadows(["/c/x.h"], ["/m", "/c"], "/m/x.h") == set()


def test_a_header_outside_the_path_has_no_shadow() -> None:
    assert shadows(["/elsewhere/x.h"], ["/a", "/b"]) == set()


def test_a_place_is_the_directory_that_links_lead_to(tmp_path: Path) -> None:
    (tmp_path / "one/sub").mkdir(parents=True)
    for link, target in {"two": "one", "top": "/", "loop": "loop", "away": "one/sub/.."}.items():
        (tmp_path / link).symlink_to(target)
    top = f"top{tmp_path}/one/sub"
    names = ("one", "two", "two/sub", "two/../two/sub", "top", top, "away/sub", "none/at/all")
    for name in names:
        path, places = f"{tmp_path}/{name}", dict[str, str]()
        assert resolve_place(path, places) == os.path.realpath(path)
        assert resolve_place(path, places) == places[path]
