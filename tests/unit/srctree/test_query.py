"""What is asked of make, and what is made of its answer."""

from pathlib import Path

import pytest

from buildsys.base.errors import BuildsysError
from buildsys.srctree.query import (
    QUERIES,
    expand_arguments,
    find_optional_arguments,
    query_argv,
    read_answer,
    read_error,
    split_words,
)


def answer(**values: str) -> str:
    known = {"KMOD": "tiny", ".MAKE.MAKEFILES": "/a.mk /b.mk /a.mk"} | values
    lines = ["Searching for /etc/passwd ...", "Searching for bsd.own.mk ...", "%%modbuild"]
    return "\n".join([*lines, *(known.get(name, "") for name, _ in QUERIES), ""])


def test_every_query_is_asked_after_the_mark() -> None:
    argv = query_argv(("bmake", "-m", "/mk"))
    assert argv[:4] == ("bmake", "-m", "/mk", "-dd")
    assert argv.count("-V") == len(QUERIES) + 1


def test_an_answer_gives_values_makefiles_and_what_was_looked_for() -> None:
    said = read_answer(Path("/d"), answer(CFLAGS="-O2   -Wall"))
    assert said.values["KMOD"] == "tiny"
    assert said.values["CFLAGS"] == "-O2 -Wall"
    assert said.makefiles == ("/a.mk", "/b.mk")
    assert said.probes == (("/etc/passwd", True),)


def test_a_makefile_error_keeps_its_file_and_line() -> None:
    text = 'Searching for x ...\nnbmake: "/src/Makefile" line 12: Malformed conditional (x)\n'
    with pytest.raises(BuildsysError, match=r"^/src/Makefile:12: Malformed conditional \(x\)$"):
        read_answer(Path("/src"), text)


def test_an_error_without_a_line_is_told_of_the_directory() -> None:
    error = read_error(Path("/d"), "Searching for x ...\nbmake: no target to make.\n")
    assert str(error) == "/d/Makefile: bmake: no target to make."


def test_words_are_split_as_a_shell_would() -> None:
    assert split_words('-DA=\\"b\\ c\\" -O2', Path("Makefile")) == ('-DA="b c"', "-O2")
    assert split_words("-O2   -Wall", Path("Makefile")) == ("-O2", "-Wall")


def test_optional_includes_are_found_where_their_names_can_be_told() -> None:
    text = '.-include "$S/a.mk"\n. sinclude "${X}/b.mk"\n.-include "${UNKNOWN}/c.mk"\n'
    arguments = find_optional_arguments(text)
    assert expand_arguments(arguments, {"S": "/sys", "X": "/x"}) == ("/sys/a.mk", "/x/b.mk")
