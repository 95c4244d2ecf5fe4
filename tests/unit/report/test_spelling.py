"""Names of files and modules as text of one line, and as URIs."""

import os
from pathlib import Path
from urllib.parse import unquote_to_bytes

from hypothesis import given, settings
from hypothesis import strategies as st

from buildsys.report.spelling import block, path_uri, plain


def test_plain_text_stays_as_it_is() -> None:
    assert plain("hello käse/x.kmod") == "hello käse/x.kmod"


def test_what_is_no_text_is_spelled_as_escapes() -> None:
    assert plain("a\nb\t\x1b\x00") == "a\\nb\\t\\x1b\\x00"
    assert plain(os.fsdecode(b"\xff\xc3")) == "\\xff\\xc3"
    assert plain("\u202e\ufffe\ud800") == "\\u202e\\ufffe\\ud800"


@settings(deadline=None)
@given(st.text(st.characters(codec=None)))
def test_plain_gives_one_printable_line_that_can_be_encoded(text: str) -> None:
    assert plain(text).isprintable()
    plain(text).encode()
    block(text).encode()


def test_a_block_keeps_its_line_ends_and_tabs() -> None:
    assert block("a\n\tb\x07\r\n") == "a\n\tb\\x07\\r\n"


@settings(deadline=None)
@given(st.binary(min_size=1).filter(lambda name: b"\0" not in name and name.strip(b"/.")))
def test_a_uri_holds_every_byte_of_a_path(name: bytes) -> None:
    path = Path(os.fsdecode(name))
    uri = path_uri(path)
    assert uri.isascii()
    assert uri.isprintable()
    assert " " not in uri
    plain_path = uri.removeprefix("file://") if path.is_absolute() else uri
    assert os.path.normpath(unquote_to_bytes(plain_path)) == os.path.normpath(
        b"/" + os.fsencode(path).lstrip(b"/") if path.is_absolute() else os.fsencode(path)
    )


def test_a_colon_in_the_first_part_makes_no_scheme() -> None:
    assert path_uri("c:/x") == "./c:/x"
    assert path_uri("a/c:x") == "a/c:x"
    assert path_uri("/c: x") == "file:///c:%20x"
