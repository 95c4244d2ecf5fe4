"""Steps whose results depend on no directory and no time (MKREPRO); touches no file.

share/mk/bsd.sys.mk asks for -Wp,-iremap,FROM:TO, which NetBSD's own GCC alone knows. Every other
compiler gets the same mapping as -ffile-prefix-map=FROM=TO: for __FILE__, and for debugging.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from buildsys.base.value import replace
from buildsys.module.model import Module
from buildsys.pipeline.places import machine_directory
from buildsys.pipeline.request import Request
from buildsys.pipeline.step import Command, Step
from buildsys.toolchain.kind import TOOLDIR_KIND
from buildsys.toolchain.model import CompilerFamily, Toolchain

SOURCE_ROOT = "/usr/src"  # share/mk/bsd.sys.mk
OBJECT_ROOT = "/usr/obj"
MODULE_ROOT = "/usr/modules"
_REMAP = "-Wp,-iremap,"
_MAP = "-ffile-prefix-map="
_DEBUG_MAP = "-fdebug-prefix-map="
_WARNINGS = ("-Wdate-time", "-Wno-error=date-time")  # no compiler records a warning's flag
_NETBSD_GCC_ONLY = (_REMAP, "-fdebug-regex-map=", "-Wp,-fno-canonical-system-headers")

Roots = tuple[tuple[str, str], ...]  # directories here, and what they are called instead


def find_roots(request: Request, headers: Iterable[Path]) -> Roots:
    """Name the directories of a run anew, those inside of others after them."""
    config = request.config
    source, objects = config.src, machine_directory(config, request.target)
    roots = {str(config.modules): MODULE_ROOT, str(objects): OBJECT_ROOT}
    roots |= {str(path): f"{MODULE_ROOT}/include" for path in headers}
    for part in ("", "sys", "common") if source is not None else ():
        inner = "" if not part else f"/{part}"
        spelled = f"{source}{inner}"
        roots.setdefault(spelled, SOURCE_ROOT + inner)
        roots.setdefault(os.path.realpath(spelled), SOURCE_ROOT + inner)
    return tuple(sorted(roots.items()))


def make_reproducible(
    steps: Iterable[Step], modules: Iterable[Module], request: Request, headers: Iterable[Path]
) -> list[Step]:
    """Give the steps with the flags, and the time, that make their results repeatable."""
    roots = find_roots(request, headers)
    own = {module.name: _add_module(roots, module) for module in modules}
    time = (("SOURCE_DATE_EPOCH", str(request.seconds)),)
    changed = []
    for step in steps:
        action = step.action
        if isinstance(action, Command) and action.verb == "compile":
            argv = map_argv(action.argv, request.toolchain, own.get(step.module, roots))
            action = replace(action, argv=argv, environment=(*action.environment, *time))
            changed.append(replace(step, action=action))
        else:
            changed.append(step)
    return changed


def _add_module(roots: Roots, module: Module) -> Roots:
    """Add the directories of a module that lie below none of the roots."""
    paths = dict.fromkeys((module.directory, *(unit.source.parent for unit in module.units)))
    further = [
        (str(path), f"{MODULE_ROOT}/{module.name}")
        for path in paths
        if not any(path.is_relative_to(root) for root, _ in roots)
    ]
    return tuple(sorted({**dict(roots), **dict(further)}.items()))


def map_argv(argv: Sequence[str], toolchain: Toolchain, roots: Roots) -> tuple[str, ...]:
    """Spell a compile command so that names of roots do not enter into its result.

    Of several that fit, GCC and clang take the last: so the longest come last.
    """
    is_netbsd_gcc = toolchain.kind == TOOLDIR_KIND and toolchain.compiler is CompilerFamily.GCC
    end = argv.index("-MD") if "-MD" in argv else argv.index("-c")
    if is_netbsd_gcc:
        has_remap = any(word.startswith(_REMAP) for word in argv)
        remaps = () if has_remap else (f"{_REMAP}{here}:{there}" for here, there in roots)
        maps = (f"{_DEBUG_MAP}{here}={there}" for here, there in roots)
        return (*argv[:end], *remaps, *maps, *_WARNINGS, *argv[end:])
    maps = (f"{_MAP}{here}={there}" for here, there in roots)
    stock = _translate(argv[:end], dict(roots))
    return (*stock, *maps, *_WARNINGS, *argv[end:])


def _translate(words: Iterable[str], roots: Mapping[str, str]) -> list[str]:
    """Take out what only NetBSD's GCC knows, and keep what it maps beyond the roots."""
    kept = []
    for word in words:
        if word.startswith(_DEBUG_MAP) and word.startswith(f"{_DEBUG_MAP}$"):
            continue  # a variable that NetBSD's GCC looks up itself; the roots say the same
        if not word.startswith(_NETBSD_GCC_ONLY):
            kept.append(word)
            continue
        here, _, there = word.removeprefix(_REMAP).rpartition(":")
        if word.startswith(_REMAP) and here.rstrip("/") not in ("", *roots):
            kept.append(f"{_MAP}{here}={there}")
    return kept
