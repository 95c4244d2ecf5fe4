"""The one door for YAML: every value knows the line it stands on, and says what it should be."""

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import TypeVar

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from buildsys.base.errors import BuildsysError, Place, os_error_text
from buildsys.base.value import frozen

_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAXIMUM_BYTES = 1 << 20
_MAXIMUM_DEPTH = 50
_CHUNK_BYTES = 1 << 16
NESTING = (b"[", b"{", b"-", b":", b"?")  # each list or mapping that begins has one of its own
_TAG = "tag:yaml.org,2002:"
_STRING = f"{_TAG}str"
_TRUE = frozenset({"true", "yes", "on"})
_FALSE = frozenset({"false", "no", "off"})
_SHOWN_CHARACTERS = 60

T = TypeVar("T")
D = TypeVar("D")


@frozen
class YamlValue:
    """One value of a YAML file with its place and the keys that lead to it."""

    path: Path
    keys: str  # 'source_flags.hello.c', for messages; '' is the whole file
    node: Node
    at: Node  # what stands where messages point: a key, or the value itself

    @property
    def place(self) -> Place:
        """Give the file and line."""
        return Place(self.path, self.at.start_mark.line + 1)

    def fail(self, message: str) -> BuildsysError:
        """Give the error that says this value is wrong; the caller raises it."""
        return BuildsysError(
            _on_one_line(f"{self.keys}: {message}" if self.keys else message), self.place
        )

    def expect(self, what: str) -> BuildsysError:
        """Give the error that this value should have been something else."""
        return self.fail(f"expected {what}, got {_describe(self.node)}")

    def as_string(self) -> str:
        """Read a string."""
        if not isinstance(self.node, ScalarNode) or self.node.tag != _STRING:
            mend = " (quote it)" if isinstance(self.node, ScalarNode) and self.node.value else ""
            raise self.expect(f"a string{mend}")
        return str(self.node.value)

    def as_boolean(self) -> bool:
        """Read true or false."""
        if isinstance(self.node, ScalarNode) and self.node.tag == f"{_TAG}bool":
            word = str(self.node.value).lower()
            if word in _TRUE or word in _FALSE:
                return word in _TRUE
        raise self.expect("true or false")

    def as_integer(self) -> int:
        """Read a whole number."""
        if isinstance(self.node, ScalarNode) and self.node.tag == f"{_TAG}int":
            try:
                return int(self.node.value.replace("_", ""), 0)
            except ValueError:
                pass  # 0o-less octal and base 60 of YAML 1.1: refused below
        raise self.expect("a whole number")

    def as_scalar(self) -> str | bool | int:
        """Read a string, a whole number, or true or false."""
        match self.node.tag.removeprefix(_TAG):
            case "bool":
                return self.as_boolean()
            case "int":
                return self.as_integer()
            case "str":
                return self.as_string()
        raise self.expect("a string, a whole number, or true or false")

    def as_items(self, what: str = "a list") -> Iterator["YamlValue"]:
        """Go through a list."""
        if not isinstance(self.node, SequenceNode):
            raise self.expect(what)
        for node in self.node.value:
            yield YamlValue(self.path, self.keys, node, node)

    def as_strings(self) -> tuple[str, ...]:
        """Read a list of strings."""
        return tuple(item.as_string() for item in self.as_items("a list of strings"))

    def as_map(self, what: str = "a mapping") -> "YamlMap":
        """Read a mapping; a key that stands twice is refused."""
        if not isinstance(self.node, MappingNode):
            raise self.expect(what)
        return YamlMap(self, _read_entries(self, self.node))


@frozen
class YamlMap:
    """A mapping with string keys, in the file's order."""

    value: YamlValue
    entries: dict[str, YamlValue]

    def refuse_unknown(self, known: Collection[str]) -> None:
        """Refuse the first key that is not known."""
        for key, value in self.entries.items():
            if key not in known:
                raise value.fail(f"unknown key; expected one of {', '.join(known)}")

    def get(self, key: str, read: Callable[[YamlValue], T], default: D) -> T | D:
        """Read the value of key, or give default where the key is absent."""
        value = self.entries.get(key)
        return default if value is None else read(value)

    def get_each(self, key: str, read: Callable[[YamlValue], T], default: D) -> tuple[T, ...] | D:
        """Read each item of the list of strings of key, or give default where there is no key."""
        value = self.entries.get(key)
        if value is None:
            return default
        return tuple([read(item) for item in value.as_items("a list of strings")])

    def require(self, key: str, read: Callable[[YamlValue], T]) -> T:
        """Read the value of key; its absence is an error."""
        value = self.entries.get(key)
        if value is None:
            raise self.value.fail(f"the key {key} is missing")
        return read(value)


