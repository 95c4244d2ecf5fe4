"""A module described in YAML: one file to one Module, or one error with file and line."""

import os
import re
import string
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from buildsys.base.errors import BuildsysError, Place, os_error_text
from buildsys.base.value import frozen
from buildsys.base.yamlfile import YamlMap, YamlValue, load_yaml
from buildsys.module.model import (
    IDENT_STEM,
    MAXIMUM_NAME_BYTES,
    CompileUnit,
    Language,
    Module,
    ModuleClass,
    PropertyValue,
)
from buildsys.module.recipefile import read_recipe
from buildsys.module.schema import FIELDS, NAME_PATTERN, WARNINGS
from buildsys.plist import render_plist

T = TypeVar("T")

_LANGUAGES = {".c": Language.C, ".S": Language.ASSEMBLY}
_STOCK_LANGUAGES = {**_LANGUAGES, ".s": Language.ASSEMBLY}
_NAME = re.compile(NAME_PATTERN)
_DEFINE = re.compile(r"[A-Za-z_]\w*(\([\s\S]*\))?(=[\s\S]*)?", re.ASCII)
_CLASSES = {kmod_class.value: kmod_class for kmod_class in ModuleClass}
_NOT_WITH_STOCK = ("include", "defines", "warnings", "cflags", "properties", "ident_note")


@frozen
class _Context:
    path: Path
    directory: Path
    variables: Mapping[str, str]
    known: dict[str, Path]  # directories of headers, which modules often share

    def expand(self, value: YamlValue) -> str:
        """Replace ${S} and its kin in a string."""
        return self.expand_with(value, {})

    def expand_with(self, value: YamlValue, further: Mapping[str, str]) -> str:
        """Replace ${S} and its kin, and further names, in a string."""
        text = value.as_string()
        if "$" not in text:
            return text
        try:
            return string.Template(text).substitute(self.variables, **further)
        except KeyError as error:
            raise value.fail(_unknown_variable(str(error.args[0]), self.variables)) from error
        except ValueError as error:
            raise value.fail(f"a lone $ in {text!r}; write $$ for a dollar sign") from error

    def expand_flag(self, value: YamlValue) -> str:
        """Read a flag; a file of flags (@FILE) is refused, for its changes would not be noticed."""
        text = self.expand(value)
        if text.startswith("@"):
            raise value.expect("a flag, written out here")
        return text

    def expand_path(self, value: YamlValue) -> Path:
        """Read a path, which is relative to the descriptor."""
        path = self.spell_path(value)
        if ".." not in path.parts:
            return path
        name = _normalise(str(path), str(self.directory))
        found = self.known.get(name)
        if found is None:
            found = self.known[name] = Path(name)
        return found

    def expand_define(self, value: YamlValue) -> str:
        """Read NAME or NAME=VALUE."""
        text = self.expand(value)
        if not _DEFINE.fullmatch(text):
            raise value.expect("NAME or NAME=VALUE")
        return text

    def spell_path(self, value: YamlValue) -> Path:
        """Read a path as it is spelled, 'a/..' and all."""
        text = self.expand(value)
        if not text or "\0" in text:
            raise value.expect("the name of a file or directory")
        return self.directory / text


def load_descriptors(directory: Path, variables: Mapping[str, str]) -> tuple[Module, ...]:
    """Read every NAME/NAME.yaml below a directory, in the order of their names.

    A name that two descriptors claim is an error; a directory without a descriptor is skipped.
    """
    modules: dict[str, Module] = {}
    known: dict[str, Path] = {}
    for path in find_descriptors(directory):
        module = _load(path, variables, known)
        other = modules.setdefault(module.name, module)
        if other is not module:
            raise BuildsysError(
                f"kmod: {module.name} is the name of another module too ({other.place})",
                module.place,
            )
    return tuple(modules[name] for name in sorted(modules))


