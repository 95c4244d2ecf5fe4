"""Modules of a source tree written out as YAML descriptors; what many share goes into bases."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from buildsys.base.value import frozen
from buildsys.module.model import Module, Recipe
from buildsys.module.schema import OWN_MARK

_PLAIN = re.compile(r"[A-Za-z_/.-][A-Za-z0-9_./=+:-]*")
_WORDS_OF_YAML = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n", "~"})
_WIDTH = 96
_FEWEST = 3  # modules that share a list of flags for a base to be worth its file
_OWN = ("cflags", "cppflags")
_INDENT = "  "

Value = str | tuple[str, ...]


@frozen
class WrittenFile:
    """One file of an import; name is below the directory of descriptors."""

    name: str
    text: str


@frozen
class Importer:
    """Writes modules as text; variables are the paths that become ${NAME}, longest first."""

    variables: tuple[tuple[str, str], ...]
    origin: str  # for the heading: 'NetBSD 10.99.12, amd64-x86_64'

    def render(self, modules: Sequence[Module]) -> Iterator[WrittenFile]:
        """Give the bases and a descriptor NAME/NAME.yaml for each module."""
        values = {module.name: self._recipe_values(module) for module in modules}
        bases = _find_bases(tuple(values.values()))
        for number, base in enumerate(bases, start=1):
            text = f"# What modules share that NetBSD's makefiles describe alike ({self.origin}).\n"
            yield WrittenFile(f"stock-{number}.yaml", text + "".join(_render_values(base, "")))
        for module in modules:
            text = self._render_module(module, values[module.name], bases)
            yield WrittenFile(f"{module.name}/{module.name}.yaml", text)

    def _render_module(
        self, module: Module, values: dict[str, Value], bases: Sequence[dict[str, Value]]
    ) -> str:
        lines = [f"# {self._shorten(str(module.place))} ({self.origin})\n"]
        top: dict[str, Value] = {"kmod": module.name}
        if module.kmod_class is not None:
            top["class"] = module.kmod_class.value
        top["sources"] = tuple(self._shorten(unit.name) for unit in module.units)
        if module.requires:
            top["requires"] = module.requires
        if module.ioconf is not None:
            top["ioconf"] = self._shorten(str(module.ioconf))
        lines.extend(_render_values(top, ""))
        flags = {unit.source.name: (*unit.early_flags, *unit.flags) for unit in module.units}
        if any(flags.values()):
            lines.append("source_flags:\n")
            shown = {name: self._words(own, module) for name, own in flags.items() if own}
            lines.extend(_render_values(shown, _INDENT))
        lines.append("stock:\n")
        lines.extend(_render_values(_choose_base(values, bases), _INDENT))
        lines.extend(self._render_tables(module))
        return "".join(lines)

    def _render_tables(self, module: Module) -> Iterator[str]:
        recipe = module.recipe
        if recipe is not None and recipe.parsers:
            yield f"{_INDENT}parsers:\n"
            for parser in recipe.parsers:
                yield f"{_INDENT * 2}- source: {_quote(self._shorten(str(parser.source)))}\n"
                argv = tuple(self._shorten(word) for word in parser.argv)
                yield from _render_values({"argv": argv, "names": parser.names}, _INDENT * 3)
        if recipe is not None and recipe.trampolines is not None:
            awks = recipe.trampolines
            table: dict[str, Value] = {
                "awk": self._shorten(awks.awk),
                "wrap": self._shorten(str(awks.wrap)),
                "tramp": self._shorten(str(awks.tramp)),
            }
            if awks.hide is not None:
                table["hide"] = self._shorten(str(awks.hide))
            yield f"{_INDENT}trampolines:\n"
            yield from _render_values(table, _INDENT * 2)

    def _recipe_values(self, module: Module) -> dict[str, Value]:
        recipe = module.recipe
        if recipe is None:
            raise ValueError(f"{module.name} has no recipe")
        lists = {
            name: self._words(getattr(recipe, name), module)
            for name in (
                "cflags", "aflags", "cppflags", "ldflags", "assembly_flags", "assym_flags",
                "config_options",
            )
        }  # fmt: skip
        values: dict[str, Value] = {"directory": self._shorten(str(module.directory))}
        values.update((name, words) for name, words in lists.items() if words)
        values["system"] = self._shorten(str(recipe.system))
        for name, path in _named_paths(recipe).items():
            values[name] = self._shorten(path, str(module.directory))
        for name in ("ctf_convert", "ctf_merge", "debug"):
            flags = getattr(recipe, name)
            if flags is not None:
                values[name] = flags
        return values

    def _words(self, words: Sequence[str], module: Module) -> tuple[str, ...]:
        return tuple(self._shorten(word, str(module.directory)) for word in words)

    def _shorten(self, text: str, directory: str = "") -> str:
        """Put ${NAME} in place of known paths, and $$ for a dollar sign."""
        text = text.replace("$", "$$")
        names = [(directory, "CURDIR")] if directory else []
        for path, name in (*names, *self.variables):
            text = re.sub(rf"{re.escape(path)}(?=/|$|\")", f"${{{name}}}", text)
        return text


def _named_paths(recipe: Recipe) -> dict[str, str]:
    paths = {
        "link_script": recipe.link_script,
        "link_sets": recipe.link_sets,
        "assym": recipe.assym,
        "debug_directory": recipe.debug_directory,
        "install": recipe.install_directory,
    }
    return {name: str(path) for name, path in paths.items() if path is not None}


def _find_bases(every: Sequence[dict[str, Value]]) -> tuple[dict[str, Value], ...]:
    """Find what groups of modules with the same cflags share; the largest group comes first."""
    groups: dict[Value, list[dict[str, Value]]] = {}
    for values in every:
        groups.setdefault(values.get("cflags", ()), []).append(values)
    ordered = sorted(groups.values(), key=len, reverse=True)
    return tuple(_make_base(group) for group in ordered if len(group) >= _FEWEST)


def _make_base(group: Sequence[dict[str, Value]]) -> dict[str, Value]:
    base: dict[str, Value] = {}
    for name in dict.fromkeys(name for values in group for name in values):
        if name in ("directory", "assym_flags", "link_sets", "assym"):
            continue
        common, number = Counter(values.get(name) for values in group).most_common(1)[0]
        if common is not None and number > 1:
            base[name] = common
    for name in _OWN:
        common = base.get(name)
        if isinstance(common, tuple) and len({values.get(name) for values in group}) > 1:
            base[name] = _mark(common, [values.get(name, ()) for values in group])
    return base


def _mark(common: tuple[str, ...], every: Sequence[Value]) -> tuple[str, ...]:
    """Put the mark for own flags where most lists have theirs."""

    def fitting(at: int) -> int:
        return sum(_own_part(words, common[:at], common[at:]) is not None for words in every)

    best = max(range(len(common) + 1), key=fitting)
    return (*common[:best], OWN_MARK, *common[best:])


def _own_part(words: Value, head: tuple[str, ...], tail: tuple[str, ...]) -> tuple[str, ...] | None:
    """Give what stands between head and tail; None where words do not begin and end so."""
    if not isinstance(words, tuple) or len(words) < len(head) + len(tail):
        return None
    end = len(words) - len(tail)
    fits = words[: len(head)] == head and words[end:] == tail
    return words[len(head) : end] if fits else None


def _choose_base(values: dict[str, Value], bases: Sequence[dict[str, Value]]) -> dict[str, Value]:
    """Write values as the difference from the base that leaves the least to say."""
    choices = [_differ(values, base, number) for number, base in enumerate(bases, start=1)]
    fitting = [choice for choice in choices if choice is not None]
    return min((*fitting, values), key=lambda choice: len(repr(choice)))


def _differ(
    values: dict[str, Value], base: dict[str, Value], number: int
) -> dict[str, Value] | None:
    if base.keys() - values.keys():
        return None  # what the base has cannot be unsaid
    found: dict[str, Value] = {"base": f"../stock-{number}.yaml"}
    for name, value in values.items():
        shared = base.get(name)
        own: tuple[str, ...] | None = None
        if isinstance(shared, tuple) and OWN_MARK in shared:
            at = shared.index(OWN_MARK)
            own = _own_part(value, shared[:at], shared[at + 1 :])
        if own:
            found[f"own_{name}"] = own
        elif own is None and value != shared:
            found[name] = value
    return found


def _render_values(values: Mapping[str, Value], indent: str) -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, str):
            yield f"{indent}{_quote(name)}: {_quote(value)}\n"
        elif sum(len(_quote(word)) + 2 for word in value) + len(indent) + len(name) < _WIDTH:
            yield f"{indent}{_quote(name)}: [{', '.join(map(_quote, value))}]\n"
        elif name == "sources":
            yield f"{indent}{name}:\n"
            yield from (f"{indent}{_INDENT}- {_quote(word)}\n" for word in value)
        else:
            yield f"{indent}{_quote(name)}: [\n"
            yield from _wrap(value, indent + _INDENT)
            yield f"{indent}]\n"


def _wrap(words: Sequence[str], indent: str) -> Iterator[str]:
    line = indent
    for word in words:
        piece = f"{_quote(word)}, "
        if len(line) + len(piece) > _WIDTH and line.strip():
            yield f"{line.rstrip()}\n"
            line = indent
        line += piece
    yield f"{line.rstrip()}\n"


def _quote(text: str) -> str:
    """Spell a string so that YAML reads it as that string, in a list of one line too."""
    is_plain = _PLAIN.fullmatch(text) is not None and not text.endswith(":")
    if is_plain and text.lower() not in _WORDS_OF_YAML and not text.startswith((".", "-.")):
        return text if text.strip("-") else f"'{text}'"
    escaped = text.replace("'", "''")
    return f"'{escaped}'"


def path_variables(paths: Mapping[str, Path]) -> tuple[tuple[str, str], ...]:
    """Order the paths that become ${NAME} so that the longest is tried first."""
    pairs = [(str(path), name) for name, path in paths.items()]
    return tuple(sorted(pairs, key=lambda pair: len(pair[0]), reverse=True))