def load_yaml(path: Path) -> YamlValue:
    """Read a YAML file of one document; any trouble is an error with file and line."""
    try:
        with open(path, "rb", buffering=0) as stream:
            content = b""
            while len(content) <= _MAXIMUM_BYTES and (more := stream.read(_CHUNK_BYTES)):
                content += more
    except OSError as error:
        raise BuildsysError(f"cannot read: {os_error_text(error)}", path) from error
    return parse_yaml(content, path)


def parse_yaml(content: bytes, path: Path) -> YamlValue:
    """Turn the bytes of a YAML file into a value with places; path only names it."""
    if len(content) > _MAXIMUM_BYTES:
        raise BuildsysError(f"expected a YAML file of at most {_MAXIMUM_BYTES} bytes", path)
    try:
        if _may_hide_much(content):
            _refuse_aliases(content, path)
        node = yaml.compose(content, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else None
        raise BuildsysError(
            f"not YAML: {_problem_text(error, content, line)}", Place(path, line)
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        line = content.count(b"\n", 0, getattr(error, "position", 0)) + 1
        problem = getattr(error, "reason", None) or "not text in UTF-8"
        raise BuildsysError(f"not YAML: {problem}", Place(path, line)) from error
    except (RecursionError, ValueError) as error:
        raise BuildsysError("not YAML that this tool reads: nested too deeply", path) from error
    if node is None:
        raise BuildsysError("the file is empty; expected a mapping of keys to values", path)
    return YamlValue(path, "", node, node)


def _may_hide_much(content: bytes) -> bool:
    """Tell whether there may be an alias, or too much nesting: each level has a mark of its own."""
    return b"*" in content or sum(map(content.count, NESTING)) > _MAXIMUM_DEPTH


def _refuse_aliases(content: bytes, path: Path) -> None:
    depth = 0
    for event in yaml.parse(content, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            raise BuildsysError(
                f"*{event.anchor}: an alias is not read here; write it out",
                _event_place(path, event),
            )
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _MAXIMUM_DEPTH:
            raise BuildsysError("nested too deeply", _event_place(path, event))


def _event_place(path: Path, event: yaml.Event) -> Place:
    return Place(path, event.start_mark.line + 1 if event.start_mark else None)


def _problem_text(error: yaml.MarkedYAMLError, content: bytes, line: int | None) -> str:
    lines = content.split(b"\n")
    if line is not None and line <= len(lines):
        text = lines[line - 1]
        if b"\t" in text[: len(text) - len(text.lstrip())]:
            return "a tab where spaces are expected; indent with spaces"
    return error.problem or error.context or "cannot be parsed"


def _read_entries(value: YamlValue, node: MappingNode) -> dict[str, YamlValue]:
    path = value.path
    entries: dict[str, YamlValue] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, ScalarNode):
            key = YamlValue(path, value.keys, key_node, key_node)
            raise key.expect("a key that is a string")
        name = str(key_node.value)
        keys = f"{value.keys}.{name}" if value.keys else name
        entry = YamlValue(path, keys, value_node, key_node)
        if name in entries:
            raise entry.fail(f"this key stands twice, first in line {entries[name].place.line}")
        entries[name] = entry
    return entries


def _on_one_line(text: str) -> str:
    """Spell what would break a message's line, or a terminal, as Python would."""
    return "".join(mark if mark.isprintable() else repr(mark)[1:-1] for mark in text)


def _describe(node: Node) -> str:
    if isinstance(node, SequenceNode):
        return "a list"
    if isinstance(node, MappingNode):
        return "a mapping"
    text = str(node.value)
    if not text:
        return "nothing"
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"
