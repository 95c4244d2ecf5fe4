"""Which files decide what is planned, beside those that steps read."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from buildsys.base.shipped import shipped_path
from buildsys.pipeline.request import Request
from buildsys.toolchain.identity import programs_named_by
from buildsys.toolchain.model import Tool

_PACKAGE = Path(__file__).resolve().parent.parent


def _can_look_at(path: str) -> bool:
    """Tell whether a directory of PATH is one that we may look at: no other holds a tool for us."""
    try:
        os.stat(path)
    except FileNotFoundError:
        return path != ""
    except OSError:
        return False
    return True


def _may_be_directory(path: Path) -> bool:
    """Tell whether it is a directory, or a link that leads nowhere yet."""
    return path.is_dir() or (path.is_symlink() and _can_look_at(str(path)))


def _name_tool(tool: Tool) -> Iterator[Path]:
    """Give the files behind a tool, and the names that lead there: a link may come to lead away."""
    yield Path(tool.argv[0])
    for path in tool.files:
        yield path
        yield from programs_named_by(path)


def _walk(directory: str) -> Iterator[str]:
    """Go through all files and directories below one."""
    for place, directories, files in os.walk(directory):
        yield from (f"{place}/{name}" for name in (*directories, *files))


def find_beside(request: Request, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Give the files and directories that decide what is planned, rather than what steps read."""
    config = request.config
    paths = [config.file, config.modules]
    # A directory without a descriptor is watched too: one may be written there.
    paths += (path for path in config.modules.glob("*") if _may_be_directory(path))
    paths += config.modules.glob("*/*.yaml")
    for module in request.modules:
        paths += [module.directory, module.place.path]
        if module.recipe is not None and module.recipe.base is not None:
            paths.append(module.recipe.base)
    for _, tool in request.toolchain.tools():
        paths += () if tool is None else _name_tool(tool)
    if config.src is not None:
        paths.append(config.src / "sys/sys/param.h")
    if config.kernel is not None:
        paths.append(config.kernel)
    names = {str(path) for path in paths}
    names.update(name for name in _walk(str(_PACKAGE)) if name.endswith(".py"))
    names.update(_walk(str(shipped_path("toolchain"))))
    if request.tree is not None:
        names.update(request.tree.watched)
    names.update(find_program_places(request, environment))
    return tuple(sorted(names))


def find_program_places(request: Request, environment: Mapping[str, str]) -> set[str]:
    """Give the directories in which programs are looked for: one that was missing may come."""
    places = {path for path in environment.get("PATH", "").split(":") if _can_look_at(path)}
    if request.config.tooldir is not None:
        places.add(str(request.config.tooldir / "bin"))
    return places