def find_descriptors(directory: Path) -> tuple[Path, ...]:
    """List the descriptors below a directory: NAME/NAME.yaml, or the directory's own."""
    own = directory / f"{directory.resolve().name}.yaml"
    if own.is_file():
        return (own,)
    try:
        with os.scandir(directory) as entries:
            names = sorted(entry.name for entry in entries if _is_directory(entry))
    except OSError as error:
        raise BuildsysError(f"cannot read: {os_error_text(error)}", directory) from error
    paths = (Path(f"{directory}/{name}/{name}.yaml") for name in names)
    return tuple(path for path in paths if path.exists())


def _is_directory(entry: os.DirEntry[str]) -> bool:
    """Tell whether a directory is meant; a link in a circle means nothing, and is no trouble."""
    is_link = entry.is_symlink()
    return Path(entry.path).is_dir() if is_link else entry.is_dir(follow_symlinks=False)


def load_descriptor(path: Path, variables: Mapping[str, str]) -> Module:
    """Read one descriptor; variables are what ${NAME} in its paths and flags stands for."""
    return _load(path, variables, {})


def _load(path: Path, variables: Mapping[str, str], known: dict[str, Path]) -> Module:
    entries = load_yaml(path).as_map("a mapping of keys to values")
    entries.refuse_unknown(FIELDS)
    return _read_module(_Context(path, path.parent, variables, known), entries)


def _read_module(context: _Context, entries: YamlMap) -> Module:
    name = entries.get("kmod", _read_name, None) or _find_name(context.directory)
    if not _NAME.fullmatch(name) or len(name) > MAXIMUM_NAME_BYTES:
        raise entries.value.fail(
            f"the directory's name {name!r} cannot name a module; give it with kmod:"
        )
    if "stock" in entries.entries:
        return _read_stock_module(context, entries, name)
    include = entries.get_each("include", context.expand_path, ())
    return Module(
        name=name,
        place=Place(context.path),
        directory=context.directory,
        kmod_class=entries.require("class", _read_class),
        description=entries.get("description", YamlValue.as_string, ""),
        units=_read_units(context, entries),
        requires=entries.get("requires", _read_requires, ()),
        cppflags=(
            *(f"-D{define}" for define in entries.get_each("defines", context.expand_define, ())),
            *(f"-I{path}" for path in include),
        ),
        include_path=include,
        warnings=entries.get_each("warnings", context.expand_flag, WARNINGS),
        cflags=entries.get_each("cflags", context.expand_flag, ()),
        ioconf=entries.get("ioconf", context.expand_path, None),
        properties=entries.get("properties", _read_properties, ()),
        machines=entries.get_each("machines", _read_name, ()),
        has_ident_note=entries.get("ident_note", YamlValue.as_boolean, True),
        recipe=None,
    )


def _find_name(directory: Path) -> str:
    name = directory.name
    is_own = name not in ("", "..") and not directory.is_symlink()
    return name if is_own else directory.resolve().name


def _read_stock_module(context: _Context, entries: YamlMap, name: str) -> Module:
    for key in _NOT_WITH_STOCK:
        if key in entries.entries:
            raise entries.entries[key].fail("does not go with stock, which holds every flag")
    value = entries.entries["stock"]
    stock = read_recipe(value, context.path, context.expand_with)
    return Module(
        name=name,
        place=Place(context.path),
        directory=stock.directory,
        kmod_class=entries.get("class", _read_class, None),
        description=entries.get("description", YamlValue.as_string, ""),
        units=_read_units(context, entries),
        requires=entries.get("requires", _read_requires, ()),
        cppflags=(),
        include_path=(),
        warnings=(),
        cflags=(),
        ioconf=entries.get("ioconf", context.spell_path, None),
        properties=(),
        machines=entries.get_each("machines", _read_name, ()),
        has_ident_note=False,
        recipe=stock.recipe,
    )


def _read_name(value: YamlValue) -> str:
    name = value.as_string()
    if not _NAME.fullmatch(name) or len(name.encode()) > MAXIMUM_NAME_BYTES:
        raise value.expect(
            f"a name of 1 to {MAXIMUM_NAME_BYTES} letters, digits and any of _ . + -"
        )
    return name


