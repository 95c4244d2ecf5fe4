"""The note's source is text alone; what it becomes is tested on real output of each machine."""

from buildsys.toolchain.ident import render_ident_source


def test_source_holds_the_version_as_a_word_of_the_target() -> None:
    source = render_ident_source(1099001200)
    assert "\t.long 1099001200\n" in source
    assert '\t.ascii "NetBSD\\0\\0"\n' in source


def test_source_has_no_character_that_opens_a_comment_on_some_machine() -> None:
    source = render_ident_source(1001000000)
    assert not set("@#;|!") & set(source)


def test_same_version_gives_the_same_bytes() -> None:
    assert render_ident_source(1) == render_ident_source(1)
