"""The dictionary of properties beside a module, in proplib(3)'s external form.

The kernel reads NAME.plist after NAME.kmod (sys/kern/kern_module_vfs.c, module_load_plist_vfs)
and hands it to prop_dictionary_internalize; this file knows what that takes, not where it lies.
"""

import base64
import binascii
import re
from collections.abc import Iterable

from buildsys.base.errors import BuildsysError
from buildsys.base.value import frozen

MAXIMUM_PLIST_BYTES = 8190  # module_load_plist_vfs: an 8192 byte buffer, at least 2 to spare
MAXIMUM_KEY_BYTES = 128  # libprop's PDK_MAXKEY
_MAXIMUM_DEPTH = 100  # ours: libprop has none, but no module needs so much
_HEADER = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b'<!DOCTYPE plist PUBLIC "-//Apple Computer//DTD PLIST 1.0//EN"'
    b' "http://www.apple.com/DTDs/PropertyList-1.0.dtd">\n'
    b'<plist version="1.0">\n'
)
_FOOTER = b"</plist>\n"
_ESCAPES = ((b"&", b"&amp;"), (b"<", b"&lt;"), (b">", b"&gt;"))
_ENTITIES = {b"&amp;": b"&", b"&lt;": b"<", b"&gt;": b">", b"&apos;": b"'", b"&quot;": b'"'}

PropertyValue = str | bool | int
Plist = tuple[tuple[str, "PlistValue"], ...]
PlistValue = str | bool | int | bytes | tuple["PlistValue", ...] | dict[str, "PlistValue"]


def render_plist(properties: Iterable[tuple[str, PropertyValue]]) -> bytes:
    """Spell properties as the kernel reads them; the order given does not matter."""
    seen: dict[bytes, PropertyValue] = {}
    for key, value in properties:
        name = _encode(f"property {key!r}: the name", key)
        if not 0 < len(name) <= MAXIMUM_KEY_BYTES:
            raise BuildsysError(
                f"property {key!r}: expected a name of 1 to {MAXIMUM_KEY_BYTES} bytes,"
                f" found {len(name)}"
            )
        if name in seen:
            raise BuildsysError(f"property {key!r}: given twice; keep one")
        seen[name] = value
    body = b"".join(
        b"\t<key>%s</key>\n\t%s\n" % (_escape(name), _render_value(name.decode(), value))
        for name, value in sorted(seen.items())
    )
    dictionary = b"<dict>\n" + body + b"</dict>\n" if body else b"<dict/>\n"
    content = _HEADER + dictionary + _FOOTER
    if len(content) > MAXIMUM_PLIST_BYTES:
        raise BuildsysError(
            f"properties: {len(content)} bytes as a plist, and the kernel reads no more than"
            f" {MAXIMUM_PLIST_BYTES}; give fewer or shorter ones"
        )
    return content


def _render_value(key: str, value: PropertyValue) -> bytes:
    match value:
        case bool():
            return b"<true/>" if value else b"<false/>"
        case int():
            if not -(1 << 63) <= value < 1 << 64:
                raise BuildsysError(f"property {key!r}: {value} does not fit in 64 bits")
            # The kernel's strtoll cannot tell of overflow; it takes hexadecimal as unsigned
            # (common/lib/libprop/prop_number.c, _prop_number_internalize).
            text = f"{value:#x}" if value >= 1 << 63 else str(value)
            return b"<integer>%s</integer>" % text.encode()
        case str():
            escaped = _escape(_encode(f"property {key!r}", value))
            return b"<string>%s</string>" % escaped if escaped else b"<string/>"


def _encode(what: str, text: str) -> bytes:
    try:
        content = text.encode()
    except UnicodeEncodeError as error:
        raise BuildsysError(f"{what} is not text that UTF-8 can hold") from error
    if b"\0" in content:
        raise BuildsysError(f"{what} holds a NUL byte, which ends a property for the kernel")
    return content


def _escape(content: bytes) -> bytes:
    for plain, escaped in _ESCAPES:
        content = content.replace(plain, escaped)
    return content


@frozen
class _Tag:
    name: bytes
    is_end: bool
    is_empty: bool
    attribute: bytes | None


_SPACE = rb"[ \t\r\n]*"
_COMMENT = rb"<!--.*?-->"
_PREAMBLE = re.compile(
    rb"(?:" + _SPACE + rb"(?:<\?xml [^>]*>|<!DOCTYPE plist[^>]*>|" + _COMMENT + rb"))*", re.DOTALL
)
_GAP = re.compile(rb"(?:" + _SPACE + _COMMENT + rb")*" + _SPACE, re.DOTALL)
_TAG = re.compile(
    rb"<(?P<end>/?)(?P<name>[^ \t\r\n/>]+)(?:(?P<empty>/)?>|"
    rb'[ \t\r\n]+(?P<attribute>[^ \t\r\n=/>]+)="[^"]*">)'
)
_NUMBER = re.compile(  # as strtoll(3) with base 0; no digits at all are 0, and taken
    rb"(?:[ \t\r\n\v\f]*([+-]?)(?:0[xX]([0-9a-fA-F]+)|0([0-7]*)|([1-9][0-9]*)))?"
)
_REFERENCE = re.compile(rb"&[a-z]*;?")