def _read_class(value: YamlValue) -> ModuleClass:
    found = _CLASSES.get(value.as_string())
    if found is None:
        raise value.expect(f"one of {', '.join(_CLASSES)}")
    return found


def _read_requires(value: YamlValue) -> tuple[str, ...]:
    names: list[str] = []
    for item in value.as_items("a list of strings"):
        name = _read_name(item)
        if name in names:
            raise item.fail(f"{name} stands twice")
        names.append(name)
    return tuple(names)


def _read_properties(value: YamlValue) -> tuple[tuple[str, PropertyValue], ...]:
    entries = value.as_map().entries
    for key, item in entries.items():
        if not key:
            raise item.fail("a property needs a name")
    properties = tuple((key, item.as_scalar()) for key, item in sorted(entries.items()))
    try:
        render_plist(properties)
    except BuildsysError as error:
        raise value.fail(str(error)) from error
    return properties


def _read_units(context: _Context, entries: YamlMap) -> tuple[CompileUnit, ...]:
    sources = entries.require("sources", lambda value: tuple(value.as_items("a list of strings")))
    if not sources:
        raise entries.entries["sources"].expect("at least one source file")
    no_flags: dict[str, tuple[str, ...]] = {}
    flags = entries.get("source_flags", _read_source_flags(context), no_flags)
    units: dict[str, CompileUnit] = {}
    for value in sources:
        unit = _read_unit(context, value, flags, is_stock="stock" in entries.entries)
        if unit.object in units:
            raise value.fail(f"{unit.object} would also be made of {units[unit.object].source}")
        units[unit.object] = unit
    names = {unit.source.name for unit in units.values()} if flags else ()
    for name, item in _source_flag_entries(entries).items():
        if name not in names:
            raise item.fail(f"{name} is not one of the sources")
    return tuple(units.values())


def _read_unit(
    context: _Context,
    value: YamlValue,
    flags: Mapping[str, tuple[str, ...]],
    is_stock: bool,
) -> CompileUnit:
    # The makefiles' own spelling ('sys/../common') stays: compilers write it into the object.
    path = context.spell_path(value) if is_stock else context.expand_path(value)
    languages = _STOCK_LANGUAGES if is_stock else _LANGUAGES
    stem, suffix = path.stem, path.suffix
    language = languages.get(suffix)
    if language is None:
        raise value.expect(f"a source file ending in {' or '.join(languages)}")
    if stem == IDENT_STEM:
        raise value.fail(f"{IDENT_STEM}.o is the version note's; give the file another name")
    text = context.expand(value)
    spelling = text if is_stock and text.startswith("/") and text != str(path) else ""
    own_flags = flags.get(path.name, ()) if flags else ()
    return CompileUnit(path, f"{stem}.o", language, own_flags, spelling)


def _source_flag_entries(entries: YamlMap) -> dict[str, YamlValue]:
    value = entries.entries.get("source_flags")
    return {} if value is None else value.as_map().entries


def _read_source_flags(context: _Context) -> Callable[[YamlValue], dict[str, tuple[str, ...]]]:
    def read(value: YamlValue) -> dict[str, tuple[str, ...]]:
        table = value.as_map("a mapping")
        return {name: table.get_each(name, context.expand_flag, ()) for name in table.entries}

    return read


def _unknown_variable(name: str, variables: Mapping[str, str]) -> str:
    if name in ("S", "NETBSDSRCDIR"):
        return f"${{{name}}} needs a NetBSD source tree; give one with --src or NETBSDSRCDIR"
    return f"${{{name}}} is not known here; known are {', '.join(sorted(variables))}"


def _normalise(name: str, directory: str) -> str:
    """Drop 'a/..' where a leads to the descriptor's directory and is no link.

    Any other a may become a link later, which nobody would notice who had dropped it.
    """
    parts: list[str] = []
    for part in name.split("/"):
        is_back = part == ".." and parts and parts[-1] not in ("..", "")
        if is_back and _leads(place := "/".join(parts), directory) and not os.path.islink(place):
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts) or ("/" if parts else ".")


def _leads(place: str, directory: str) -> bool:
    return f"{directory}/".startswith(f"{place}/")
