"""Properties as proplib(3) spells them, and reading them as the kernel would."""

import plistlib
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildsys.base.errors import BuildsysError
from buildsys.plist import (
    MAXIMUM_PLIST_BYTES,
    PropertyValue,
    is_autoload_forbidden,
    parse_plist,
    render_plist,
)

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
KEYS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)
VALUES = st.one_of(st.booleans(), st.integers(-(1 << 63), (1 << 64) - 1), TEXT)
HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<!DOCTYPE plist PUBLIC "-//Apple Computer//DTD PLIST 1.0//EN"'
    ' "http://www.apple.com/DTDs/PropertyList-1.0.dtd">\n'
)


def test_the_external_form_is_that_of_prop_dictionary_externalize() -> None:
    # Compared byte for byte with what NetBSD's libprop writes for the same dictionary.
    properties = (("unit", 3), ("noautoload", True), ("path", "a<&>\"'"), ("b", False), ("s", ""))
    assert render_plist(properties).decode() == HEAD + (
        '<plist version="1.0">\n<dict>\n'
        "\t<key>b</key>\n\t<false/>\n"
        "\t<key>noautoload</key>\n\t<true/>\n"
        "\t<key>path</key>\n\t<string>a&lt;&amp;&gt;\"'</string>\n"
        "\t<key>s</key>\n\t<string/>\n"
        "\t<key>unit</key>\n\t<integer>3</integer>\n"
        "</dict>\n</plist>\n"
    )


def test_no_properties_are_an_empty_dictionary() -> None:
    assert render_plist(()).decode() == HEAD + '<plist version="1.0">\n<dict/>\n</plist>\n'
    assert parse_plist(render_plist(())) == ()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-(1 << 63), "-9223372036854775808"),
        ((1 << 63) - 1, "9223372036854775807"),
        (1 << 63, "0x8000000000000000"),
        ((1 << 64) - 1, "0xffffffffffffffff"),
    ],
)
def test_integers_beyond_63_bits_are_hexadecimal_and_so_unsigned(value: int, text: str) -> None:
    content = render_plist((("n", value),))
    assert f"<integer>{text}</integer>".encode() in content
    assert parse_plist(content) == (("n", value),)


@given(st.dictionaries(KEYS, VALUES, max_size=6))
def test_what_is_rendered_is_read_again(properties: dict[str, PropertyValue]) -> None:
    content = render_plist(properties.items())
    found = dict(parse_plist(content))
    assert found == properties
    assert {key: type(value) for key, value in found.items()} == {
        key: type(value) for key, value in properties.items()
    }


@given(st.dictionaries(KEYS, VALUES, max_size=6), st.randoms())
def test_the_order_given_does_not_matter(
    properties: dict[str, PropertyValue], random: Random
) -> None:
    pairs = list(properties.items())
    random.shuffle(pairs)
    assert render_plist(pairs) == render_plist(properties.items())


@given(st.dictionaries(st.from_regex(r"\A[a-z]{1,9}\Z"), st.integers(-9, 99) | st.booleans()))
def test_another_reader_of_property_lists_agrees(properties: dict[str, PropertyValue]) -> None:
    assert plistlib.loads(render_plist(properties.items())) == properties


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ((("", 1),), "expected a name of 1 to 128 bytes, found 0"),
        ((("é" * 65, 1),), "expected a name of 1 to 128 bytes, found 130"),
        ((("a", 1), ("a", 2)), "property 'a': given twice"),
        ((("a", 1 << 64),), "does not fit in 64 bits"),
        ((("a", -(1 << 63) - 1),), "does not fit in 64 bits"),
        ((("a", "x\0y"),), "holds a NUL byte"),
        ((("a\0", 1),), "holds a NUL byte"),
        ((("a", "\udc80"),), "not text that UTF-8 can hold"),
        ((("a", "x" * 8000),), f"the kernel reads no more than {MAXIMUM_PLIST_BYTES}"),
    ],
)
def test_what_the_kernel_could_not_read_is_refused(
    properties: tuple[tuple[str, PropertyValue], ...], message: str
) -> None:
    with pytest.raises(BuildsysError, match=message):
        render_plist(properties)


def test_the_longest_plist_that_the_kernel_reads_is_rendered() -> None:
    room = MAXIMUM_PLIST_BYTES - len(render_plist((("a", "x"),))) + 1
    assert len(render_plist((("a", "x" * room),))) == MAXIMUM_PLIST_BYTES
    with pytest.raises(BuildsysError):
        render_plist((("a", "x" * (room + 1)),))


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("<dict><key>a</key><integer>017</integer></dict>", 15),
        ("<dict><key>a</key><integer> 0x1F </integer></dict>", 31),
        ("<dict><key>a</key><integer></integer></dict>", 0),
        ("<dict><!-- why --><key>a</key><true/></dict>", True),
        ("<dict><key>a</key><data>aGk=</data></dict>", b"hi"),
        ("<dict><key>a</key><array><string>&apos;&quot;</string><false/></array></dict>", "'\""),
        ("<dict><key>a</key><dict><key>b</key><array/></dict></dict>", {"b": ()}),
        ("<dict><key>a</key><true/><key>a</key><false/></dict>", False),
    ],
)
def test_whatever_libprop_takes_is_read(body: str, value: object) -> None:
    ((key, found),) = parse_plist(f"{HEAD}<plist>{body}</plist>".encode())
    assert key == "a"
    assert found == value or found == (value, False)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "this is not a plist\n",
        "<plist></plist>",
        "<plist/>",
        "<plist><array></array></plist>",
        "<plist><dict>",
        "<plist><dict></dict>",
        "<plist><dict><key>a</key></dict></plist>",
        "<plist><dict><key>a</key><true></true></dict></plist>",
        "<plist><dict><key>a</key><real>1</real></dict></plist>",
        "<plist><dict><key>a</key><integer>09</integer></dict></plist>",
        "<plist><dict><key>a</key><string>&nbsp;</string></dict></plist>",
        '<plist><dict><key>a</key><string x="1">b</string></dict></plist>',
        "<plist><dict><true/></dict></plist>",
        f"<plist><dict><key>{'k' * 129}</key><true/></dict></plist>",
        "<plist><dict><key>a</key>" + "<array>" * 1100,
        "<plist><dict></dict></plist>" + " " * MAXIMUM_PLIST_BYTES,
    ],
)
def test_what_libprop_refuses_is_refused(content: str) -> None:
    with pytest.raises(BuildsysError):
        parse_plist(content.encode())


def test_a_refusal_names_the_line() -> None:
    content = render_plist((("a", 1), ("b", 2))).replace(b"<key>b</key>", b"<kay>b</kay>")
    with pytest.raises(BuildsysError, match=r"^line 7: expected <key>"):
        parse_plist(content)


@given(st.binary(max_size=300), st.integers(0, 250))
def test_any_bytes_are_read_or_refused(noise: bytes, at: int) -> None:
    content = render_plist((("a", 1), ("b", "x")))
    for candidate in (noise, content[:at] + noise + content[at:], content[:at]):
        try:
            parse_plist(candidate)
        except BuildsysError:
            continue


@pytest.mark.parametrize(
    ("value", "is_forbidden"), [(True, True), (False, False), ("true", False), (1, False)]
)
def test_only_a_true_noautoload_forbids_autoloading(
    value: PropertyValue, is_forbidden: bool
) -> None:
    assert (
        is_autoload_forbidden(parse_plist(render_plist((("noautoload", value),)))) == is_forbidden
    )
    assert not is_autoload_forbidden(())
