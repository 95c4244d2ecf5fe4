"""YAML values that know their line: every kind of value, every refusal, any bytes."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from buildsys.base.errors import BuildsysError
from buildsys.base.yamlfile import NESTING, YamlMap, YamlValue, load_yaml, parse_yaml

PATH = Path("file.yaml")


def read(text: str) -> YamlMap:
    return parse_yaml(text.encode(), PATH).as_map()


def test_values_are_read_as_what_they_are() -> None:
    entries = read(
        "text: words\nquoted: '5'\ntrue: yes\noff: NO\nnumber: -1_000\nhex: 0x1F\nlist: [a, b]\n"
        "inner: {key: value}\n"
    ).entries
    assert entries["text"].as_string() == "words"
    assert entries["quoted"].as_string() == "5"
    assert entries["true"].as_boolean() is True
    assert entries["off"].as_scalar() is False
    assert entries["number"].as_integer() == -1000
    assert entries["hex"].as_scalar() == 31
    assert entries["list"].as_strings() == ("a", "b")
    assert entries["inner"].as_map().require("key", YamlValue.as_string) == "value"
    assert [value.place.line for value in entries.values()] == list(range(1, 9))
    assert entries["inner"].as_map().entries["key"].keys == "inner.key"


@pytest.mark.parametrize(
    ("text", "read_value", "message"),
    [
        ("5", YamlValue.as_string, r"expected a string \(quote it\), got 5"),
        ("", YamlValue.as_string, "expected a string, got nothing"),
        ("yes", YamlValue.as_string, r"expected a string \(quote it\), got yes"),
        ("2001-01-01", YamlValue.as_string, r"expected a string \(quote it\)"),
        ("!own x", YamlValue.as_string, r"expected a string"),
        ("1", YamlValue.as_boolean, "expected true or false, got 1"),
        ("!!bool x", YamlValue.as_boolean, "expected true or false, got x"),
        ("'yes'", YamlValue.as_boolean, "expected true or false, got yes"),
        ("0755", YamlValue.as_integer, "expected a whole number, got 0755"),
        ("1:30", YamlValue.as_integer, "expected a whole number, got 1:30"),
        ("1.0", YamlValue.as_integer, "expected a whole number, got 1.0"),
        ("!!int x", YamlValue.as_integer, "expected a whole number, got x"),
        ("9" * 5000, YamlValue.as_integer, "expected a whole number, got 9+…"),
        ("[]", YamlValue.as_integer, "expected a whole number, got a list"),
        ("null", YamlValue.as_scalar, "expected a string, a whole number, or true or false"),
        ("a", YamlValue.as_strings, "expected a list of strings, got a"),
        ("[a, [b]]", YamlValue.as_strings, "expected a string, got a list"),
        ("[a]", YamlValue.as_map, "expected a mapping, got a list"),
    ],
)
def test_another_kind_of_value_is_refused_with_line_and_key(
    text: str, read_value: "type[object]", message: str
) -> None:
    value = read(f"# a line before\nkey: {text}\n").entries["key"]
    with pytest.raises(BuildsysError, match=rf"^file\.yaml:2: key: {message}"):
        read_value(value)


def test_long_values_are_not_shown_whole() -> None:
    with pytest.raises(BuildsysError) as caught:
        read(f"key: {'x' * 500}").entries["key"].as_boolean()
    assert len(str(caught.value)) < 120


def read_all(text: str) -> None:
    for value in read(text).entries.values():
        value.as_map()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", r":3: a: this key stands twice, first in line 1"),
        ("a: {b: 1, b: 2}", r":1: a\.b: this key stands twice"),
        ("{[x]: 1}", r":1: expected a key that is a string, got a list"),
        ("a: &b 1\nc: *b", r":2: \*b: an alias is not read here"),
        ("a:\n\tb", r":2: not YAML: a tab where spaces are expected"),
        ("a: [", r":\d: not YAML: "),
        ("---\na: 1\n---\nb: 1", r":\d: not YAML: "),
        ("a: \x07", r":1: not YAML: "),
        ("", r": the file is empty"),
        ("[" * 60 + "]" * 60, r":1: nested too deeply"),
        ("- " * 60 + "a", r":1: nested too deeply"),
        ("? " * 60 + "a", r":1: nested too deeply"),
        ("\n".join(" " * depth + "a:" for depth in range(60)), r":51: nested too deeply"),
    ],
)
def test_text_that_is_no_such_file_is_refused(text: str, message: str) -> None:
    with pytest.raises(BuildsysError, match=rf"^file\.yaml{message}"):
        read_all(text)


@given(st.text("-?:[]{},*& \na'\""))
def test_each_level_of_nesting_and_each_alias_has_a_mark(text: str) -> None:
    content = text.encode()
    started = 0
    try:
        for event in yaml.parse(content, Loader=yaml.CSafeLoader):
            started += isinstance(event, yaml.CollectionStartEvent)
            assert not isinstance(event, yaml.AliasEvent) or b"*" in content
    except yaml.YAMLError:
        pass
    assert started <= sum(map(content.count, NESTING))


def test_keys_are_asked_for_or_refused() -> None:
    entries = read("a: 1\nb: 2")
    entries.refuse_unknown(("a", "b"))
    with pytest.raises(BuildsysError, match=r":2: b: unknown key; expected one of a, c"):
        entries.refuse_unknown(("a", "c"))
    with pytest.raises(BuildsysError, match=r"^file\.yaml:1: the key c is missing"):
        entries.require("c", YamlValue.as_integer)
    assert entries.get("c", YamlValue.as_integer, None) is None
    assert entries.get("b", YamlValue.as_integer, None) == 2


def test_a_file_that_cannot_be_read_or_is_huge_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildsysError, match="cannot read: Is a directory"):
        load_yaml(tmp_path)
    huge = tmp_path / "huge"
    with open(huge, "wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(BuildsysError, match="huge: expected a YAML file of at most"):
        load_yaml(huge)


YAML_TEXT = st.text("ab: -[]{},\n\t&*!|>'\"%@`#?.\0~<=0x1\\é\ufeff")


@given(st.one_of(st.binary(), YAML_TEXT.map(str.encode)))
def test_any_bytes_give_a_value_or_one_error(content: bytes) -> None:
    try:
        value = parse_yaml(content, PATH)
    except BuildsysError as error:
        message = str(error)
    else:
        message = str(value.fail("fine"))
        assert value.place.line is not None
    assert message.startswith("file.yaml")
    assert "\n" not in message
