"""Commands of make beside ours."""

from pathlib import Path

from buildsys.srctree.dryrun import describe_flags, find_compile, find_link, plain_flags

COMMANDS = (
    ("cc", "-O2", "-c", "-DA", "/src/a.c"),
    ("cc", "-nostdlib", "-r", "-o", "a.kmod", "a.o"),
)


def test_the_commands_of_a_source_and_of_a_module_are_found() -> None:
    assert find_compile(COMMANDS, "/src/a.c") == COMMANDS[0]
    assert find_compile(COMMANDS, "/src/b.c") is None
    assert find_link(COMMANDS, "a.kmod") == COMMANDS[1]
    assert find_link(COMMANDS, "b.kmod") is None


def test_what_names_outputs_is_not_a_flag() -> None:
    words = ("cc", "-O2", "-MD", "-MF", "/o/a.d", "-MT", "/o/a.o", "-c", "/s/a.c", "-o", "/o/a.o")
    assert plain_flags(words, Path("/o")) == ("-O2", "/s/a.c")
    assert plain_flags(("cc", "-r", "/o/a.o", "-Wl,-Map=/o/m"), Path("/o")) == (
        "-r", "a.o", "-Wl,-Map=m",
    )  # fmt: skip


def test_differing_flags_are_named() -> None:
    assert describe_flags(("-a", "-b"), ("-a", "-b")) == ""
    assert describe_flags(("-a", "-b"), ("-b", "-a")) == "the same flags in another order"
    assert describe_flags(("-a", "-b"), ("-a", "-c")) == "only here: -b; only there: -c"
    assert describe_flags(("-a", "-a"), ("-a",)) == "only here: -a"
