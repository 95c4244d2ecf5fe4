"""The key 'stock' of a descriptor: a recipe of NetBSD's makefiles, written out."""

from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

from buildsys.base.errors import BuildsysError
from buildsys.base.value import frozen
from buildsys.base.yamlfile import YamlMap, YamlValue, load_yaml
from buildsys.module.model import ParserSource, Recipe, Trampolines
from buildsys.module.schema import OWN_MARK, RECIPE_FIELDS


@frozen
class RecipeText:
    """A recipe and the directory for which it was written (make's .CURDIR)."""

    recipe: Recipe
    directory: Path


@frozen
class _Reader:
    entries: Mapping[str, YamlValue]
    value: YamlValue
    expand: Callable[[YamlValue, Mapping[str, str]], str]
    further: Mapping[str, str]

    def text(self, key: str) -> str:
        """Read a string that must be there, here or in the base."""
        found = self.entries.get(key)
        if found is None:
            raise self.value.fail(f"the key {key} is missing, here and in the base")
        return self.expand(found, self.further)

    def path(self, key: str) -> Path | None:
        return Path(self.text(key)) if key in self.entries else None

    def words(self, key: str) -> tuple[str, ...]:
        found = self.entries.get(key)
        if found is None:
            return ()
        items = found.as_items("a list of strings")
        words = tuple(self.expand(item, self.further) for item in items)
        own = f"own_{key}"
        if own not in RECIPE_FIELDS or OWN_MARK not in words:
            return words
        at = words.index(OWN_MARK)
        return (*words[:at], *self.words(own), *words[at + 1 :])

    def parsers(self) -> tuple[ParserSource, ...]:
        found = self.entries.get("parsers")
        if found is None:
            return ()
        return tuple(self.parser(item) for item in found.as_items("a list of parsers"))

    def parser(self, value: YamlValue) -> ParserSource:
        table = value.as_map("a parser (source, argv, names)")
        table.refuse_unknown(("source", "argv", "names"))
        names = table.require("names", YamlValue.as_strings)
        argv = table.require(
            "argv", lambda items: tuple(self.expand(i, self.further) for i in items.as_items())
        )
        if not names or not argv:
            raise value.expect("at least one name and one word of argv")
        source = Path(self.expand(table.require("source", _itself), self.further))
        return ParserSource(source, argv, names)

    def trampolines(self) -> Trampolines | None:
        found = self.entries.get("trampolines")
        if found is None:
            return None
        table = found.as_map("a mapping")
        table.refuse_unknown(("awk", "wrap", "tramp", "hide"))

        def path(key: str) -> Path:
            return Path(self.expand(table.require(key, _itself), self.further))

        hide = path("hide") if "hide" in table.entries else None
        awk = self.expand(table.require("awk", _itself), self.further)
        return Trampolines(path("wrap"), path("tramp"), hide, awk)


def read_recipe(
    value: YamlValue,
    descriptor: Path,
    expand: Callable[[YamlValue, Mapping[str, str]], str],
) -> RecipeText:
    """Read 'stock'; expand replaces ${NAME} in a value, with further names beside the usual."""
    table = value.as_map("a mapping")
    table.refuse_unknown(tuple(RECIPE_FIELDS))
    base = _find_base(table, descriptor, expand)
    entries = {**_load_base(base), **table.entries}
    plain = _Reader(entries, value, expand, {})
    directory = plain.text("directory")
    reader = _Reader(entries, value, expand, {"CURDIR": directory})
    recipe = Recipe(
        system=Path(reader.text("system")),
        cflags=reader.words("cflags"),
        aflags=reader.words("aflags"),
        cppflags=reader.words("cppflags"),
        ldflags=reader.words("ldflags"),
        link_script=Path(reader.text("link_script")),
        assembly_flags=reader.words("assembly_flags"),
        link_sets=reader.path("link_sets"),
        assym=reader.path("assym"),
        assym_flags=reader.words("assym_flags"),
        config_options=reader.words("config_options"),
        parsers=reader.parsers(),
        trampolines=reader.trampolines(),
        ctf_convert=reader.words("ctf_convert") if "ctf_convert" in entries else None,
        ctf_merge=reader.words("ctf_merge") if "ctf_merge" in entries else None,
        debug=reader.words("debug") if "debug" in entries else None,
        debug_directory=_target(reader, "debug_directory"),
        install_directory=_target(reader, "install"),
        base=base,
    )
    return RecipeText(recipe, Path(directory))


def _target(reader: _Reader, key: str) -> PurePosixPath | None:
    return PurePosixPath(reader.text(key)) if key in reader.entries else None


def _find_base(
    table: YamlMap,
    descriptor: Path,
    expand: Callable[[YamlValue, Mapping[str, str]], str],
) -> Path | None:
    if "base" not in table.entries:
        return None
    value = table.entries["base"]
    path = descriptor.parent / expand(value, {})
    if not path.is_file():
        raise value.fail(f"there is no file {path}")
    return path


def _load_base(path: Path | None) -> Mapping[str, YamlValue]:
    if path is None:
        return {}
    base = load_yaml(path).as_map("a mapping")
    if "base" in base.entries:
        raise BuildsysError("base: a base has no base of its own", path)
    base.refuse_unknown(tuple(RECIPE_FIELDS))
    return base.entries


def _itself(value: YamlValue) -> YamlValue:
    return value
