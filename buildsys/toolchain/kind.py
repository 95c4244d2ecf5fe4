"""Kinds of toolchain: toolchain/kind/NAME.yaml, which says what to look for and where."""

from pathlib import Path

from buildsys.base.errors import UsageError
from buildsys.base.shipped import shipped_path
from buildsys.base.value import frozen
from buildsys.base.yamlfile import YamlValue, load_yaml
from buildsys.toolchain.model import CompilerFamily, LinkerFamily, LinkStyle

EMBEDDED_KIND = "zig"
TOOLDIR_KIND = "tooldir"
_KEYS = ("kind", "title", "link", "foreign_flags", "roles")
ROLES = (
    "cc", "ld", "objcopy", "nm", "objdump", "config", "make", "genassym", "ctfconvert",
    "ctfmerge", "awk",
)  # fmt: skip
_STYLES = tuple(style.value for style in LinkStyle)
_FAMILIES = {
    "cc": tuple(family.value for family in CompilerFamily),
    "ld": tuple(family.value for family in LinkerFamily),
}


@frozen
class Candidate:
    """One name under which a tool may be found; {words} are filled in for the machine."""

    name: str
    arguments: tuple[str, ...]
    family: str  # '' but for cc and ld
    is_self_contained: bool  # one file, with no other program or library behind it


@frozen
class Role:
    """What a tool is for, where to look for it and how to get it."""

    name: str
    search: tuple[str, ...]  # TOOLDIR, PATH, python:PACKAGE
    candidates: tuple[Candidate, ...]
    mend: str
    package: str  # Debian's package of a foreign GNU toolchain, '' where there is none


@frozen
class Kind:
    """A way to come by a toolchain; roles are its own and those that all kinds share."""

    name: str
    title: str
    link_style: LinkStyle
    foreign_flags: tuple[str, ...]  # for a compiler made for another system than NetBSD
    roles: tuple[Role, ...]

    def role(self, name: str) -> Role:
        """Give the role of this name."""
        return next(role for role in self.roles if role.name == name)


def list_kinds() -> tuple[str, ...]:
    """Name the kinds, the embedded one first."""
    names = sorted(path.stem for path in shipped_path("toolchain/kind").glob("*.yaml"))
    return tuple(sorted(names, key=lambda name: name != EMBEDDED_KIND))


def choose_kind(option: str | None, configured: str | None, tooldir: str | None) -> str:
    """Choose by the option, then the configuration, then whether there is a TOOLDIR."""
    name = option or configured or (TOOLDIR_KIND if tooldir else EMBEDDED_KIND)
    if name not in list_kinds():
        raise UsageError(f"toolchain {name} is not known; known are {', '.join(list_kinds())}")
    return name


def load_kind(name: str) -> Kind:
    """Load one of list_kinds() with the roles that all kinds share."""
    shared = load_yaml(shipped_path("toolchain/tools.yaml")).as_map()
    shared.refuse_unknown(("roles",))
    directory = shipped_path("toolchain/kind")
    return read_kind(directory / f"{name}.yaml", shared.require("roles", _read_roles))


def read_kind(path: Path, shared: tuple[Role, ...] = ()) -> Kind:
    """Read one kind; its own roles come before the shared ones."""
    table = load_yaml(path).as_map("a toolchain's kind")
    table.refuse_unknown(_KEYS)
    roles = table.require("roles", _read_roles)
    names = {role.name for role in roles}
    for name in ("cc", "ld"):
        if name not in names:
            raise table.entries["roles"].fail(f"the key {name} is missing")
    return Kind(
        name=table.require("kind", YamlValue.as_string),
        title=table.require("title", YamlValue.as_string),
        link_style=table.require("link", lambda value: LinkStyle(_read_choice(value, _STYLES))),
        foreign_flags=table.get("foreign_flags", YamlValue.as_strings, ()),
        roles=(*roles, *(role for role in shared if role.name not in names)),
    )


def _read_roles(value: YamlValue) -> tuple[Role, ...]:
    table = value.as_map("a mapping of roles")
    table.refuse_unknown(ROLES)
    return tuple(_read_role(name, entry) for name, entry in table.entries.items())


def _read_role(name: str, value: YamlValue) -> Role:
    table = value.as_map("a role (search, candidates, mend)")
    table.refuse_unknown(("search", "candidates", "mend", "package"))
    return Role(
        name=name,
        search=table.require("search", _read_search),
        candidates=table.require(
            "candidates",
            lambda items: tuple(_read_candidate(name, item) for item in items.as_items()),
        ),
        mend=table.require("mend", YamlValue.as_string),
        package=table.get("package", YamlValue.as_string, ""),
    )


def _read_search(value: YamlValue) -> tuple[str, ...]:
    for item in value.as_items("a list of places"):
        place = item.as_string()
        if place not in ("TOOLDIR", "PATH") and not place.startswith("python:"):
            raise item.expect("TOOLDIR, PATH or python:PACKAGE")
    return value.as_strings()


def _read_candidate(role: str, value: YamlValue) -> Candidate:
    table = value.as_map("a candidate (name, arguments, family)")
    table.refuse_unknown(("name", "arguments", "family", "self_contained"))
    families = _FAMILIES.get(role)
    if families is None:
        family = ""
    else:
        family = table.require("family", lambda key: _read_choice(key, families))
    return Candidate(
        name=table.require("name", YamlValue.as_string),
        arguments=table.get("arguments", YamlValue.as_strings, ()),
        family=family,
        is_self_contained=table.get("self_contained", YamlValue.as_boolean, False),
    )


def _read_choice(value: YamlValue, choices: tuple[str, ...]) -> str:
    text = value.as_string()
    if text not in choices:
        raise value.expect(f"one of {', '.join(choices)}")
    return text
