"""Which kernel options a module is compiled with: what -D and -U leave defined."""

from collections.abc import Iterable

from buildsys.kernel.options import WATCHED
from buildsys.module.model import Module


def defined_options(flags: Iterable[str]) -> tuple[str, ...]:
    """Give the watched options that flags define, in the order of the alphabet."""
    defined: set[str] = set()
    before = ""
    for flag in flags:
        word = before + flag
        before = flag if flag in ("-D", "-U") else ""
        name = word[2:].partition("=")[0]
        if word.startswith("-D") and len(word) > 2:
            defined.add(name)
        elif word.startswith("-U"):
            defined.discard(name)
    return tuple(name for name in WATCHED if name in defined)


def module_options(module: Module) -> tuple[str, ...]:
    """Give the options that a module as a whole is compiled with."""
    recipe = module.recipe
    if recipe is not None:
        return defined_options((*recipe.cflags, *recipe.cppflags))
    return defined_options((*module.cflags, *module.cppflags))
