"""Which tools modules of a source tree need, and which are left out for want of one."""

import os
from collections.abc import Iterator

from buildsys.base.errors import BuildsysError
from buildsys.base.value import replace
from buildsys.module.model import Module
from buildsys.srctree.tree import SourceTree, Trouble
from buildsys.toolchain.model import Toolchain


def leave_out_untooled(tree: SourceTree, toolchain: Toolchain) -> SourceTree:
    """Turn each module for which a tool is missing into a trouble that names the tool."""
    modules: list[Module] = []
    troubles: list[Trouble] = []
    for module in tree.modules:
        message = _describe_missing(module, toolchain)
        if message:
            troubles.append(Trouble(module.directory, module.name, f"{module.place}: {message}"))
        else:
            modules.append(module)
    return replace(tree, modules=tuple(modules), troubles=(*tree.troubles, *troubles))


def _describe_missing(module: Module, toolchain: Toolchain) -> str:
    try:
        for role in find_roles(module):
            toolchain.require(role)
    except BuildsysError as error:
        return str(error)
    return ""


def find_roles(module: Module) -> Iterator[str]:
    """Name the roles of a toolchain that a module needs beside compiler and linker."""
    recipe = module.recipe
    if module.ioconf is not None:
        yield "config"
    if recipe is None:
        return
    if recipe.trampolines is not None:
        yield from ("ld", "nm", "objdump")
        if not os.path.isabs(recipe.trampolines.awk):
            yield "awk"
    if recipe.trampolines is not None and recipe.trampolines.hide is not None:
        yield "objcopy"
    if recipe.link_sets is not None:
        yield "objdump"
    if recipe.ctf_convert is not None:
        yield "ctfconvert"
    if recipe.ctf_merge is not None:
        yield "ctfmerge"
    if recipe.debug is not None:
        yield "objcopy"