class _Reader:
    """Walks a plist as libprop does (common/lib/libprop, the *_internalize functions)."""

    def __init__(self, content: bytes) -> None:
        self._content = content.partition(b"\0")[0]
        self._at = 0
        self._depth = 0

    def read(self) -> Plist:
        found = _PREAMBLE.match(self._content)
        self._at = found.end() if found else 0
        plist = self._start(b"plist")
        if plist.is_empty or plist.attribute not in (None, b"version"):
            raise self._error("expected <plist version=...> with a dictionary in it")
        value = dict(self._dictionary(self._start(b"dict")))
        self._end(b"plist")
        return tuple(value.items())

    def _error(self, message: str) -> BuildsysError:
        line = self._content.count(b"\n", 0, self._at) + 1
        return BuildsysError(f"line {line}: {message}")

    def _tag(self, has_comments: bool = True) -> _Tag:
        gap = _GAP if has_comments else re.compile(_SPACE)
        start = gap.match(self._content, self._at)
        self._at = start.end() if start else self._at
        found = _TAG.match(self._content, self._at)
        if found is None or (found["end"] and found["empty"]):
            raise self._error("expected a tag")
        self._at = found.end()
        return _Tag(found["name"], bool(found["end"]), bool(found["empty"]), found["attribute"])

    def _start(self, name: bytes, tag: _Tag | None = None) -> _Tag:
        tag = tag or self._tag()
        if tag.is_end or tag.name != name:
            raise self._error(f"expected <{name.decode()}>")
        return tag

    def _end(self, name: bytes) -> None:
        tag = self._tag(has_comments=False)
        if not tag.is_end or tag.name != name:
            raise self._error(f"expected </{name.decode()}>")

    def _value(self, tag: _Tag) -> PlistValue:
        if tag.is_end or (tag.attribute is not None and tag.name != b"data"):
            raise self._error("expected a value without attributes")
        match tag.name, tag.is_empty:
            case b"true", True:
                return True
            case b"false", True:
                return False
            case b"string", _:
                return self._text(tag)
            case b"integer", False:
                return self._integer()
            case b"data", _:
                return self._data(tag)
            case b"array" | b"dict", _:
                return self._collection(tag)
        raise self._error(f"expected a value, found <{tag.name.decode(errors='replace')}>")

    def _text(self, tag: _Tag) -> str:
        if tag.is_empty:
            return ""
        end = self._content.find(b"<", self._at)
        if end < 0:
            raise self._error(f"expected </{tag.name.decode()}>")
        raw = self._content[self._at : end]
        if wrong := [name for name in _REFERENCE.findall(raw) if name not in _ENTITIES]:
            raise self._error(f"{wrong[0].decode()} is none of &amp; &lt; &gt; &apos; &quot;")
        self._at = end
        self._end(tag.name)
        text = _REFERENCE.sub(lambda found: _ENTITIES[found[0]], raw)
        return text.decode(errors="surrogateescape")

    def _integer(self) -> int:
        found = _NUMBER.match(self._content, self._at)
        sign, hexadecimal, octal, decimal = found.groups() if found else (None,) * 4
        self._at = found.end() if found else self._at
        self._end(b"integer")
        if hexadecimal is not None:
            value = int(hexadecimal, 16)
        else:
            value = int(decimal) if decimal is not None else int(octal or b"0", 8)
        return -value if sign == b"-" else value

    def _data(self, tag: _Tag) -> bytes:
        text = self._text(tag)
        try:
            return base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError) as error:
            raise self._error("expected base64") from error

    def _collection(self, tag: _Tag) -> PlistValue:
        if self._depth == _MAXIMUM_DEPTH:
            raise self._error(f"nested more than {_MAXIMUM_DEPTH} deep; not read further")
        self._depth += 1
        is_array = tag.name == b"array"
        value = tuple(self._array(tag)) if is_array else dict(self._dictionary(tag))
        self._depth -= 1
        return value

    def _array(self, tag: _Tag) -> Iterable[PlistValue]:
        while not tag.is_empty:
            inner = self._tag()
            if inner.is_end and inner.name == b"array":
                return
            yield self._value(inner)

    def _dictionary(self, tag: _Tag) -> Iterable[tuple[str, PlistValue]]:
        while not tag.is_empty:
            inner = self._tag()
            if inner.is_end and inner.name == b"dict":
                return
            key = self._text(self._start(b"key", inner))
            if inner.is_empty or len(key.encode(errors="surrogateescape")) > MAXIMUM_KEY_BYTES:
                raise self._error(f"expected a <key> of at most {MAXIMUM_KEY_BYTES} bytes")
            yield key, self._value(self._tag())


def parse_plist(content: bytes) -> Plist:
    """Read a plist; raises (the line first) when the kernel would not take it as a dictionary."""
    if len(content) > MAXIMUM_PLIST_BYTES:
        raise BuildsysError(f"{len(content)} bytes; the kernel reads {MAXIMUM_PLIST_BYTES}")
    return _Reader(content).read()


def is_autoload_forbidden(plist: Plist) -> bool:
    """Tell whether the kernel loads the module only when asked by name: noautoload is true."""
    return dict(plist).get("noautoload") is True
